/* Run a program of the MTA: no shell, bounded in time. */
#ifndef WB_MAPS_RUN_H
#define WB_MAPS_RUN_H

#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

enum { WB_RUN_TIMEOUT_S = 120, WB_RUN_MAX_OCTETS = 64 * 1024 * 1024 };

struct wb_run {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up */
    const char *input;       /* for its stdin; NULL: none */
    char *out, *errors;      /* what it wrote, in the pool */
    int status;              /* exit status; 128 + n: died of signal n */
};

/* Run it to its end. The environment is reduced to PATH and LC_ALL.
 * Returns EX_OK whatever the status is, or EX_UNAVAILABLE with *err when it
 * cannot be started, runs too long or says too much. */
int wb_run(struct wb_pool *pool, struct wb_run *run, struct wb_err *err);

/* What it complained of, on one line: for a message. */
const char *wb_run_errors(struct wb_pool *pool, const struct wb_run *run);

#endif
