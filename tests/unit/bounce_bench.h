/* What the tests of mail to return addresses share: configurations that
 * differ in their bounces section, and messages. */
#ifndef WB_TESTS_BOUNCE_BENCH_H
#define WB_TESTS_BOUNCE_BENCH_H

#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plan/plan.h"

#define DSN "Content-Type: multipart/report; report-type=delivery-status"
#define KEY "0123456789abcdef0123456789abcdef\n"

enum { DAY_S = 86400, NOW_S = 20000 * DAY_S, MOST = 4 };

/* Everything but the bounces section and attach. */
static const char rest[] =
    "secret_file = \"secret\"\n"
    "user = \"\"\n"
    "route bulk { host = \"smtp.bulk.test\" }\n"
    "rule everything { route = bulk }\n"
    "return_path moved { senders = { \"example.com\" }"
    "  domain = \"return.example.com\" }\n"
    "return_path each { senders = { \".example.net\" }"
    "  domain = \"back.%d\" }\n"
    "return_path srs { senders = { \"srs.test\", \"in.example.com\" }"
    "  mode = srs  domain = \"signed.example.com\"  max_age = \"7d\" }\n"
    "return_path verp { senders = { \"verp.test\" }  mode = verp"
    "  domain = \"signed.example.com\" }\n"
    "return_path batv { senders = { \"info@batv.test\", \"batv.test\" }"
    "  mode = batv  domain = \"tagged.example.com\" }\n"
    "webhook crm { url = \"https://app.example.com/hook\" }\n"
    "inbound form { domains = { \"in.example.com\" }  match = '^info@'"
    "  match_on = envelope  webhook = crm }\n";

#define DOMAINS                                                                \
    "domains = { \"return.example.com\", \"back.shop.example.net\","           \
    " \"back.in.example.com\", \"signed.example.com\","                        \
    " \"tagged.example.com\" }"

static char folder[] = "/tmp/waybill-bounce-XXXXXX";

static inline void write_text(const char *name, const char *text,
                              const char *more)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "%s%s", text, more);
    fclose(out);
    assert_int_equal(chmod(path, 0600), 0);
}

/* A configuration with this bounces section. */
static inline struct wb_conf *load(const char *bounces, const char *attach,
                                   enum wb_conf_use use)
{
    struct wb_problems problems = {0};
    struct wb_conf *conf = NULL;
    char more[1024], path[128];

    snprintf(more, sizeof more, "attach = %s\nbounces { " DOMAINS " %s }\n",
             attach, bounces);
    write_text("waybill.conf", rest, more);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    wb_conf_load(path, use, &conf, &problems);
    wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    assert_non_null(conf);
    return conf;
}

static inline int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    write_text("secret", KEY, "");
    return 0;
}

static inline int remove_folder(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/secret", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    unlink(path);
    return rmdir(folder);
}

/* A message, from a stranger unless listener says otherwise. */
struct mail {
    const char *sender; /* NULL: null */
    const char *to;
    const char *orcpt;
    const char *listener;
    const char *headers[MOST]; /* "Name: value" */
    int days;                  /* after NOW_S */
};

static inline void build(struct wb_pool *p, const struct mail *mail,
                         struct wb_envelope *env)
{
    struct wb_recipient *to = wb_pool_alloc(p, sizeof *to);
    struct wb_header *headers = wb_pool_array(p, MOST, sizeof *headers);

    *env = (struct wb_envelope){.client = "203.0.113.5",
                                .listener = mail->listener,
                                .now_s = NOW_S + (int64_t)mail->days * DAY_S,
                                .recipients = to,
                                .recipient_count = 1,
                                .headers = headers};
    to->given = mail->to;
    to->mailer = "smtp";
    to->orcpt = mail->orcpt;
    assert_int_equal(wb_address_parse(p, mail->to, &to->address, NULL), EX_OK);
    assert_int_equal(wb_address_parse(p, mail->sender ? mail->sender : "<>",
                                      &env->sender, NULL),
                     EX_OK);
    for (size_t i = 0; i < MOST && mail->headers[i] != NULL; i++) {
        const char *colon = strchr(mail->headers[i], ':');

        headers[i].name = wb_pool_strndup(p, mail->headers[i],
                                          (size_t)(colon - mail->headers[i]));
        headers[i].value = colon + 2;
        env->header_count++;
    }
}

static inline const struct wb_recipient_plan *decide(const struct wb_conf *conf,
                                                     struct wb_pool *p,
                                                     const struct mail *mail,
                                                     struct wb_plan *plan)
{
    struct wb_envelope *env = wb_pool_alloc(p, sizeof *env);

    build(p, mail, env);
    assert_int_equal(wb_plan_make(conf, env, p, false, plan, NULL), EX_OK);
    return &plan->recipients[0];
}

/* Where it goes: an address, "crm", "" for as it is, or "550 5.7.1". */
static inline const char *goes_to(const struct wb_conf *conf, struct wb_pool *p,
                                  const struct mail *mail)
{
    struct wb_plan plan;
    const struct wb_recipient_plan *r = decide(conf, p, mail, &plan);

    if (plan.decision != WB_ACCEPT)
        return wb_pool_printf(p, "%s %s", plan.reply.code, plan.reply.enhanced);
    if (r->webhook != NULL)
        return r->webhook->name;
    return r->rewritten != NULL ? r->rewritten : "";
}

/* What is told at RCPT; "" for nothing. */
static inline const char *early(const struct wb_conf *conf, struct wb_pool *p,
                                const struct mail *mail)
{
    struct wb_envelope env;
    struct wb_reply reply;
    enum wb_decision decision;

    build(p, mail, &env);
    assert_int_equal(wb_plan_recipient_early(conf, &env, &env.recipients[0], p,
                                             &decision, &reply, NULL),
                     EX_OK);
    return decision == WB_ACCEPT
               ? ""
               : wb_pool_printf(p, "%s %s", reply.code, reply.enhanced);
}

/* The return address of a sender. */
static inline const char *sent_as(const struct wb_conf *conf, struct wb_pool *p,
                                  const char *sender)
{
    const struct mail mail = {.sender = sender,
                              .to = "yuki@docomo.ne.jp",
                              .listener = "waybill-loopback"};
    struct wb_plan plan;

    decide(conf, p, &mail, &plan);
    assert_int_equal(plan.decision, WB_ACCEPT);
    assert_non_null(plan.sender_to);
    return plan.sender_to;
}

static inline const char *action(const struct wb_plan *plan,
                                 enum wb_action_kind kind)
{
    for (size_t i = 0; i < plan->action_count; i++)
        if (plan->actions[i].kind == kind)
            return plan->actions[i].extra != NULL ? plan->actions[i].extra
                                                  : plan->actions[i].text;
    return NULL;
}

#endif
