#include "unit.h"

#include <ctype.h>

#include "plan/token.h"

enum {
    DAY_S = 86400,
    NOW_S = 1700000000, /* day 19675 */
    MAX_AGE = 10,
    LIMIT = MAX_AGE + WB_TOKEN_SKEW_DAYS,
    ROUND_TRIPS = 100000,
};

#define KEY(text)                                                              \
    {                                                                          \
        .octets = (const unsigned char *)(text), .count = sizeof(text) - 1     \
    }

static const struct wb_secret none = {.count = 0};
static const struct wb_secret old_key = {.keys = {KEY("0123456789abcdef")},
                                         .count = 1};
static const struct wb_secret new_key = {.keys = {KEY("fedcba9876543210")},
                                         .count = 1};
static const struct wb_secret both_keys = {
    .keys = {KEY("fedcba9876543210"), KEY("0123456789abcdef")}, .count = 2};
static const struct wb_signer signer = {&old_key, NOW_S, MAX_AGE};

static const enum wb_token_kind kinds[] = {WB_TOKEN_BATV, WB_TOKEN_SRS,
                                           WB_TOKEN_VERP};

static struct wb_address parse(struct wb_pool *p, const char *text)
{
    struct wb_address a;
    struct wb_err err;

    if (wb_address_parse(p, text, &a, &err) != EX_OK)
        fail_msg("%s: %s", text, err.text);
    return a;
}

static const char *encode(struct wb_pool *p, enum wb_token_kind kind,
                          const struct wb_signer *by, const char *sender,
                          const char *recipient, const char *domain)
{
    struct wb_address from = parse(p, sender), to = parse(p, recipient);
    const char *out = NULL;

    assert_int_equal(
        wb_token_encode(kind, by, &from, &to, domain, p, &out, NULL), EX_OK);
    return out;
}

static struct wb_token decode(struct wb_pool *p, const struct wb_signer *by,
                              const char *text)
{
    struct wb_address a = parse(p, text);
    struct wb_token token;

    assert_int_equal(wb_token_decode(by, &a, p, &token, NULL), EX_OK);
    return token;
}

static bool is_valid(struct wb_pool *p, const struct wb_signer *by,
                     const char *text)
{
    return decode(p, by, text).verdict == WB_TOKEN_IS_VALID;
}

/* ---- what is written ----------------------------------------------------- */

/* Computed apart from this code, with Python's hmac. SRS: test_srs.c. */
static const struct {
    const char *why;
    enum wb_token_kind kind;
    const char *sender, *recipient, *domain;
    const char *out;
    const char *back; /* the sender; NULL: as it was */
} rows[] = {
    {"batv", WB_TOKEN_BATV, "info@example.com", "x@y.test",
     "return.example.com", "prvs=1685bea781=info@return.example.com",
     "info@return.example.com"},
    {"batv in the sender's own domain", WB_TOKEN_BATV,
     "info@return.example.com", "x@y.test", "Return.Example.com",
     "prvs=1685bea781=info@return.example.com", NULL},
    {"batv keeps capitals, signs them folded", WB_TOKEN_BATV,
     "Bob.Smith@example.com", "x@y.test", "return.example.com",
     "prvs=1685a1f48d=Bob.Smith@return.example.com",
     "Bob.Smith@return.example.com"},
    {"batv quoted", WB_TOKEN_BATV, "\"a b\"@example.com", "x@y.test",
     "return.example.com", "\"prvs=168544397b=a b\"@return.example.com",
     "\"a b\"@return.example.com"},
    {"verp", WB_TOKEN_VERP, "info@example.com", "taro@docomo.ne.jp",
     "return.example.com",
     "wb=opapazcag3=info=1=taro=docomo.ne.jp@return.example.com", NULL},
    {"verp: capitals, plus, dots, another domain", WB_TOKEN_VERP,
     "Bob+x@other.test", "a..b@docomo.ne.jp", "return.example.com",
     "wb=jiq3b52kg3=_ijxwek3y=other.test=_mexc4yq=docomo.ne.jp"
     "@return.example.com",
     NULL},
    {"verp: UTF-8, no recipient domain, own domain", WB_TOKEN_VERP,
     "info@example.com", "\xe3\x81\x82", "example.com",
     "wb=4gddovo3g3=info=0=_4oaye=@example.com", NULL},
};

