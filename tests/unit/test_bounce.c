/* Mail that comes to a return address: what it is, and where it goes. */
#include "bounce_bench.h"

/* ---- what it is ---- */

#define MDN                                                                    \
    "content-type: Multipart/Report; boundary=x;\r\n"                          \
    "\tReport-Type=\"Disposition-Notification\" (RFC 8098)"
#define ARF "Content-Type: multipart/report; report-type=feedback-report"

static const struct {
    const char *why;
    struct mail mail;
    bool is_reply;
} kinds[] = {
    {"a report of Postfix, which calls it an automatic reply",
     {.headers = {DSN, "Auto-Submitted: auto-replied"}},
     false},
    {"a report from somebody",
     {.sender = "postmaster@remote.test", .headers = {DSN}},
     false},
    {"the null sender, without a report", {.sender = NULL}, false},
    {"the null sender and any other automatic mail",
     {.headers = {"Auto-Submitted: auto-generated"}},
     false},
    {"not automatic", {.headers = {"Auto-Submitted: no"}}, false},
    {"a report on abuse",
     {.sender = "fbl@remote.test", .headers = {ARF}},
     false},
    {"an absence note", {.headers = {"Auto-Submitted: auto-replied"}}, true},
    {"an absence note, in the many words that RFC 3834 allows",
     {.headers = {"AUTO-SUBMITTED: (away) Auto-Replied\r\n (till May);"
                  " owner-email=\"a;b@c\""}},
     true},
    {"an absence note with a sender",
     {.sender = "yuki@docomo.ne.jp",
      .headers = {"Auto-Submitted: auto-replied"}},
     true},
    {"a person", {.sender = "yuki@docomo.ne.jp"}, true},
    {"a person who sends text about reports",
     {.sender = "yuki@docomo.ne.jp",
      .headers = {"Content-Type: text/plain; report-type=delivery-status"}},
     true},
    {"a read receipt", {.headers = {MDN}}, true},
    {"a read receipt with a sender",
     {.sender = "yuki@docomo.ne.jp", .headers = {MDN}},
     true},
    {"another header says so",
     {.sender = "yuki@docomo.ne.jp",
      .headers = {"X-Content-Type: multipart/report;"
                  " report-type=delivery-status"}},
     true},
};

static void bounces_are_told_from_replies(void **state)
{
    struct wb_conf *conf =
        load("deliver = address  address = \"bounces@example.com\""
             "  replies = sender",
             "before_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    assert_true(wb_plan_wants_header(conf, "Content-type"));
    assert_true(wb_plan_wants_header(conf, "AUTO-submitted"));
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct mail mail = kinds[i].mail;

        mail.to = sent_as(conf, p, "Info@srs.test");
        ROW_TRUE(&kinds[i], *early(conf, p, &mail) == '\0');
        ROW_TRUE(&kinds[i],
                 strcmp(goes_to(conf, p, &mail),
                        kinds[i].is_reply ? "Info@srs.test"
                                          : "bounces@example.com") == 0);
    }
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* ---- where it goes ---- */

static const struct {
    const char *why;
    const char *sender;
    const char *home; /* "": the sender */
    const char *mark; /* behind "sender=<HOME>" */
} homes[] = {
    {"domain", "info@example.com", "", ""},
    {"domain, quoted", "\"a b\"@example.com", "", ""},
    {"domain, capitals and all", "In.Fo+tag=x@example.com", "", ""},
    {"domain, another's token", "prvs=0123abcdef=info@example.com", "", ""},
    {"domain, %d", "news@shop.example.net", "", ""},
    {"srs", "Info@srs.test", "", "; age=0"},
    {"srs, another host's token", "SRS0=aaaa=bb=a.test=b@srs.test", "", ""},
    {"verp", "Info@verp.test", "", "; recipient=<yuki@docomo.ne.jp>; age=0"},
    {"batv", "info@batv.test", "", "; age=0"},
    {"batv, quoted", "\"in fo\"@batv.test", "", "; age=0"},
};

static void bounces_go_home(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "before_queue", WB_USE_DAEMON);

    (void)state;
    for (size_t i = 0; i < COUNT(homes); i++) {
        struct wb_pool *p = wb_pool_new(0);
        const char *home = *homes[i].home ? homes[i].home : homes[i].sender;
        const char *back = sent_as(conf, p, homes[i].sender);
        const struct mail mail = {.to = back, .headers = {DSN}};
        const struct wb_recipient_plan *r;
        struct wb_plan plan;

        r = decide(conf, p, &mail, &plan);
        ROW_TRUE(&homes[i], plan.decision == WB_ACCEPT);
        ROW_TRUE(&homes[i], r->class == WB_CLASS_BOUNCE);
        ROW_TRUE(&homes[i], strcmp(r->rewritten, home) == 0);
        assert_string_equal(action(&plan, WB_DELETE_RECIPIENT), back);
        assert_string_equal(
            action(&plan, WB_ADD_RECIPIENT),
            wb_pool_printf(p, "ORCPT=rfc822;%s", wb_xtext_encode(p, back)));
        assert_string_equal(
            action(&plan, WB_ADD_HEADER),
            wb_pool_printf(p, "sender=<%s>%s", home, homes[i].mark));
        wb_pool_free(p);
    }
    wb_conf_unref(conf);
}

