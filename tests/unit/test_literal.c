#include "unit.h"

#include "match/literal.h"

static const struct {
    const char *why;
    const char *source;
    const char *told; /* literals, ',' behind each; '|' ends an alternative;
                         NULL: nothing can be said */
} rows[] = {
    {"a word", "welcome", "welcome,|"},
    {"case is folded", "WelCome", "welcome,|"},
    {"an escaped dot is a dot", "info@a\\.example\\.com",
     "info@a.example.com,|"},
    {"a dot is anything", "abc.def", "abc,def,|"},
    {"anchors part nothing but are no octets", "^abc$", "abc,|"},
    {"each alternative has its own", "abc|def.ghi", "abc,|def,ghi,|"},
    {"an empty alternative has none", "abc|", "abc,||"},
    {"? takes one character back", "abcd?efg", "abc,efg,|"},
    {"* as well", "abcd*", "abc,|"},
    {"+ as well: one may be part of a longer run", "abcd+", "abc,|"},
    {"a count as well", "abcd{2,3}e", "abc,e,|"},
    {"lazy and possessive ones", "abc+?def*+g", "ab,de,g,|"},
    {"an escaped quantifier is a literal", "abc\\*def", "abc*def,|"},
    {"one behind an escaped literal", "abc\\.?def", "abc,def,|"},
    {"a brace that is no count", "a{b}c", NULL},
    {"groups are left out", "abc(def)ghi", "abc,ghi,|"},
    {"optional ones", "abc(?:def)?ghi", "abc,ghi,|"},
    {"an alternation in one", "abc(?:d|e)ghi", "abc,ghi,|"},
    {"nested ones", "abc(d(e)f[)])ghi", "abc,ghi,|"},
    {"a lookahead", "abc(?!def)ghi", "abc,ghi,|"},
    {"a lookbehind", "(?<=abc)def", "def,|"},
    {"a named one", "(?<n>abc)(?P<m>x)def", "def,|"},
    {"an escaped parenthesis", "a\\(b", "a(b,|"},
    {"one within a group", "(a\\)b)cd", "cd,|"},
    {"classes are left out", "abc[d-f]ghi", "abc,ghi,|"},
    {"a bracket that comes first", "abc[]x]def", "abc,def,|"},
    {"negated", "abc[^]x]def", "abc,def,|"},
    {"an escaped bracket", "abc[\\]x]def", "abc,def,|"},
    {"a class by name", "abc[[:digit:]]def", "abc,def,|"},
    {"kinds of characters", "abc\\d\\sdef\\b", "abc,def,|"},
    {"options", "(?-i)ABC", "abc,|"},
    {"options for a group", "(?s-m:x)abc", "abc,|"},
    {"kana and ideographs have no case", "注文お知らせ", "注文お知らせ,|"},
    {"one of them is taken back whole", "注文お?知", "注文,知,|"},
    {"letters with cases that the index does not know", "abÄcd", "ab,cd,|"},
    {"a long s", "abſcd", "ab,cd,|"},
    {"comments and blanks that mean nothing", "(?x)a b # c", NULL},
    {"the same for a group", "((?x:a ) b))", NULL},
    {"a verb that ends the match", "abc(*ACCEPT)def", NULL},
    {"one within a group", "(a(*ACCEPT))def", NULL},
    {"quoting", "\\Qa.b\\E", NULL},
    {"quoting in a class", "[\\Q]\\E]abc", NULL},
    {"a control character", "\\c[abc", NULL},
    {"in a group", "(\\c))abc", NULL},
    {"a hexadecimal character", "\\x41bc", NULL},
    {"a reference", "(a)\\1bc", NULL},
    {"recursion", "(a)(?1)bc", NULL},
    {"a condition", "(a)?(?(1)b|c)d", NULL},
    {"a callout", "a(?C1)b", NULL},
    {"a comment", "a(?#()b", NULL},
    {"nothing", "", "|"},
};

static void note(void *context, const char *text, size_t octets)
{
    char *out = context;

    if (text == NULL) {
        strcat(out, "|");
        return;
    }
    strncat(out, text, octets);
    strcat(out, ",");
}

static void literals_are_what_must_be_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char told[200] = "";
        bool is_known = wb_literals_each(rows[i].source, note, told);

        ROW_TRUE(&rows[i], is_known == (rows[i].told != NULL));
        if (is_known && strcmp(told, rows[i].told) != 0)
            print_error("told: %s\n", told);
        ROW_TRUE(&rows[i], !is_known || strcmp(told, rows[i].told) == 0);
    }
}

static void count_octets(void *context, const char *text, size_t octets)
{
    (void)text;
    *(size_t *)context += octets;
}

static void a_long_literal_comes_in_pieces(void **state)
{
    char source[1002];
    size_t octets = 0;

    (void)state;
    memset(source, 'x', sizeof source);
    source[1000] = '?';
    source[1001] = '\0';
    assert_true(wb_literals_each(source, count_octets, &octets));
    assert_int_equal(octets, 999);
}

static const struct {
    const char *why;
    const char *text;
    const char *folded;
} folds[] = {
    {"letters", "AbZz@", "abzz@"},
    {"what PCRE2 takes for s and k", "\xc5\xbf\xe2\x84\xaa", "sk"},
    {"other octets stay", "\xc5\xbe\xe2\x84\xa9\xff",
     "\xc5\xbe\xe2\x84\xa9\xff"},
    {"cut characters stay", "\xe2\x84", "\xe2\x84"},
};

static void texts_are_folded_as_pcre2_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(folds); i++) {
        const unsigned char *at = (const unsigned char *)folds[i].text;
        const char *expected = folds[i].folded;
        unsigned char c;

        while ((c = wb_fold_next(&at)) != 0)
            ROW_TRUE(&folds[i], c == (unsigned char)*expected++);
        ROW_TRUE(&folds[i], *expected == '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_what_must_be_there),
        cmocka_unit_test(a_long_literal_comes_in_pieces),
        cmocka_unit_test(texts_are_folded_as_pcre2_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
