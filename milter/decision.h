/* The log lines of a decision. */
#ifndef WB_MILTER_DECISION_H
#define WB_MILTER_DECISION_H

#include "plan/plan.h"

/* One line a recipient, or, when the message is not accepted, one line with
 * the reply. conf: what decided; NULL when there was none. */
void wb_decision_log(const struct wb_conf *conf, const struct wb_envelope *env,
                     const struct wb_plan *plan);

/* Does an accepting plan decide anything on its recipient i? Otherwise another
 * listener of the MTA's will. */
bool wb_decision_is_told(const struct wb_plan *plan, size_t i);

/* A recipient (NULL: the whole message) is refused with reply. recipient is
 * as the MTA gave it. */
void wb_decision_log_refusal(const struct wb_conf *conf,
                             const struct wb_envelope *env,
                             const char *recipient,
                             const struct wb_reply *reply);

/* Log a connection that was refused at a listener. client: NULL when not
 * known. */
void wb_decision_log_visit(const char *listener, const char *client,
                           const struct wb_reply *reply);

#endif
