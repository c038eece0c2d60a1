/* What the parts of the decision share while a plan is made. For rules/plan
 * alone; others use plan.h. */
#ifndef WB_PLAN_MAKING_H
#define WB_PLAN_MAKING_H

#include "match/matcher.h"
#include "plan/plan.h"
#include "plan/suffix.h"

enum { WB_REPLY_MAX_OCTETS = 400 }; /* RFC 5321, 4.5.3.1.5: 512 a line */

/* Where the MTA asks from, and so what is decided. */
enum wb_place {
    WB_PLACE_WHOLE, /* everything */
    WB_PLACE_FRONT, /* attach = after_queue, in front of the queue: whom mail
                     * to a return address or an inbound domain goes to, and
                     * what is refused. The rest, and the marks for webhooks,
                     * are the loopback listener's: filters may stand between,
                     * which must not see a mark. */
    WB_PLACE_OWN_BOUNCE, /* a bounce that the MTA makes itself: only who gets
                          * it. No refusal: nobody would hear it, and the MTA
                          * would try for ever. What is not decided goes to the
                          * loopback listener, by the MTA's tables. */
};

/* The making of one plan. */
struct wb_making {
    const struct wb_conf *conf;
    const struct wb_envelope *env;
    struct wb_pool *p;
    struct wb_matcher matcher;
    bool want_losses;
    bool is_own_client;
    enum wb_place place;
    /* The sender that was made last, and for which return path: the next
     * recipient's is mostly the same, and may cost a signature. */
    const char *sender;
    const struct wb_return_path *sender_by;
    struct wb_plan *plan;
    struct wb_err *err;
};

/* All that return int: EX_OK, or EX_OSERR when out of memory. */

/* Set a reply: "<about>: text", or text alone. Both may quote what a client
 * sent. */
int wb_making_reply(struct wb_reply *out, struct wb_pool *p, const char *code,
                    const char *enhanced, const char *about, const char *text);

/* Refuse the message; the first refusal stands. */
int wb_making_decide(struct wb_making *m, enum wb_decision decision,
                     const char *code, const char *enhanced, const char *about,
                     const char *text);
int wb_making_cannot_tell(struct wb_making *m, const char *why);

/* Does the mail come by the MTA's own loopback listener, or by the one for
 * second passes? */
bool wb_making_is_loopback(const struct wb_envelope *env);
bool wb_making_is_second_pass(const struct wb_envelope *env);

/* Outbound mail is decided at WB_PLACE_WHOLE alone. */
enum wb_place wb_making_place(const struct wb_conf *conf,
                              const struct wb_envelope *env);

/* Refuse a recipient on which no mark can be put that the MTA's tables, or
 * with by_us waybill alone, takes off again. */
int wb_making_check_form(struct wb_making *m, const struct wb_recipient_plan *r,
                         bool by_us);

/* Keep what a recipient becomes, text (NULL: out of memory), with its ESMTP
 * arguments as said of. Refused where Sendmail has no room for it. */
int wb_making_rewrite(struct wb_making *m, struct wb_recipient_plan *r,
                      const char *text, const struct wb_recipient *of);

/* Mark a recipient for a webhook. */
int wb_making_mark(struct wb_making *m, struct wb_recipient_plan *r,
                   const struct wb_webhook *webhook, const char *filter);

/* outbound.c: a recipient that the MTA relays for an own client. */
int wb_making_outbound(struct wb_making *m, struct wb_recipient_plan *r);

/* What r's sender becomes by its return path, on the way to recipient. */
int wb_making_sender(struct wb_making *m, struct wb_recipient_plan *r,
                     const struct wb_address *recipient);

/* One message has one sender: if the outbound recipients do not agree on it,
 * they take a second pass. */
int wb_making_agree(struct wb_making *m);

/* again.c: let an outbound recipient come back to the listener for second
 * passes. */
int wb_making_again(struct wb_making *m, struct wb_recipient_plan *r);

/* One that the MTA requeued on its way there: its mark stands, or cannot be
 * told. */
int wb_making_again_stands(struct wb_making *m, struct wb_recipient_plan *r,
                           const struct wb_suffix *suffix);

/* The recipient of a second pass, and what can be told of it at RCPT. */
int wb_making_second_pass(struct wb_making *m, struct wb_recipient_plan *r);
int wb_making_second_pass_early(const struct wb_conf *conf,
                                const struct wb_envelope *env,
                                const struct wb_recipient *recipient,
                                struct wb_pool *p, enum wb_decision *decision,
                                struct wb_reply *out);

/* listener.c: why the listener that env comes by does not take mail to this
 * address, or not from this client: a clause. NULL: it does. */
const char *wb_listener_refusal(const struct wb_conf *conf,
                                const struct wb_envelope *env,
                                const struct wb_address *to);

/* bounce.c: a recipient in a bounce domain. */
int wb_making_bounce(struct wb_making *m, struct wb_recipient_plan *r);

/* One that was judged before, and comes again marked. original: the
 * recipient as it was. */
int wb_making_bounce_again(struct wb_making *m, struct wb_recipient_plan *r,
                           const char *original);

/* One that the MTA sends through the loopback listener, and that may have been
 * sent home from a return address before (its ORCPT tells it, and the mark that
 * only waybill sets): then nothing is left to decide, and only the mark is made
 * anew. */
int wb_making_came_home(struct wb_making *m, struct wb_recipient_plan *r,
                        bool *is_home);

/* What can be told of one at RCPT. */
int wb_making_bounce_early(const struct wb_conf *conf,
                           const struct wb_envelope *env,
                           const struct wb_recipient *recipient,
                           struct wb_pool *p, enum wb_decision *decision,
                           struct wb_reply *out);

#endif