static void addresses_are_as_specified(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *out = encode(p, rows[i].kind, &signer, rows[i].sender,
                                 rows[i].recipient, rows[i].domain);
        const char *back = rows[i].back ? rows[i].back : rows[i].sender;
        struct wb_token token;

        ROW_TRUE(&rows[i], strcmp(out, rows[i].out) == 0);
        token = decode(p, &signer, out);
        ROW_TRUE(&rows[i], token.verdict == WB_TOKEN_IS_VALID);
        ROW_TRUE(&rows[i], token.kind == rows[i].kind && token.age_days == 0);
        ROW_TRUE(&rows[i], strcmp(token.sender.text, back) == 0);
        if (rows[i].kind == WB_TOKEN_VERP)
            ROW_TRUE(&rows[i], strcmp(token.recipient.local,
                                      parse(p, rows[i].recipient).local) == 0);
        else
            ROW_TRUE(&rows[i], token.recipient.text == NULL);
    }
    wb_pool_free(p);
}

#define OWN "SRS0=oZW2=G3=example.com=info"

static const struct {
    const char *why;
    const char *sender;
    bool stays[3]; /* batv, srs, verp; to return.test */
} foreign_rows[] = {
    {"null sender", "<>", {true, true, true}},
    {"no domain", "postmaster", {true, true, true}},
    {"ordinary", "info@x.test", {false, false, false}},
    {"foreign prvs", "prvs=0123abcdef=a@x.test", {true, false, true}},
    {"foreign SRS0", "srs0+abcd=AB=y.test=a@x.test", {true, false, true}},
    {"foreign SRS1", "SRS1=ab=y.test==c=d=e=f@x.test", {true, false, true}},
    {"foreign wb", "wb=aaaaaaaaaa=a=b=c=d@x.test", {true, false, true}},
    {"in the return domain",
     "prvs=0123abcdef=a@Return.test",
     {true, true, true}},
    {"ours, from another return domain", OWN "@other.test", {true, true, true}},
    {"ours, batv",
     "prvs=1685bea781=info@return.example.com",
     {true, true, true}},
    {"ours, verp",
     "wb=opapazcag3=info=1=taro=docomo.ne.jp@return.example.com",
     {true, true, true}},
    {"only looks like it", "SRS0info@x.test", {false, false, false}},
};

static void signed_addresses_are_left_alone(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(foreign_rows); i++)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            struct wb_address from = parse(p, foreign_rows[i].sender);
            struct wb_address to = parse(p, "a@b");
            const char *out = NULL;
            int rc = wb_token_encode(kinds[k], &signer, &from, &to,
                                     "return.test", p, &out, NULL);

            if (foreign_rows[i].stays[k])
                ROW_TRUE(&foreign_rows[i], rc == EX_OK && out == from.text);
            else
                ROW_TRUE(&foreign_rows[i],
                         rc == EX_DATAERR || strcmp(out, from.text) != 0);
        }
    wb_pool_free(p);
}

/* An expired one is ours, too. */
static void expired_ones_are_not_signed_again(void **state)
{
    struct wb_signer later = signer;
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    later.now_s += 30 * DAY_S;
    assert_string_equal(encode(p, WB_TOKEN_SRS, &later, OWN "@other.test",
                               "a@b", "return.test"),
                        OWN "@other.test");
    wb_pool_free(p);
}

/* ---- limits -------------------------------------------------------------- */

