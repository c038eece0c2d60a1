/* What came back to a return path: a report of a failure, in whatever form, or
 * something else. */
#ifndef WB_BOUNCE_BOUNCE_H
#define WB_BOUNCE_BOUNCE_H

#include <stdint.h>

#include "webhook/bounce/kind.h"
#include "webhook/mime/mime.h"

/* One recipient's fate. Strings are UTF-8, none is NULL, "" is not known. */
struct wb_bounce {
    enum wb_bounce_kind kind;
    const char *recipient;       /* as it was sent to */
    const char *final_recipient; /* where that led, as the reporter says */
    const char *code;            /* "5.1.1" (RFC 3463) */
    const char *reason;          /* the server's words, one line */
    const char *remote_mta;      /* whose words */
};

struct wb_bounce_report {
    enum wb_bounce_kind kind; /* the first failure's, else of the message */
    const char *form;         /* "dsn", "arf", "qmail", ...; "" is none */
    int64_t created_s;        /* when it came; seconds since 1970 (UTC) */

    /* what the signed return address told (X-Waybill-Bounce) */
    const char *sender, *recipient;
    int age_days; /* -1: not known */

    /* the original, as far as it was sent back */
    const char *from, *to; /* the first address of each */
    const char *subject, *message_id;

    const char *reporting_mta;
    struct wb_bounce *items; /* none of what is no report */
    size_t count;
};

enum { WB_BOUNCE_ITEMS_MAX = 100 };

/* Read a message.
 * envelope_from: "" is the null sender; NULL: not known, its Return-Path
 *                counts.
 * now_s: for created_s where the message does not tell.
 * out lives in p. Returns EX_OK whatever the message is, EX_IOERR or EX_OSERR
 * with *err. */
int wb_bounce_read(const struct wb_mime *m, const char *envelope_from,
                   int64_t now_s, struct wb_pool *p,
                   struct wb_bounce_report *out, struct wb_err *err);

#endif
