/* Variable envelope return paths: who was written to stands in the address
 * that a bounce comes back to. waybill's own form:
 *
 *     local     = "wb=" mac stamp "=" slocal "=" sdomain "=" rlocal "="
 *                 [ field ]                ; the recipient's domain
 *     slocal    = field
 *     sdomain   = field / DIGIT            ; labels to take off the return
 *     rlocal    = field                    ; domain
 *     mac       = 8base32
 *     stamp     = 2base32
 *     field     = plain / "_" *base32
 *     plain     = atom *( "." atom )       ; neither begins with "_"
 *     atom      = 1*( %x61-7A / DIGIT / "-" / "_" )
 *     base32    = %x61-7A / %x32-37        ; RFC 4648, 6, no padding
 */
#include <string.h>
#include <sysexits.h>

#include "base/base32.h"
#include "plan/token_kinds.h"

enum { MAC_OCTETS = 8 /* 40 bits */ };

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

/* message: all that follows the MAC, "@", the return domain. */
static int sign(const struct wb_token_job *job, const struct wb_key *key,
                const char *message, char out[WB_TOKEN_MAC_OCTETS + 1])
{
    const char *const parts[] = {"verp", message};
    char mac[WB_MAC_OCTETS + 1];
    int rc = wb_secret_mac(key, parts, 2, mac, job->err);

    if (rc != EX_OK)
        return rc;
    memcpy(out, mac, MAC_OCTETS);
    out[MAC_OCTETS] = '\0';
    return EX_OK;
}

/* ---- make ---------------------------------------------------------------- */

static bool is_plain(const char *s)
{
    char before = '.';

    if (*s == '_')
        return false;
    for (; *s != '\0'; before = *s++)
        if (*s == '.'
                ? before == '.'
                : strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *s) == NULL)
            return false;
    return before != '.';
}

static const char *base32(struct wb_pool *p, const char *in)
{
    size_t octets = strlen(in);
    char *text = wb_pool_array(p, octets + 2, 2);

    if (text == NULL)
        return NULL;
    text[0] = '_';
    wb_base32((const unsigned char *)in, octets, text + 1);
    return text;
}

