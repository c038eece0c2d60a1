/* Envelope addresses (RFC 5321, RFC 6531). */
#ifndef WB_MAIL_ADDRESS_H
#define WB_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

enum {
    WB_PATH_MAX_OCTETS = 256,   /* RFC 5321, 4.5.3.1.3, with the "<>" */
    WB_DOMAIN_MAX_OCTETS = 255, /* RFC 5321, 4.5.3.1.2 */
    WB_MARKED_MAX_OCTETS = 768, /* a path that waybill has marked: one of 256,
                                 * every octet escaped, and the longest mark */
};

struct wb_address {
    const char *text; /* as on the wire, without "<>"; "" for the null sender */
    const char *local; /* unquoted local part; NULL for the null sender */
    const char
        *domain;     /* lower-case (ASCII); "[192.0.2.1]" for a literal;
                      * NULL for the null sender and for a bare "postmaster" */
    bool is_literal; /* domain is an address literal */
};

/* Parse an SMTP path: "<user@dom>", "user@dom" or "<>" (RFC 5321, 4.1.2).
 * path: NUL-terminated; one that is longer than WB_PATH_MAX_OCTETS (the "<>"
 *       counts even where it is not given), or whose domain is longer than
 *       WB_DOMAIN_MAX_OCTETS, is refused. A source route ("<@a,@b:u@dom>") is
 *       refused. A local part alone ("postmaster") is an address without a
 *       domain.
 *       UTF-8 is allowed (RFC 6531), invalid UTF-8, control characters (C0,
 *       DEL and C1) and, in a domain, dots of other scripts are not.
 *       Off the RFC but real, hence accepted: unquoted local parts with dots
 *       anywhere ("a..b@docomo.ne.jp"), local parts of more than 64 octets
 *       (reply tokens; MTAs carry them) and "_" in host names.
 *       Literals: [192.0.2.1] and [IPv6:2001:db8::1], and no other kind.
 * out:  strings live in p; the null sender has local == NULL. Untouched
 *       unless EX_OK is returned, so a failure never reads as a null sender.
 * Returns EX_OK, EX_DATAERR or EX_OSERR (out of memory) with *err filled in. */
int wb_address_parse(struct wb_pool *p, const char *path,
                     struct wb_address *out, struct wb_err *err);

/* The same for a path that waybill may have marked on its way here: at most
 * WB_MARKED_MAX_OCTETS, and a domain as above. */
int wb_address_parse_marked(struct wb_pool *p, const char *path,
                            struct wb_address *out, struct wb_err *err);

/* The address as it goes on the wire, without "<>": the local part is quoted
 * where RFC 5321 demands it. local is unquoted, NULL for the null sender
 * (which is ""); domain may be NULL. Lengths are not checked.
 * Lives in p; NULL when out of memory, and when local or domain holds a
 * control character, which has no form on the wire. */
const char *wb_address_format(struct wb_pool *p, const char *local,
                              const char *domain);

bool wb_address_is_null(const struct wb_address *a);

/* Does domain lie below suffix, at a label boundary? "a.b.test" lies below
 * "b.test"; "b.test" itself does not. Both in lower case. */
bool wb_domain_is_below(const char *domain, const char *suffix);

/* Is s a host name of letters, digits and hyphens, or of UTF-8 labels
 * (RFC 6531), at most WB_DOMAIN_MAX_OCTETS, labels of 1 to 63 octets that
 * neither start nor end in a hyphen (RFC 1123, 2.1)? */
bool wb_domain_is_valid(const char *s);

/* Are these octets UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
 * past U+10FFFF)? NUL is a character like any other. */
bool wb_utf8_is_valid(const char *s, size_t octets);

/* Has s a control character: C0, DEL or C1 (U+0080 to U+009F, in UTF-8)? */
bool wb_utf8_has_control(const char *s);

/* Octets of the UTF-8 character that text begins with, of left octets; 0 when
 * it is none (RFC 3629, 4). left is not 0. */
size_t wb_utf8_octets(const char *text, size_t left);

/* Is c atext (RFC 5322, 3.2.3) or an octet of a UTF-8 character (RFC 6532)? */
bool wb_octet_is_atext(unsigned char c);

/* xtext (RFC 3461, 4): every octet outside '!'..'~', and '+' and '=', becomes
 * +XX. Lives in p; NULL when out of memory. */
const char *wb_xtext_encode(struct wb_pool *p, const char *s);

/* The text behind xtext. out: lives in p, may hold any octet but NUL.
 * Returns EX_OK, EX_DATAERR when s is no xtext, or EX_OSERR (out of memory). */
int wb_xtext_decode(struct wb_pool *p, const char *s, const char **out);

#endif
