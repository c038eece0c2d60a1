/* Mailboxes, "Name <user@dom>" (RFC 5322, 3.4): from a person's text, and to
 * a header field. */
#ifndef WB_MAIL_MAILBOX_H
#define WB_MAIL_MAILBOX_H

#include "mail/address.h"

enum { WB_NAME_MAX_OCTETS = 250 }; /* of a mailbox's name; our bound */

struct wb_mailbox {
    const char *name; /* as it is read: UTF-8, neither quoted nor encoded;
                       * NULL: none */
    struct wb_address address; /* ASCII, with a domain */
};

/* Parse what a person wrote: "Name <user@dom>", "<user@dom>" or "user@dom".
 * The name stands for itself, commas and dots included; one pair of quotes
 * around all of it is not part of it, and within them \" and \\ are one
 * octet. Refused: several addresses, a name with control characters or that
 * is encoded (RFC 2047) already, an address without a domain, and one beyond
 * ASCII, which only servers with SMTPUTF8 (RFC 6531) take.
 * out: strings live in p. Untouched unless EX_OK is returned.
 * Returns EX_OK, EX_DATAERR or EX_OSERR with *err filled in. */
int wb_mailbox_parse(struct wb_pool *p, const char *text,
                     struct wb_mailbox *out, struct wb_err *err);

/* As the value of the header field From: the name quoted where RFC 5322
 * (3.2.5) demands it, in encoded words (RFC 2047) where it is not ASCII, and
 * folded. m->name is valid UTF-8 without control characters.
 * Lives in p; NULL when out of memory. */
const char *wb_mailbox_format(struct wb_pool *p, const struct wb_mailbox *m);

/* Fold the value of a field (RFC 5322, 2.2.3): LF, as milters have it, before
 * white space wherever a line would pass 76 octets, so only where there is
 * white space. value is unfolded; a line of white space alone never comes of
 * it. Lives in p; NULL when out of memory. */
const char *wb_header_fold(struct wb_pool *p, const char *field,
                           const char *value);

#endif
