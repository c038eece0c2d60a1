/* Keep the MTA's table of routes that are not used now. */
#ifndef WB_WATCH_DOWN_H
#define WB_WATCH_DOWN_H

#include "tool/maps/entries.h"
#include "tool/watch/state.h"

/* Make the Postfix whose configuration is in dir use the routes that watch says
 * are open (see wb_pop_mark), and no others that need a POP login: where the
 * routes that are down, or the reasons, are others than those in its table, the
 * table is written and Postfix, if it runs, reloads. must_reload of watch is
 * true, and written to state_file, as long as it has not done so. Returns
 * EX_OK; EX_OSFILE when it has no such table: waybill apply is needed;
 * EX_TEMPFAIL when an apply is at work; or what failed; with *err. */
int wb_down_publish(struct wb_watch *watch, const struct wb_conf *conf,
                    const char *dir, int64_t now_s, struct wb_err *err);

#endif
