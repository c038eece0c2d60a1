/* What a bounce means. */
#ifndef WB_BOUNCE_KIND_H
#define WB_BOUNCE_KIND_H

#include <stdbool.h>
#include <stddef.h>

enum wb_bounce_kind {
    WB_BOUNCE_NONE,       /* a person's mail, or nothing that is known */
    WB_BOUNCE_AUTO_REPLY, /* out of office, a read receipt */
    WB_BOUNCE_DELAYED,    /* still being tried */
    WB_BOUNCE_DELIVERED,  /* or relayed, or expanded */
    /* failures */
    WB_BOUNCE_HARD,      /* there is no such address */
    WB_BOUNCE_SOFT,      /* another try may go well */
    WB_BOUNCE_FULL,      /* the mailbox is full */
    WB_BOUNCE_BLOCKED,   /* refused for what it is, or where it is from */
    WB_BOUNCE_COMPLAINT, /* its reader called it spam (RFC 5965) */
};

/* "hard", "auto-reply" ... */
const char *wb_bounce_kind_name(enum wb_bounce_kind kind);

/* Did the original not arrive, or was it unwanted? */
bool wb_bounce_is_failure(enum wb_bounce_kind kind);

/* Why a message failed.
 * code:  "5.1.1" (RFC 3463), or "".
 * words: the server's, UTF-8.
 * Returns one of HARD, SOFT, FULL, BLOCKED. */
enum wb_bounce_kind wb_bounce_classify(const char *code, const char *words);

enum { WB_BOUNCE_CODE_OCTETS = 12 }; /* "5.123.123" and its NUL */

/* Find the best status code in words: "x.y.z", or "x.0.0" for an SMTP reply
 * code that stands alone. "" when there is none. */
void wb_bounce_find_code(const char *words, char code[WB_BOUNCE_CODE_OCTETS]);

#endif
