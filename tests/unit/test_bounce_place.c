/* Mail that comes to a return address, by where the MTA asks about it: in front
 * of the queue, behind it, or for a bounce of its own. */
#include "bounce_bench.h"

/* ---- behind the queue ---- */

/* In front of the queue bounces are sent home, and the loopback listener knows
 * them again, by whatever address an alias turned the sender into. */
static void the_loopback_listener_knows_what_came_home(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "after_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    struct mail mail = {.to = sent_as(conf, p, "info@srs.test"),
                        .listener = "smtp"};
    const char *back = mail.to, *orcpt;
    struct wb_plan plan;
    const struct wb_recipient_plan *r = decide(conf, p, &mail, &plan);

    (void)state;
    assert_true(plan.is_partial);
    assert_string_equal(r->rewritten, "info@srs.test");
    orcpt = strchr(r->esmtp, '=') + 1;
    mail = (struct mail){
        .to = "news@mx.test",
        .orcpt = orcpt,
        .listener = WB_LOOPBACK_LISTENER,
        .headers = {"X-Waybill-Bounce: sender=<info@srs.test>; age=0"},
        .days = 1};
    r = decide(conf, p, &mail, &plan);
    assert_false(plan.is_partial);
    assert_int_equal(r->class, WB_CLASS_BOUNCE);
    assert_null(r->rewritten);
    assert_string_equal(r->bounce, "sender=<info@srs.test>; age=1");
    /* late, too: it was judged when it came */
    mail.days = 60;
    r = decide(conf, p, &mail, &plan);
    assert_string_equal(r->bounce, "sender=<info@srs.test>; age=60");
    assert_string_equal(action(&plan, WB_DELETE_HEADER), "X-Waybill-Bounce");
    assert_string_equal(action(&plan, WB_ADD_HEADER), r->bounce);
    /* a mark that nobody in front of the queue set, or another one's */
    mail.days = 0;
    mail.headers[0] = NULL;
    r = decide(conf, p, &mail, &plan);
    assert_int_equal(r->class, WB_CLASS_OUTBOUND);
    assert_null(r->bounce);
    mail.headers[0] = "X-Waybill-Bounce: sender=<boss@srs.test>; age=0";
    assert_null(decide(conf, p, &mail, &plan)->bounce);
    /* an original recipient that nobody signed */
    mail.headers[0] = "X-Waybill-Bounce: sender=<info@srs.test>; age=0";
    mail.orcpt = "rfc822;info@signed.example.com";
    assert_null(decide(conf, p, &mail, &plan)->bounce);
    mail.orcpt = "utf-8;x";
    assert_null(decide(conf, p, &mail, &plan)->bounce);
    mail.orcpt = "rfc822;+0";
    assert_null(decide(conf, p, &mail, &plan)->bounce);
    /* elsewhere nothing is known again */
    mail.orcpt = orcpt;
    mail.listener = "smtp";
    r = decide(conf, p, &mail, &plan);
    assert_null(r->bounce);
    assert_string_equal(action(&plan, WB_DELETE_HEADER), "X-Waybill-Bounce");
    assert_non_null(back);
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* Where a return address does not tell the sender there is no mark. */
static void the_loopback_listener_knows_the_one_address(void **state)
{
    struct wb_conf *conf =
        load("deliver = address  address = \"bounces@example.com\"",
             "after_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    struct mail mail = {.to = "bounces@example.com",
                        .orcpt = "rfc822;postmaster@signed.example.com",
                        .listener = WB_LOOPBACK_LISTENER};
    struct wb_plan plan;
    const struct wb_recipient_plan *r = decide(conf, p, &mail, &plan);

    (void)state;
    assert_int_equal(r->class, WB_CLASS_BOUNCE);
    assert_null(r->rewritten);
    mail.to = "other@example.com";
    assert_int_equal(decide(conf, p, &mail, &plan)->class, WB_CLASS_OUTBOUND);
    wb_pool_free(p);
    wb_conf_unref(conf);
}

