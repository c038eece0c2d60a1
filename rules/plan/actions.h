/* From a decision to what the MTA must be told. */
#ifndef WB_PLAN_ACTIONS_H
#define WB_PLAN_ACTIONS_H

#include "plan/plan.h"

#define WB_WEBHOOK_HEADER "X-Waybill-Webhook"
#define WB_BOUNCE_HEADER  "X-Waybill-Bounce"
#define WB_HEADER_PREFIX  "X-Waybill-"

/* Is this a header that only waybill may set? */
bool wb_actions_owns_header(const struct wb_conf *conf, const char *name);

/* "ORCPT=... NOTIFY=..." for a recipient that is added again: the client's
 * own values where it gave them, else ORCPT is the recipient as it was
 * (RFC 3461, 4.2). Lives in p; NULL when out of memory. */
const char *wb_actions_esmtp(struct wb_pool *p, const struct wb_recipient *r);

/* Fill in plan->actions from the rest of an accepted plan.
 * Returns EX_OK or EX_OSERR. */
int wb_actions_make(const struct wb_conf *conf, const struct wb_envelope *env,
                    struct wb_pool *p, struct wb_plan *plan,
                    struct wb_err *err);

#endif
