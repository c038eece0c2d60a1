/* The facts of one message, as the decision core sees them. The milter and
 * `waybill explain` fill this in; nothing in it is trusted. */
#ifndef WB_MAIL_ENVELOPE_H
#define WB_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/address.h"

struct wb_recipient {
    struct wb_address address;
    const char *given;    /* exactly as the MTA gave it: delrcpt needs that */
    const char *mailer;   /* {rcpt_mailer}; NULL or "" when the MTA gave none */
    const char *host;     /* {rcpt_host}, the nexthop; NULL when not known */
    const char *resolved; /* {rcpt_addr}: the address as the MTA reads it; NULL
                             when not known */
    const char *notify;   /* the client's own NOTIFY value, or NULL */
    const char *orcpt;    /* the client's own ORCPT value, or NULL */
};

struct wb_header {
    const char *name;
    const char *value; /* raw: may be folded and encoded */
};

struct wb_envelope {
    int64_t now_s;        /* when it came in: seconds since 1970 (UTC) */
    const char *queue_id; /* NULL when not known (yet) */
    struct wb_address sender;
    const char *sender_resolved; /* {mail_addr}; NULL when not known */
    bool has_xverp;       /* the MTA is to make a sender for each recipient */
    const char *login;    /* {auth_authen}; NULL without authentication */
    const char *client;   /* IPv4 or IPv6 address; NULL: local submission */
    const char *listener; /* {daemon_name}; NULL when not known */
    const struct wb_recipient *recipients;
    size_t recipient_count;
    const struct wb_header *headers; /* in message order */
    size_t header_count;
    size_t octets;       /* of the message as it was sent, ends of lines two */
    bool is_size_known;  /* else octets says nothing */
};

#endif