/* What a forwarder passed on has another original recipient, but is known again
 * by the return address; a stranger's choice would make it our own mail. */
static void the_return_address_is_the_original_recipient(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "before_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    struct mail mail = {.to = sent_as(conf, p, "info@srs.test"),
                        .orcpt = "rfc822;first@forwarder.test"};
    struct wb_plan plan;

    (void)state;
    decide(conf, p, &mail, &plan);
    assert_string_equal(
        action(&plan, WB_ADD_RECIPIENT),
        wb_pool_printf(p, "ORCPT=rfc822;%s", wb_xtext_encode(p, mail.to)));
    mail.sender = "yuki@docomo.ne.jp";
    decide(conf, p, &mail, &plan);
    assert_string_equal(
        action(&plan, WB_ADD_RECIPIENT),
        wb_pool_printf(p, "ORCPT=rfc822;%s", wb_xtext_encode(p, mail.to)));
    wb_pool_free(p);
    wb_conf_unref(conf);
}

static void one_address_gets_all(void **state)
{
    struct wb_conf *conf =
        load("deliver = address  address = \"bounces@example.com\"",
             "before_queue", WB_USE_DAEMON);

    (void)state;
    for (size_t i = 0; i < COUNT(homes); i++) {
        struct wb_pool *p = wb_pool_new(0);
        const struct mail mail = {.to = sent_as(conf, p, homes[i].sender)};
        struct wb_plan plan;

        ROW_TRUE(&homes[i],
                 strcmp(goes_to(conf, p, &mail), "bounces@example.com") == 0);
        decide(conf, p, &mail, &plan);
        assert_string_equal(
            action(&plan, WB_ADD_HEADER),
            wb_pool_printf(p, "sender=<%s>%s", homes[i].sender, homes[i].mark));
        wb_pool_free(p);
    }
    wb_conf_unref(conf);
}

/* deliver, replies and where each of the two then goes. */
static const struct {
    const char *why;
    const char *section;
    const char *bounce, *reply, *postmaster;
} ways[] = {
    {"webhook for all", "webhook = crm", "crm", "crm", "crm"},
    {"replies home", "webhook = crm  replies = sender", "crm", "info@srs.test",
     "postmaster"},
    {"replies refused", "deliver = sender  replies = reject", "info@srs.test",
     "550 5.7.1", "postmaster"},
    {"replies refused, bounces to one address",
     "deliver = address  replies = reject  address = \"b@example.com\"",
     "b@example.com", "550 5.7.1", "b@example.com"},
    {"replies to one address",
     "deliver = sender  replies = address  address = \"b@example.com\"",
     "info@srs.test", "b@example.com", "b@example.com"},
    {"replies to a webhook",
     "deliver = sender  replies = webhook"
     "  webhook = crm",
     "info@srs.test", "crm", "crm"},
};

static void each_kind_has_its_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct wb_conf *conf =
            load(ways[i].section, "before_queue", WB_USE_DAEMON);
        struct wb_pool *p = wb_pool_new(0);
        const char *back = sent_as(conf, p, "info@srs.test");
        const struct mail bounce = {.to = back},
                          reply = {.sender = "yuki@docomo.ne.jp", .to = back},
                          postmaster = {.sender = "yuki@docomo.ne.jp",
                                        .to = "Postmaster@signed.example.com"};

        ROW_TRUE(&ways[i],
                 strcmp(goes_to(conf, p, &bounce), ways[i].bounce) == 0);
        ROW_TRUE(&ways[i],
                 strcmp(goes_to(conf, p, &reply), ways[i].reply) == 0);
        ROW_TRUE(&ways[i], strcmp(goes_to(conf, p, &postmaster),
                                  ways[i].postmaster) == 0);
        ROW_TRUE(&ways[i], *early(conf, p, &postmaster) == '\0');
        wb_pool_free(p);
        wb_conf_unref(conf);
    }
}

