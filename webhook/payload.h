/* What is posted: the body of the request, made of the message. */
#ifndef WB_WEBHOOK_PAYLOAD_H
#define WB_WEBHOOK_PAYLOAD_H

#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "conf/conf.h"

/* What stands beside the message. Strings are UTF-8 without control
 * characters; none is NULL but where it says so. */
struct wb_payload_facts {
    const char *id;      /* X-Waybill-Id */
    const char *webhook; /* its name */
    const char *filter;  /* the inbound section's name, or "bounces" */
    const char *server_composition;
    const char *envelope_from; /* "" for the null sender */
    const char *envelope_to;   /* the recipient as it was before its mark */
    const char *api_key;       /* NULL: none is configured */
    const char *signing_key;   /* NULL: none is configured */
    int64_t now_s;             /* seconds since 1970 (UTC) */
};

/* Write the body of the request for a message.
 * in_fd:  a regular file that holds the message alone, with CRLF line ends as
 *         far as its sender kept to them; read from its beginning, wherever
 *         its offset stands, and as often as needed. Its MIME may be broken in
 *         any way: that is never an error, what can be told of it is posted.
 * out_fd: an empty regular file; its offset afterwards does not matter.
 * *content_type: the value of Content-Type, static or in p.
 * Memory does not grow with the message.
 * Returns EX_OK, EX_OSERR (memory) or EX_IOERR (disk) with *err. */
int wb_payload_write(enum wb_format format,
                     const struct wb_payload_facts *facts, int in_fd,
                     int out_fd, struct wb_pool *p, const char **content_type,
                     struct wb_err *err);

#endif
