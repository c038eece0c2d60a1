/* A digest of what a configuration says, so that two can be told apart: what
 * is in force, and what stands in the files by now. */
#ifndef WB_CONF_DIGEST_H
#define WB_CONF_DIGEST_H

#include "conf/raw.h"

enum { WB_CONF_DIGEST_OCTETS = 64 }; /* SHA-256 in hexadecimal */

struct wb_digest;

/* NULL when out of memory. wb_digest_free allows NULL. */
struct wb_digest *wb_digest_new(void);
void wb_digest_free(struct wb_digest *d);

/* One more section (d: NULL: nobody wants the digest). Counted are its kind,
 * title, options and values, in their order; not the file, the line, blanks and
 * comments. */
void wb_digest_add(struct wb_digest *d, const struct wb_raw_section *section);

/* Write the digest, a NUL after it, to out. Returns false when something went
 * wrong on the way (out of memory): out is "" then. */
bool wb_digest_end(struct wb_digest *d, char out[WB_CONF_DIGEST_OCTETS + 1]);

#endif
