#include "unit.h"

#include "mail/address.h"

#define TEN      "aaaaaaaaaa"
#define SIXTY    TEN TEN TEN TEN TEN TEN
#define LOCAL_64 SIXTY "aaaa"
#define LABEL_63 SIXTY "aaa"
/* 63 + 1 + 63 + 1 + 61 octets. */
#define DOMAIN_189 LABEL_63 "." LABEL_63 "." SIXTY "a"

static int make_pool(void **state)
{
    *state = wb_pool_new(0);
    return *state == NULL;
}

static int free_pool(void **state)
{
    wb_pool_free(*state);
    return 0;
}

static void same(const char *why, const char *got, const char *want)
{
    if ((got == NULL) != (want == NULL) ||
        (got != NULL && strcmp(got, want) != 0))
        fail_msg("%s: got <%s>, want <%s>", why, got ? got : "(null)",
                 want ? want : "(null)");
}

static const struct {
    const char *why, *in, *text, *local, *domain;
    const char *wire; /* as formatted; NULL: like text */
    bool is_literal;
} good[] = {
    {.why = "plain",
     .in = "<user@example.com>",
     .text = "user@example.com",
     .local = "user",
     .domain = "example.com"},
    {.why = "without brackets",
     .in = "user@example.com",
     .text = "user@example.com",
     .local = "user",
     .domain = "example.com"},
    {.why = "null sender", .in = "<>", .text = ""},
    {.why = "case: the local part's stays, the domain's goes",
     .in = "<User.X@EXAMPLE.Com>",
     .text = "User.X@EXAMPLE.Com",
     .local = "User.X",
     .domain = "example.com",
     .wire = "User.X@example.com"},
    {.why = "no domain",
     .in = "<postmaster>",
     .text = "postmaster",
     .local = "postmaster"},
    {.why = "all of atext",
     .in = "<!#$%&'*+-/=?^_`{|}~09AZaz@x.test>",
     .text = "!#$%&'*+-/=?^_`{|}~09AZaz@x.test",
     .local = "!#$%&'*+-/=?^_`{|}~09AZaz",
     .domain = "x.test"},
    {.why = "quoted local part",
     .in = "<\"a b\"@x.test>",
     .text = "\"a b\"@x.test",
     .local = "a b",
     .domain = "x.test"},
    {.why = "quoted at, quote and backslash",
     .in = "<\"a@b\\\"c\\\\d\"@x.test>",
     .text = "\"a@b\\\"c\\\\d\"@x.test",
     .local = "a@b\"c\\d",
     .domain = "x.test"},
    {.why = "quoted brackets",
     .in = "<\"<>\"@x.test>",
     .text = "\"<>\"@x.test",
     .local = "<>",
     .domain = "x.test"},
    {.why = "quoted without need",
     .in = "<\"a\\b\"@x.test>",
     .text = "\"a\\b\"@x.test",
     .local = "ab",
     .domain = "x.test",
     .wire = "ab@x.test"},
    {.why = "quoted, empty",
     .in = "<\"\"@x.test>",
     .text = "\"\"@x.test",
     .local = "",
     .domain = "x.test"},
    {.why = "quoted, no domain",
     .in = "<\"a b\">",
     .text = "\"a b\"",
     .local = "a b"},
    {.why = "a whole address as the local part (literal routes)",
     .in = "<\"u@[192.0.2.1]\"@x.bulk.k7f3qa2m.waybill.invalid>",
     .text = "\"u@[192.0.2.1]\"@x.bulk.k7f3qa2m.waybill.invalid",
     .local = "u@[192.0.2.1]",
     .domain = "x.bulk.k7f3qa2m.waybill.invalid"},
    {.why = "two dots, as Japanese carriers gave out",
     .in = "<a..b@docomo.ne.jp>",
     .text = "a..b@docomo.ne.jp",
     .local = "a..b",
     .domain = "docomo.ne.jp",
     .wire = "\"a..b\"@docomo.ne.jp"},
    {.why = "dot before the at",
     .in = "<a.@docomo.ne.jp>",
     .text = "a.@docomo.ne.jp",
     .local = "a.",
     .domain = "docomo.ne.jp",
     .wire = "\"a.\"@docomo.ne.jp"},
    {.why = "leading dot",
     .in = "<.a@docomo.ne.jp>",
     .text = ".a@docomo.ne.jp",
     .local = ".a",
     .domain = "docomo.ne.jp",
     .wire = "\".a\"@docomo.ne.jp"},
    {.why = "nothing but a dot",
     .in = "<.@docomo.ne.jp>",
     .text = ".@docomo.ne.jp",
     .local = ".",
     .domain = "docomo.ne.jp",
     .wire = "\".\"@docomo.ne.jp"},
    {.why = "the same, quoted by a correct sender",
     .in = "<\"a..b\"@docomo.ne.jp>",
     .text = "\"a..b\"@docomo.ne.jp",
     .local = "a..b",
     .domain = "docomo.ne.jp"},
    {.why = "IPv4 literal",
     .in = "<u@[192.0.2.1]>",
     .text = "u@[192.0.2.1]",
     .local = "u",
     .domain = "[192.0.2.1]",
     .is_literal = true},
    {.why = "IPv6 literal",
     .in = "<u@[IPv6:2001:DB8::1]>",
     .text = "u@[IPv6:2001:DB8::1]",
     .local = "u",
     .domain = "[ipv6:2001:db8::1]",
     .wire = "u@[ipv6:2001:db8::1]",
     .is_literal = true},
    {.why = "IPv6 literal with IPv4 in it",
     .in = "<u@[ipv6:::ffff:192.0.2.1]>",
     .text = "u@[ipv6:::ffff:192.0.2.1]",
     .local = "u",
     .domain = "[ipv6:::ffff:192.0.2.1]",
     .is_literal = true},
    {.why = "UTF-8 on both sides; only ASCII loses its case",
     .in = "<Ä山田@Ä例え.TEST>",
     .text = "Ä山田@Ä例え.TEST",
     .local = "Ä山田",
     .domain = "Ä例え.test",
     .wire = "Ä山田@Ä例え.test"},
    {.why = "UTF-8 in quotes",
     .in = "<\"山 田\"@x.test>",
     .text = "\"山 田\"@x.test",
     .local = "山 田",
     .domain = "x.test"},
    {.why = "four octets a character",
     .in = "<\xf0\x9f\x93\xa6@x.test>",
     .text = "\xf0\x9f\x93\xa6@x.test",
     .local = "\xf0\x9f\x93\xa6",
     .domain = "x.test"},
    {.why = "underscore in a host name",
     .in = "<root@my_host.example.com>",
     .text = "root@my_host.example.com",
     .local = "root",
     .domain = "my_host.example.com"},
    {.why = "one label",
     .in = "<root@localhost>",
     .text = "root@localhost",
     .local = "root",
     .domain = "localhost"},
    {.why = "percent and bang are only letters",
     .in = "<a!b%c@x.test>",
     .text = "a!b%c@x.test",
     .local = "a!b%c",
     .domain = "x.test"},
    {.why = "local part of exactly 64 octets",
     .in = "<" LOCAL_64 "@x.test>",
     .text = LOCAL_64 "@x.test",
     .local = LOCAL_64,
     .domain = "x.test"},
    {.why = "a reply token: more than RFC 5321's 64 octets",
     .in = "<reply-" LOCAL_64 "@x.test>",
     .text = "reply-" LOCAL_64 "@x.test",
     .local = "reply-" LOCAL_64,
     .domain = "x.test"},
    {.why = "64 octets that were quoted",
     .in = "<\"" SIXTY "a b\\c\"@x.test>",
     .text = "\"" SIXTY "a b\\c\"@x.test",
     .local = SIXTY "a bc",
     .domain = "x.test",
     .wire = "\"" SIXTY "a bc\"@x.test"},
    {.why = "label of exactly 63 octets",
     .in = "<u@" LABEL_63 ".test>",
     .text = "u@" LABEL_63 ".test",
     .local = "u",
     .domain = LABEL_63 ".test"},
    {.why = "path of exactly 256 octets",
     .in = "<u@" DOMAIN_189 "." SIXTY "aa>",
     .text = "u@" DOMAIN_189 "." SIXTY "aa",
     .local = "u",
     .domain = DOMAIN_189 "." SIXTY "aa"},
    {.why = "the same without its brackets",
     .in = "u@" DOMAIN_189 "." SIXTY "aa",
     .text = "u@" DOMAIN_189 "." SIXTY "aa",
     .local = "u",
     .domain = DOMAIN_189 "." SIXTY "aa"},
};

