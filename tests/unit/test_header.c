#include "unit.h"

#include <iconv.h>
#include <stdlib.h>

#include "mail/address.h"
#include "mail/header.h"

#define TEN     "aaaaaaaaaa"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

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
    if (got == NULL || strcmp(got, want) != 0)
        fail_msg("%s: got <%s>, want <%s>", why, got ? got : "(null)", want);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static const struct {
    const char *why, *in;
    bool want;
} names[] = {
    {"plain", "X-Scenario", true},
    {"one octet", "X", true},
    {"odd but printable", "!~\"(),;<=>@[\\]", true},
    {"77 octets", SEVENTY "aaaaaaa", true},
    {"78 octets", SEVENTY "aaaaaaaa", false},
    {"empty", "", false},
    {"colon", "Subject:", false},
    {"space", "Sub ject", false},
    {"tab", "Subject\t", false},
    {"line feed", "Subject\n", false},
    {"DEL", "Subject\x7f", false},
    {"8 bit", "Subj\xc3\xa9", false},
};

static void names_are_field_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        if (wb_header_name_is_valid(names[i].in) != names[i].want)
            fail_msg("%s", names[i].why);
}

/* A want of NULL: it stays as it was sent. */
static const struct {
    const char *why, *in, *want;
} values[] = {
    {"plain", "welcome home", NULL},
    {"empty", "", NULL},
    {"white space at both ends", " \t welcome \t", "welcome"},
    {"only white space", " \t", ""},
    {"folded", "welcome\r\n home", "welcome home"},
    {"folded with LF alone, as a milter sees it", "welcome\n\thome",
     "welcome\thome"},
    {"folded at the start", "\r\n welcome", "welcome"},
    {"CR and LF without white space", "wel\rco\nme", "welcome"},
    {"raw UTF-8", "日本語", NULL},
    {"raw octets", "\xff\xfe", NULL},

    {"B", "=?utf-8?B?5pel5pys?=", "日本"},
    {"Q", "=?UTF-8?Q?=E6=97=A5_a?=", "日 a"},
    {"lower case", "=?utf-8?q?=e6=97=a5?=", "日"},
    {"with a language", "=?utf-8*ja?b?5pel5pys?=", "日本"},
    {"no padding", "=?utf-8?b?5pel5g?= =?utf-8?b?nKzoqp4?=", "日本語"},
    {"no text",
     "a =?utf-8?b?"
     "?= b",
     "a  b"},
    {"US-ASCII", "=?us-ascii?q?a?=", "a"},
    {"longer than 75 octets",
     "=?utf-8?q?" SEVENTY SEVENTY "?=", SEVENTY SEVENTY},
    {"latin1", "=?iso-8859-1?q?caf=E9?=", "café"},
    {"ISO-2022-JP", "=?iso-2022-jp?b?GyRCRnxLXDhsGyhC?=", "日本語"},
    {"Shift_JIS", "=?Shift_JIS?b?k/qWe4zq?=", "日本語"},
    {"EUC-JP", "=?EUC-JP?b?xvzL3Ljs?=", "日本語"},
    {"GB2312", "=?gb2312?b?1tDOxA==?=", "中文"},
    {"Big5", "=?big5?b?pKSk5Q==?=", "中文"},
    {"EUC-KR", "=?euc-kr?b?x9Gx2w==?=", "한글"},
    {"KOI8-R", "=?koi8-r?b?8NLJ18XU?=", "Привет"},
    {"windows-1251", "=?windows-1251?b?z/Do4uXy?=", "Привет"},
    {"vendor characters in Shift_JIS", "=?shift_jis?b?h0CHig==?=", "①㈱"},
    {"vendor characters in ISO-2022-JP",
     "=?iso-2022-jp?b?GyRCLSEtahsoQg==?=", "①㈱"},
    {"katakana in ISO-2022-JP", "=?iso-2022-jp?b?GyhJMRsoQg==?=", "ｱ"},
    {"JIS X 0212 in ISO-2022-JP", "=?iso-2022-jp?b?GyQoRDAhGyhC?=", "丂"},

    {"text around", "Re: =?utf-8?b?5pel5pys?= ok", "Re: 日本 ok"},
    {"no white space around", "Re:=?utf-8?b?5pel5pys?=ok", "Re:日本ok"},
    {"in a quoted string", "\"=?utf-8?b?5pel5pys?=\" <a@b.test>",
     "\"日本\" <a@b.test>"},
    {"neighbours", "=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
    {"neighbours across a fold", "=?utf-8?q?a?=\r\n\t =?utf-8?q?b?=", "ab"},
    {"neighbours without white space", "=?utf-8?q?a?==?utf-8?q?b?=", "ab"},
    {"neighbours in two charsets",
     "=?utf-8?q?a?= =?koi8-r?b?8NLJ18XU?=", "aПривет"},
    {"text between", "=?utf-8?q?a?= , =?utf-8?q?b?=", "a , b"},
    {"space inside the words", "=?utf-8?q?a_?= =?utf-8?q?_b?=", "a  b"},
    {"split within a UTF-8 character",
     "=?utf-8?b?5pel5g==?= =?utf-8?b?nKzoqp4=?=", "日本語"},
    {"split across B and Q", "=?utf-8?b?5pel5g==?= =?UTF-8?Q?=9C=AC?=", "日本"},
    {"split within a Shift_JIS character",
     "=?shift_jis?q?=93=FA=96?= =?shift_jis?q?=7B=8C=EA?=", "日本語"},
    {"split without an escape sequence",
     "=?iso-2022-jp?b?GyRCRnxL?= =?iso-2022-jp?b?XDhsGyhC?=", "日本語"},

    {"CR, LF and NUL in a word",
     "=?utf-8?b?YQ0KQmNjOiB4QHkudGVzdABi?=", "aBcc: x@y.testb"},
    {"result of one word is not read again",
     "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3F=3D?=", "=?utf-8?q?a?="},
    {"word that words make", "=?=?utf-8?q?utf-8?=?q?a?=", "=?utf-8?q?a?="},

    {"unknown charset", "=?x-nonesuch?q?a?=", NULL},
    {"charset of iconv but not of mail", "=?utf-7?q?+AGE-?=", NULL},
    {"charset that is a path", "=?../../x?q?a?=", NULL},
    {"charset with a suffix", "=?utf-8//translit?q?a?=", NULL},
    {"no charset", "=??q?a?=", NULL},
    {"unknown encoding", "=?utf-8?x?a?=", NULL},
    {"no encoding", "=?utf-8??a?=", NULL},
    {"encoding of two letters", "=?utf-8?bq?a?=", NULL},
    {"not closed", "=?utf-8?q?a", NULL},
    {"half closed", "=?utf-8?q?a?", NULL},
    {"stops after each part", "=? =?u =?utf-8? =?utf-8?q =?utf-8?q?", NULL},
    {"space in the text", "=?utf-8?q?a b?=", NULL},
    {"question mark in the text", "=?utf-8?q?a?b?=", NULL},
    {"raw octets in the text", "=?utf-8?q?日?=", NULL},
    {"bad hex", "=?utf-8?q?=E6=9G?=", NULL},
    {"hex cut short", "=?utf-8?q?a=E?=", NULL},
    {"bad base64", "=?utf-8?b?5p*l?=", NULL},
    {"one base64 digit left over", "=?utf-8?b?5pel5?=", NULL},
    {"padding in the middle", "=?utf-8?b?5g==pel?=", NULL},
    {"too much padding", "=?utf-8?b?5pel====?=", NULL},
    {"only padding", "=?utf-8?b?====?=", NULL},
    {"broken UTF-8", "=?utf-8?q?=E6=97?=", NULL},
    {"overlong UTF-8", "=?utf-8?q?=C0=80?=", NULL},
    {"broken Shift_JIS", "=?shift_jis?q?=93?=", NULL},
    {"broken ISO-2022-JP", "=?iso-2022-jp?q?=1B$BF?=", NULL},
    {"unknown escape sequence", "=?iso-2022-jp?q?=1B$ZFF?=", NULL},
    {"8 bit in ISO-2022-JP", "=?iso-2022-jp?q?=1B$B=C6=FC?=", NULL},
    {"a broken first word",
     "=?utf-8?q?=E6?= =?utf-8?q?a?=", "=?utf-8?q?=E6?= a"},
    {"a broken last word",
     "=?utf-8?q?a?= =?utf-8?q?=E6?=", "a =?utf-8?q?=E6?="},
    {"a broken word between good ones",
     "=?utf-8?q?a?= =?utf-8?q?=E6?=\n =?utf-8?q?b?= =?utf-8?q?c?= d",
     "a =?utf-8?q?=E6?= bc d"},
    {"a broken encoding between good ones",
     "=?utf-8?q?a?= =?utf-8?q?=E?= =?utf-8?q?b?= =?utf-8?q?c?=",
     "a =?utf-8?q?=E?= bc"},
    {"an unknown charset between good ones",
     "=?utf-8?q?a?= =?x?q?b?= =?utf-8?q?c?=", "a =?x?q?b?= c"},
};

static void values_are_decoded(void **state)
{
    for (size_t i = 0; i < COUNT(values); i++)
        same(values[i].why, wb_header_decode(*state, values[i].in, 4096),
             values[i].want ? values[i].want : values[i].in);
}

static const struct {
    const char *why, *in;
    size_t max_octets;
    const char *want;
} bounds[] = {
    {"nothing is read", "abc", 0, ""},
    {"exactly all", "abc", 3, "abc"},
    {"one less", "abc", 2, "ab"},
    {"exactly the word", "=?utf-8?q?a?=bc", 13, "a"},
    {"one less than the word", "=?utf-8?q?a?=bc", 12, "=?utf-8?q?a?"},
    {"no bound", "=?utf-8?q?a?=bc", SIZE_MAX, "abc"},
};

static void no_more_is_read_than_said(void **state)
{
    for (size_t i = 0; i < COUNT(bounds); i++)
        same(bounds[i].why,
             wb_header_decode(*state, bounds[i].in, bounds[i].max_octets),
             bounds[i].want);
}

/* The charset changes so often and no more; the last one stays. */
static void charsets_change_so_often(void **state)
{
    char in[40 * 24] = "", want[40 * 24] = "";

    for (int i = 0; i < 40; i++) {
        const char *word = i % 2 ? "=?koi8-r?q?=F0?=" : "=?iso-8859-1?q?=E9?=";

        strcat(in, word);
        strcat(want, i % 2 ? "П" : i < 32 ? "é" : word);
    }
    same("32 changes", wb_header_decode(*state, in, sizeof in), want);
}

/* ---- random text, encoded and split anywhere --------------------------- */

static const char *const charsets[] = {"UTF-8", "EUC-JP", "ISO-2022-JP",
                                       "Shift_JIS"};

static size_t random_text(uint32_t *seed, char *out)
{
    static const char *const characters[] = {"日", "本", "語", "ひ", "カ", "a",
                                             "Z",  " ",  "?",  "=",  "_",  "Я"};

    strcpy(out, "始");
    for (uint32_t n = next_random(seed) % 40; n > 0; n--)
        strcat(out, characters[next_random(seed) % COUNT(characters)]);
    strcat(out, "x");
    return strlen(out);
}

static size_t to_charset(const char *charset, char *text, size_t octets,
                         char *out, size_t room)
{
    iconv_t cd = iconv_open(charset, "UTF-8");
    size_t left = room;

    assert_true(cd != (iconv_t)-1);
    assert_true(iconv(cd, &text, &octets, &out, &left) != (size_t)-1);
    assert_true(iconv(cd, NULL, NULL, &out, &left) != (size_t)-1);
    iconv_close(cd);
    return room - left;
}

static char *put_base64(char *out, const unsigned char *in, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16;

        bits |= i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= i + 2 < n ? in[i + 2] : 0;
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = i + 1 < n ? digits[bits >> 6 & 63] : '=';
        *out++ = i + 2 < n ? digits[bits & 63] : '=';
    }
    return out;
}

