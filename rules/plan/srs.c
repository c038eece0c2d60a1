/* The Sender Rewriting Scheme as Mail::SRS 0.31 (Perl) does it, which is the
 * reference. In its "Guarded" form the first forwarder makes SRS0; all later
 * ones make SRS1, which goes straight back to the first.
 *
 *     SRS0 = "SRS0" sep hash "=" timestamp "=" domain "=" local
 *     SRS1 = "SRS1" sep hash "=" host "=" rest
 *     rest = sep hash "=" timestamp "=" domain "=" local  ; host's SRS0
 *     sep  = "=" / "+" / "-" */
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/token_kinds.h"

enum { TAG_OCTETS = 4, HASH_OCTETS = 4, BASE64_OCTETS = 27 };

/* Base64 (RFC 4648, 4) without padding. */
static int sign(const struct wb_token_job *job, const struct wb_key *key,
                const char *message, char out[WB_TOKEN_MAC_OCTETS + 1])
{
    unsigned char mac[WB_SHA1_OCTETS], text[WB_TOKEN_MAC_OCTETS + 1];
    int rc = wb_token_sha1(job, key, message, mac);

    if (rc != EX_OK)
        return rc;
    EVP_EncodeBlock(text, mac, WB_SHA1_OCTETS);
    memcpy(out, text, BASE64_OCTETS);
    out[BASE64_OCTETS] = '\0';
    return EX_OK;
}

/* The fields of a hash end to end, in lower case, as the reference has them. */
static const char *hash_source(struct wb_pool *p, const char *a, const char *b,
                               const char *c)
{
    char *text = wb_pool_printf(p, "%s%s%s", a, b, c);

    return text == NULL ? NULL : wb_pool_strlower(p, text);
}

static bool is_separator(char c)
{
    return c == '=' || c == '+' || c == '-';
}

static bool is_tagged(const char *local, const char *tag)
{
    return strncasecmp(local, tag, TAG_OCTETS) == 0 &&
           is_separator(local[TAG_OCTETS]);
}

/* ---- make ---------------------------------------------------------------- */

/* Has s, which follows SRS0, a rest's form? The reference does not look; but
 * then SRS0-smith@abx.test, sent through here, would earn a hash that also
 * signs "-smith" for any domain that "abx.test" can be cut into. */
static bool is_rest(const char *s)
{
    if (!is_separator(*s++))
        return false;
    for (int fields = 0; fields < 3; fields++) {
        size_t octets = strcspn(s, "=");

        if (octets == 0 || s[octets] == '\0')
            return false;
        s += octets + 1;
    }
    return true;
}

/* The address at the first hop: what SRS1 turns back into. */
static int first_hop(const struct wb_token_job *job, const char *host,
                     const char *rest, struct wb_address *out)
{
    const char *local = wb_pool_printf(job->pool, "SRS0%s", rest);

    if (local == NULL)
        return wb_token_no_memory(job);
    return wb_token_address(job, local, host, out);
}

/* Cut the SRS1 address of another host. *host: NULL when it has not the form,
 * or could not come back. */
static int unwrap(const struct wb_token_job *job, const char *local,
                  const char **host, const char **rest)
{
    char *fields = wb_pool_strdup(job->pool, local + TAG_OCTETS + 1);
    struct wb_address back;
    int rc;

    *host = NULL;
    if (fields == NULL)
        return wb_token_no_memory(job);
    /* Its hash is for the host that made it, not for us. */
    strsep(&fields, "=");
    *host = strsep(&fields, "=");
    *rest = fields;
    if (fields != NULL && is_rest(fields) &&
        (rc = first_hop(job, *host, *rest, &back)) != EX_DATAERR)
        return rc;
    *host = NULL;
    return EX_OK;
}

/* The first hop and its rest, when sender is another host's SRS address. */
static int find_first_hop(const struct wb_token_job *job,
                          const struct wb_address *sender, const char **host,
                          const char **rest)
{
    *host = NULL;
    if (is_tagged(sender->local, "SRS1"))
        return unwrap(job, sender->local, host, rest);
    if (is_tagged(sender->local, "SRS0") &&
        is_rest(sender->local + TAG_OCTETS)) {
        *host = sender->domain;
        *rest = sender->local + TAG_OCTETS;
    }
    return EX_OK;
}