static void parses(void **state)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct wb_address a = {0};
        struct wb_err err = {{0}};
        int rc = wb_address_parse(*state, good[i].in, &a, &err);

        if (rc != EX_OK)
            fail_msg("%s: %d %s", good[i].why, rc, err.text);
        same(good[i].why, a.text, good[i].text);
        same(good[i].why, a.local, good[i].local);
        same(good[i].why, a.domain, good[i].domain);
        assert_int_equal(a.is_literal, good[i].is_literal);
        assert_int_equal(wb_address_is_null(&a), good[i].local == NULL);
    }
}

/* What is formatted from a parsed address parses to the same again. */
static void parsed_addresses_round_trip(void **state)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct wb_address a, b;
        const char *wire, *path;

        assert_int_equal(wb_address_parse(*state, good[i].in, &a, NULL), EX_OK);
        wire = wb_address_format(*state, a.local, a.domain);
        same(good[i].why, wire, good[i].wire ? good[i].wire : good[i].text);
        path = wb_pool_printf(*state, "<%s>", wire);
        assert_int_equal(wb_address_parse(*state, path, &b, NULL), EX_OK);
        same(good[i].why, b.text, wire);
        same(good[i].why, b.local, a.local);
        same(good[i].why, b.domain, a.domain);
    }
}