static char *put_q(char *out, const unsigned char *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (in[i] == ' ')
            *out++ = '_';
        else if (in[i] > ' ' && in[i] < 0x7f && !strchr("=?_", in[i]))
            *out++ = (char)in[i];
        else
            out += sprintf(out, "=%02X", in[i]);
    }
    return out;
}

static void encode(uint32_t *seed, const char *charset, const unsigned char *in,
                   size_t left, char *out)
{
    static const char *const gaps[] = {"", " ", "\r\n ", "\n\t"};
    size_t n;

    for (; left > 0; in += n, left -= n) {
        bool base64 = next_random(seed) % 2;

        n = 1 + next_random(seed) % left;
        out += sprintf(out, "=?%s?%c?", charset, base64 ? 'B' : 'q');
        out = base64 ? put_base64(out, in, n) : put_q(out, in, n);
        out += sprintf(out, "?=%s", gaps[next_random(seed) % COUNT(gaps)]);
    }
}

static void random_text_round_trips(void **state)
{
    uint32_t seed = 20240607;

    for (int i = 0; i < 20000; i++) {
        char text[256], octets[512], words[16384];
        const char *charset = charsets[next_random(&seed) % COUNT(charsets)];
        size_t n = random_text(&seed, text);

        n = to_charset(charset, text, n, octets, sizeof octets);
        encode(&seed, charset, (unsigned char *)octets, n, words);
        same(words, wb_header_decode(*state, words, sizeof words), text);
        wb_pool_reset(*state);
    }
}

