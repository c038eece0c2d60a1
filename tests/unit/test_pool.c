#include "unit.h"

#include "base/err.h"
#include "base/pool.h"

static void memory_is_zeroed_and_aligned(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t size = 0; size < 20000; size = size * 3 + 1) {
        unsigned char *m = wb_pool_alloc(p, size);

        assert_non_null(m);
        assert_int_equal((uintptr_t)m % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(m[i], 0);
        memset(m, 0xff, size);
    }
    wb_pool_free(p);
}

static void bound_is_kept(void **state)
{
    struct wb_pool *p = wb_pool_new(1024);

    (void)state;
    assert_non_null(wb_pool_alloc(p, 1000));
    assert_null(wb_pool_alloc(p, 1000));
    assert_non_null(wb_pool_alloc(p, 16));
    wb_pool_reset(p);
    assert_int_equal(wb_pool_used(p), 0);
    assert_non_null(wb_pool_alloc(p, 1024));
    assert_null(wb_pool_alloc(p, 1));
    wb_pool_free(p);
    wb_pool_free(NULL);
}

static void sizes_do_not_overflow(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    assert_null(wb_pool_alloc(p, SIZE_MAX));
    assert_null(wb_pool_alloc(p, SIZE_MAX - 40));
    assert_null(wb_pool_array(p, SIZE_MAX / 2, 3));
    assert_non_null(wb_pool_array(p, 0, 8));
    wb_pool_free(p);
}

static void reset_reuses_memory(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    void *first = wb_pool_alloc(p, 100);

    (void)state;
    wb_pool_reset(p);
    assert_ptr_equal(wb_pool_alloc(p, 100), first);
    wb_pool_alloc(p, 1000000);
    wb_pool_reset(p);
    assert_non_null(wb_pool_alloc(p, 100));
    wb_pool_free(p);
}

static void strings_are_copied(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    char long_text[3000];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_string_equal(wb_pool_strdup(p, ""), "");
    assert_string_equal(wb_pool_strndup(p, "abcdef", 3), "abc");
    assert_string_equal(wb_pool_strndup(p, "ab", 3), "ab");
    assert_string_equal(wb_pool_printf(p, "%s", long_text), long_text);
    assert_string_equal(wb_pool_strlower(p, "AbZ@[\xc3\x84"), "abz@[\xc3\x84");
    wb_pool_free(p);
}

static void errors_are_one_line(void **state)
{
    struct wb_err err;
    char long_text[2000];

    (void)state;
    assert_int_equal(wb_err_set(&err, EX_DATAERR, "a%sb", "\r\n\x7f"),
                     EX_DATAERR);
    assert_string_equal(err.text, "a???b");
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    wb_err_set(&err, EX_DATAERR, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(wb_err_set(NULL, EX_OSERR, "x"), EX_OSERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(bound_is_kept),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(reset_reuses_memory),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(errors_are_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