static void the_front_decides_its_part_only(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender  replies = webhook  webhook = crm",
             "after_queue", WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    const char *back = sent_as(conf, p, "info@srs.test");
    const struct mail outbound = {.sender = "info@example.com",
                                  .to = "a@remote.test",
                                  .headers = {"X-Waybill-Route: forged"}},
                      reply = {.sender = "yuki@docomo.ne.jp", .to = back},
                      inbound = {.sender = "x@remote.test",
                                 .to = "info@in.example.com"},
                      unmatched = {.sender = "x@remote.test",
                                   .to = "else@in.example.com"},
                      forged = {.to = "SRS0=aaaa=aa=srs.test=info"
                                      "@signed.example.com"},
                      suffix = {.to = "a@x.waybill.invalid"};
    struct wb_plan plan;

    (void)state;
    assert_string_equal(goes_to(conf, p, &outbound), "");
    decide(conf, p, &outbound, &plan);
    assert_int_equal(plan.action_count, 1);
    assert_string_equal(action(&plan, WB_DELETE_HEADER), "X-Waybill-Route");
    assert_null(plan.sender_to);
    /* webhooks are marked behind the queue */
    assert_string_equal(goes_to(conf, p, &reply), "");
    assert_string_equal(goes_to(conf, p, &inbound), "");
    assert_string_equal(goes_to(conf, p, &unmatched), "550 5.1.1");
    assert_string_equal(early(conf, p, &unmatched), "550 5.1.1");
    assert_string_equal(early(conf, p, &forged), "550 5.7.1");
    assert_string_equal(goes_to(conf, p, &forged), "550 5.7.1");
    assert_string_equal(early(conf, p, &suffix), "550 5.1.2");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* ---- bounces that the MTA makes itself ---- */

static void own_bounces_are_never_refused(void **state)
{
    static const char *const attach[] = {"before_queue", "after_queue"};

    (void)state;
    for (size_t i = 0; i < COUNT(attach); i++) {
        struct wb_conf *conf =
            load("deliver = sender", attach[i], WB_USE_DAEMON);
        struct wb_pool *p = wb_pool_new(0);
        struct mail mail = {.to = sent_as(conf, p, "info@srs.test"),
                            .listener = WB_BOUNCE_LISTENER,
                            .headers = {DSN}};
        struct wb_plan plan;

        assert_string_equal(goes_to(conf, p, &mail), "info@srs.test");
        mail.to = "SRS0=aaaa=aa=srs.test=info@signed.example.com";
        assert_string_equal(early(conf, p, &mail), "");
        assert_string_equal(goes_to(conf, p, &mail), "");
        assert_int_equal(decide(conf, p, &mail, &plan)->class, WB_CLASS_BOUNCE);
        assert_int_equal(plan.action_count, 0);
        mail.to = "else@in.example.com";
        assert_string_equal(goes_to(conf, p, &mail), "");
        mail.to = "info@in.example.com";
        assert_string_equal(goes_to(conf, p, &mail), "crm");
        mail.to = "a@remote.test";
        assert_string_equal(goes_to(conf, p, &mail), "");
        mail.to = "a@remote.test.bulk.aaaaaaaa.waybill.invalid";
        assert_string_equal(early(conf, p, &mail), "");
        assert_string_equal(goes_to(conf, p, &mail), "");
        wb_pool_free(p);
        wb_conf_unref(conf);
    }
}

static void memory_bound_is_an_error(void **state)
{
    struct wb_conf *conf =
        load("deliver = sender", "after_queue", WB_USE_DAEMON);
    struct wb_pool *facts = wb_pool_new(0);
    struct mail mail = {.to = sent_as(conf, facts, "info@srs.test"),
                        .headers = {DSN}};

    (void)state;
    for (int home = 0; home < 2; home++)
        for (size_t bound = 64; bound < 65536; bound += bound / 4) {
            struct wb_pool *p = wb_pool_new(bound);
            struct wb_envelope env;
            struct wb_plan plan;
            int rc;

            build(facts, &mail, &env);
            if (home == 1) {
                env.listener = WB_LOOPBACK_LISTENER;
                ((struct wb_recipient *)env.recipients)->orcpt = wb_pool_printf(
                    facts, "rfc822;%s", wb_xtext_encode(facts, mail.to));
                wb_address_parse(
                    facts, "news@mx.test",
                    &((struct wb_recipient *)env.recipients)->address, NULL);
            }
            rc = wb_plan_make(conf, &env, p, false, &plan, NULL);
            assert_true(rc == EX_OK || rc == EX_OSERR);
            assert_true(rc == EX_OK || bound < 65536 / 2);
            assert_true(rc == EX_OSERR || plan.decision == WB_ACCEPT);
            wb_pool_free(p);
        }
    wb_pool_free(facts);
    wb_conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loopback_listener_knows_what_came_home),
        cmocka_unit_test(the_loopback_listener_knows_the_one_address),
        cmocka_unit_test(the_front_decides_its_part_only),
        cmocka_unit_test(own_bounces_are_never_refused),
        cmocka_unit_test(memory_bound_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
