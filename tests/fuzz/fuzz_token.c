/* libFuzzer target for plan/token.h: addresses as they come back, and, since
 * chance finds no MAC, bodies that are signed here first, so that what lies
 * behind the MAC is reached too. `make fuzz-cover` proves that it is.
 *
 * Reaches all of: rules/plan/token.c rules/plan/srs.c rules/plan/batv.c
 * rules/plan/verp.c
 *
 * The first octet says which:
 *
 *     d ADDRESS                          decode it
 *     0 TT=domain=local                  as SRS0, signed here
 *     1 host=rest                        as SRS1, signed here
 *     b DDDlocal                         as prvs=, signed here
 *     v TT=local=domain=rlocal=rdomain   as wb=, signed here
 *     B, S, V sender LF recipient LF return-domain   encode, and decode back
 *     m OCTET and one of the above: with only 16 * OCTET octets of memory
 *     f OCTET and one of the above: OpenSSL fails once it has made OCTET MACs
 *     k and one of the above: without a key
 *     p and one of the above: with a clock before 1970
 *
 * Whatever comes, a verdict's promises hold. test_fuzz_token.c replays the
 * corpus. */
#include <dlfcn.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/token.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_MAX_OCTETS = 512 };

static const struct wb_secret secret = {
    .keys = {{.octets = (const unsigned char *)"0123456789abcdef", .count = 16},
             {.octets = (const unsigned char *)"fedcba9876543210",
              .count = 16}},
    .count = 2,
};
static const struct wb_secret no_secret = {.count = 0};
static const char return_domain[] = "return.example.com";

/* p is for the test; work is what the code under test may use. */
struct bench {
    struct wb_signer signer;
    struct wb_pool *p;
    struct wb_pool *work;
    bool is_short; /* of memory, or of MACs */
    unsigned macs; /* that OpenSSL makes before it fails; NEVER */
};

/* ---- OpenSSL, made to fail ---------------------------------------------- */

enum { NEVER = INT_MAX };

static unsigned macs_left = NEVER;
static bool has_failed;

static bool is_failing(void)
{
    if (macs_left == 0)
        return has_failed = true;
    if (macs_left != NEVER)
        macs_left--;
    return false;
}

static void arm(unsigned macs)
{
    macs_left = macs;
    has_failed = false;
}

static void disarm(void)
{
    macs_left = NEVER;
}

/* These two stand before libcrypto's own, which they call: ISO C has no word
 * for making a function out of what dlsym gives. */
int EVP_MAC_init(EVP_MAC_CTX *ctx, const unsigned char *key, size_t keylen,
                 const OSSL_PARAM params[])
{
    int (*real)(EVP_MAC_CTX *, const unsigned char *, size_t,
                const OSSL_PARAM[]);

    *(void **)&real = dlsym(RTLD_NEXT, "EVP_MAC_init");
    PROMISE(real != NULL);
    return is_failing() ? 0 : real(ctx, key, keylen, params);
}

unsigned char *EVP_Q_mac(OSSL_LIB_CTX *libctx, const char *name,
                         const char *propq, const char *subalg,
                         const OSSL_PARAM *params, const void *key,
                         size_t keylen, const unsigned char *data,
                         size_t datalen, unsigned char *out, size_t outsize,
                         size_t *outlen)
{
    unsigned char *(*real)(OSSL_LIB_CTX *, const char *, const char *,
                           const char *, const OSSL_PARAM *, const void *,
                           size_t, const unsigned char *, size_t,
                           unsigned char *, size_t, size_t *);

    unsigned left;
    unsigned char *made;

    *(void **)&real = dlsym(RTLD_NEXT, "EVP_Q_mac");
    PROMISE(real != NULL);
    if (is_failing())
        return NULL;
    /* it may come by EVP_MAC_init above */
    left = macs_left;
    disarm();
    made = real(libctx, name, propq, subalg, params, key, keylen, data, datalen,
                out, outsize, outlen);
    macs_left = left;
    return made;
}

/* ---- promises ----------------------------------------------------------- */

static void check_address(const struct wb_address *a)
{
    PROMISE(a->local != NULL && strlen(a->text) + 2 <= WB_PATH_MAX_OCTETS);
    PROMISE(strpbrk(a->text, "\r\n") == NULL);
}

