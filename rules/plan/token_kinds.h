/* What token.c and the kinds of token (batv.c, srs.c, verp.c) share. Nobody
 * else includes this. */
#ifndef WB_PLAN_TOKEN_KINDS_H
#define WB_PLAN_TOKEN_KINDS_H

#include "plan/token.h"

enum {
    WB_SHA1_OCTETS = 20,
    WB_TOKEN_MAC_OCTETS = 28, /* the longest MAC as text: base64 of SHA1 */
    WB_STAMP_OCTETS = 2,
    WB_STAMP_CYCLE = 1024, /* days that two base32 characters can tell */
};

#define WB_BATV_TAG "prvs="
#define WB_VERP_TAG "wb="

struct wb_token_job {
    const struct wb_signer *signer;
    struct wb_pool *pool;
    struct wb_err *err;
};

/* Make the local part, unquoted, that stands for sender; its length is not
 * looked at. domain: the return domain, in lower case.
 * Return EX_OK, EX_DATAERR (no token can carry this sender) or EX_OSERR. */
int wb_batv_make(const struct wb_token_job *job,
                 const struct wb_address *sender, const char *domain,
                 const char **local);
int wb_srs_make(const struct wb_token_job *job, const struct wb_address *sender,
                const char **local);
int wb_verp_make(const struct wb_token_job *job,
                 const struct wb_address *sender,
                 const struct wb_address *recipient, const char *domain,
                 const char **local);

/* Read an address that begins with the kind's tag: sender, recipient, age and
 * verdict. Return EX_OK, EX_DATAERR (forged; *err says why) or EX_OSERR. */
int wb_batv_read(const struct wb_token_job *job, const struct wb_address *a,
                 struct wb_token *out);
int wb_srs_read(const struct wb_token_job *job, const struct wb_address *a,
                struct wb_token *out);
int wb_verp_read(const struct wb_token_job *job, const struct wb_address *a,
                 struct wb_token *out);

/* A kind's MAC of message under key, as text. */
typedef int wb_token_sign(const struct wb_token_job *job,
                          const struct wb_key *key, const char *message,
                          char out[WB_TOKEN_MAC_OCTETS + 1]);

/* Is mac, which is in lower case, how the MAC of message under any key begins,
 * when A-Z are folded? The caller has bounded how short mac may be.
 * Returns EX_OK, EX_DATAERR or EX_OSERR. */
int wb_token_verify(const struct wb_token_job *job, wb_token_sign *sign,
                    const char *message, const char *mac);

/* HMAC-SHA1 (RFC 2104) of message. EX_OK or EX_OSERR. */
int wb_token_sha1(const struct wb_token_job *job, const struct wb_key *key,
                  const char *message, unsigned char out[WB_SHA1_OCTETS]);

/* Today: days since 1970 modulo cycle. */
unsigned wb_token_today(const struct wb_signer *signer, unsigned cycle);

/* Today as Mail::SRS writes it, and its age when read in any case of letters;
 * false: no such characters, or not two. */
void wb_token_stamp(const struct wb_signer *signer,
                    char out[WB_STAMP_OCTETS + 1]);
bool wb_token_stamp_age(const struct wb_signer *signer, const char *stamp,
                        int *age_days);

/* Give out its age and, by it, its verdict. Below 0: from a clock ahead of
 * ours. */
void wb_token_judge(const struct wb_signer *signer, int age_days,
                    struct wb_token *out);

/* Make an address of what a token carried. local is unquoted; domain may be
 * NULL. EX_OK, EX_DATAERR or EX_OSERR. */
int wb_token_address(const struct wb_token_job *job, const char *local,
                     const char *domain, struct wb_address *out);

int wb_token_forged(const struct wb_token_job *job, const char *why);
int wb_token_no_memory(const struct wb_token_job *job);

#endif