/* prvs=KDDDSSSSSS= is 16 octets. */
static void no_local_part_passes_64_octets(void **state)
{
    static const char *const longest[] = {
        "a2345678901234567890123456789012345678901234567a",
        "\"a 34567890123456789012345678901234567890123456\"",
        ("a23456789012345678901234567890123456789012345"
         "\xe3\x81\x82"),
    };
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(longest); i++)
        for (int more = 0; more <= 1; more++) {
            const char *text = wb_pool_printf(
                p, "%.*s%s%s@x.test", 1 + (*longest[i] == '"'), longest[i],
                more ? "z" : "", longest[i] + 1 + (*longest[i] == '"'));
            struct wb_address from = parse(p, text);
            struct wb_err err = {""};
            const char *out = NULL;
            int rc = wb_token_encode(WB_TOKEN_BATV, &signer, &from, NULL,
                                     "return.test", p, &out, &err);

            assert_int_equal(rc, more ? EX_DATAERR : EX_OK);
            assert_int_equal(*err.text != '\0', more);
            if (!more)
                assert_int_equal(strlen(out), 64 + sizeof "return.test");
        }
    wb_pool_free(p);
}

#define LABEL60 "a23456789012345678901234567890123456789012345678901234567890."

static void no_path_passes_256_octets(void **state)
{
    const char domain[] = LABEL60 LABEL60 LABEL60 "a234567890123456789012345";
    struct wb_pool *p = wb_pool_new(0);
    const char *out = NULL;

    (void)state;
    for (size_t octets = 1; octets <= 40; octets++) {
        struct wb_address from =
            parse(p, wb_pool_printf(p, "%.*s@x.test", (int)octets, LABEL60));
        int rc = wb_token_encode(WB_TOKEN_BATV, &signer, &from, NULL, domain, p,
                                 &out, NULL);
        size_t whole = 16 + octets + 1 + strlen(domain);

        assert_int_equal(rc, whole + 2 <= 256 ? EX_OK : EX_DATAERR);
        if (rc == EX_OK)
            assert_int_equal(strlen(out), whole);
    }
    wb_pool_free(p);
}

static void srs_refuses_what_the_reference_refuses(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_address from = parse(p, "\"a@b\"@x.test");
    const char *out = NULL;

    (void)state;
    assert_int_equal(wb_token_encode(WB_TOKEN_SRS, &signer, &from, NULL, "r.x",
                                     p, &out, NULL),
                     EX_DATAERR);
    assert_null(out);
    wb_pool_free(p);
}

/* ---- forgery ------------------------------------------------------------- */

static const char *const written[] = {
    "prvs=1685bea781=info@return.example.com",
    "prvs=1685a1f48d=Bob.Smith@return.example.com",
    OWN "@return.example.com",
    "SRS0=iR/S=G3=example.com=Bob.Smith@return.example.com",
    "SRS1=YFDP=second.test==abcd=AB=first.test=bob@return.example.com",
    "wb=opapazcag3=info=1=taro=docomo.ne.jp@return.example.com",
    ("wb=jiq3b52kg3=_ijxwek3y=other.test=_mexc4yq=docomo.ne.jp"
     "@return.example.com"),
};

/* The initial separator is not signed, as it is the reference's to be read in
 * three ways, and no return domain is in SRS. */
static bool is_free(const char *text, size_t at, char c)
{
    bool is_srs = strncmp(text, "SRS", 3) == 0;

    if (tolower((unsigned char)text[at]) == tolower((unsigned char)c))
        return true;
    return is_srs &&
           ((at == 4 && strchr("=+-", c) != NULL) || at > strcspn(text, "@"));
}

/* Every octet of the address, changed to every other that can stand in one. A
 * 4-character hash that folds case lets one in about 1.5 million changes pass;
 * none of these does. */
static size_t change_everywhere(struct wb_pool *p, const char *original)
{
    static const char others[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "!#$%&'*+-/=?^_`{|}~.";
    size_t tried = 0;

    for (size_t at = 0; original[at] != '\0'; at++)
        for (const char *c = others; *c != '\0'; c++) {
            char *text = wb_pool_strdup(p, original);
            struct wb_token token;
            struct wb_address a;

            text[at] = *c;
            if (original[at] == '@' || is_free(original, at, *c) ||
                wb_address_parse(p, text, &a, NULL) != EX_OK)
                continue;
            assert_int_equal(wb_token_decode(&signer, &a, p, &token, NULL),
                             EX_OK);
            if (token.sender.text != NULL)
                fail_msg("%s was taken for %s", text, original);
            tried++;
            wb_pool_reset(p);
        }
    return tried;
}

static void every_change_of_one_character_is_refused(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    size_t tried = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        assert_true(is_valid(p, &signer, written[i]));
        tried += change_everywhere(p, written[i]);
    }
    assert_true(tried > 20000);
    wb_pool_free(p);
}