static const char *field(struct wb_pool *p, const char *s)
{
    return is_plain(s) ? s : base32(p, s);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One digit where the return domain tells the rest. */
static const char *sender_domain(struct wb_pool *p, const char *domain,
                                 const char *return_domain)
{
    const char *left = return_domain;

    for (int labels = 0; labels <= 9 && left != NULL; labels++) {
        if (strcmp(left, domain) == 0)
            return wb_pool_printf(p, "%d", labels);
        if ((left = strchr(left, '.')) != NULL)
            left++;
    }
    /* A top-level domain of one digit would read as such a number. */
    return is_digit(domain[0]) && domain[1] == '\0' ? base32(p, domain)
                                                    : field(p, domain);
}

static char *body(const struct wb_token_job *job,
                  const struct wb_address *sender,
                  const struct wb_address *recipient, const char *domain)
{
    struct wb_pool *p = job->pool;
    const char *slocal = field(p, sender->local);
    const char *sdomain = sender_domain(p, sender->domain, domain);
    const char *rlocal = field(p, recipient->local);
    const char *rdomain =
        recipient->domain == NULL ? "" : field(p, recipient->domain);
    char stamp[WB_STAMP_OCTETS + 1], *text;

    if (slocal == NULL || sdomain == NULL || rlocal == NULL || rdomain == NULL)
        return NULL;
    wb_token_stamp(job->signer, stamp);
    text = wb_pool_printf(p, "%s=%s=%s=%s=%s", stamp, slocal, sdomain, rlocal,
                          rdomain);
    return text == NULL ? NULL : wb_pool_strlower(p, text);
}

int wb_verp_make(const struct wb_token_job *job,
                 const struct wb_address *sender,
                 const struct wb_address *recipient, const char *domain,
                 const char **local)
{
    char *text = body(job, sender, recipient, domain);
    char mac[WB_TOKEN_MAC_OCTETS + 1];
    const char *message;
    int rc;

    message =
        text == NULL ? NULL : wb_pool_printf(job->pool, "%s@%s", text, domain);
    if (message == NULL)
        return wb_token_no_memory(job);
    rc = sign(job, &job->signer->secret->keys[0], message, mac);
    if (rc != EX_OK)
        return rc;
    *local = wb_pool_printf(job->pool, WB_VERP_TAG "%s%s", mac, text);
    return *local != NULL ? EX_OK : wb_token_no_memory(job);
}

/* ---- read ---------------------------------------------------------------- */

/* out: as many octets as in, and a NUL. Only what base32() writes is taken. */
static bool unbase32(const char *in, char *out)
{
    unsigned bits = 0, pending = 0;

    for (; *in != '\0'; in++) {
        const char *at = strchr(alphabet, *in);

        if (at == NULL)
            return false;
        bits = (bits << 5 | (unsigned)(at - alphabet)) & 0xfff;
        pending += 5;
        if (pending < 8)
            continue;
        pending -= 8;
        *out++ = (char)(bits >> pending & 0xff);
    }
    *out = '\0';
    return pending < 5 && (bits & ((1U << pending) - 1)) == 0;
}

/* NUL, C0, DEL and, in UTF-8, C1: what no address may hold. */
static bool has_control(const char *s, size_t octets)
{
    for (size_t i = 0; i < octets; i++) {
        unsigned char c = (unsigned char)s[i], next = (unsigned char)s[i + 1];

        if (c < 0x20 || c == 0x7f ||
            (c == 0xc2 && next >= 0x80 && next <= 0x9f))
            return true;
    }
    return false;
}

static int read_field(const struct wb_token_job *job, const char *in,
                      const char **out)
{
    char *text;

    *out = in;
    if (*in != '_')
        return is_plain(in) ? EX_OK : wb_token_forged(job, "a malformed field");
    if ((text = wb_pool_strdup(job->pool, in)) == NULL)
        return wb_token_no_memory(job);
    if (!unbase32(in + 1, text) || has_control(text, (strlen(in) - 1) * 5 / 8))
        return wb_token_forged(job, "a malformed base32 field");
    *out = text;
    return EX_OK;
}

static int read_sender_domain(const struct wb_token_job *job, const char *in,
                              const char *return_domain, const char **out)
{
    if (!is_digit(in[0]) || in[1] != '\0')
        return read_field(job, in, out);
    *out = return_domain;
    for (int labels = in[0] - '0'; labels > 0; labels--) {
        if ((*out = strchr(*out, '.')) == NULL)
            return wb_token_forged(job, "the return domain is too short");
        ++*out;
    }
    return EX_OK;
}

static int read_fields(const struct wb_token_job *job, char *fields,
                       const char *return_domain, struct wb_token *out)
{
    const char *f[4] = {NULL};
    int rc;

    for (size_t i = 0; i < 4; i++)
        f[i] = strsep(&fields, "=");
    if (f[3] == NULL || fields != NULL)
        return wb_token_forged(job, "not four fields");
    if ((rc = read_field(job, f[0], &f[0])) != EX_OK ||
        (rc = read_sender_domain(job, f[1], return_domain, &f[1])) != EX_OK ||
        (rc = read_field(job, f[2], &f[2])) != EX_OK ||
        (*f[3] != '\0' && (rc = read_field(job, f[3], &f[3])) != EX_OK))
        return rc;
    rc = wb_token_address(job, f[0], f[1], &out->sender);
    if (rc != EX_OK)
        return rc;
    return wb_token_address(job, f[2], *f[3] != '\0' ? f[3] : NULL,
                            &out->recipient);
}

/* The MAC, the stamp and the fields, cut out of local. */
static int cut(const struct wb_token_job *job, const char *local,
               const char **mac, const char **stamp, char **fields)
{
    size_t head = strlen(WB_VERP_TAG) + MAC_OCTETS + WB_STAMP_OCTETS;
    char *text = wb_pool_strlower(job->pool, local);

    if (text == NULL)
        return wb_token_no_memory(job);
    if (strlen(text) <= head || text[head] != '=')
        return wb_token_forged(job, "wb= and no MAC and day after it");
    text[head] = '\0';
    *fields = text + head + 1;
    *mac = wb_pool_strndup(job->pool, text + strlen(WB_VERP_TAG), MAC_OCTETS);
    *stamp = text + strlen(WB_VERP_TAG) + MAC_OCTETS;
    return *mac != NULL ? EX_OK : wb_token_no_memory(job);
}

int wb_verp_read(const struct wb_token_job *job, const struct wb_address *a,
                 struct wb_token *out)
{
    const char *mac = NULL, *stamp = NULL, *message;
    char *fields = NULL;
    int age_days, rc = cut(job, a->local, &mac, &stamp, &fields);

    if (rc != EX_OK)
        return rc;
    message = wb_pool_printf(job->pool, "%s=%s@%s", stamp, fields, a->domain);
    if (message == NULL)
        return wb_token_no_memory(job);
    if ((rc = wb_token_verify(job, sign, message, mac)) != EX_OK)
        return rc;
    if (!wb_token_stamp_age(job->signer, stamp, &age_days))
        return wb_token_forged(job, "the day is no two of a-z and 2-7");
    wb_token_judge(job->signer, age_days, out);
    return read_fields(job, fields, a->domain, out);
}
