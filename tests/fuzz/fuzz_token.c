/* libFuzzer target for plan/token.h: addresses as they come back, and, since
 * chance finds no MAC, bodies that are signed here first, so that what lies
 * behind the MAC is reached too. The first octet says which:
 *
 *     d ADDRESS                          decode it
 *     0 TT=domain=local                  as SRS0, signed here
 *     1 host=rest                        as SRS1, signed here
 *     b DDDlocal                         as prvs=, signed here
 *     v TT=local=domain=rlocal=rdomain   as wb=, signed here
 *     B, S, V sender LF recipient LF return-domain   encode, and decode back
 *     m OCTET and one of the above: with only 16 * OCTET octets of memory
 *
 * Whatever comes, a verdict's promises hold. test_fuzz_token.c replays the
 * corpus. */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/token.h"

#define PROMISE(claim)                                                         \
    do {                                                                       \
        if (!(claim)) {                                                        \
            fprintf(stderr, "broken promise: %s\n", #claim);                   \
            abort();                                                           \
        }                                                                      \
    } while (0)

enum { FUZZ_MAX_OCTETS = 512 };

static const struct wb_secret secret = {
    .keys = {{.octets = (const unsigned char *)"0123456789abcdef", .count = 16},
             {.octets = (const unsigned char *)"fedcba9876543210",
              .count = 16}},
    .count = 2,
};
static const struct wb_signer signer = {&secret, 1700000000, 10};
static const char return_domain[] = "return.example.com";

/* p is for the test; work is what the code under test may use. */
struct bench {
    struct wb_pool *p;
    struct wb_pool *work;
    bool is_short;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets);

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

/* Did it go as promised, given the memory? */
static bool went_well(const struct bench *b, int rc)
{
    PROMISE(rc == EX_OK || (b->is_short && rc == EX_OSERR));
    return rc == EX_OK;
}

/* FOREIGN for what is no address. */
static enum wb_token_verdict decode(const struct bench *b, const char *text,
                                    struct wb_token *out)
{
    struct wb_address a;

    memset(out, 0, sizeof *out);
    if (wb_address_parse(b->p, text, &a, NULL) != EX_OK)
        return WB_TOKEN_IS_FOREIGN;
    if (!went_well(b, wb_token_decode(&signer, &a, b->work, out, NULL))) {
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
static void comes_back(struct wb_pool *p, enum wb_token_kind kind,
                       const struct wb_address *sender,
                       const struct wb_address *recipient, const char *out)
{
    const struct bench b = {p, p, false};
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
    rc = wb_token_encode(kind, &signer, &sender, &recipient, domain, b->work,
                         &out, NULL);
    if (rc == EX_DATAERR || !went_well(b, rc) || out == sender.text)
        return;
    PROMISE(strlen(out) - strlen(domain) - 1 <= WB_LOCAL_MAX_OCTETS);
    comes_back(b->p, kind, &sender, &recipient, out);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    bool is_short = octets > 2 && data[0] == 'm' && data[1] > 0;
    size_t head = is_short ? 2 : 0;
    struct bench b = {.is_short = is_short};
    char *text;

    if (octets < 1 || octets > FUZZ_MAX_OCTETS)
        return 0;
    b.p = wb_pool_new(0);
    b.work = wb_pool_new(is_short ? 16 * (size_t)data[1] : 0);
    PROMISE(b.p != NULL && b.work != NULL);
    text =
        wb_pool_strndup(b.p, (const char *)data + head + 1, octets - head - 1);
    PROMISE(text != NULL);
    run(&b, (char)data[head], text);
    wb_pool_free(b.p);
    wb_pool_free(b.work);
    return 0;
}