/* Octets left out or doubled. */
static void every_change_of_length_is_refused(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_address a;

    (void)state;
    for (size_t i = 0; i < COUNT(written); i++)
        for (size_t at = 0; written[i][at] != '@'; at++)
            for (int twice = 0; twice <= 1; twice++) {
                const char *text =
                    wb_pool_printf(p, "%.*s%s", (int)(at + (size_t)twice),
                                   written[i], written[i] + at + !twice);

                if (wb_address_parse(p, text, &a, NULL) == EX_OK &&
                    is_valid(p, &signer, text))
                    fail_msg("%s was taken for %s", text, written[i]);
            }
    wb_pool_free(p);
}

static void folded_case_is_no_forgery(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        char upper[WB_PATH_MAX_OCTETS];
        struct wb_token exact = decode(p, &signer, written[i]), folded;

        for (size_t k = 0; k <= strlen(written[i]); k++)
            upper[k] = (char)toupper((unsigned char)written[i][k]);
        assert_true(is_valid(p, &signer, upper));
        folded = decode(p, &signer, wb_pool_strlower(p, written[i]));
        assert_int_equal(folded.verdict, WB_TOKEN_IS_VALID);
        if (exact.kind != WB_TOKEN_VERP)
            continue;
        /* What it carries keeps its case. */
        assert_string_equal(folded.sender.text, exact.sender.text);
        assert_string_equal(folded.recipient.text, exact.recipient.text);
    }
    wb_pool_free(p);
}

/* ---- round trip ---------------------------------------------------------- */

static uint64_t seed = 88172645463325252ULL;

/* xorshift64: the same every time. */
static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static const char *draw_local(struct wb_pool *p)
{
    static const char *const some[] = {
        "a",
        "e",
        "t",
        "o",
        "n",
        "0",
        "7",
        ".",
        "-",
        "_",
        "B",
        "Z",
        "+",
        "=",
        "!",
        "~",
        " ",
        "\"",
        "\\",
        "(",
        ",",
        "<",
        ">",
        ";",
        "/",
        "&",
        "%",
        "'",
        "\xc3\xa9",
        "\xe3\x81\x82",
        "\xf0\x9f\x93\xa7",
    };
    char local[64];
    unsigned parts = 1 + draw(9), plain = draw(4);

    local[0] = '\0';
    while (parts-- > 0)
        strcat(local, some[draw(plain > 0 ? 10 : (unsigned)COUNT(some))]);
    return wb_pool_strdup(p, local);
}

static const char *draw_domain(struct wb_pool *p)
{
    static const char *const some[] = {
        "x.test",      "docomo.ne.jp",      "7",          "example.com",
        "[192.0.2.1]", "\xe3\x81\x82.test", "return.test"};
    unsigned n = draw((unsigned)COUNT(some) + 6);

    return n < COUNT(some) ? some[n]
                           : wb_pool_printf(p, "%c%u.test", 'a' + (int)draw(26),
                                            draw(99999));
}

static struct wb_address draw_address(struct wb_pool *p)
{
    const char *local = draw_local(p);

    return parse(p, wb_address_format(p, local, draw_domain(p)));
}

/* verp: nothing that another MTA could take for its own or fold. */
static void check_octets(enum wb_token_kind kind, const char *local)
{
    if (kind == WB_TOKEN_VERP)
        assert_int_equal(strspn(local, "abcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_.="),
                         strlen(local));
}

static bool came_back(enum wb_token_kind kind, const struct wb_token *token,
                      const struct wb_address *from,
                      const struct wb_address *to)
{
    return token->verdict == WB_TOKEN_IS_VALID && token->kind == kind &&
           token->age_days == 0 &&
           strcmp(token->sender.local, from->local) == 0 &&
           (kind == WB_TOKEN_BATV ||
            strcmp(token->sender.text, from->text) == 0) &&
           (kind != WB_TOKEN_VERP ||
            strcmp(token->recipient.text, to->text) == 0);
}

