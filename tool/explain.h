/* The two faces of `waybill explain`. */
#ifndef WB_TOOL_EXPLAIN_H
#define WB_TOOL_EXPLAIN_H

#include <stdio.h>

#include "plan/plan.h"

/* For people. */
void wb_explain_text(FILE *out, const struct wb_envelope *env,
                     const struct wb_plan *plan);

/* For programs: the object that the manual page describes.
 * Returns EX_OK or EX_OSERR. */
int wb_explain_json(FILE *out, const struct wb_envelope *env,
                    const struct wb_plan *plan);

/* What the log, and the MTA's queue, know of the message queue_id, to stdout;
 * log as wb_trail_read takes it.
 * Returns EX_OK; EX_DATAERR (no queue id, or nothing is known of it),
 * EX_NOINPUT, EX_UNAVAILABLE or EX_OSERR with *err. */
int wb_explain_trail(const struct wb_conf *conf, const char *log,
                     const char *queue_id, bool as_json, struct wb_pool *p,
                     struct wb_err *err);

/* "accept", "tempfail" or "reject". */
const char *wb_explain_verdict(enum wb_decision decision);

#endif
