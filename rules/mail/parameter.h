/* Fields that are a word and parameters (RFC 2045, 5.1; RFC 3834, 5):
 *
 *     Content-Type: multipart/report; report-type="delivery-status"
 *     Auto-Submitted: auto-replied (vacation); owner-token=af3NN2pK5dDXI0W
 *
 * A field is a raw value, folded or not. Comments and white space between the
 * parts do not count, nor does a part that is none. */
#ifndef WB_MAIL_PARAMETER_H
#define WB_MAIL_PARAMETER_H

#include "base/pool.h"

/* What stands before the parameters, in lower case: "multipart/report". ""
 * when nothing does. Lives in p; NULL when out of memory. */
const char *wb_field_word(struct wb_pool *p, const char *field);

/* The value of the first parameter of that name, whatever its case, unquoted
 * and in lower case; "" when there is none. Lives in p; NULL when out of
 * memory. */
const char *wb_field_parameter(struct wb_pool *p, const char *field,
                               const char *name);

#endif
