/* Against addresses that Mail::SRS 0.31 made, so that a machine without Perl
 * sees a difference too. Called with "--lines", it is the filter through which
 * test_srs_reference.py drives both implementations. */
#include "unit.h"

#include <stdlib.h>

#include "plan/token.h"

enum { NOW_S = 1700000000, LINE_OCTETS = 1024 };

static const struct wb_secret secret = {
    .keys = {{.octets = (const unsigned char *)"0123456789abcdef",
              .count = 16}},
    .count = 1,
};
static const struct wb_signer signer = {&secret, NOW_S, 10};

#define FIRST "SRS0=oZW2=G3=example.com=info@return.example.com"
#define LATER "SRS1=YFDP=second.test==abcd=AB=first.test=bob@return.example.com"

static const struct {
    const char *why;
    const char *sender;
    const char *srs; /* NULL: only decoded */
    const char *back;
} rows[] = {
    {"plain", "info@example.com", FIRST, "info@example.com"},
    {"base64 with a slash, capitals", "Bob.Smith@Example.com",
     "SRS0=iR/S=G3=example.com=Bob.Smith@return.example.com",
     "Bob.Smith@example.com"},
    {"separators in the local part", "a=b+c-d@x.test",
     "SRS0=mJbl=G3=x.test=a=b+c-d@return.example.com", "a=b+c-d@x.test"},
    {"UTF-8", "\xe3\x81\x82@x.test",
     "SRS0=gFlq=G3=x.test=\xe3\x81\x82@return.example.com",
     "\xe3\x81\x82@x.test"},
    {"quoted: the reference is given it unquoted", "\"a b\"@x.test",
     "\"SRS0=T/Ef=G3=x.test=a b\"@return.example.com", "\"a b\"@x.test"},
    {"BATV of another host", "prvs=0123abcdef=bob@x.test",
     "SRS0=fQ0s=G3=x.test=prvs=0123abcdef=bob@return.example.com",
     "prvs=0123abcdef=bob@x.test"},
    {"SRS0 of another host", "SRS0=abcd=AB=first.test=bob@second.test", LATER,
     "SRS0=abcd=AB=first.test=bob@second.test"},
    {"its separator is kept", "srs0+abcd=AB=first.test=bob@second.test",
     "SRS1=3bEX=second.test=+abcd=AB=first.test=bob@return.example.com",
     "SRS0+abcd=AB=first.test=bob@second.test"},
    {"SRS1 of another host",
     "SRS1=wxyz=second.test==abcd=AB=first.test=bob@third.test", LATER,
     "SRS0=abcd=AB=first.test=bob@second.test"},
    {"SRS1 with other separators",
     "SRS1-wxyz=second.test=-abcd=AB=first.test=bob@third.test",
     "SRS1=g6RZ=second.test=-abcd=AB=first.test=bob@return.example.com",
     "SRS0-abcd=AB=first.test=bob@second.test"},
};

static struct wb_address parse(struct wb_pool *p, const char *text)
{
    struct wb_address a;

    assert_int_equal(wb_address_parse(p, text, &a, NULL), EX_OK);
    return a;
}

static void addresses_are_those_of_the_reference(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_address sender = parse(p, rows[i].sender), back;
        struct wb_token token;
        const char *out = NULL;

        ROW_TRUE(&rows[i],
                 wb_token_encode(WB_TOKEN_SRS, &signer, &sender, NULL,
                                 "Return.example.com", p, &out, NULL) == EX_OK);
        ROW_TRUE(&rows[i], strcmp(out, rows[i].srs) == 0);
        back = parse(p, out);
        ROW_TRUE(&rows[i],
                 wb_token_decode(&signer, &back, p, &token, NULL) == EX_OK);
        ROW_TRUE(&rows[i], token.verdict == WB_TOKEN_IS_VALID);
        ROW_TRUE(&rows[i], strcmp(token.sender.text, rows[i].back) == 0);
    }
    wb_pool_free(p);
}

