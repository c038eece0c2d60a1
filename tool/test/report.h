/* Tell what a test of routes found out. */
#ifndef WB_TEST_REPORT_H
#define WB_TEST_REPORT_H

#include <stdio.h>

#include "tool/test/routes.h"

/* The lines for people, as they come: the route, the last step of a dialogue
 * (or the one that failed), and how it ended with the server's own words and a
 * hint. */
void wb_report_head(FILE *out, const struct wb_route_test *test);
void wb_report_step(FILE *out, const struct wb_route_test *test,
                    const struct wb_dialogue *dialogue);
void wb_report_end(FILE *out, const struct wb_route_test *test);

/* The last lines alone: what failed, where (a step, with before put in front
 * of it), and the hint. */
void wb_report_fault(FILE *out, const char *route, const char *before,
                     const struct wb_fault *fault);

/* All of these lines. */
void wb_report_whole(FILE *out, const struct wb_route_test *test);

/* An array for programs, an object a route. Returns EX_OK or EX_OSERR. */
int wb_report_json(FILE *out, const struct wb_route_test *tests, size_t count,
                   int64_t now_s);

#endif
