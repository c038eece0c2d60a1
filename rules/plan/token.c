#include "plan/token.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/token_kinds.h"

enum { DAY_S = 86400 };

/* RFC 4648, 6, as Mail::SRS writes its days. */
static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* ---- what the kinds share ------------------------------------------------ */

int wb_token_no_memory(const struct wb_token_job *job)
{
    return wb_err_set(job->err, EX_OSERR, "out of memory");
}

int wb_token_forged(const struct wb_token_job *job, const char *why)
{
    return wb_err_set(job->err, EX_DATAERR, "%s", why);
}

unsigned wb_token_today(const struct wb_signer *signer, unsigned cycle)
{
    int64_t day = signer->now_s / DAY_S % cycle;

    /* A clock before 1970 is wrong, but must not index out of anything. */
    return (unsigned)(day < 0 ? day + cycle : day);
}

void wb_token_stamp(const struct wb_signer *signer,
                    char out[WB_STAMP_OCTETS + 1])
{
    unsigned day = wb_token_today(signer, WB_STAMP_CYCLE);

    out[0] = base32[day / 32];
    out[1] = base32[day % 32];
    out[2] = '\0';
}

/* c is not NUL. */
static bool unbase32(char c, unsigned *out)
{
    const char *at;

    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if ((at = strchr(base32, c)) != NULL)
        *out = (unsigned)(at - base32);
    return at != NULL;
}

bool wb_token_stamp_age(const struct wb_signer *signer, const char *stamp,
                        int *age_days)
{
    unsigned today = wb_token_today(signer, WB_STAMP_CYCLE);
    unsigned high, low;

    if (strlen(stamp) != WB_STAMP_OCTETS || !unbase32(stamp[0], &high) ||
        !unbase32(stamp[1], &low))
        return false;
    *age_days =
        (int)((today + WB_STAMP_CYCLE - (high * 32 + low)) % WB_STAMP_CYCLE);
    if (*age_days >= WB_STAMP_CYCLE - WB_TOKEN_SKEW_DAYS)
        *age_days -= WB_STAMP_CYCLE;
    return true;
}

void wb_token_judge(const struct wb_signer *signer, int age_days,
                    struct wb_token *out)
{
    int limit = (int)signer->max_age_days + WB_TOKEN_SKEW_DAYS;

    out->age_days = age_days > 0 ? age_days : 0;
    out->verdict = age_days <= limit ? WB_TOKEN_IS_VALID : WB_TOKEN_IS_EXPIRED;
}

int wb_token_sha1(const struct wb_token_job *job, const struct wb_key *key,
                  const char *message, unsigned char out[WB_SHA1_OCTETS])
{
    size_t written = 0;

    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, key->octets, key->count,
                  (const unsigned char *)message, strlen(message), out,
                  WB_SHA1_OCTETS, &written) == NULL ||
        written != WB_SHA1_OCTETS)
        return wb_err_set(job->err, EX_OSERR, "OpenSSL could not make a MAC");
    return EX_OK;
}