static const struct {
    const char *why, *in, *says;
} bad[] = {
    {"nothing", "", "null sender is \"<>\""},
    {"only an opening bracket", "<", "do not match"},
    {"bracket not closed", "<u@x.test", "do not match"},
    {"bracket not opened", "u@x.test>", "do not match"},
    {"brackets twice", "<<u@x.test>>", "bad local part"},
    {"source route", "<@a.test,@b.test:u@x.test>", "source route"},
    {"source route without brackets", "@a.test:u@x.test", "source route"},
    {"no local part", "<@x.test>", "no local part"},
    {"no domain after the at", "<u@>", "no domain after"},
    {"trailing dot", "<u@x.test.>", "ends in a dot"},
    {"leading dot in the domain", "<u@.x.test>", "bad domain"},
    {"empty label", "<u@x..test>", "bad domain"},
    {"hyphen first", "<u@-x.test>", "bad domain"},
    {"hyphen last", "<u@x-.test>", "bad domain"},
    {"U+3002 for a dot", "<u@x\xe3\x80\x82test>", "bad domain"},
    {"U+FF0E for a dot", "<u@x\xef\xbc\x8etest>", "bad domain"},
    {"U+FF61 for a dot", "<u@x\xef\xbd\xa1test>", "bad domain"},
    {"two ats", "<u@x@y.test>", "bad domain"},
    {"space in the domain", "<u@x y.test>", "bad domain"},
    {"space in the local part", "<u v@x.test>", "bad local part"},
    {"space in front", "< u@x.test>", "bad local part"},
    {"space behind", "<u@x.test >", "bad domain"},
    {"comma", "<u,v@x.test>", "bad local part"},
    {"comment", "<u(c)@x.test>", "bad local part"},
    {"backslash outside quotes", "<u\\v@x.test>", "bad local part"},
    {"quote in the middle", "<u\"v\"@x.test>", "bad local part"},
    {"text after the quotes", "<\"u\"v@x.test>", "bad local part"},
    {"quote not closed", "<\"u@x.test>", "closing quote"},
    {"closing quote is escaped", "<\"u\\\">", "closing quote"},
    {"ends in a backslash", "<\"u\\>", "closing quote"},
    {"IPv4 of three parts", "<u@[192.0.2]>", "address literal"},
    {"IPv4 past 255", "<u@[192.0.2.256]>", "address literal"},
    {"IPv6 without its tag", "<u@[2001:db8::1]>", "address literal"},
    {"IPv6 that is none", "<u@[IPv6:2001:db8]>", "address literal"},
    {"another kind of literal", "<u@[X400:c=jp]>", "address literal"},
    {"empty literal", "<u@[]>", "address literal"},
    {"literal not closed", "<u@[192.0.2.1>", "address literal"},
    {"literal with a tail", "<u@[192.0.2.1].test>", "address literal"},
    {"literal that is very long", "<u@[IPv6:" SIXTY "]>", "address literal"},
    {"CR LF", "<u\r\nDATA@x.test>", "control character in \"u??DATA"},
    {"tab in quotes", "<\"u\tv\"@x.test>", "control character"},
    {"DEL", "<u\x7f@x.test>", "control character"},
    {"C1 in UTF-8", "<u\xc2\x85@x.test>", "control character"},
    {"latin1", "<\xe4@x.test>", "UTF-8"},
    {"overlong", "<\xc0\xaf@x.test>", "UTF-8"},
    {"overlong, three octets", "<\xe0\x80\xaf@x.test>", "UTF-8"},
    {"overlong, four octets", "<\xf0\x80\x80\xaf@x.test>", "UTF-8"},
    {"surrogate", "<\xed\xa0\x80@x.test>", "UTF-8"},
    {"past U+10FFFF", "<\xf4\x90\x80\x80@x.test>", "UTF-8"},
    {"cut short", "<u@x.test\xe3\x81>", "UTF-8"},
    {"label of 64 octets", "<u@" LABEL_63 "a.test>", "bad domain"},
    {"path of 257 octets", "<u@" DOMAIN_189 "." SIXTY "aaa>", "too long"},
    {"255 octets without brackets", "u@" DOMAIN_189 "." SIXTY "aaa",
     "too long"},
};

