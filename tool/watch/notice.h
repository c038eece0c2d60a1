/* Tell people when routes begin or cease to fail. */
#ifndef WB_WATCH_NOTICE_H
#define WB_WATCH_NOTICE_H

#include "tool/watch/state.h"

/* Nobody is told of a route again within this time. */
enum { WB_NOTICE_PAUSE_S = 600 };

/* Tell the addresses of notify of every route that fails and did not when they
 * were told last, or the other way round: in one message at most, by the
 * sendmail of the Postfix whose configuration is in dir. The state is written
 * (see wb_watch_write) before the message goes out: if it cannot be, none
 * does, so that a full disk makes no storm.
 * Returns EX_OK, or what writing or sending returned, with *err. */
int wb_notice_settle(struct wb_watch *watch, const struct wb_conf *conf,
                     const char *dir, int64_t now_s, struct wb_err *err);

#endif
