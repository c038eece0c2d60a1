/* What a bounce means. test_bounce_samples.py reads whole ones. */
#include "unit.h"

#include <stdlib.h>

#include "webhook/bounce/reader.h"

/* ---- kinds -------------------------------------------------------------- */

static const struct {
    const char *why, *code, *words;
    enum wb_bounce_kind kind;
} kinds[] = {
    {"nothing known", "", "", WB_BOUNCE_SOFT},
    {"the class says permanent", "5.0.0", "", WB_BOUNCE_HARD},
    {"the class says for now", "4.0.0", "", WB_BOUNCE_SOFT},
    {"no such user", "5.1.1", "", WB_BOUNCE_HARD},
    {"two digits", "5.1.10", "", WB_BOUNCE_HARD},
    {"a tenth is not a first", "5.2.10", "", WB_BOUNCE_HARD},
    {"gave up on a user who may come", "4.1.1", "", WB_BOUNCE_SOFT},
    {"the sender's domain", "5.1.8", "", WB_BOUNCE_BLOCKED},
    {"disabled", "5.2.1", "", WB_BOUNCE_HARD},
    {"full", "5.2.2", "", WB_BOUNCE_FULL},
    {"full for now", "4.2.2", "", WB_BOUNCE_FULL},
    {"too large for the mailbox", "5.2.3", "", WB_BOUNCE_SOFT},
    {"too large for the system", "5.3.4", "", WB_BOUNCE_SOFT},
    {"no such host", "5.4.4", "", WB_BOUNCE_HARD},
    {"expired", "4.4.7", "", WB_BOUNCE_SOFT},
    {"a loop", "5.4.6", "", WB_BOUNCE_SOFT},
    {"content", "5.6.0", "", WB_BOUNCE_SOFT},
    {"policy", "5.7.1", "", WB_BOUNCE_BLOCKED},
    {"policy for now", "4.7.28", "", WB_BOUNCE_BLOCKED},
    {"a code that is no code", "5", "", WB_BOUNCE_SOFT},
    {"words outrank a code for everything", "5.1.1", "550 5.1.1 MAILBOX FULL",
     WB_BOUNCE_FULL},
    {"a list", "5.1.1", "listed by Spamhaus", WB_BOUNCE_BLOCKED},
    {"no user, said as policy", "5.7.1", "User unknown", WB_BOUNCE_HARD},
    {"Exchange Online says so of no user", "5.4.1",
     "Recipient address rejected: Access denied", WB_BOUNCE_HARD},
    {"access denied otherwise", "5.0.0", "Access denied", WB_BOUNCE_BLOCKED},
    {"words help a vague code", "5.0.0", "Host not found", WB_BOUNCE_HARD},
    {"a host's name says nothing where the code is clear", "5.1.1",
     "spam.example.com said: 550 5.1.1", WB_BOUNCE_HARD},
    {"docomo: unknown", "5.0.0", "550 Unknown user a@docomo.ne.jp",
     WB_BOUNCE_HARD},
    {"docomo: filter", "5.2.0", "550 Unknown user a@docomo.ne.jp",
     WB_BOUNCE_BLOCKED},
    {"docomo: full", "5.0.0", "552 Too much mail data a@docomo.ne.jp",
     WB_BOUNCE_FULL},
    {"au: unknown", "5.0.0", "550 <a@ezweb.ne.jp>: User unknown",
     WB_BOUNCE_HARD},
    {"au: filter", "5.0.0", "550 : User unknown", WB_BOUNCE_BLOCKED},
    {"softbank: unknown", "5.0.0", "550 Invalid recipient: <a@softbank.ne.jp>",
     WB_BOUNCE_HARD},
    {"softbank: filter", "5.2.0", "", WB_BOUNCE_BLOCKED},
};

