#include "unit.h"

#include "webhook/answer.h"

static const struct {
    const char *why;
    long status;
    const char *retry, *reject; /* the reply's begin, by client_error */
} rows[] = {
    {"ok", 200, "250 2.0.0 ", "250 2.0.0 "},
    {"accepted", 202, "250 2.0.0 ", "250 2.0.0 "},
    {"any 2xx", 299, "250 2.0.0 ", "250 2.0.0 "},
    {"moved", 301, "451 4.3.5 ", "451 4.3.5 "},
    {"permanent redirect", 308, "451 4.3.5 ", "451 4.3.5 "},
    {"bad request", 400, "451 4.3.0 ", "554 5.3.0 "},
    {"unauthorized", 401, "451 4.3.0 ", "554 5.3.0 "},
    {"forbidden", 403, "451 4.3.0 ", "554 5.3.0 "},
    {"not found", 404, "451 4.3.0 ", "554 5.3.0 "},
    {"not acceptable", 406, "554 5.6.0 ", "554 5.6.0 "},
    {"request timeout", 408, "451 4.4.2 ", "451 4.4.2 "},
    {"gone", 410, "550 5.1.6 ", "550 5.1.6 "},
    {"too large", 413, "451 4.3.0 ", "554 5.3.0 "},
    {"too early", 425, "451 4.3.2 ", "451 4.3.2 "},
    {"too many requests", 429, "451 4.3.2 ", "451 4.3.2 "},
    {"the last 4xx", 499, "451 4.3.0 ", "554 5.3.0 "},
    {"internal error", 500, "451 4.3.0 ", "451 4.3.0 "},
    {"not implemented", 501, "451 4.3.0 ", "451 4.3.0 "},
    {"unavailable", 503, "451 4.3.2 ", "451 4.3.2 "},
    {"any 5xx", 599, "451 4.3.0 ", "451 4.3.0 "},
    {"no status", 0, "451 4.3.0 ", "451 4.3.0 "},
    {"informational", 100, "451 4.3.0 ", "451 4.3.0 "},
    {"past all", 600, "451 4.3.0 ", "451 4.3.0 "},
    {"negative", -1, "451 4.3.0 ", "451 4.3.0 "},
};

static void check(const char *why, const struct wb_webhook *w,
                  const struct wb_post_result *result, const char *begin)
{
    struct wb_answer answer;

    wb_answer_choose(w, result, "the-id", &answer);
    if (strncmp(answer.text, begin, strlen(begin)) != 0)
        fail_msg("row \"%s\": %s", why, answer.text);
    assert_non_null(strstr(answer.text, "webhook crm"));
    assert_non_null(strstr(answer.text, "the-id"));
    assert_int_equal(wb_answer_is_done(&answer), begin[0] == '2');
    assert_int_equal(wb_answer_is_temporary(&answer), begin[0] == '4');
}

static void statuses_become_replies(void **state)
{
    struct wb_webhook w = {.name = "crm"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_post_result result = {.end = WB_POST_ANSWERED,
                                        .status = rows[i].status};

        w.client_error = WB_CLIENT_ERROR_RETRY;
        check(rows[i].why, &w, &result, rows[i].retry);
        w.client_error = WB_CLIENT_ERROR_REJECT;
        check(rows[i].why, &w, &result, rows[i].reject);
    }
}

static const struct {
    const char *why;
    enum wb_post_end end;
    const char *begin;
} ends[] = {
    {"no such name", WB_POST_NO_NAME, "451 4.4.3 "},
    {"not public", WB_POST_NOT_PUBLIC, "451 4.3.5 "},
    {"refused", WB_POST_NO_ANSWER, "451 4.4.1 "},
    {"certificate", WB_POST_TLS, "451 4.7.5 "},
    {"timeout", WB_POST_TIMEOUT, "451 4.4.2 "},
    {"broken", WB_POST_BROKEN, "451 4.4.2 "},
    {"busy", WB_POST_BUSY, "451 4.3.2 "},
    {"too large", WB_POST_TOO_LARGE, "552 5.3.4 "},
    {"no memory", WB_POST_LOCAL, "452 4.3.1 "},
};

static void other_ends_become_replies(void **state)
{
    const struct wb_webhook w = {.name = "crm",
                                 .client_error = WB_CLIENT_ERROR_REJECT};

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        const struct wb_post_result result = {.end = ends[i].end};

        check(ends[i].why, &w, &result, ends[i].begin);
    }
}

static void replies_are_one_printable_line(void **state)
{
    struct wb_answer answer;
    char longer[2000];

    (void)state;
    wb_answer_set(&answer, "250 2.0.0 a\r\n250 b\x01\xc3\xa4");
    assert_string_equal(answer.text, "250 2.0.0 a??250 b???");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    wb_answer_set(&answer, "250 %s", longer);
    assert_int_equal(strlen(answer.text), 510);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_become_replies),
        cmocka_unit_test(other_ends_become_replies),
        cmocka_unit_test(replies_are_one_printable_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
