/* The log lines of a decision. */
#ifndef WB_MILTER_DECISION_H
#define WB_MILTER_DECISION_H

#include "plan/plan.h"

/* One line a recipient, or, when the message is not accepted, one line with
 * the reply. */
void wb_decision_log(const struct wb_envelope *env, const struct wb_plan *plan);

/* A recipient (NULL: the whole message) is refused with reply. recipient is
 * as the MTA gave it. */
void wb_decision_log_refusal(const struct wb_envelope *env,
                             const char *recipient,
                             const struct wb_reply *reply);

/* Log a connection that was refused at a listener. client: NULL when not
 * known. */
void wb_decision_log_visit(const char *listener, const char *client,
                           const struct wb_reply *reply);

#endif
