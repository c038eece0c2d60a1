/* waybill deliver-test: how it shows what went over the wire. */
#ifndef WB_TOOL_DELIVER_TEST_H
#define WB_TOOL_DELIVER_TEST_H

#include "webhook/deliver.h"

/* Print the request, whose secrets are left out, the response, and what the
 * MTA would be told. The JSON form returns EX_OK or EX_OSERR. */
void wb_deliver_test_text(const struct wb_delivery *delivery,
                          const struct wb_delivered *delivered);
int wb_deliver_test_json(const struct wb_delivery *delivery,
                         const struct wb_delivered *delivered);

#endif