static void refuses(void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wb_address a = {.text = "untouched", .local = "x"};
        struct wb_err err = {{0}};
        int rc = wb_address_parse(*state, bad[i].in, &a, &err);

        if (rc != EX_DATAERR || strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %d <%s>, want <%s>", bad[i].why, rc, err.text,
                     bad[i].says);
        same(bad[i].why, a.text, "untouched");
        assert_int_equal(wb_address_parse(*state, bad[i].in, &a, NULL),
                         EX_DATAERR);
    }
}

/* local@domain with a quoted local part that makes it as long as wanted. */
static void make_marked(char *out, size_t octets)
{
    static const char domain[] = "@x.waybill.invalid";
    size_t rest = octets - strlen(domain) - 2;

    *out++ = '"';
    memset(out, '@', rest);
    out[rest] = '"';
    strcpy(out + rest + 1, domain);
}

static void marked_ones_may_be_longer(void **state)
{
    char path[WB_MARKED_MAX_OCTETS + 1];
    struct wb_address a;

    make_marked(path, WB_PATH_MAX_OCTETS - 1);
    assert_int_equal(wb_address_parse(*state, path, &a, NULL), EX_DATAERR);
    assert_int_equal(wb_address_parse_marked(*state, path, &a, NULL), EX_OK);
    make_marked(path, WB_MARKED_MAX_OCTETS - 2);
    assert_int_equal(wb_address_parse_marked(*state, path, &a, NULL), EX_OK);
    same("marked", a.text, path);
    same("marked", a.domain, "x.waybill.invalid");
    make_marked(path, WB_MARKED_MAX_OCTETS - 1);
    assert_int_equal(wb_address_parse_marked(*state, path, &a, NULL),
                     EX_DATAERR);
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    for (size_t octets = 1; octets < 256; octets++) {
        struct wb_pool *p = wb_pool_new(octets);
        struct wb_address a = {.text = "untouched"};
        struct wb_err err = {{0}};
        int rc = wb_address_parse(p, "<\"a b\"@x.test>", &a, &err);

        assert_true(rc == EX_OK || rc == EX_OSERR);
        if (rc == EX_OSERR) {
            same("out of memory", a.text, "untouched");
            same("out of memory", err.text, "out of memory");
        } else {
            same("in memory", a.local, "a b");
        }
        wb_pool_free(p);
    }
}

