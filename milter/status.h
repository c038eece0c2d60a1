/* What the daemon says of itself: nothing that the log does not say, and no
 * secret. */
#ifndef WB_MILTER_STATUS_H
#define WB_MILTER_STATUS_H

#include <stdio.h>

enum {
    /* With more rules than this, only those that were met are shown. */
    WB_STATUS_RULES_MAX = 1000,
};

/* An object on one line, as waybill(1) describes it. Nothing is written when
 * out of memory. */
void wb_status_json(FILE *out);

/* The text format of Prometheus, version 0.0.4. */
void wb_status_metrics(FILE *out);

#endif
