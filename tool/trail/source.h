/* Lines of a log, whatever it is kept in. */
#ifndef WB_TRAIL_SOURCE_H
#define WB_TRAIL_SOURCE_H

#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"

struct wb_log_source {
    const char *name;    /* of the source, for people */
    FILE *file;          /* NULL: the journal */
    const char *journal; /* a file of journald's; NULL: the system's */
};

/* Open log, as wb_trail_read takes it. Returns EX_OK or EX_NOINPUT with
 * *err. */
int wb_log_source_open(const char *log, struct wb_log_source *out,
                       struct wb_err *err);

/* Begin anew: *in is a stream of lines that has all those with one of the ids
 * (and may have others), to be closed by wb_log_source_done. Returns EX_OK or
 * EX_UNAVAILABLE with *err. */
int wb_log_source_begin(const struct wb_log_source *lines,
                        const char *const *ids, size_t id_count,
                        struct wb_pool *p, FILE **in, struct wb_err *err);
void wb_log_source_done(const struct wb_log_source *lines, FILE *in);

void wb_log_source_close(struct wb_log_source *lines);

#endif