static void kind_of_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++)
        ROW_TRUE(&kinds[i], wb_bounce_classify(kinds[i].code, kinds[i].words) ==
                                kinds[i].kind);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (int k = WB_BOUNCE_NONE; k <= WB_BOUNCE_COMPLAINT; k++)
        assert_non_null(wb_bounce_kind_name((enum wb_bounce_kind)k));
}

/* ---- codes -------------------------------------------------------------- */

static const struct {
    const char *why, *words, *code;
} codes[] = {
    {"nothing", "", ""},
    {"alone", "5.1.1", "5.1.1"},
    {"in words", "smtp; 550 5.1.1 no", "5.1.1"},
    {"continued lines", "550-5.7.26 a 550 5.7.26 b", "5.7.26"},
    {"qmail's", "no (#5.1.2)", "5.1.2"},
    {"only a reply", "said: 552 full", "5.0.0"},
    {"only a reply, continued", "452-full", "4.0.0"},
    {"the better one of two", "5.0.0 then 5.2.2", "5.2.2"},
    {"the first of two good ones", "5.1.1 then 5.2.2", "5.1.1"},
    {"an address", "[5.1.1.9] said", ""},
    {"the end of an address", "[192.5.1.1] said", ""},
    {"a version", "Exim 4.96.1", ""},
    {"a long number", "15.1.1 and 5.1.1234", ""},
    {"success", "2.0.0 ok", ""},
    {"a number", "after 1500 s, 5500 left", ""},
    {"ends early", "5.1.", ""},
    {"three digits", "4.7.500!", "4.7.500"},
    {"ends a sentence", "code 5.1.1.", "5.1.1"},
};

static void codes_in_words(void **state)
{
    char code[WB_BOUNCE_CODE_OCTETS];

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        wb_bounce_find_code(codes[i].words, code);
        ROW_TRUE(&codes[i], strcmp(code, codes[i].code) == 0);
    }
}

/* ---- addresses ---------------------------------------------------------- */

static const struct {
    const char *why, *text, *address;
} addresses[] = {
    {"typed", "rfc822; a@example.com", "a@example.com"},
    {"typed, no blank, brackets", "RFC822;<a@example.com> ", "a@example.com"},
    {"plain", "a@example.com", "a@example.com"},
    {"none", "rfc822; undisclosed", ""},
    {"X.400", "x400; /S=a/", ""},
    {"empty", "", ""},
    {"a route's suffix", "a@example.com.bulk.k7f3qa2m.waybill.invalid",
     "a@example.com"},
    {"a second pass",
     "a@example.com.bulk.0123456789.again.k7f3qa2m.WAYBILL.invalid",
     "a@example.com"},
    {"a webhook's",
     "a@example.com.crm.form.0123456789.hook.k7f3qa2m.waybill.invalid",
     "a@example.com"},
    {"only the domain", "a@waybill.invalid", "a@waybill.invalid"},
    {"too few labels", "a@x.waybill.invalid", "a@x.waybill.invalid"},
};

static void addresses_of_fields(void **state)
{
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        const char *got = wb_bounce_address(p, addresses[i].text);

        if (strcmp(got, addresses[i].address) != 0)
            fail_msg("row \"%s\": %s", addresses[i].why, got);
    }
    wb_pool_free(p);
}

static void words_on_one_line(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    char *big = malloc(5000);

    (void)state;
    assert_string_equal(wb_bounce_line(p, " a\r\n\tb\x01 c  "), "a b c");
    assert_string_equal(wb_bounce_line(p, "a\xff"
                                          "b"),
                        "ab");
    assert_non_null(big);
    memset(big, 'a', 4999);
    big[4999] = '\0';
    assert_int_equal(strlen(wb_bounce_line(p, big)), 999);
    free(big);
    wb_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind_of_failures),
        cmocka_unit_test(every_kind_has_a_name),
        cmocka_unit_test(codes_in_words),
        cmocka_unit_test(addresses_of_fields),
        cmocka_unit_test(words_on_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
