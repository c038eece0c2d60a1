/* One connection of the MTA and the message that it is giving: collects the
 * facts, asks for the plan, and turns what goes wrong into replies. Knows
 * nothing of libmilter. A session is used by one thread at a time. */
#ifndef WB_MILTER_SESSION_H
#define WB_MILTER_SESSION_H

#include <sys/socket.h>

#include "plan/plan.h"

struct wb_session;

/* NULL when out of memory. wb_session_free allows NULL. */
struct wb_session *wb_session_new(void);
void wb_session_free(struct wb_session *s);

/* Will the MTA read a reply to the connection? False at first: then one too
 * many at a listener is refused message by message. */
void wb_session_set_connect_replies(struct wb_session *s, bool yes);
bool wb_session_connect_replies(const struct wb_session *s);

/* Will the MTA read a reply to each recipient? False at first: then whatever
 * is wrong with a recipient refuses the message at its end. */
void wb_session_set_recipient_replies(struct wb_session *s, bool yes);
bool wb_session_recipient_replies(const struct wb_session *s);

/* Will the MTA show the body of each message? False at first: then its size is
 * what the client said at MAIL (RFC 1870), or not known. */
void wb_session_set_body(struct wb_session *s, bool yes);

/* The client. peer: NULL when the MTA names none; client_addr: the macro,
 * read only then; listener: {daemon_name}. NULL and "" mean "not known".
 * Returns NULL, or the reply that refuses the connection, which only comes
 * where the MTA reads it. */
const struct wb_reply *wb_session_connect(struct wb_session *s,
                                          const struct sockaddr *peer,
                                          const char *client_addr,
                                          const char *listener);

/* A message begins; one that was under way is dropped. argv: the sender and
 * the ESMTP arguments, NULL-terminated. login: {auth_authen}; resolved:
 * {mail_addr}; NULL and "" mean "not known". What is wrong is told by
 * wb_session_decide. */
void wb_session_mail(struct wb_session *s, char **argv, const char *login,
                     const char *resolved, const char *queue_id);

/* A recipient, argv as above. macros: of it, mailer, host and resolved are
 * read; NULL and "" mean "not known".
 * Returns NULL, or the reply that refuses it (valid until the next call),
 * which only comes where the MTA reads replies to recipients. */
const struct wb_reply *wb_session_rcpt(struct wb_session *s, char **argv,
                                       const struct wb_recipient *macros);

/* The client is about to send the message: wait until the listener's interval
 * has passed. Returns NULL, or the reply that refuses it. */
const struct wb_reply *wb_session_data(struct wb_session *s);

void wb_session_header(struct wb_session *s, const char *name,
                       const char *value);

/* So many more octets of the body. */
void wb_session_body(struct wb_session *s, const void *octets, size_t count);

/* The body without waybill's marks: a bounce that the MTA made may show them.
 * NULL: the body stays. Valid until wb_session_reset. */
const void *wb_session_new_body(struct wb_session *s, size_t *count);

/* The end of the message: decide and log. *plan is always filled in, and
 * valid until wb_session_reset. queue_id: NULL when still not known. */
void wb_session_decide(struct wb_session *s, const char *queue_id,
                       struct wb_plan *plan);

/* Drop the message, if there is one, and its reference to the
 * configuration. */
void wb_session_reset(struct wb_session *s);

#endif
