/* Base32 (RFC 4648, 6) in lower case and without padding: DNS labels and mail
 * tables fold case. */
#ifndef WB_BASE_BASE32_H
#define WB_BASE_BASE32_H

#include <stddef.h>

/* Write in as NUL-terminated text. out: (octets * 8 + 4) / 5 + 1 octets. */
void wb_base32(const unsigned char *in, size_t octets, char *out);

#endif
