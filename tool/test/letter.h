/* The test mail of a route. */
#ifndef WB_TEST_LETTER_H
#define WB_TEST_LETTER_H

#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"

struct wb_test_mail {
    const char *sender; /* of the envelope, by the return path */
    const char *from;
    const char *recipient;
    const char *letter; /* header and body, with CRLF */
};

/* The mail as one from `from` to `to` would leave by this route. from: NULL
 * for the route's own: the address in its `from`, its username where that is an
 * address, or the first of notify.
 * fallback: by which of the route's relays, 0 for its own; the letter says so.
 * now_s: seconds since 1970 (UTC). Lives in pool.
 * Returns EX_OK, EX_USAGE (there is no sender), EX_DATAERR (one of them is no
 * address, or the sender has no return path) or EX_TEMPFAIL, with *err. */
int wb_test_mail_make(const struct wb_conf *conf, const struct wb_route *route,
                      size_t fallback, const char *from, const char *to,
                      int64_t now_s, struct wb_pool *pool,
                      struct wb_test_mail *out, struct wb_err *err);

/* "Tue, 24 Nov 2026 02:17:56 +0000" (RFC 5322, 3.3) in pool, local time. */
const char *wb_mail_date(struct wb_pool *pool, int64_t at_s);

#endif
