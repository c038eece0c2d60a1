/* Lines of the log under construction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "milter/base/log.h"

enum { MOST = 4095 };

static void test_untrusted(void **state)
{
    static const struct {
        const char *in, *out;
        size_t max_octets;
        bool is_quoted;
    } rows[] = {
        {"a@example.com", "a@example.com", 99, false},
        {"a@example.com", "a@e", 3, false},
        {"a b", "a\\x20b", 99, false},
        {"a b", "a b", 99, true},
        {"\n\"x\"\\<>\x7f\xff", "\\x0A\\x22x\\x22\\x5C\\x3C\\x3E\\x7F\\xFF", 99,
         true},
        {"", "", 99, false},
        {NULL, "", 99, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wb_line line;

        line.used = 0;
        wb_line_add_untrusted(&line, rows[i].in, rows[i].max_octets,
                              rows[i].is_quoted);
        assert_string_equal(line.text, rows[i].out);
        assert_int_equal(line.used, strlen(rows[i].out));
    }
}

static void add(struct wb_line *line, const char *text, bool is_trusted)
{
    if (is_trusted)
        wb_line_add_text(line, text);
    else
        wb_line_add_untrusted(line, text, SIZE_MAX, false);
}

/* However full it was, and by whatever: cut at the end, without a gap. */
static void test_cut(void **state)
{
    static char many[2 * MOST + 1];

    (void)state;
    memset(many, 'x', sizeof many - 1);
    for (int is_trusted = 0; is_trusted < 2; is_trusted++) {
        for (size_t first = 0; first <= MOST; first++) {
            struct wb_line line;

            memset(line.text, '!', sizeof line.text);
            line.used = 0;
            add(&line, many + sizeof many - 1 - first, true);
            add(&line, many, is_trusted);
            assert_int_equal(line.used, MOST);
            assert_int_equal(strspn(line.text, "x"), MOST - 3);
            assert_string_equal(line.text + MOST - 3, "...");
        }
    }
}

static void test_cut_at_what_is_not_plain(void **state)
{
    static char many[MOST + 1];

    (void)state;
    memset(many, '\n', sizeof many - 1);
    for (size_t first = 0; first < 8; first++) {
        struct wb_line line;

        memset(line.text, '!', sizeof line.text);
        line.used = 0;
        wb_line_add_text(&line, &"xxxxxxxx"[8 - first]);
        wb_line_add_untrusted(&line, many, SIZE_MAX, true);
        assert_int_equal(strlen(line.text), line.used);
        assert_int_equal(line.used, MOST);
        assert_string_equal(line.text + MOST - 3, "...");
        assert_null(strchr(line.text, '!'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_at_what_is_not_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
