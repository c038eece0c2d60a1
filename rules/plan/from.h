/* The header From: what a route's own does to a message. */
#ifndef WB_PLAN_FROM_H
#define WB_PLAN_FROM_H

#include "plan/plan.h"

/* Does mail of both routes get the same From, so that they can share one
 * message? */
bool wb_from_is_same(const struct wb_route *a, const struct wb_route *b);

/* The headers From, Sender, Reply-To for plan->from_of, if that is not NULL:
 * fill in plan's from_header, reply_to and breaks_dkim. Nothing is to be done
 * where From is the new one already, alone and without a Sender.
 * Returns EX_OK or EX_OSERR. */
int wb_from_decide(const struct wb_envelope *env, struct wb_pool *p,
                   struct wb_plan *plan);

#endif
