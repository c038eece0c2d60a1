/* Test routes: each with its own account, as Postfix would use it. */
#ifndef WB_TEST_ROUTES_H
#define WB_TEST_ROUTES_H

#include "tool/test/dialogue.h"
#include "tool/test/letter.h"
#include "tool/test/tables.h"

struct wb_route_test {
    const struct wb_route *route;
    struct wb_test_mail mail;
    struct wb_dialogue pop; /* before smtp, where the route needs it */
    struct wb_dialogue smtp;
    struct wb_dialogue *fallbacks; /* as many as the route has */
    size_t left;                   /* dialogues that have not ended */
    struct wb_fault tables;        /* text is where Postfix sends its mail */
    bool has_tables;               /* they were asked for */
    struct wb_fault fault;         /* the first that there was */
    const char *prefix; /* before the name of its step: "pop:" or "" */
    struct wb_routes_run *run;
};

/* One run of the command. */
struct wb_routes_run {
    const struct wb_conf *conf;
    struct wb_pool *pool;
    const char *from, *to; /* from: NULL for each route's own */
    const char *dir;       /* Postfix's configuration */
    bool without_tables;
    unsigned timeout_s;
    int64_t now_s;
    struct wb_source source;
    /* Each NULL or called with the test, on_step after a step of d, or when d
     * failed. */
    void (*on_begin)(struct wb_route_test *test);
    void (*on_step)(struct wb_route_test *test, const struct wb_dialogue *d);
    void (*on_end)(struct wb_route_test *test);
};

/* Test these routes, none of them "direct". Returns EX_OK with the outcome of
 * each in tests, or what reading a password returned, with *err. */
int wb_routes_test(struct wb_routes_run *run,
                   const struct wb_route *const *routes, size_t count,
                   struct wb_route_test *tests, struct wb_err *err);

#endif