static int make_first(const struct wb_token_job *job,
                      const struct wb_address *sender, const char **local)
{
    char stamp[WB_STAMP_OCTETS + 1], hash[WB_TOKEN_MAC_OCTETS + 1];
    const char *message;
    int rc;

    wb_token_stamp(job->signer, stamp);
    message = hash_source(job->pool, stamp, sender->domain, sender->local);
    if (message == NULL)
        return wb_token_no_memory(job);
    rc = sign(job, &job->signer->secret->keys[0], message, hash);
    if (rc != EX_OK)
        return rc;
    *local = wb_pool_printf(job->pool, "SRS0=%.*s=%s=%s=%s", HASH_OCTETS, hash,
                            stamp, sender->domain, sender->local);
    return *local != NULL ? EX_OK : wb_token_no_memory(job);
}

static int make_later(const struct wb_token_job *job, const char *host,
                      const char *rest, const char **local)
{
    char hash[WB_TOKEN_MAC_OCTETS + 1];
    const char *message = hash_source(job->pool, host, rest, "");
    int rc;

    if (message == NULL)
        return wb_token_no_memory(job);
    rc = sign(job, &job->signer->secret->keys[0], message, hash);
    if (rc != EX_OK)
        return rc;
    *local = wb_pool_printf(job->pool, "SRS1=%.*s=%s=%s", HASH_OCTETS, hash,
                            host, rest);
    return *local != NULL ? EX_OK : wb_token_no_memory(job);
}

int wb_srs_make(const struct wb_token_job *job, const struct wb_address *sender,
                const char **local)
{
    const char *host, *rest = NULL;
    int rc;

    /* With it, what batv signs under the same key could pass for this. */
    if (strchr(sender->local, '@') != NULL)
        return wb_err_set(job->err, EX_DATAERR,
                          "SRS cannot carry a local part with an \"@\"");
    rc = find_first_hop(job, sender, &host, &rest);
    if (rc != EX_OK)
        return rc;
    return host == NULL ? make_first(job, sender, local)
                        : make_later(job, host, rest, local);
}

/* ---- read ---------------------------------------------------------------- */

static int verify(const struct wb_token_job *job, const char *hash,
                  const char *message)
{
    char *folded;

    if (message == NULL)
        return wb_token_no_memory(job);
    /* Any length would do for the reference's HashMin; 4 is its default. */
    if (strlen(hash) < HASH_OCTETS)
        return wb_token_forged(job, "the hash is too short");
    if ((folded = wb_pool_strlower(job->pool, hash)) == NULL)
        return wb_token_no_memory(job);
    return wb_token_verify(job, sign, message, folded);
}

static int read_first(const struct wb_token_job *job, char *fields,
                      struct wb_token *out)
{
    const char *hash = strsep(&fields, "=");
    const char *stamp = strsep(&fields, "=");
    const char *domain = strsep(&fields, "=");
    const char *local = fields;
    int age_days, rc;

    if (local == NULL)
        return wb_token_forged(job, "SRS0 and fewer than four fields");
    if (!wb_token_stamp_age(job->signer, stamp, &age_days))
        return wb_token_forged(job, "the timestamp is no two of A-Z and 2-7");
    rc = verify(job, hash, hash_source(job->pool, stamp, domain, local));
    if (rc != EX_OK)
        return rc;
    wb_token_judge(job->signer, age_days, out);
    return wb_token_address(job, local, domain, &out->sender);
}

static int read_later(const struct wb_token_job *job, char *fields,
                      struct wb_token *out)
{
    const char *hash = strsep(&fields, "=");
    const char *host = strsep(&fields, "=");
    const char *rest = fields;
    int rc;

    if (rest == NULL || !is_separator(*rest))
        return wb_token_forged(job, "SRS1 and no SRS0 address in it");
    rc = verify(job, hash, hash_source(job->pool, host, rest, ""));
    if (rc != EX_OK)
        return rc;
    out->verdict = WB_TOKEN_IS_VALID;
    return first_hop(job, host, rest, &out->sender);
}

int wb_srs_read(const struct wb_token_job *job, const struct wb_address *a,
                struct wb_token *out)
{
    char *fields = wb_pool_strdup(job->pool, a->local + TAG_OCTETS + 1);

    if (fields == NULL)
        return wb_token_no_memory(job);
    /* Neither we nor the reference write one. */
    if (strchr(fields, '@') != NULL)
        return wb_token_forged(job, "an \"@\" in an SRS address");
    return is_tagged(a->local, "SRS0") ? read_first(job, fields, out)
                                       : read_later(job, fields, out);
}
