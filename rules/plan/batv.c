/* Bounce Address Tag Validation (draft-levine-smtp-batv-01):
 *
 *     address     = "prvs=" tag-val "=" orig-mailfrom
 *     tag-val     = K DDD SSSSSS
 *     K           = DIGIT                ; key number
 *     DDD         = 3DIGIT               ; day of expiry, modulo 1000
 *     SSSSSS      = 6HEXDIG              ; 3 octets of HMAC-SHA1
 *     hash-source = K DDD orig-mailfrom
 *
 * Here orig-mailfrom is local@return, in lower case. */
#include <string.h>
#include <sysexits.h>

#include "plan/token_kinds.h"

enum { CYCLE = 1000, DAY_DIGITS = 3, MAC_DIGITS = 6, K_DDD = 1 + DAY_DIGITS };

/* K is the same wherever the key stands in whoever's file. */
static int key_number(const struct wb_token_job *job, const struct wb_key *key,
                      char *out)
{
    static const char *const purpose[] = {"batv key number"};
    char mac[WB_MAC_OCTETS + 1];
    int rc = wb_secret_mac(key, purpose, 1, mac, job->err);

    if (rc == EX_OK)
        *out = (char)('0' + (unsigned char)mac[0] % 10);
    return rc;
}

/* Empty when the message's K says that key is not the one. */
static int sign(const struct wb_token_job *job, const struct wb_key *key,
                const char *message, char out[WB_TOKEN_MAC_OCTETS + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char mac[WB_SHA1_OCTETS];
    char number;
    int rc = key_number(job, key, &number);

    *out = '\0';
    if (rc != EX_OK || number != message[0])
        return rc;
    rc = wb_token_sha1(job, key, message, mac);
    if (rc != EX_OK)
        return rc;
    for (size_t i = 0; i < MAC_DIGITS / 2; i++) {
        *out++ = hex[mac[i] >> 4];
        *out++ = hex[mac[i] & 0xf];
    }
    *out = '\0';
    return EX_OK;
}

/* K DDD local@return; its first K_DDD octets are the tag's. */
static const char *hash_source(struct wb_pool *p, const char *k_ddd,
                               const char *local, const char *domain)
{
    char *text = wb_pool_printf(p, "%.*s%s@%s", K_DDD, k_ddd, local, domain);

    return text == NULL ? NULL : wb_pool_strlower(p, text);
}

int wb_batv_make(const struct wb_token_job *job,
                 const struct wb_address *sender, const char *domain,
                 const char **local)
{
    const struct wb_key *key = &job->signer->secret->keys[0];
    unsigned expiry =
        (wb_token_today(job->signer, CYCLE) + job->signer->max_age_days) %
        CYCLE;
    char number, mac[WB_TOKEN_MAC_OCTETS + 1];
    const char *k_ddd, *message;
    int rc = key_number(job, key, &number);

    if (rc != EX_OK)
        return rc;
    k_ddd = wb_pool_printf(job->pool, "%c%03u", number, expiry);
    if (k_ddd == NULL || (message = hash_source(job->pool, k_ddd, sender->local,
                                                domain)) == NULL)
        return wb_token_no_memory(job);
    if ((rc = sign(job, key, message, mac)) != EX_OK)
        return rc;
    *local = wb_pool_printf(job->pool, WB_BATV_TAG "%s%s=%s", k_ddd, mac,
                            sender->local);
    return *local != NULL ? EX_OK : wb_token_no_memory(job);
}

static bool has_form(const char *tag)
{
    return strspn(tag, "0123456789") >= K_DDD &&
           strspn(tag, "0123456789abcdefABCDEF") == K_DDD + MAC_DIGITS &&
           tag[K_DDD + MAC_DIGITS] == '=';
}

/* Any expiry up to the longest max_age is one to come: the address may come
 * from before max_age was lowered. */
static int age(const struct wb_signer *signer, const char *ddd)
{
    unsigned expiry =
        (unsigned)((ddd[0] - '0') * 100 + (ddd[1] - '0') * 10 + (ddd[2] - '0'));
    int left = (int)((expiry + CYCLE - wb_token_today(signer, CYCLE)) % CYCLE);

    if (left > WB_TOKEN_MAX_AGE_DAYS + WB_TOKEN_SKEW_DAYS)
        left -= CYCLE;
    return (int)signer->max_age_days - left;
}

int wb_batv_read(const struct wb_token_job *job, const struct wb_address *a,
                 struct wb_token *out)
{
    const char *tag = a->local + strlen(WB_BATV_TAG);
    const char *local, *message, *mac;
    int rc;

    if (!has_form(tag))
        return wb_token_forged(job, "prvs= and no KDDDSSSSSS=");
    local = tag + K_DDD + MAC_DIGITS + 1;
    message = hash_source(job->pool, tag, local, a->domain);
    mac = wb_pool_strndup(job->pool, tag + K_DDD, MAC_DIGITS);
    if (mac != NULL)
        mac = wb_pool_strlower(job->pool, mac);
    if (message == NULL || mac == NULL)
        return wb_token_no_memory(job);
    if ((rc = wb_token_verify(job, sign, message, mac)) != EX_OK)
        return rc;
    wb_token_judge(job->signer, age(job->signer, tag + 1), out);
    return wb_token_address(job, local, a->domain, &out->sender);
}
