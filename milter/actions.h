/* Carries a plan out: the only place that changes a message. */
#ifndef WB_MILTER_ACTIONS_H
#define WB_MILTER_ACTIONS_H

#include <libmilter/mfapi.h>

#include "plan/plan.h"

/* At the end of a message: do all of plan, or answer with a temporary
 * failure when the MTA refuses any of it. */
sfsistat wb_actions_do(SMFICTX *ctx, const struct wb_plan *plan);

/* Answer with reply: its first digit tells whether for good. */
sfsistat wb_actions_reply(SMFICTX *ctx, const struct wb_reply *reply);

/* Give the message a new body. Returns SMFIS_CONTINUE, or a tempfail. */
sfsistat wb_actions_body(SMFICTX *ctx, const void *body, size_t octets);

#endif