/* ---- addresses --------------------------------------------------------- */

/* want: one address a line. */
static const struct {
    const char *why, *in, *want;
} lists[] = {
    {"one", "a@b.test", "a@b.test\n"},
    {"two", "a@b.test, c@d.test", "a@b.test\nc@d.test\n"},
    {"the case stays", "A.b@C.Test", "A.b@C.Test\n"},
    {"name", "Shop <a@b.test>", "a@b.test\n"},
    {"name of atoms with dots", "John Q. Public <a@b.test>", "a@b.test\n"},
    {"name in quotes", "\"Shop, \\\"the\\\" <x@y.test>\" <a@b.test>",
     "a@b.test\n"},
    {"name that is an address", "c@d.test <a@b.test>", "a@b.test\n"},
    {"quoted name that is an address", "\"c@d.test\" <a@b.test>", "a@b.test\n"},
    {"encoded name",
     "=?utf-8?b?5pel5pys?= <a@b.test>, =?utf-8?q?x?= <c@d.test>",
     "a@b.test\nc@d.test\n"},
    {"encoded name that hides an address",
     "=?utf-8?q?=3Cevil=40x.test=3E=2C?= <a@b.test>", "a@b.test\n"},
    {"raw UTF-8 name", "日本 <a@b.test>", "a@b.test\n"},
    {"raw name in another charset", "\x93\xfa <a@b.test>", "a@b.test\n"},
    {"no space before the bracket", "Shop<a@b.test>", "a@b.test\n"},
    {"folded", "Shop\r\n <a@b.test>,\n\tc@d.test", "a@b.test\nc@d.test\n"},
    {"space inside the brackets", "< a @ b . test >", "a@b.test\n"},
    {"comments", "(x) a (y) @ (z) b.test (w), c@d.test (Joe)",
     "a@b.test\nc@d.test\n"},
    {"nested comments", "a@b.test (x (y <c@d.test>, (z)) e@f.test)",
     "a@b.test\n"},
    {"escapes in a comment", "(\\) c@d.test, \\() a@b.test", "a@b.test\n"},
    {"comment before the address", "(c@d.test) a@b.test", "a@b.test\n"},
    {"comment in a quoted string is none", "\"(\" <a@b.test>, \")\" <c@d.test>",
     "a@b.test\nc@d.test\n"},
    {"quoted local part", "\"a b\"@c.test", "a b@c.test\n"},
    {"quoted local part in brackets", "x <\"a\\\"@,<b\"@c.test>",
     "a\"@,<b@c.test\n"},
    {"empty quoted local part", "\"\"@c.test", "@c.test\n"},
    {"obsolete local part", "a.\"b c\" . d@e.test", "a.b c.d@e.test\n"},
    {"Japanese carriers' dots",
     "a..b@docomo.ne.jp, <c.@docomo.ne.jp>, .d@e.test",
     "a..b@docomo.ne.jp\nc.@docomo.ne.jp\n.d@e.test\n"},
    {"UTF-8 address", "山田@例え.test", "山田@例え.test\n"},
    {"literal", "a@[192.0.2.1], b@[IPv6:2001:db8::1]",
     "a@[192.0.2.1]\nb@[IPv6:2001:db8::1]\n"},
    {"obsolete route", "<@x.test,@y.test:a@b.test>", "a@b.test\n"},
    {"obsolete route with empty parts", "n <,@x.test,,@y.test,:a@b.test>", ""},
    {"obsolete route with empty parts behind", "n <@x.test,,@y.test,:a@b.test>",
     "a@b.test\n"},
    {"group", "Friends: a@b.test, C <c@d.test>;, e@f.test",
     "a@b.test\nc@d.test\ne@f.test\n"},
    {"empty group", "undisclosed-recipients:;", ""},
    {"group without its end", "Friends: a@b.test", "a@b.test\n"},
    {"group whose name is an address", "x@y.test: a@b.test;", "a@b.test\n"},
    {"empty elements", ", ,a@b.test,,c@d.test,", "a@b.test\nc@d.test\n"},
    {"semicolons as commas", "a@b.test; c@d.test", "a@b.test\nc@d.test\n"},
    {"underscore in a host name", "a@b_c.test", "a@b_c.test\n"},
    {"folded inside quotes", "\"a\r\n b\"@c.test", "a b@c.test\n"},

    {"nothing", "", ""},
    {"white space", " \r\n\t", ""},
    {"no domain", "postmaster, <root>, a@b.test", "a@b.test\n"},
    {"null sender", "<>", ""},
    {"no local part", "@b.test, <@b.test>, c@d.test", "c@d.test\n"},
    {"at without a domain", "a@, <b@>, c@d.test", "c@d.test\n"},
    {"two ats", "a@b@c.test, d@e.test", "d@e.test\n"},
    {"words around a bare address", "mail a@b.test please, c@d.test",
     "c@d.test\n"},
    {"no comma between bare addresses", "a@b.test c@d.test", ""},
    {"no comma between brackets", "A <a@b.test> B <c@d.test>",
     "a@b.test\nc@d.test\n"},
    {"words in brackets", "<mail a@b.test>, c@d.test", "c@d.test\n"},
    {"bracket not closed", "A <a@b.test, c@d.test", "c@d.test\n"},
    {"bracket not opened", "a@b.test>, c@d.test", "c@d.test\n"},
    {"brackets twice", "<<a@b.test>>, c@d.test", "a@b.test\nc@d.test\n"},
    {"domain with an empty label", "a@b..test, <a@b..test>, c@d.test",
     "c@d.test\n"},
    {"domain with a trailing dot", "a@b.test., <a@b.test.>, c@d.test",
     "c@d.test\n"},
    {"domain of no letters", "a@b!c.test, <a@b|c.test>, d@e.test",
     "d@e.test\n"},
    {"quoted domain", "a@\"b\".test, c@d.test", "c@d.test\n"},
    {"literal not closed", "a@[192.0.2.1, c@d.test", ""},
    {"quote not closed", "a@b.test, \"c@d.test, e@f.test", "a@b.test\n"},
    {"quote ends in a backslash", "a@b.test, \"c\\", "a@b.test\n"},
    {"comment not closed", "a@b.test, (c@d.test, e@f.test", "a@b.test\n"},
    {"comment ends in a backslash", "a@b.test (\\", "a@b.test\n"},
    {"too many closing", "a@b.test), c@d.test", "c@d.test\n"},
    {"stray backslash", "\\ a@b.test, c@d.test", "c@d.test\n"},
    {"control character",
     "a\x01"
     "b@c.test, \"\x01\"@c.test, d@e.test",
     "d@e.test\n"},
    {"address that is not UTF-8", "\x93\xfa@b.test, c@d.test", "c@d.test\n"},
    {"254 octets",
     SEVENTY SEVENTY SEVENTY TEN TEN TEN "aaaaa"
                                         "@b.test"
                                         "d"
                                         "o"
                                         ", e@f.test",
     SEVENTY SEVENTY SEVENTY TEN TEN TEN "aaaaa"
                                         "@b.testdo\ne@f.test\n"},
    {"more than 254 octets",
     SEVENTY SEVENTY SEVENTY SEVENTY "@b.test, e@f.test", "e@f.test\n"},
};

