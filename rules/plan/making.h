/* What the parts of the decision share while a plan is made. For rules/plan
 * alone; others use plan.h. */
#ifndef WB_PLAN_MAKING_H
#define WB_PLAN_MAKING_H

#include "plan/plan.h"

enum { WB_REPLY_MAX_OCTETS = 400 }; /* RFC 5321, 4.5.3.1.5: 512 a line */

/* The making of one plan. */
struct wb_making {
    const struct wb_conf *conf;
    const struct wb_envelope *env;
    struct wb_pool *p;
    struct wb_matcher matcher;
    bool want_losses;
    bool is_own_client;
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

/* Does the mail come by the MTA's own loopback listener? */
bool wb_making_is_loopback(const struct wb_envelope *env);

/* Mark a recipient for a webhook. */
int wb_making_mark(struct wb_making *m, struct wb_recipient_plan *r,
                   const struct wb_webhook *webhook, const char *filter);

/* outbound.c: a recipient that the MTA relays for an own client. */
int wb_making_outbound(struct wb_making *m, struct wb_recipient_plan *r);

/* One message has one sender: all outbound recipients must agree on it. */
int wb_making_agree(struct wb_making *m);

/* bounce.c: a recipient in a bounce domain. */
int wb_making_bounce(struct wb_making *m, struct wb_recipient_plan *r);

/* One that was judged before, and comes again marked. original: the
 * recipient as it was. */
int wb_making_bounce_again(struct wb_making *m, struct wb_recipient_plan *r,
                           const char *original);

/* What can be told of one at RCPT. */
int wb_making_bounce_early(const struct wb_conf *conf,
                           const struct wb_envelope *env,
                           const struct wb_recipient *recipient,
                           struct wb_pool *p, enum wb_decision *decision,
                           struct wb_reply *out);

#endif
