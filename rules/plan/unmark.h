/* Take waybill's marks out of a text. */
#ifndef WB_PLAN_UNMARK_H
#define WB_PLAN_UNMARK_H

#include <stddef.h>

/* Take every mark that a recipient bears out of the octets of text, in place:
 * "u@dom.ROUTE.LABEL.waybill.invalid" becomes "u@dom", and what is carried
 * whole becomes what it was. Any label counts, a retired one as well: this
 * decides nothing. Sendmail quotes recipients so in the bounces that it makes.
 * Returns how many octets are left; as many as before: there was no mark. */
size_t wb_unmark(char *text, size_t octets);

#endif