static const struct {
    const char *why, *local, *domain, *want;
} formats[] = {
    {"null sender", NULL, NULL, ""},
    {"plain", "a.b", "x.test", "a.b@x.test"},
    {"no domain", "postmaster", NULL, "postmaster"},
    {"space", "a b", "x.test", "\"a b\"@x.test"},
    {"quote and backslash", "a\"\\", "x.test", "\"a\\\"\\\\\"@x.test"},
    {"empty", "", "x.test", "\"\"@x.test"},
    {"two dots", "a..b", "x.test", "\"a..b\"@x.test"},
    {"last dot", "a.", "x.test", "\"a.\"@x.test"},
    {"first dot", ".a", "x.test", "\".a\"@x.test"},
    {"at", "a@b", "x.test", "\"a@b\"@x.test"},
    {"UTF-8", "山田", "例え.test", "山田@例え.test"},
    {"CR LF in the local part", "a\r\nb", "x.test", NULL},
    {"CR LF in the domain", "a", "x.test\r\nDATA", NULL},
    {"C1", "a\xc2\x9f", "x.test", NULL},
};

static void formats_and_quotes(void **state)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        same(formats[i].why,
             wb_address_format(*state, formats[i].local, formats[i].domain),
             formats[i].want);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* 0 to most characters, ASCII's odd ones and two of UTF-8. */
static void random_local(uint32_t *seed, unsigned most, char *out)
{
    static const char *const extra[] = {".", "..", "\"", "\\", "@", " ",
                                        "<", ">",  "é",  "山", ",", "a"};

    *out = '\0';
    for (unsigned n = next_random(seed) % (most + 1); n > 0; n--) {
        char any[2] = {(char)(' ' + next_random(seed) % 95), '\0'};

        strcat(out, next_random(seed) % 2
                        ? any
                        : extra[next_random(seed) % COUNT(extra)]);
    }
}

static void random_addresses_round_trip(void **state)
{
    static const char *const domains[] = {"x.test", "a-b.example.com",
                                          "例え.test", "[192.0.2.1]", NULL};
    uint32_t seed = 20240607;

    for (int i = 0; i < 100000; i++) {
        char local[64 * 3 + 1];
        const char *domain = domains[next_random(&seed) % COUNT(domains)];
        struct wb_address a;
        const char *wire;

        random_local(&seed, 21, local);
        wire = wb_address_format(*state, local, domain);
        if (wb_address_parse(*state, wire, &a, NULL) != EX_OK)
            fail_msg("not taken back: %s", wire);
        same(wire, a.local, local);
        same(wire, a.domain, domain);
        same(wire, a.text, wire);
        wb_pool_reset(*state);
    }
}

/* Any octets: an answer, and what is accepted formats to the same address. */
static void random_octets_are_answered(void **state)
{
    static const char likely[] = "<>@.\"\\[]:,a1-_ \xc3\xa9\x01";
    uint32_t seed = 42;

    for (int i = 0; i < 200000; i++) {
        char path[300];
        size_t n = next_random(&seed) % (i % 100 ? 16 : sizeof path);
        struct wb_address a, b;

        for (size_t j = 0; j < n; j++)
            path[j] = likely[next_random(&seed) % (sizeof likely - 1)];
        path[n < sizeof path ? n : sizeof path - 1] = '\0';
        if (wb_address_parse(*state, path, &a, NULL) == EX_OK &&
            !wb_address_is_null(&a)) {
            const char *wire = wb_address_format(*state, a.local, a.domain);

            assert_int_equal(wb_address_parse(*state, wire, &b, NULL), EX_OK);
            same(path, b.local, a.local);
            same(path, b.domain, a.domain);
        }
        wb_pool_reset(*state);
    }
}

static const struct {
    const char *domain, *suffix;
    bool want;
} below[] = {
    {"a.b.test", "b.test", true},    {"b.test", "b.test", false},
    {"ab.test", "b.test", false},    {"x.a.b.test", "b.test", true},
    {"test", "b.test", false},       {"", "b.test", false},
    {".b.test", "b.test", false},    {"a.b.test", "", false},
    {"a.b.test.x", "b.test", false},
};

