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

/* "accept", "tempfail" or "reject". */
const char *wb_explain_verdict(enum wb_decision decision);

#endif
