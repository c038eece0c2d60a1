/* Password tables for the time in which old and new processes are at work. */
#ifndef WB_MAPS_TRANSITION_H
#define WB_MAPS_TRANSITION_H

#include "tool/maps/files.h"

/* Until the reload, mail is still sent to the old nexthops, also by processes
 * of Postfix that start now and read the new tables: without its row one of
 * them would go on without a login. So the rows of nexthops that are no longer
 * wanted stay for that time. No nexthop changes its account (seats.h).
 *
 * before: the installed text of each of files, in the same order; NULL: there
 * is none. Returns files with these rows added; lives in pool. */
struct wb_files wb_transition(struct wb_pool *pool,
                              const struct wb_files *files,
                              const struct wb_files *before);

#endif