static void check(const struct wb_token *t)
{
    bool is_ours =
        t->verdict == WB_TOKEN_IS_VALID || t->verdict == WB_TOKEN_IS_EXPIRED;

    PROMISE((t->verdict == WB_TOKEN_IS_FOREIGN) == (t->kind == WB_TOKEN_NONE));
    PROMISE((t->sender.text != NULL) == is_ours);
    PROMISE((t->recipient.text != NULL) ==
            (is_ours && t->kind == WB_TOKEN_VERP));
    PROMISE(is_ours || t->age_days == WB_TOKEN_AGE_UNKNOWN);
    if (is_ours)
        check_address(&t->sender);
    if (t->recipient.text != NULL)
        check_address(&t->recipient);
}

/* Did it go as promised, given the memory and the keys? */
static bool went_well(const struct bench *b, int rc)
{
    PROMISE(!has_failed || rc == EX_OSERR);
    PROMISE(rc == EX_OK || (b->is_short && rc == EX_OSERR) ||
            (b->signer.secret->count == 0 && rc == EX_CONFIG));
    return rc == EX_OK;
}

/* FOREIGN for what is no address. */
static enum wb_token_verdict decode(const struct bench *b, const char *text,
                                    struct wb_token *out)
{
    struct wb_address a;
    int rc;

    memset(out, 0, sizeof *out);
    if (wb_address_parse(b->p, text, &a, NULL) != EX_OK)
        return WB_TOKEN_IS_FOREIGN;
    arm(b->macs);
    rc = wb_token_decode(&b->signer, &a, b->work, out, NULL);
    disarm();
    if (!went_well(b, rc)) {
        PROMISE(out->verdict == WB_TOKEN_IS_FOREIGN);
        return out->verdict;
    }
    PROMISE(wb_token_looks_signed(&a) == (out->kind != WB_TOKEN_NONE));
    check(out);
    return out->verdict;
}

static void hmac(const char *digest, const char *text, size_t octets,
                 unsigned char out[EVP_MAX_MD_SIZE])
{
    const struct wb_key *key = &secret.keys[1];
    size_t written;

    PROMISE(EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, key->octets, key->count,
                      (const unsigned char *)text, octets, out, EVP_MAX_MD_SIZE,
                      &written) != NULL);
}

/* The first separators left out, as in what an SRS hash is made of. */
static const char *without(struct wb_pool *p, const char *s, unsigned equals)
{
    char *text = wb_pool_strlower(p, s), *out = text;

    for (const char *in = text; *in != '\0'; in++)
        if (*in != '=' || equals == 0)
            *out++ = *in;
        else
            equals--;
    *out = '\0';
    return text;
}

static const char *sign_srs(struct wb_pool *p, char digit, const char *body)
{
    const char *message = without(p, body, digit == '0' ? 2 : 1);
    unsigned char mac[EVP_MAX_MD_SIZE], base64[5];

    hmac("SHA1", message, strlen(message), mac);
    EVP_EncodeBlock(base64, mac, 3);
    return wb_pool_printf(p, "SRS%c=%s=%s", digit, (char *)base64, body);
}

/* K is the second key's. */
static const char *sign_batv(struct wb_pool *p, const char *body)
{
    static const char *const purpose[] = {"batv key number"};
    char label[WB_MAC_OCTETS + 1];
    unsigned char mac[EVP_MAX_MD_SIZE];
    const char *message;
    size_t digits = strnlen(body, 3);
    char k;

    PROMISE(wb_secret_mac(&secret.keys[1], purpose, 1, label, NULL) == EX_OK);
    k = (char)('0' + label[0] % 10);
    message = wb_pool_strlower(
        p, wb_pool_printf(p, "%c%s@%s", k, body, return_domain));
    hmac("SHA1", message, strlen(message), mac);
    return wb_pool_printf(p, "prvs=%c%.3s%02x%02x%02x=%s", k, body, mac[0],
                          mac[1], mac[2], body + digits);
}

static const char *sign_verp(struct wb_pool *p, const char *body)
{
    const char *parts[] = {
        "verp",
        wb_pool_strlower(p, wb_pool_printf(p, "%s@%s", body, return_domain))};
    char mac[WB_MAC_OCTETS + 1];

    PROMISE(wb_secret_mac(&secret.keys[1], parts, 2, mac, NULL) == EX_OK);
    return wb_pool_printf(p, "wb=%.8s%s", mac, body);
}