/* Texts compare equal only if these are in the form we write. */
static struct wb_address canonical(struct wb_pool *p)
{
    struct wb_address a = draw_address(p);

    a.text = wb_address_format(p, a.local, a.domain);
    return a;
}

static void round_trip(enum wb_token_kind kind)
{
    static const char *const domains[] = {"return.example.com", "r.x.test"};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_token token;
    struct wb_address back;
    const char *out;

    for (unsigned done = 0, long_ones = 0; done < ROUND_TRIPS;
         wb_pool_reset(p)) {
        struct wb_address from = canonical(p), to = canonical(p);
        int rc = wb_token_encode(kind, &signer, &from, &to, domains[draw(2)], p,
                                 &out, NULL);

        if (rc == EX_DATAERR) {
            assert_true(++long_ones < ROUND_TRIPS);
            continue;
        }
        assert_int_equal(rc, EX_OK);
        back = parse(p, out);
        check_octets(kind, back.local);
        assert_int_equal(wb_token_decode(&signer, &back, p, &token, NULL),
                         EX_OK);
        if (!came_back(kind, &token, &from, &to))
            fail_msg("%s for %s did not come back", out, from.text);
        done++;
    }
    wb_pool_free(p);
}

static void batv_comes_back(void **state)
{
    (void)state;
    round_trip(WB_TOKEN_BATV);
}

static void srs_comes_back(void **state)
{
    (void)state;
    round_trip(WB_TOKEN_SRS);
}

static void verp_comes_back(void **state)
{
    (void)state;
    round_trip(WB_TOKEN_VERP);
}

/* ---- age ----------------------------------------------------------------- */

static struct wb_token aged(struct wb_pool *p, const char *text, int64_t made_s,
                            int days)
{
    struct wb_signer then = signer;

    then.now_s = made_s + (int64_t)days * DAY_S;
    return decode(p, &then, text);
}

static void check_ages(struct wb_pool *p, const char *text, int64_t made_s)
{
    struct wb_token t = aged(p, text, made_s, LIMIT);

    assert_int_equal(t.verdict, WB_TOKEN_IS_VALID);
    assert_int_equal(t.age_days, LIMIT);
    t = aged(p, text, made_s, LIMIT + 1);
    assert_int_equal(t.verdict, WB_TOKEN_IS_EXPIRED);
    assert_int_equal(t.age_days, LIMIT + 1);
    assert_string_equal(t.sender.local, "info");
    t = aged(p, text, made_s, -1);
    assert_int_equal(t.verdict, WB_TOKEN_IS_VALID);
    assert_int_equal(t.age_days, 0);
    assert_int_equal(aged(p, text, made_s, 600).verdict, WB_TOKEN_IS_EXPIRED);
}

/* Signed on every day of both cycles (1000, 1024), at both ends of the day. */
static void age_is_right_on_every_day(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (int day = 0; day < 1024 + 32; day++)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            int64_t noon = (int64_t)(19000 + day) * DAY_S;
            int64_t made_s = noon + (day % 2 ? DAY_S - 1 : 0);
            struct wb_signer then = signer;

            then.now_s = made_s;
            check_ages(p,
                       encode(p, kinds[k], &then, "info@example.com", "a@b.x",
                              "return.test"),
                       made_s);
            wb_pool_reset(p);
        }
    wb_pool_free(p);
}

/* A day of 1024 wraps at 1023 to the future, which one day of skew takes. */
static void each_cycle_wraps_where_it_should(void **state)
{
    static const int cycles[] = {1000, 1024, 1024};
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const char *text = encode(p, kinds[k], &signer, "info@example.com",
                                  "a@b.x", "return.test");
        /* batv: an expiry that lies ahead, by max_age of any size, is good. */
        int ahead = kinds[k] == WB_TOKEN_BATV
                        ? WB_TOKEN_MAX_AGE_DAYS + WB_TOKEN_SKEW_DAYS - MAX_AGE
                        : WB_TOKEN_SKEW_DAYS;

        for (int days = LIMIT + 1; days < cycles[k] - ahead; days++)
            assert_int_equal(aged(p, text, NOW_S, days).verdict,
                             WB_TOKEN_IS_EXPIRED);
        assert_int_equal(aged(p, text, NOW_S, cycles[k] - ahead).verdict,
                         WB_TOKEN_IS_VALID);
        assert_int_equal(aged(p, text, NOW_S, cycles[k]).age_days, 0);
    }
    wb_pool_free(p);
}