static const char *joined(struct wb_pool *p, const char *const *a, size_t n)
{
    const char *text = "";

    for (size_t i = 0; i < n; i++)
        text = wb_pool_printf(p, "%s%s\n", text, a[i]);
    return text;
}

static void lists_are_taken_apart(void **state)
{
    for (size_t i = 0; i < COUNT(lists); i++) {
        const char *const *a = NULL;
        size_t n = 99;

        assert_int_equal(wb_header_addresses(*state, lists[i].in, 100, &a, &n),
                         EX_OK);
        same(lists[i].why, joined(*state, a, n), lists[i].want);
    }
}

static void address_length_is_bounded(void **state)
{
    for (size_t n = 240; n < 260; n++) {
        char in[300];
        const char *const *a;
        size_t count;

        memset(in, 'a', n);
        strcpy(in + n - strlen("@b.test"), "@b.test");
        assert_int_equal(wb_header_addresses(*state, in, 9, &a, &count), EX_OK);
        assert_int_equal(count, n <= WB_PATH_MAX_OCTETS - 2);
    }
}

static void address_count_is_bounded(void **state)
{
    for (size_t max = 0; max < 5; max++) {
        const char *const *a;
        size_t n;

        assert_int_equal(wb_header_addresses(
                             *state, "a@x.test,b@x.test,c@x.test", max, &a, &n),
                         EX_OK);
        assert_int_equal(n, max < 3 ? max : 3);
        same("the first ones", joined(*state, a, n),
             wb_pool_strndup(*state, "a@x.test\nb@x.test\nc@x.test\n", n * 9));
    }
}