static void decode_signed(const struct bench *b, char what, const char *body)
{
    struct wb_pool *p = b->p;
    const char *local = what == 'b'   ? sign_batv(p, body)
                        : what == 'v' ? sign_verp(p, body)
                                      : sign_srs(p, what, body);
    const char *text = wb_address_format(p, local, return_domain);
    struct wb_token token;

    if (text != NULL)
        decode(b, text, &token);
}

/* Nothing that was put in is lost. An SRS1 address has no age, and holds what
 * the first hop made. */
static void comes_back(const struct bench *made, enum wb_token_kind kind,
                       const struct wb_address *sender,
                       const struct wb_address *recipient, const char *out)
{
    const struct bench b = {made->signer, made->p, made->p, false, NEVER};
    struct wb_token t;

    PROMISE(decode(&b, out, &t) == WB_TOKEN_IS_VALID && t.kind == kind);
    if (t.age_days == WB_TOKEN_AGE_UNKNOWN)
        return;
    PROMISE(strcmp(t.sender.local, sender->local) == 0);
    PROMISE(kind == WB_TOKEN_BATV ||
            strcmp(t.sender.domain, sender->domain) == 0);
    PROMISE(kind != WB_TOKEN_VERP ||
            strcmp(t.recipient.local, recipient->local) == 0);
}

static void encode(const struct bench *b, enum wb_token_kind kind, char *text)
{
    const char *from = strsep(&text, "\n"), *to = strsep(&text, "\n");
    const char *domain = text, *out;
    struct wb_address sender, recipient;
    int rc;

    if (domain == NULL || !wb_domain_is_valid(domain) ||
        wb_address_parse(b->p, from, &sender, NULL) != EX_OK ||
        wb_address_parse(b->p, to, &recipient, NULL) != EX_OK ||
        wb_address_is_null(&recipient))
        return;
    arm(b->macs);
    rc = wb_token_encode(kind, &b->signer, &sender, &recipient, domain, b->work,
                         &out, NULL);
    disarm();
    if (rc == EX_DATAERR && !has_failed)
        return; /* no token can carry it */
    if (!went_well(b, rc) || out == sender.text)
        return;
    PROMISE(strlen(out) - strlen(domain) - 1 <= WB_LOCAL_MAX_OCTETS);
    comes_back(b, kind, &sender, &recipient, out);
}

static void run(const struct bench *b, char what, char *text)
{
    struct wb_token token;

    switch (what) {
    case 'd':
        decode(b, text, &token);
        break;
    case '0':
    case '1':
    case 'b':
    case 'v':
        decode_signed(b, what, text);
        break;
    case 'B':
        encode(b, WB_TOKEN_BATV, text);
        break;
    case 'S':
        encode(b, WB_TOKEN_SRS, text);
        break;
    case 'V':
        encode(b, WB_TOKEN_VERP, text);
        break;
    default:
        break;
    }
}

/* Take a prefix off the input, if it has one; what it asks for goes into b. */
static size_t prefix(struct bench *b, const uint8_t *data, size_t octets,
                     size_t *memory)
{
    if (octets > 1 && data[0] == 'k') {
        b->signer.secret = &no_secret;
        return 1;
    }
    if (octets > 1 && data[0] == 'p') {
        b->signer.now_s = -b->signer.now_s;
        return 1;
    }
    if (octets > 2 && data[0] == 'm' && data[1] > 0)
        *memory = 16 * (size_t)data[1];
    else if (octets > 2 && data[0] == 'f')
        b->macs = data[1];
    else
        return 0;
    b->is_short = true;
    return 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    struct bench b = {.signer = {&secret, 1700000000, 10}, .macs = NEVER};
    size_t memory = 0, head = prefix(&b, data, octets, &memory);
    char *text;

    if (octets < 1 || octets > FUZZ_MAX_OCTETS)
        return 0;
    b.p = wb_pool_new(0);
    b.work = wb_pool_new(memory);
    PROMISE(b.p != NULL && b.work != NULL);
    text =
        wb_pool_strndup(b.p, (const char *)data + head + 1, octets - head - 1);
    PROMISE(text != NULL);
    run(&b, (char)data[head], text);
    wb_pool_free(b.p);
    wb_pool_free(b.work);
    return 0;
}
