/* What the MTA is told of a post: whether it is done, to be tried again, or
 * refused for good. */
#ifndef WB_WEBHOOK_ANSWER_H
#define WB_WEBHOOK_ANSWER_H

#include <stdbool.h>

#include "conf/conf.h"

/* How a post ended. */
enum wb_post_end {
    WB_POST_ANSWERED,   /* with an HTTP status */
    WB_POST_NO_NAME,    /* its host's name could not be looked up */
    WB_POST_NOT_PUBLIC, /* its address may not be posted to */
    WB_POST_NO_ANSWER,  /* nobody answers there */
    WB_POST_TLS,        /* no TLS, or not the server that it should be */
    WB_POST_TIMEOUT,
    WB_POST_BROKEN, /* the connection ended, or what came was no HTTP */
    WB_POST_BUSY,   /* all posts that it may have at one time are under way */
    WB_POST_TOO_LARGE, /* the message is larger than max_size_kb */
    WB_POST_LOGGED,    /* nothing was posted: a bounce, which was logged */
    WB_POST_LOCAL,     /* memory or disk is missing here */
};

struct wb_post_result {
    enum wb_post_end end;
    long status;          /* with WB_POST_ANSWERED */
    long retry_after_s;   /* 0: it said nothing of that */
    struct wb_err detail; /* for the log; "" if there is no more to say */
};

/* One line of LMTP or SMTP without its CRLF: printable ASCII, and at most 510
 * octets (RFC 5321, 4.5.3.1.5). */
struct wb_answer {
    char text[511];
};

/* format gives "451 4.3.0 text"; what does not fit is cut off, and what is not
 * printable ASCII becomes '?'. */
void wb_answer_set(struct wb_answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* 2xx, 4xx or 5xx, with a code of RFC 3463. Nothing that the receiver of the
 * post wrote stands in it but its status. */
void wb_answer_choose(const struct wb_webhook *webhook,
                      const struct wb_post_result *result, const char *id,
                      struct wb_answer *out);

/* Is it what the MTA takes for done, or for a reason to try again? */
bool wb_answer_is_done(const struct wb_answer *answer);
bool wb_answer_is_temporary(const struct wb_answer *answer);

#endif
