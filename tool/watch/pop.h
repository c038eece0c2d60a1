/* POP before SMTP: which routes are open, and which login is due. */
#ifndef WB_WATCH_POP_H
#define WB_WATCH_POP_H

#include "tool/maps/entries.h"
#include "tool/test/dialogue.h"
#include "tool/watch/state.h"

/* The account that a route logs in with: a login with another one does not
 * count. Lives in pool. */
const char *wb_pop_account(struct wb_pool *pool, const struct wb_route *route);

/* Did the last login go well, and is it good still? */
bool wb_pop_is_open(const struct wb_watch *watch, const struct wb_route *route,
                    int64_t now_s);

/* Is it time to log in: never done, half of the interval is over, or a
 * failure is long enough ago? */
bool wb_pop_is_due(const struct wb_watch *watch, const struct wb_route *route,
                   int64_t now_s);

/* Mark the ways of routes that need a POP login and are not open: see
 * way.down. */
void wb_pop_mark(const struct wb_watch *watch, struct wb_entries *entries,
                 int64_t now_s);

/* The same by state_file as it is now; one that cannot be read is told on
 * stderr and opens nothing. */
void wb_pop_mark_now(struct wb_pool *pool, struct wb_entries *entries);

/* The dialogue that logs in for a route. */
struct wb_dialogue wb_pop_dialogue(const struct wb_route *route,
                                   const char *password,
                                   const struct wb_source *source,
                                   unsigned timeout_s);

#endif