static void lower_max_age_keeps_young_bounces(void **state)
{
    struct wb_signer shorter = signer;
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    shorter.max_age_days = 1;
    for (size_t k = 0; k < COUNT(kinds); k++)
        assert_true(is_valid(p, &shorter,
                             encode(p, kinds[k], &signer, "info@example.com",
                                    "a@b.x", "return.test")));
    wb_pool_free(p);
}

static void longest_max_age_fits_the_cycles(void **state)
{
    struct wb_signer longest = signer, later = signer;
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    longest.max_age_days = later.max_age_days = WB_TOKEN_MAX_AGE_DAYS;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const char *text = encode(p, kinds[k], &longest, "info@example.com",
                                  "a@b.x", "return.test");

        later.now_s = NOW_S + (int64_t)366 * DAY_S;
        assert_true(is_valid(p, &later, text));
        later.now_s += DAY_S;
        assert_int_equal(decode(p, &later, text).verdict, WB_TOKEN_IS_EXPIRED);
        assert_int_equal(decode(p, &later, text).age_days, 367);
    }
    wb_pool_free(p);
}

static void clock_before_1970_is_borne(void **state)
{
    struct wb_signer then = signer;
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (int64_t now = -3 * DAY_S; now <= DAY_S; now += DAY_S / 2)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            then.now_s = now;
            assert_true(is_valid(p, &then,
                                 encode(p, kinds[k], &then, "a@example.com",
                                        "a@b.x", "return.test")));
        }
    wb_pool_free(p);
}

/* SRS1 has no day. */
static void srs1_has_no_age(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_token t = aged(p, written[4], NOW_S, 600);

    (void)state;
    assert_int_equal(t.verdict, WB_TOKEN_IS_VALID);
    assert_int_equal(t.age_days, WB_TOKEN_AGE_UNKNOWN);
    wb_pool_free(p);
}

/* ---- keys ---------------------------------------------------------------- */

static void first_key_signs_and_all_verify(void **state)
{
    const struct wb_signer old = {&old_key, NOW_S, MAX_AGE};
    const struct wb_signer both = {&both_keys, NOW_S, MAX_AGE};
    const struct wb_signer fresh = {&new_key, NOW_S, MAX_AGE};
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        const char *before = encode(p, kinds[k], &old, "info@example.com",
                                    "a@b.x", "return.test");
        const char *after = encode(p, kinds[k], &both, "info@example.com",
                                   "a@b.x", "return.test");

        assert_string_not_equal(before, after);
        assert_true(is_valid(p, &both, before));
        assert_true(is_valid(p, &both, after));
        assert_true(is_valid(p, &fresh, after));
        assert_int_equal(decode(p, &fresh, before).verdict, WB_TOKEN_IS_FORGED);
        assert_int_equal(decode(p, &old, after).verdict, WB_TOKEN_IS_FORGED);
    }
    wb_pool_free(p);
}

/* Neither accepted nor refused for good. */
static void without_a_key_there_is_no_verdict(void **state)
{
    const struct wb_signer nobody = {&none, NOW_S, MAX_AGE};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_address a = parse(p, "info@x.test");
    struct wb_token token;
    const char *out = NULL;

    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++)
        assert_int_equal(
            wb_token_encode(kinds[k], &nobody, &a, &a, "r.test", p, &out, NULL),
            EX_CONFIG);
    assert_null(out);
    assert_int_equal(wb_token_decode(&nobody, &a, p, &token, NULL), EX_OK);
    assert_int_equal(token.verdict, WB_TOKEN_IS_FOREIGN);
    for (size_t i = 0; i < COUNT(written); i++) {
        a = parse(p, written[i]);
        assert_int_equal(wb_token_decode(&nobody, &a, p, &token, NULL),
                         EX_CONFIG);
        assert_int_equal(token.verdict, WB_TOKEN_IS_FOREIGN);
        assert_null(token.sender.text);
    }
    wb_pool_free(p);
}

