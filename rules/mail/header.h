/* Header fields (RFC 5322) as a milter sees them. */
#ifndef WB_MAIL_HEADER_H
#define WB_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

/* Is name a field name: 1 to 77 octets of printable ASCII but no colon
 * (RFC 5322, 3.6.8)? */
bool wb_header_name_is_valid(const char *name);

/* The value on one line (RFC 5322, 2.2.3): every CR and LF and the white space
 * at both ends gone. At most max_octets of value are read.
 * Lives in p; NULL when out of memory. */
char *wb_header_unfold(struct wb_pool *p, const char *value, size_t max_octets);

/* The value as a person reads it: unfolded (RFC 5322, 2.2.3), encoded words
 * decoded to UTF-8 (RFC 2047; white space between neighbours dropped), white
 * space at both ends gone, and CR, LF and NUL gone, encoded ones too. Encoded
 * words are also found inside quoted strings and without white space around
 * them, since that is how they are sent. Neighbours in one charset are decoded
 * as one text, since senders split characters between them.
 * What cannot be decoded (unknown charset, broken encoding) stays as it was
 * sent; so may octets that are no UTF-8. At most max_octets of value are read,
 * and the result is at most 4 times what was read.
 * Lives in p; NULL when out of memory. */
const char *wb_header_decode(struct wb_pool *p, const char *value,
                             size_t max_octets);

/* The addresses in an address list (RFC 5322, 3.4: names, angle brackets,
 * quoted strings, comments, groups, obsolete routes skipped), each as
 * "local@domain" with the local part unquoted and the case kept. A part that
 * is not an address is skipped, as is an address that is too long
 * (WB_PATH_MAX_OCTETS), is not UTF-8 or has control characters (C0, DEL). An
 * address outside angle brackets counts only if its part has nothing else.
 * value is a raw field value, folded or not; encoded words must not have been
 * decoded, or a display name could forge an address.
 * At most max_addresses are returned.
 * out: array in p. Returns EX_OK or EX_OSERR (out of memory); *out and *count
 * are set with EX_OK only. */
int wb_header_addresses(struct wb_pool *p, const char *value,
                        size_t max_addresses, const char *const **out,
                        size_t *count);

/* What follows white space and comments (RFC 5322, 3.2.2; nested ones, and one
 * that is left open swallows the rest). */
const char *wb_header_skip_cfws(const char *s);

#endif
