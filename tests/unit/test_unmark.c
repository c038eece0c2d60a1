#include "unit.h"

#include "plan/unmark.h"

#define L ".abcdefgh.waybill.invalid"

static const struct row {
    const char *why, *in, *out;
} rows[] = {
    {"empty", "", ""},
    {"none", "to <u@dom.test>\r\n", "to <u@dom.test>\r\n"},
    {"a route", "<u@dom.test.docomo" L ">... no", "<u@dom.test>... no"},
    {"upper case", "<U@DOM.TEST.R.ABCDEFGH.WAYBILL.INVALID>", "<U@DOM.TEST>"},
    {"two on a line", "a@b.r" L ", c@d.s" L, "a@b, c@d"},
    {"a second pass", "u@dom.r.m-a_c.again" L "x", "u@domx"},
    {"a webhook", "u@dom.crm.mail.mac.hook" L "\n", "u@dom\n"},
    {"carried whole", "<\"u@[192.0.2.1]\"@x.r" L ">", "<u@[192.0.2.1]>"},
    {"with its own quotes", "\"\\\"a b\\\"@d.test\"@x.r" L, "\"a b\"@d.test"},
    {"no quote opens", "u\"@x.r" L, "u\"@x"},
    {"label too short", "u@d.r.abc.waybill.invalid",
     "u@d.r.abc.waybill.invalid"},
    {"no route", "abcdefgh.waybill.invalid", "abcdefgh.waybill.invalid"},
    {"the domain alone", "u@waybill.invalid", "u@waybill.invalid"},
    {"cut off", "u@d.r.abcdefgh.waybill.inval", "u@d.r.abcdefgh.waybill.inval"},
    {"a hook without all", "u@mac.hook" L, "u@mac.hook" L},
    {"longer domain", "u@d.r" L "s", "u@ds"},
};

static void each_mark_goes(void **state)
{
    char text[256];

    (void)state;
    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        size_t octets = strlen(r->in), left;

        memcpy(text, r->in, octets);
        left = wb_unmark(text, octets);
        ROW_TRUE(r, left == strlen(r->out));
        ROW_TRUE(r, memcmp(text, r->out, left) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_mark_goes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