static void below_is_at_a_label(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(below); i++)
        if (wb_domain_is_below(below[i].domain, below[i].suffix) !=
            below[i].want)
            fail_msg("%s below %s", below[i].domain, below[i].suffix);
}

static const struct {
    const char *why, *in;
    bool want;
} domains[] = {
    {"plain", "example.com", true},
    {"one label", "localhost", true},
    {"A-label", "xn--r8jz45g.test", true},
    {"U-label", "例え.test", true},
    {"digits", "1.2.test", true},
    {"upper case", "EXAMPLE.com", true},
    {"label of 63", LABEL_63 ".test", true},
    {"label of 64", LABEL_63 "a.test", false},
    {"255 octets", DOMAIN_189 "." LABEL_63 ".a", true},
    {"256 octets", DOMAIN_189 "." LABEL_63 ".aa", false},
    {"empty", "", false},
    {"dot", ".", false},
    {"leading dot", ".example.com", false},
    {"trailing dot", "example.com.", false},
    {"two dots", "example..com", false},
    {"underscore", "a_b.test", false},
    {"hyphen first", "-a.test", false},
    {"hyphen last", "a-.test", false},
    {"space", "a b.test", false},
    {"literal", "[192.0.2.1]", false},
    {"at", "a@b.test", false},
    {"line feed", "a.test\n", false},
    {"broken UTF-8", "\xe3\x81.test", false},
    {"C1", "\xc2\x80.test", false},
};

static void domains_are_host_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(domains); i++)
        if (wb_domain_is_valid(domains[i].in) != domains[i].want)
            fail_msg("%s", domains[i].why);
}

/* RFC 3629, 3: every character, its neighbours included, against the rule. */
static void utf8_is_what_the_rfc_says(void **state)
{
    (void)state;
    for (uint32_t c = 0x800; c <= 0x10ffff + 1; c++) {
        char three[] = {(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3f)),
                        (char)(0x80 | (c & 0x3f))};
        char four[] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3f)),
                       (char)(0x80 | (c >> 6 & 0x3f)),
                       (char)(0x80 | (c & 0x3f))};

        if (c < 0x10000)
            assert_int_equal(wb_utf8_is_valid(three, 3),
                             c < 0xd800 || c > 0xdfff);
        assert_int_equal(wb_utf8_is_valid(four, 4),
                         c >= 0x10000 && c <= 0x10ffff);
    }
    assert_true(wb_utf8_is_valid("", 0));
    assert_true(wb_utf8_is_valid("a\0b", 3));
    assert_true(wb_utf8_is_valid("\xc2\x80", 2));
    assert_false(wb_utf8_is_valid("\xc1\xbf", 2));
    assert_false(wb_utf8_is_valid("\xc2", 1));
    assert_false(wb_utf8_is_valid("\x80", 1));
    assert_false(wb_utf8_is_valid("\xff", 1));
}

static const struct {
    const char *in, *want;
} xtexts[] = {
    {"", ""},
    {"user@example.com", "user@example.com"},
    {"a+b=c", "a+2Bb+3Dc"},
    {"a b", "a+20b"},
    {"!~", "!~"},
    {"\x7f\r\n", "+7F+0D+0A"},
    {"é", "+C3+A9"},
};

static void xtext_is_encoded(void **state)
{
    for (size_t i = 0; i < COUNT(xtexts); i++)
        same(xtexts[i].in, wb_xtext_encode(*state, xtexts[i].in),
             xtexts[i].want);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, make_pool, free_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(parses),
        ROW(parsed_addresses_round_trip),
        ROW(refuses),
        ROW(marked_ones_may_be_longer),
        ROW(out_of_memory_is_told),
        ROW(formats_and_quotes),
        ROW(random_addresses_round_trip),
        ROW(random_octets_are_answered),
        ROW(below_is_at_a_label),
        ROW(domains_are_host_names),
        ROW(utf8_is_what_the_rfc_says),
        ROW(xtext_is_encoded),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