static void a_postmaster_is_the_original_domains(void **state)
{
    static const struct {
        const char *why, *domain, *to;
    } rows[] = {
        {"moved", "return.example.com", "postmaster@example.com"},
        {"%d", "back.shop.example.net", "postmaster@shop.example.net"},
        {"batv", "tagged.example.com", "postmaster@batv.test"},
        {"several", "signed.example.com", "postmaster"},
        {"leads back", "back.in.example.com", "postmaster"},
    };
    struct wb_conf *conf =
        load("deliver = sender", "before_queue", WB_USE_DAEMON);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        const struct mail mail = {
            .to = wb_pool_printf(p, "postmaster@%s", rows[i].domain)};
        struct wb_plan plan;

        ROW_TRUE(&rows[i], strcmp(goes_to(conf, p, &mail), rows[i].to) == 0);
        decide(conf, p, &mail, &plan);
        ROW_TRUE(&rows[i], plan.recipients[0].bounce == NULL);
        wb_pool_free(p);
    }
    wb_conf_unref(conf);
}

/* ---- what is refused ---- */

static void what_would_go_round_is_refused(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "before_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    const struct mail moved = {.to = "info@back.in.example.com"};
    /* in the domain of inbound, told by %d, and by the address */
    const struct mail told = {.to = sent_as(conf, p, "info@in.example.com")};

    (void)state;
    assert_string_equal(goes_to(conf, p, &moved), "550 5.1.2");
    assert_string_equal(early(conf, p, &moved), "550 5.1.2");
    assert_string_equal(goes_to(conf, p, &told), "550 5.1.2");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

static void unsigned_addresses_take_the_null_sender_only(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "before_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    const struct mail reply = {.sender = "yuki@docomo.ne.jp",
                               .to = "info@return.example.com",
                               .headers = {DSN}},
                      bounce = {.to = "info@return.example.com"},
                      both = {.sender = "yuki@docomo.ne.jp",
                              .to = sent_as(conf, p, "info@srs.test")};

    (void)state;
    assert_string_equal(early(conf, p, &reply), "550 5.7.1");
    assert_string_equal(goes_to(conf, p, &reply), "550 5.7.1");
    assert_string_equal(early(conf, p, &bounce), "");
    assert_string_equal(goes_to(conf, p, &bounce), "info@example.com");
    assert_string_equal(early(conf, p, &both), "");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* ---- the tools ---- */

static void rename_secret(const char *from, const char *to)
{
    char old[128], new[128];

    snprintf(old, sizeof old, "%s/%s", folder, from);
    snprintf(new, sizeof new, "%s/%s", folder, to);
    assert_int_equal(rename(old, new), 0);
}

static void without_the_secret_the_way_is_shown(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "before_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    struct mail mail = {.to = sent_as(conf, p, "info@srs.test")};

    (void)state;
    wb_conf_unref(conf);
    rename_secret("secret", "elsewhere");
    conf = load("deliver = sender", "before_queue", WB_USE_EXPLAIN);
    rename_secret("elsewhere", "secret");
    assert_int_equal(conf->secret.count, 0);
    assert_string_equal(goes_to(conf, p, &mail), "SENDER");
    mail.to = "info@return.example.com";
    assert_string_equal(goes_to(conf, p, &mail), "info@example.com");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounces_are_told_from_replies),
        cmocka_unit_test(bounces_go_home),
        cmocka_unit_test(the_return_address_is_the_original_recipient),
        cmocka_unit_test(one_address_gets_all),
        cmocka_unit_test(each_kind_has_its_way),
        cmocka_unit_test(a_postmaster_is_the_original_domains),
        cmocka_unit_test(what_would_go_round_is_refused),
        cmocka_unit_test(unsigned_addresses_take_the_null_sender_only),
        cmocka_unit_test(without_the_secret_the_way_is_shown),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
