/* Mail that comes to a return address: a bounce, or an answer of another kind
 * (an absence note, a person's reply, a read receipt)? */
#ifndef WB_PLAN_REPLY_H
#define WB_PLAN_REPLY_H

#include "mail/envelope.h"

/* A bounce is a report on delivery (RFC 3464) or abuse (RFC 5965), whoever
 * sent it, and what comes from the null sender but for read receipts (RFC
 * 8098) and automatic replies (RFC 3834). All else is a reply.
 * Returns EX_OK with *is_reply, or EX_OSERR (out of memory). */
int wb_reply_tell(const struct wb_envelope *env, struct wb_pool *p,
                  bool *is_reply);

#endif