/* What wb_address_format writes is found again, whatever stands around it. */
static void random_addresses_round_trip(void **state)
{
    static const char *const around[][2] = {
        {"", ""},        {"<", ">"},           {"\"x, y\" <", ">"},
        {"(a, b) ", ""}, {"G: z <", "> (c);"}, {"n\r\n <@r.test:", ">"}};
    static const char letters[] = "ab.. \"\\@<>(),:;[]";
    uint32_t seed = 7;

    for (int i = 0; i < 50000; i++) {
        const char *const *w = around[next_random(&seed) % COUNT(around)];
        char local[17] = "";
        const char *wire, *value, *want, *const *a;
        size_t n = next_random(&seed) % sizeof local;

        for (size_t j = 0; j < n; j++)
            local[j] = letters[next_random(&seed) % (sizeof letters - 1)];
        wire = wb_address_format(*state, local, "x.test");
        value = wb_pool_printf(*state, "a@b.test, %s%s%s, c@d.test", w[0], wire,
                               w[1]);
        want = wb_pool_printf(*state, "a@b.test\n%s@x.test\nc@d.test\n", local);
        assert_int_equal(wb_header_addresses(*state, value, 9, &a, &n), EX_OK);
        same(value, joined(*state, a, n), want);
        wb_pool_reset(*state);
    }
}

