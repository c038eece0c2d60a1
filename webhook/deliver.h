/* One message, to one recipient's webhook. */
#ifndef WB_WEBHOOK_DELIVER_H
#define WB_WEBHOOK_DELIVER_H

#include "webhook/answer.h"
#include "webhook/post.h"
#include "webhook/sign.h"

struct wb_delivery {
    const struct wb_webhook *webhook;
    const char *filter;
    const char *sender; /* "" is the null sender */
    const char *recipient;
    const struct wb_spool *message;   /* has ended with EX_OK */
    const char *spool_directory;      /* for the body of the request */
    const struct wb_bounces *bounces; /* NULL: what is one is not logged */
    int64_t now_s;                    /* seconds since 1970 (UTC) */
    struct wb_trace *trace;           /* NULL: nobody asks */
};

/* What became of it. */
struct wb_delivered {
    char id[WB_ID_OCTETS + 1]; /* X-Waybill-Id; "" if there is no memory */
    struct wb_post_result result;
    struct wb_answer answer;
    uint64_t body_octets;     /* of the request */
    const char *content_type; /* of the request; NULL: it did not come so far */
};

/* Make the body, sign it, post it, and say what the MTA is to be told. A
 * bounce may be logged instead, or as well, as bounces says.
 * p: memory until the end of the call, and for content_type. Whatever goes
 * wrong, the answer says it. */
void wb_deliver(struct wb_poster *poster, const struct wb_delivery *delivery,
                struct wb_pool *p, struct wb_delivered *out);

#endif
