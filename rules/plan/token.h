/* Signed return addresses: the envelope sender carries all that a bounce must
 * tell, so any host with the same secret can check it and none keeps state.
 * No input or output, no configuration, no clock of its own: the caller says
 * what is signed for whom, and when now is.
 *
 * batv  prvs=KDDDSSSSSS=local@return (draft-levine-smtp-batv-01, prvs)
 *       K     key number, 0 to 9. It is derived from the key, not its line in
 *             the file, so a new key in front renumbers nobody; two keys may
 *             share a number, then both are tried.
 *       DDD   day of expiry: days since 1970 modulo 1000.
 *       SSSSSS  the first 3 octets, in hex, of HMAC-SHA1 over K DDD
 * local@return. The sender's own domain does not travel: what is signed, and
 * what comes back, is local@return. Use batv where the configuration implies
 *       that domain ("return.%d", or one sender domain behind one return
 *       domain), and srs or verp where it does not.
 *       The day in it is the expiry's, as the draft has it: a max_age that is
 *       lowered later shortens the life of new addresses only.
 * srs   SRS0=HHHH=TT=domain=local@return and SRS1=HHHH=host==...@return, as
 *       Mail::SRS makes and reads them, which is the reference.
 *       HHHH  the first 4 characters, in base64, of HMAC-SHA1 over TT domain
 *             local (SRS1: over host and what follows). Read: 4 to 27.
 *       TT    the day it was made: days since 1970 modulo 1024, in base32.
 *       After SRS0 and SRS1 "=" is written; "=", "+" and "-" are read. HHHH
 *       may hold "+" and "/": base64 is the reference's choice.
 *       A sender that is an SRS address of another host, in full form, becomes
 *       SRS1; what only begins like one is wrapped whole. An SRS1 address has
 *       no day, so it does not expire here, but at the first hop.
 *       Within one HMAC the reference does not say where domain ends and
 *       local begins: whoever holds "a.com=bob" can also show "a.co=mbob".
 *       Where that matters use verp.
 * verp  wb=MMMMMMMMTT=local=domain=rlocal=rdomain@return: waybill's own.
 *       M..   8 characters, in base32, of HMAC-SHA-256 over all the rest and
 *             the return domain: 40 bits, as each guess costs an SMTP command
 *             and wins one bounce to one mailbox; at 1,000 guesses a second
 *             a forger of one address has a 1 in 1,000 chance in 12 days.
 *       TT    as in srs, in lower case.
 *       Then the sender and the recipient, four fields. A field of a-z, 0-9,
 *       "-", "_" and inner dots is written as it is; any other (capitals,
 *       "+", "=", quoted text, UTF-8) is "_" and its base32, so the address is
 *       always ASCII, needs no quotes, and lives through receivers that fold
 *       case, though what it carries is case-sensitive. A sender's domain that
 *       ends the return domain is one digit: how many labels to take off
 *       return ("return.example.com": 1 is example.com). An empty rdomain is
 *       a recipient without a domain.
 *
 * Receivers fold case, so batv and srs sign the local part with A-Z folded
 * (Mail::SRS does so too): a change of case alone is no forgery, and what
 * comes back has the case that the receiver left. Quotes are no part of a local
 * part: what is signed is unquoted, and the whole is quoted where RFC 5321
 * demands it. UTF-8 (RFC 6531) travels as it is in batv and srs. */
#ifndef WB_PLAN_TOKEN_H
#define WB_PLAN_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "conf/secret.h"
#include "mail/address.h"

enum {
    WB_LOCAL_MAX_OCTETS = 64,    /* RFC 5321, 4.5.3.1.1 */
    WB_TOKEN_MAX_AGE_DAYS = 365, /* max_age; far below the cycles of 1000 */
    WB_TOKEN_SKEW_DAYS = 1,      /* how far clocks may disagree */
    WB_TOKEN_AGE_UNKNOWN = -1,
};

enum wb_token_kind {
    WB_TOKEN_NONE,
    WB_TOKEN_BATV,
    WB_TOKEN_SRS,
    WB_TOKEN_VERP
};

enum wb_token_verdict {
    WB_TOKEN_IS_FOREIGN, /* no token: an ordinary address */
    WB_TOKEN_IS_FORGED,  /* looks like one, but no key of ours signed it so */
    WB_TOKEN_IS_EXPIRED, /* ours, too old */
    WB_TOKEN_IS_VALID,
};

/* Who signs and verifies, and when. */
struct wb_signer {
    const struct wb_secret *secret; /* the first key signs, any verifies */
    int64_t now_s;                  /* seconds since 1970-01-01 00:00 UTC */
    unsigned max_age_days;          /* 1 to WB_TOKEN_MAX_AGE_DAYS */
};

struct wb_token {
    enum wb_token_verdict verdict;
    enum wb_token_kind kind; /* WB_TOKEN_NONE: FOREIGN */
    /* VALID and EXPIRED; otherwise text is NULL. Addresses that
     * wb_address_parse took: no control characters, ready for the wire, and
     * quoted as wb_address_format does it. */
    struct wb_address sender;    /* batv: its domain is the return domain;
                                  * SRS1: the SRS0 address at the first hop */
    struct wb_address recipient; /* verp only, otherwise text is NULL */
    int age_days; /* 0 and up; WB_TOKEN_AGE_UNKNOWN: FOREIGN, FORGED, SRS1 */
};

/* Does the local part begin as a token does (prvs=, SRS0 or SRS1 and a
 * separator, wb=), in any case of letters, whoever made it? */
bool wb_token_looks_signed(const struct wb_address *a);

/* Make the return address of sender.
 * sender:    stays as it is, and *out is sender->text: the null sender; one
 *            without a domain; one that looks signed and is in return_domain
 *            or is signed by one of our keys (ours is never signed twice); one
 *            that looks signed, in batv and verp (another host's token passes
 *            untouched). srs rewrites other hosts' tokens: SRS0 and SRS1 become
 *            SRS1, any other is a local part like every other.
 * recipient: verp only, not the null address; otherwise not looked at.
 * return_domain: in any case of letters; a domain, not checked here.
 * out:       lives in p, or is sender->text. Untouched unless EX_OK.
 * Returns EX_OK; EX_DATAERR: the address would pass 64 octets of local part or
 * 254 in all (RFC 5321, 4.5.3.1), or, in srs, the local part holds an "@",
 * which the reference refuses too; EX_CONFIG: no key; EX_OSERR: out of memory,
 * or OpenSSL failed; with *err. */
int wb_token_encode(enum wb_token_kind kind, const struct wb_signer *signer,
                    const struct wb_address *sender,
                    const struct wb_address *recipient,
                    const char *return_domain, struct wb_pool *p,
                    const char **out, struct wb_err *err);

/* Read a return address that came back.
 * An address is VALID from the day before it was made (the other host's clock)
 * until max_age_days and WB_TOKEN_SKEW_DAYS after that day, both included.
 * The signature is judged before the age: EXPIRED is always ours.
 * out: strings live in p, or are return_address's. All zero, hence FOREIGN,
 *      unless EX_OK.
 * Returns EX_OK, whatever the verdict; *err then says why it is FORGED. Or
 * EX_CONFIG (a token, but there is no key) or EX_OSERR, both with *err: no
 * verdict, so neither accept nor refuse for good. */
int wb_token_decode(const struct wb_signer *signer,
                    const struct wb_address *return_address, struct wb_pool *p,
                    struct wb_token *out, struct wb_err *err);

#endif