static const struct {
    const char *why;
    const char *address;
    enum wb_token_verdict verdict;
} read_rows[] = {
    {"as written", FIRST, WB_TOKEN_IS_VALID},
    {"plus after the tag", "SRS0+oZW2=G3=example.com=info@return.example.com",
     WB_TOKEN_IS_VALID},
    {"minus after the tag", "SRS0-oZW2=G3=example.com=info@return.example.com",
     WB_TOKEN_IS_VALID},
    {"lower case", "srs0=ozw2=g3=example.com=info@return.example.com",
     WB_TOKEN_IS_VALID},
    {"another host's return domain is not signed",
     "SRS0=oZW2=G3=example.com=info@return.example.net", WB_TOKEN_IS_VALID},
    {"no separator", "SRS0oZW2=G3=example.com=info@x.test",
     WB_TOKEN_IS_FOREIGN},
    {"nothing after the tag", "SRS0=@x.test", WB_TOKEN_IS_FORGED},
    {"three fields", "SRS0=oZW2=G3=example.com@x.test", WB_TOKEN_IS_FORGED},
    {"hash of three", "SRS0=oZW=G3=example.com=info@x.test",
     WB_TOKEN_IS_FORGED},
    {"no hash", "SRS0==G3=example.com=info@x.test", WB_TOKEN_IS_FORGED},
    {"hash too long",
     "SRS0=oZW2oZW2oZW2oZW2oZW2oZW2oZW2=G3=example.com=info@x.test",
     WB_TOKEN_IS_FORGED},
    {"timestamp of one", "SRS0=oZW2=G=example.com=info@x.test",
     WB_TOKEN_IS_FORGED},
    {"timestamp of three", "SRS0=oZW2=G3G=example.com=info@x.test",
     WB_TOKEN_IS_FORGED},
    {"timestamp is no base32", "SRS0=oZW2=G1=example.com=info@x.test",
     WB_TOKEN_IS_FORGED},
    {"@ inside", "\"SRS0=oZW2=G3=example.com=in@fo\"@x.test",
     WB_TOKEN_IS_FORGED},
    {"SRS1", LATER, WB_TOKEN_IS_VALID},
    {"SRS1 in lower case",
     "srs1+yfdp=second.test==abcd=ab=first.test=bob@return.example.com",
     WB_TOKEN_IS_VALID},
    {"SRS1 with another hash",
     "SRS1=YFDQ=second.test==abcd=AB=first.test=bob@return.example.com",
     WB_TOKEN_IS_FORGED},
    {"SRS1 without a hash, as before Mail::SRS 0.28",
     "SRS1=second.test==abcd=AB=first.test=bob@x.test", WB_TOKEN_IS_FORGED},
    {"SRS1 of two fields", "SRS1=YFDP=second.test@x.test", WB_TOKEN_IS_FORGED},
    {"SRS1 and no SRS0 inside", "SRS1=YFDP=second.test=abcd@x.test",
     WB_TOKEN_IS_FORGED},
};

static void only_what_was_signed_is_valid(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(read_rows); i++) {
        struct wb_address a = parse(p, read_rows[i].address);
        struct wb_token token;

        ROW_TRUE(&read_rows[i],
                 wb_token_decode(&signer, &a, p, &token, NULL) == EX_OK);
        ROW_TRUE(&read_rows[i], token.verdict == read_rows[i].verdict);
    }
    wb_pool_free(p);
}

/* The longest hash that the reference takes is the whole HMAC. */
static void a_longer_hash_is_read(void **state)
{
    struct wb_address a;
    struct wb_pool *p = wb_pool_new(0);
    struct wb_token token;

    (void)state;
    a = parse(p, "SRS0=oZW2FKTehgyJYtrkHR74ctcztrU=G3=example.com="
                 "info@return.example.com");
    assert_int_equal(wb_token_decode(&signer, &a, p, &token, NULL), EX_OK);
    assert_int_equal(token.verdict, WB_TOKEN_IS_VALID);
    wb_pool_free(p);
}

/* What only looks like SRS is an ordinary local part. */
static void malformed_srs_is_wrapped_whole(void **state)
{
    static const char *const senders[] = {
        "SRS0-smith@abx.test",
        "SRS0==AB=first.test=bob@x.test",
        "SRS0=abcd=AB=first.test@x.test",
        "SRS1=abcd@x.test",
        "SRS1=abcd=second.test@x.test",
        "SRS1=abcd=second.test=bob@x.test",
    };
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(senders); i++) {
        struct wb_address sender = parse(p, senders[i]), back;
        struct wb_token token;
        const char *out = NULL;

        assert_int_equal(wb_token_encode(WB_TOKEN_SRS, &signer, &sender, NULL,
                                         "return.test", p, &out, NULL),
                         EX_OK);
        assert_memory_equal(out, "SRS0=", 5);
        back = parse(p, out);
        assert_int_equal(wb_token_decode(&signer, &back, p, &token, NULL),
                         EX_OK);
        assert_string_equal(token.sender.text, senders[i]);
    }
    wb_pool_free(p);
}

/* "F NOW SENDER DOMAIN": the return address, or "!".
 * "R NOW ADDRESS": the sender, or "!". */
static const char *answer(struct wb_pool *p, char *line, unsigned max_age_days)
{
    char *words[4] = {NULL};
    struct wb_signer at = signer;
    struct wb_address a;
    struct wb_token token;
    const char *out = "!";

    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = strsep(&line, " \n");
    at.now_s = strtoll(words[1], NULL, 10);
    at.max_age_days = max_age_days;
    if (wb_address_parse(p, words[2], &a, NULL) != EX_OK)
        return "!";
    if (*words[0] == 'F')
        wb_token_encode(WB_TOKEN_SRS, &at, &a, NULL, words[3], p, &out, NULL);
    else if (wb_token_decode(&at, &a, p, &token, NULL) == EX_OK &&
             token.verdict == WB_TOKEN_IS_VALID)
        out = token.sender.text;
    return out;
}

static int filter_lines(unsigned max_age_days)
{
    struct wb_pool *p = wb_pool_new(0);
    char line[LINE_OCTETS];

    if (p == NULL)
        return EX_OSERR;
    while (fgets(line, sizeof line, stdin) != NULL) {
        puts(answer(p, line, max_age_days));
        wb_pool_reset(p);
    }
    wb_pool_free(p);
    return EX_OK;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_those_of_the_reference),
        cmocka_unit_test(only_what_was_signed_is_valid),
        cmocka_unit_test(a_longer_hash_is_read),
        cmocka_unit_test(malformed_srs_is_wrapped_whole),
    };

    if (argc == 3 && strcmp(argv[1], "--lines") == 0)
        return filter_lines((unsigned)strtoul(argv[2], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
