/* A file, line by line. */
#ifndef WB_MIME_LINES_H
#define WB_MIME_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { WB_LINES_BUFFER_OCTETS = 16384 };

struct wb_lines {
    int fd;
    uint64_t offset; /* of octets[0] in the file */
    size_t at, count;
    bool is_within; /* a line that did not fit */
    char octets[WB_LINES_BUFFER_OCTETS];
};

/* A line, or a part of one that is longer than the buffer. */
struct wb_line_piece {
    const char *octets; /* until the next call */
    size_t count;       /* with the line end; 0: the file has ended */
    uint64_t offset;
    bool is_start, is_end; /* of its line */
};

/* From the start of the file. */
void wb_lines_begin(struct wb_lines *l, int fd);

/* Returns EX_OK, or EX_IOERR with *err. */
int wb_lines_next(struct wb_lines *l, struct wb_line_piece *out,
                  struct wb_err *err);

#endif
