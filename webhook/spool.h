/* Messages, and what is made of them, in files without a name: they need no
 * memory, and whatever happens nothing is left behind. */
#ifndef WB_WEBHOOK_SPOOL_H
#define WB_WEBHOOK_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Open an empty file without a name in directory, to write and to read.
 * Returns EX_OK or EX_IOERR with *err. */
int wb_spool_file_open(const char *directory, int *fd, struct wb_err *err);

/* Write all octets at the file's offset. Returns EX_OK or EX_IOERR. */
int wb_spool_file_write(int fd, const char *octets, size_t count,
                        struct wb_err *err);

/* Read up to count octets at offset. Returns how many, 0 at the end of the
 * file, -1 with *err. */
ssize_t wb_spool_file_read(int fd, uint64_t offset, char *octets, size_t count,
                           struct wb_err *err);

/* Append all of from to to. Returns EX_OK or EX_IOERR. */
int wb_spool_file_copy(int from, int to, struct wb_err *err);

enum { WB_DIGEST_OCTETS = 32 };

struct evp_md_ctx_st;

/* A message on its way in. Zeroed, it is none. */
struct wb_spool {
    int fd;
    uint64_t octets;
    unsigned char digest[WB_DIGEST_OCTETS]; /* SHA-256, once it has ended */
    struct evp_md_ctx_st *digesting;
    int code; /* of the first thing that went wrong, or EX_OK */
    struct wb_err err;
};

/* Begin, add, end: what goes wrong is kept in spool->code and makes the calls
 * that follow do nothing. wb_spool_end returns spool->code: EX_OK, EX_IOERR
 * or EX_OSERR, with spool->err. */
void wb_spool_begin(struct wb_spool *spool, const char *directory);
void wb_spool_add(struct wb_spool *spool, const char *octets, size_t count);
int wb_spool_end(struct wb_spool *spool);

/* Forget it; it is zeroed. Allowed at any time. */
void wb_spool_close(struct wb_spool *spool);

#endif