/* ---- hostile input ----------------------------------------------------- */

static void random_octets_are_answered(void **state)
{
    static const char *const pieces[] = {
        "=?",   "?=",  "utf-8", "sjis", "iso-2022-jp", "?q?",  "?b?", "=E6",
        "=1B$", "g5c", "=",     "?",    " ",           "\r\n", "<",   ">",
        "@",    ",",   ":",     ";",    "(",           ")",    "\"",  "\\",
        "[",    "]",   ".",     "a",    "b.test",      "\xff", "日",  "\x01"};
    uint32_t seed = 99;

    for (int i = 0; i < 100000; i++) {
        char value[512] = "";
        const char *text, *const *a;
        size_t n;

        for (uint32_t j = next_random(&seed) % 40; j > 0; j--)
            strcat(value, pieces[next_random(&seed) % COUNT(pieces)]);
        text = wb_header_decode(*state, value, sizeof value);
        assert_non_null(text);
        assert_null(strpbrk(text, "\r\n"));
        assert_true(strlen(text) <= 4 * strlen(value));
        assert_int_equal(wb_header_addresses(*state, value, 3, &a, &n), EX_OK);
        assert_true(n <= 3);
        for (size_t j = 0; j < n; j++) {
            assert_non_null(strchr(a[j], '@'));
            assert_null(strpbrk(a[j], "\r\n\x01"));
            assert_true(wb_utf8_is_valid(a[j], strlen(a[j])));
        }
        wb_pool_reset(*state);
    }
}

