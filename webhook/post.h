/* One POST: libcurl, with every door that mail must not open shut. */
#ifndef WB_WEBHOOK_POST_H
#define WB_WEBHOOK_POST_H

#include <stdint.h>

#include "webhook/answer.h"

/* Kept connections, and what TLS trusts; for all threads. */
struct wb_poster;

/* Start libcurl. Call while there is one thread only, once.
 * Returns EX_OK, EX_OSERR or EX_UNAVAILABLE (libcurl lacks what is needed)
 * with *err. */
int wb_poster_new(struct wb_poster **out, struct wb_err *err);

/* No post may be under way. NULL is allowed. */
void wb_poster_free(struct wb_poster *poster);

/* Close the connections that have been idle for a while; or all of them, since
 * the webhooks may have changed. */
void wb_poster_prune(struct wb_poster *poster);
void wb_poster_forget(struct wb_poster *poster);

enum { WB_TRACE_MAX_OCTETS = 16384 };

/* What went over the wire, cut off where it is full. */
struct wb_trace {
    char request[WB_TRACE_MAX_OCTETS];  /* header lines; holds secrets */
    char response[WB_TRACE_MAX_OCTETS]; /* header lines */
    char body[WB_TRACE_MAX_OCTETS];     /* of the response */
    size_t request_octets, response_octets, body_octets;
};

struct wb_post {
    const struct wb_webhook *webhook;
    const char *const *headers; /* "Name: value", ended by NULL */
    int body_fd;                /* posted from its beginning */
    uint64_t body_octets;
    struct wb_trace *trace; /* NULL: nobody asks */
};

/* Post, and wait for the end: at most webhook->timeout_s, and what the look-up
 * of a name takes longer. A connection is used again only for posts of the
 * same webhook. Never follows a redirect, never uses a proxy, always verifies
 * the server, and connects to public addresses only unless the webhook says
 * otherwise. */
void wb_poster_post(struct wb_poster *poster, const struct wb_post *post,
                    struct wb_post_result *out);

#endif