static void fold(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

int wb_token_verify(const struct wb_token_job *job, wb_token_sign *sign,
                    const char *message, const char *mac)
{
    const struct wb_secret *secret = job->signer->secret;
    size_t octets = strlen(mac);
    bool found = false;

    /* Every key is tried, found or not: how long it takes tells nothing. */
    for (size_t i = 0; i < secret->count; i++) {
        char expected[WB_TOKEN_MAC_OCTETS + 1];
        int rc = sign(job, &secret->keys[i], message, expected);

        if (rc != EX_OK)
            return rc;
        fold(expected);
        if (octets <= strlen(expected) &&
            CRYPTO_memcmp(expected, mac, octets) == 0)
            found = true;
    }
    return found ? EX_OK : wb_token_forged(job, "no key of ours signed this");
}

int wb_token_address(const struct wb_token_job *job, const char *local,
                     const char *domain, struct wb_address *out)
{
    const char *text = wb_address_format(job->pool, local, domain);

    if (text == NULL)
        return wb_token_no_memory(job);
    return wb_address_parse(job->pool, text, out, job->err);
}

/* ---- which kind ---------------------------------------------------------- */

static bool begins(const char *s, const char *tag)
{
    return strncasecmp(s, tag, strlen(tag)) == 0;
}

static enum wb_token_kind kind_of(const struct wb_address *a)
{
    const char *s = a->local;

    if (s == NULL || a->domain == NULL)
        return WB_TOKEN_NONE;
    if (begins(s, WB_BATV_TAG))
        return WB_TOKEN_BATV;
    if (begins(s, WB_VERP_TAG))
        return WB_TOKEN_VERP;
    if ((begins(s, "SRS0") || begins(s, "SRS1")) && s[4] != '\0' &&
        strchr("=+-", s[4]) != NULL)
        return WB_TOKEN_SRS;
    return WB_TOKEN_NONE;
}

bool wb_token_looks_signed(const struct wb_address *a)
{
    return kind_of(a) != WB_TOKEN_NONE;
}

static int check(const struct wb_token_job *job)
{
    assert(job->signer->max_age_days >= 1 &&
           job->signer->max_age_days <= WB_TOKEN_MAX_AGE_DAYS);
    return job->signer->secret->count > 0
               ? EX_OK
               : wb_err_set(job->err, EX_CONFIG, "there is no secret");
}

/* ---- encode -------------------------------------------------------------- */

/* Does sender go out as it is? */
static int stays(const struct wb_token_job *job, enum wb_token_kind kind,
                 const struct wb_address *sender, const char *domain, bool *out)
{
    struct wb_token token;
    int rc;

    *out = true;
    if (wb_address_is_null(sender) || sender->domain == NULL)
        return EX_OK;
    *out = false;
    if (!wb_token_looks_signed(sender))
        return EX_OK;
    *out = kind != WB_TOKEN_SRS || strcasecmp(sender->domain, domain) == 0;
    if (*out)
        return EX_OK;
    /* Ours, even if another of our return domains made it. */
    rc = wb_token_decode(job->signer, sender, job->pool, &token, job->err);
    *out = token.verdict == WB_TOKEN_IS_VALID ||
           token.verdict == WB_TOKEN_IS_EXPIRED;
    return rc;
}

static int make(const struct wb_token_job *job, enum wb_token_kind kind,
                const struct wb_address *sender,
                const struct wb_address *recipient, const char *domain,
                const char **local)
{
    switch (kind) {
    case WB_TOKEN_BATV:
        return wb_batv_make(job, sender, domain, local);
    case WB_TOKEN_SRS:
        return wb_srs_make(job, sender, local);
    case WB_TOKEN_VERP:
        assert(recipient != NULL && !wb_address_is_null(recipient));
        return wb_verp_make(job, sender, recipient, domain, local);
    case WB_TOKEN_NONE:
        break;
    }
    return EX_SOFTWARE;
}

/* Limits are those of the wire, where quotes count. */
static int put(const struct wb_token_job *job, const char *local,
               const char *domain, const char **out)
{
    const char *text = wb_address_format(job->pool, local, domain);
    size_t octets;

    if (text == NULL)
        return wb_token_no_memory(job);
    octets = strlen(text);
    if (octets - strlen(domain) - 1 > WB_LOCAL_MAX_OCTETS ||
        octets + 2 > WB_PATH_MAX_OCTETS)
        return wb_err_set(job->err, EX_DATAERR,
                          "the signed return address would have %zu octets "
                          "before the \"@\" and %zu in all; RFC 5321 allows "
                          "%d and %d",
                          octets - strlen(domain) - 1, octets,
                          WB_LOCAL_MAX_OCTETS, WB_PATH_MAX_OCTETS - 2);
    *out = text;
    return EX_OK;
}

int wb_token_encode(enum wb_token_kind kind, const struct wb_signer *signer,
                    const struct wb_address *sender,
                    const struct wb_address *recipient,
                    const char *return_domain, struct wb_pool *p,
                    const char **out, struct wb_err *err)
{
    const struct wb_token_job job = {signer, p, err};
    const char *domain = wb_pool_strlower(p, return_domain);
    const char *local = NULL;
    bool as_it_is;
    int rc = check(&job);

    assert(kind != WB_TOKEN_NONE);
    if (rc != EX_OK)
        return rc;
    if (domain == NULL)
        return wb_token_no_memory(&job);
    rc = stays(&job, kind, sender, domain, &as_it_is);
    if (rc != EX_OK)
        return rc;
    if (as_it_is) {
        *out = sender->text;
        return EX_OK;
    }
    rc = make(&job, kind, sender, recipient, domain, &local);
    return rc == EX_OK ? put(&job, local, domain, out) : rc;
}

/* ---- decode -------------------------------------------------------------- */

static int read_kind(const struct wb_token_job *job, const struct wb_address *a,
                     struct wb_token *out)
{
    switch (out->kind) {
    case WB_TOKEN_BATV:
        return wb_batv_read(job, a, out);
    case WB_TOKEN_SRS:
        return wb_srs_read(job, a, out);
    case WB_TOKEN_VERP:
        return wb_verp_read(job, a, out);
    case WB_TOKEN_NONE:
        break;
    }
    return EX_OK;
}

int wb_token_decode(const struct wb_signer *signer,
                    const struct wb_address *return_address, struct wb_pool *p,
                    struct wb_token *out, struct wb_err *err)
{
    const struct wb_token_job job = {signer, p, err};
    const struct wb_token unread = {.kind = kind_of(return_address),
                                    .age_days = WB_TOKEN_AGE_UNKNOWN};
    int rc = EX_OK;

    *out = unread;
    if (unread.kind != WB_TOKEN_NONE && (rc = check(&job)) == EX_OK)
        rc = read_kind(&job, return_address, out);
    if (rc == EX_DATAERR) {
        /* Nothing that a forger wrote gets any further. */
        *out = unread;
        out->verdict = WB_TOKEN_IS_FORGED;
        return EX_OK;
    }
    if (rc != EX_OK)
        memset(out, 0, sizeof *out);
    return rc;
}