/* A megabyte of each. Were one of them quadratic it would take minutes, and
 * the runner ends a program that does. */
static const char *const hostile[] = {
    "(",
    "[",
    "\"",
    "\\",
    "<",
    "<@",
    "<@a,",
    "@",
    ",",
    ":",
    ".",
    "a.",
    "a ",
    "a@b.test,",
    "a@b.test ",
    "<a@b.test",
    "<a@b.test>",
    "\"\"",
    "()",
    "\r\n ",
    "=?",
    "=?utf-8?q?",
    "=?utf-8?q?a",
    "=?utf-8*",
    "=?utf-8?q?a?=",
    "=?utf-8?q?a?= ",
    "=?utf-8?q?=E6?= ",
    "=?utf-8?q?=E?= ",
    "=?utf-8?q?a?= =?utf-8?q?=E6?= ",
    "=?sjis?q?=93?= ",
    "=?iso-2022-jp?q?=1B$B?= =?iso-2022-jp?q?=FF?= ",
    "=?sjis?q?a?= =?euc-jp?q?a?= ",
    "=?sjis?q?=93?= =?euc-jp?q?=93?= ",
};

static void hostile_megabytes_end(void **state)
{
    enum { OCTETS = 1000000 };
    char *value = malloc(OCTETS + 1);

    assert_non_null(value);
    for (size_t i = 0; i < COUNT(hostile); i++) {
        size_t n = strlen(hostile[i]);
        const char *const *a;

        for (size_t j = 0; j < OCTETS; j++)
            value[j] = hostile[i][j % n];
        value[OCTETS] = '\0';
        assert_non_null(wb_header_decode(*state, value, OCTETS));
        assert_int_equal(wb_header_addresses(*state, value, OCTETS, &a, &n),
                         EX_OK);
        wb_pool_reset(*state);
    }
    free(value);
}

static void out_of_memory_is_told(void **state)
{
    size_t told = 0;

    (void)state;
    for (size_t octets = 1; octets < 512; octets++) {
        struct wb_pool *p = wb_pool_new(octets);
        const char *text = wb_header_decode(p, "=?utf-8?q?a?= b", 99);
        const char *const *a = NULL;
        size_t n = 0;
        int rc = wb_header_addresses(p, "a@b.test, c@d.test", 9, &a, &n);

        if (text != NULL)
            same("in memory", text, "a b");
        assert_true(rc == EX_OK ? n == 2 : rc == EX_OSERR && n == 0);
        told += text == NULL || rc == EX_OSERR;
        wb_pool_free(p);
    }
    assert_true(told > 0 && told < 511);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, make_pool, free_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(names_are_field_names),       ROW(values_are_decoded),
        ROW(no_more_is_read_than_said),   ROW(charsets_change_so_often),
        ROW(random_text_round_trips),     ROW(lists_are_taken_apart),
        ROW(address_length_is_bounded),   ROW(address_count_is_bounded),
        ROW(random_addresses_round_trip), ROW(random_octets_are_answered),
        ROW(hostile_megabytes_end),       ROW(out_of_memory_is_told),
    };

    return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
