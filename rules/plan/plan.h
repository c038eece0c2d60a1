/* The decision for one message, as data. The milter carries it out, explain
 * prints it. */
#ifndef WB_PLAN_PLAN_H
#define WB_PLAN_PLAN_H

#include "conf/conf.h"
#include "mail/envelope.h"

enum wb_class {
    WB_CLASS_OUTBOUND, /* relayed by SMTP for an own client: routed */
    WB_CLASS_INBOUND,  /* to a domain of an inbound section */
    WB_CLASS_BOUNCE,   /* to a domain of bounces */
    WB_CLASS_LOCAL,    /* delivered on this host */
    WB_CLASS_OTHER,    /* left to the MTA */
};

enum wb_decision { WB_ACCEPT, WB_TEMPFAIL, WB_REJECT };

/* An SMTP reply (RFC 5321, 4.2; enhanced code RFC 3463). */
struct wb_reply {
    const char *code;     /* "550" */
    const char *enhanced; /* "5.7.1" */
    const char *text;     /* one line, no CR, LF or '%' */
};

struct wb_recipient_plan {
    const struct wb_recipient *recipient;
    enum wb_class class;
    const struct wb_rule *rule;       /* NULL: none matched */
    const struct wb_route *route;     /* outbound only, never NULL there */
    const struct wb_webhook *webhook; /* NULL: none */
    const char *filter;    /* the inbound section's name, "bounces" or NULL */
    const char *rewritten; /* NULL: stays as it is */
    const char *esmtp;     /* "ORCPT=... NOTIFY=..." with rewritten */
    const struct wb_return_path *return_path; /* outbound only */
    const char *sender;   /* outbound only: what its sender must be */
    bool is_again;        /* a second pass will see to it */
    const char *original; /* in a second pass: the recipient without its mark */
    const char *bounce;   /* what a return address told, for a header */
    const char *kind; /* what comes to one: "bounce" or "reply"; else NULL */
    struct wb_loss *losses; /* only when asked for */
    size_t loss_count;
};

enum wb_action_kind {
    WB_DELETE_RECIPIENT, /* text = as given by the MTA */
    WB_ADD_RECIPIENT,    /* text = "<addr>", extra = ESMTP arguments */
    WB_CHANGE_SENDER,    /* text = "<addr>"; ESMTP arguments stay */
    WB_CHANGE_HEADER,    /* text = name, extra = value, index = which one */
    WB_DELETE_HEADER,    /* text = name, index = which one, from 1 */
    WB_ADD_HEADER,       /* text = name, extra = value */
};

struct wb_action {
    enum wb_action_kind kind;
    const char *text;
    const char *extra;
    unsigned index;
};

struct wb_plan {
    enum wb_decision decision;
    struct wb_reply reply; /* with WB_TEMPFAIL and WB_REJECT only */
    const char *sender_to; /* NULL: the sender stays */
    const struct wb_return_path *return_path; /* what made it; NULL: none */
    const struct wb_route *from_of; /* whose From it gets; NULL: stays */
    const char *from_header;        /* the new From; NULL: stays */
    const char *reply_to;           /* a Reply-To to add; NULL: none */
    bool breaks_dkim;               /* a signature that it has no longer fits */
    unsigned passes; /* 2: recipients need different senders or Froms, so all
                      * outbound ones come back one by one, and the rest of the
                      * message stays as it is */
    bool is_partial; /* recipients that are not rewritten are decided later, at
                      * another listener of the MTA's, or not at all */
    struct wb_recipient_plan *recipients; /* as many as the envelope has */
    struct wb_action *actions; /* in the order in which to do them; none
                                * unless decision is WB_ACCEPT */
    size_t action_count;
};

/* Decide. Everything in *out lives in p and points into conf and env, which
 * must outlive it. want_losses: fill in every losing rule with its reason.
 * Returns EX_OK with a decision (a wb_decision of WB_TEMPFAIL included), or
 * EX_OSERR when out of memory: then the caller must tempfail. */
int wb_plan_make(const struct wb_conf *conf, const struct wb_envelope *env,
                 struct wb_pool *p, bool want_losses, struct wb_plan *out,
                 struct wb_err *err);

/* Can anything in conf reject a recipient at RCPT, before the headers are
 * known? Then the milter asks for that stage's reply. */
bool wb_plan_may_reject_early(const struct wb_conf *conf);

/* What is certain about one recipient at RCPT (env->recipients is not read,
 * but how many there are before it): WB_ACCEPT when only the whole message can
 * tell. Same returns as
 * wb_plan_make. */
int wb_plan_recipient_early(const struct wb_conf *conf,
                            const struct wb_envelope *env,
                            const struct wb_recipient *recipient,
                            struct wb_pool *p, enum wb_decision *decision,
                            struct wb_reply *reply, struct wb_err *err);

/* Is this a bounce that the MTA makes itself? Then it can be told nothing but
 * to come again: what is wrong with it is left to the MTA. */
bool wb_plan_is_own_bounce(const struct wb_envelope *env);

/* Parse a recipient as it comes by env's listener: those of the MTA itself
 * bring marked ones, which may be longer. Otherwise as wb_address_parse. */
int wb_plan_read_recipient(const struct wb_envelope *env, struct wb_pool *p,
                           const char *path, struct wb_address *out,
                           struct wb_err *err);

/* Must the milter hand this header field over to the plan? True for those
 * that a criterion reads and for those that waybill gives meaning to. */
bool wb_plan_wants_header(const struct wb_conf *conf, const char *name);

/* "outbound", "inbound", ... */
const char *wb_class_name(enum wb_class class);

#endif
