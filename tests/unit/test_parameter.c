/* Fields that are a word and parameters. */
#include "unit.h"

#include "mail/parameter.h"

static const struct {
    const char *why;
    const char *field;
    const char *word;
    const char *type; /* of the parameter report-type */
} rows[] = {
    {"plain", "multipart/report; report-type=delivery-status",
     "multipart/report", "delivery-status"},
    {"quoted, and other parameters before it",
     "multipart/report; boundary=\"a;report-type=x\"; "
     "report-type=\"delivery-status\"",
     "multipart/report", "delivery-status"},
    {"folded", "multipart/report;\r\n\treport-type=delivery-status;\n b=c",
     "multipart/report", "delivery-status"},
    {"capitals", "Multipart/REPORT; Report-Type=Delivery-Status",
     "multipart/report", "delivery-status"},
    {"comments everywhere",
     "(a) multipart (b) / (c(d)\\() report (;) ; (e) report-type (f) = (g) "
     "delivery-status (h)",
     "multipart/report", "delivery-status"},
    {"a quoted pair", "multipart/report; report-type=\"delivery\\-status\"",
     "multipart/report", "delivery-status"},
    {"a fold inside quotes",
     "multipart/report; report-type=\"delivery-\r\n "
     "status\"",
     "multipart/report", "delivery- status"},
    {"no blanks", "multipart/report;report-type=delivery-status;b=c",
     "multipart/report", "delivery-status"},
    {"the first one counts",
     "multipart/report; report-type=a; report-type=delivery-status",
     "multipart/report", "a"},
    {"in a comment", "multipart/report; (report-type=delivery-status) b=c",
     "multipart/report", ""},
    {"only the beginning of its name",
     "multipart/report; report=x; report-types=delivery-status",
     "multipart/report", ""},
    {"a name without a value", "multipart/report; report-type",
     "multipart/report", ""},
    {"an empty value", "multipart/report; report-type=; b=c",
     "multipart/report", ""},
    {"a value that is not quoted though it should be",
     "multipart/report; report-type=a/b?c", "multipart/report", "a/b?c"},
    {"empty parts", ";; report-type=a;", "", "a"},
    {"no parameter", "text/plain", "text/plain", ""},
    {"nothing", "", "", ""},
    {"an open comment", "multipart/report (; report-type=delivery-status",
     "multipart/report", ""},
    {"open quotes", "multipart/report; report-type=\"delivery-status",
     "multipart/report", "delivery-status"},
    {"a backslash at the end", "multipart/report; report-type=\"a\\",
     "multipart/report", "a\\"},
    {"RFC 3834", "auto-replied (vacation); owner-token=af3NN2pK5dDXI0W",
     "auto-replied", ""},
};

static void fields_are_read_as_rfc_2045_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        const char *word = wb_field_word(p, rows[i].field);
        const char *type = wb_field_parameter(p, rows[i].field, "report-type");

        ROW_TRUE(&rows[i], word != NULL && strcmp(word, rows[i].word) == 0);
        ROW_TRUE(&rows[i], type != NULL && strcmp(type, rows[i].type) == 0);
        wb_pool_free(p);
    }
}

static void without_memory_there_is_no_answer(void **state)
{
    struct wb_pool *p = wb_pool_new(8);

    (void)state;
    assert_null(wb_field_word(p, rows[0].field));
    assert_null(wb_field_parameter(p, rows[0].field, "report-type"));
    wb_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_rfc_2045_says),
        cmocka_unit_test(without_memory_there_is_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
