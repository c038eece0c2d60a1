/* What a server's certificate says. */
#ifndef WB_TEST_CERTIFICATE_H
#define WB_TEST_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "match/rule.h"

struct wb_certificate {
    struct wb_strings names; /* those that it is for */
    int64_t expires_s;       /* seconds since 1970 (UTC) */
};

/* Read a certificate in PEM form. names: at most 20 of them, the DNS names and
 * addresses, or else the common name; with '?' for what is no plain text.
 * Lives in pool. Returns false when it is none. */
bool wb_certificate_read(struct wb_pool *pool, const char *pem,
                         struct wb_certificate *out);

/* "a.example, b.example", in pool */
const char *wb_certificate_names(struct wb_pool *pool,
                                 const struct wb_certificate *certificate);

#endif
