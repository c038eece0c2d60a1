/* What the receiver can trust in: an id that stays, and a signature. */
#ifndef WB_WEBHOOK_SIGN_H
#define WB_WEBHOOK_SIGN_H

#include "base/pool.h"
#include "webhook/spool.h"

enum { WB_ID_OCTETS = 32 };

/* X-Waybill-Id of a message for one recipient: 160 bits of SHA-256 over the
 * parts (each followed by a NUL) and the digest of the message as it was
 * handed over, in lower-case base32. The queue hands the same octets over at
 * each try, so the id is the same; two messages differ at least in their
 * Received headers.
 * parts: ended by NULL. out: WB_ID_OCTETS + 1. Returns EX_OK or EX_OSERR. */
int wb_sign_id(const unsigned char digest[WB_DIGEST_OCTETS],
               const char *const *parts, char *out, struct wb_err *err);

/* The value of X-Waybill-Signature: "t=UNIX,v1=HEX", with ",v1=HEX" once more
 * for a second key. HEX is HMAC-SHA-256 under the key, over "UNIX." and all
 * octets of the file.
 * keys: ended by NULL, at least one. *out lives in p.
 * Returns EX_OK, EX_IOERR or EX_OSERR with *err. */
int wb_sign_body(const char *const *keys, int64_t now_s, int fd,
                 struct wb_pool *p, const char **out, struct wb_err *err);

#endif
