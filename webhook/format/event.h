/* Bounces as Customers Mail Cloud's Event webhook tells them. */
#ifndef WB_FORMAT_EVENT_H
#define WB_FORMAT_EVENT_H

#include "webhook/bounce/bounce.h"
#include "webhook/format/form.h"
#include "webhook/payload.h"

/* Write what became of one recipient as a JSON object on one line, without a
 * line end: the webhook's members, and behind them id, kind, code,
 * finalRecipient and remoteMta, which are waybill's. */
void wb_event_write(FILE *out, const struct wb_payload_facts *facts,
                    const struct wb_bounce_report *report,
                    const struct wb_bounce *b);

/* Write the fields of a bounces event with every failure of the report. */
void wb_format_event(struct wb_form *f, const struct wb_payload_facts *facts,
                     const struct wb_bounce_report *report);

#endif
