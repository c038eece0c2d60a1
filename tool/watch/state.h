/* What routes did last: kept from one run of the tool to the next, in JSON,
 * in state_file. */
#ifndef WB_WATCH_STATE_H
#define WB_WATCH_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "tool/test/hints.h"

/* One thing that is looked at again and again. Times are seconds since 1970
 * (UTC). */
struct wb_condition {
    int64_t last_s;    /* when it was looked at; 0: never */
    int64_t since_s;   /* since when it is as it is */
    unsigned failures; /* in a row; 0: it is well */
    const char *kind;  /* of the failure, as in waybill(1); "" when well */
    const char *step;
    const char *words; /* the server's own */
    const char *hint;
};

struct wb_route_state {
    const char *name;
    const char *account; /* of the last POP login: see wb_watch_account */
    struct wb_condition pop, test;
    bool is_told_failing; /* what the addresses of notify know */
    int64_t told_s;       /* since when; 0: they were never told */
};

struct wb_watch {
    struct wb_pool *pool;
    struct wb_route_state *routes;
    size_t count, room; /* of routes */
    bool must_reload;   /* a table was changed, and the MTA may not know it */
};

/* Read path. One that is missing, or is no such file, is empty: every route
 * then counts as not logged in. Lives in pool.
 * Returns EX_OK, or EX_NOINPUT or EX_DATAERR with *err and an empty *out. */
int wb_watch_read(struct wb_pool *pool, const char *path, struct wb_watch *out,
                  struct wb_err *err);

/* Replace path, mode 0600, with the routes that conf still has. Returns EX_OK,
 * EX_CANTCREAT or EX_OSERR with *err. */
int wb_watch_write(const struct wb_watch *watch, const struct wb_conf *conf,
                   const char *path, struct wb_err *err);

/* One writer at a time: make path's directory (0700) if it is missing, and
 * lock it, waiting some seconds. *fd is closed to unlock. Returns EX_OK,
 * EX_TEMPFAIL or EX_CANTCREAT with *err. */
int wb_watch_lock(struct wb_pool *pool, const char *path, int *fd,
                  struct wb_err *err);

/* The state of a route; it is added where it is missing, and then every pointer
 * that was returned before is stale. */
struct wb_route_state *wb_watch_route(struct wb_watch *watch, const char *name);

/* The same without adding; NULL: nothing is known. */
const struct wb_route_state *wb_watch_find(const struct wb_watch *watch,
                                           const char *name);

/* What fault (its cause is WB_CAUSE_NONE when all is well) at step says of c
 * now. Texts are kept as they are. */
void wb_condition_note(struct wb_condition *c, const struct wb_fault *fault,
                       const char *step, int64_t now_s);

#endif