static void forgery_says_why(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_address a = parse(p, "prvs=1685bea782=info@return.example.com");
    struct wb_err err = {""};
    struct wb_token token;

    (void)state;
    assert_int_equal(wb_token_decode(&signer, &a, p, &token, &err), EX_OK);
    assert_int_equal(token.verdict, WB_TOKEN_IS_FORGED);
    assert_int_equal(token.kind, WB_TOKEN_BATV);
    assert_string_not_equal(err.text, "");
    wb_pool_free(p);
}

/* ---- memory -------------------------------------------------------------- */

/* With every bound up to enough: out of memory, or the right answer. */
static void memory_running_out_is_told(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        struct wb_address a = parse(p, written[i]);
        struct wb_token token;
        size_t octets = 16;

        for (; octets < 4096; octets += 16) {
            struct wb_pool *small = wb_pool_new(octets);
            int rc = wb_token_decode(&signer, &a, small, &token, NULL);

            assert_true(rc == EX_OSERR || token.verdict == WB_TOKEN_IS_VALID);
            assert_true(rc == EX_OK || token.verdict == WB_TOKEN_IS_FOREIGN);
            wb_pool_free(small);
            if (rc == EX_OK)
                break;
        }
        assert_true(octets > 16 && octets < 4096);
    }
    wb_pool_free(p);
}

static void memory_running_out_stops_signing(void **state)
{
    static const char *const senders[] = {
        "Bob.Smith@other.test", "SRS0=abcd=AB=first.test=bob@second.test",
        "SRS1=wxyz=second.test==abcd=AB=first.test=bob@third.test"};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_address to = parse(p, "Taro@docomo.ne.jp");

    (void)state;
    for (size_t i = 0; i < COUNT(senders) * COUNT(kinds); i++) {
        struct wb_address from = parse(p, senders[i / COUNT(kinds)]);
        size_t octets = 16;

        for (; octets < 4096; octets += 16) {
            struct wb_pool *small = wb_pool_new(octets);
            const char *out = NULL;
            int rc = wb_token_encode(kinds[i % COUNT(kinds)], &signer, &from,
                                     &to, "return.test", small, &out, NULL);

            assert_true(rc == EX_OSERR ? out == NULL : rc == EX_OK);
            wb_pool_free(small);
            if (rc == EX_OK)
                break;
        }
        assert_true(octets < 4096);
    }
    wb_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_as_specified),
        cmocka_unit_test(signed_addresses_are_left_alone),
        cmocka_unit_test(expired_ones_are_not_signed_again),
        cmocka_unit_test(no_local_part_passes_64_octets),
        cmocka_unit_test(no_path_passes_256_octets),
        cmocka_unit_test(srs_refuses_what_the_reference_refuses),
        cmocka_unit_test(every_change_of_one_character_is_refused),
        cmocka_unit_test(every_change_of_length_is_refused),
        cmocka_unit_test(folded_case_is_no_forgery),
        cmocka_unit_test(batv_comes_back),
        cmocka_unit_test(srs_comes_back),
        cmocka_unit_test(verp_comes_back),
        cmocka_unit_test(age_is_right_on_every_day),
        cmocka_unit_test(each_cycle_wraps_where_it_should),
        cmocka_unit_test(lower_max_age_keeps_young_bounces),
        cmocka_unit_test(longest_max_age_fits_the_cycles),
        cmocka_unit_test(clock_before_1970_is_borne),
        cmocka_unit_test(srs1_has_no_age),
        cmocka_unit_test(first_key_signs_and_all_verify),
        cmocka_unit_test(without_a_key_there_is_no_verdict),
        cmocka_unit_test(forgery_says_why),
        cmocka_unit_test(memory_running_out_is_told),
        cmocka_unit_test(memory_running_out_stops_signing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
