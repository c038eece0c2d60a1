#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plan/plan.h"

/* One configuration for most rows; the key makes the label and the MACs. */
static const char configuration[] =
    "secret_file = \"secret\"\n"
    "user = \"\"\n"
    "relayhosts = { \"[192.0.2.25]:587\" }\n"
    "networks = { \"127.0.0.0/8\", \"198.51.100.0/24\" }\n"
    "listener relay { class = outbound }\n"
    "listener mx { class = inbound }\n"
    "webhook crm { url = \"https://app.example.com/hook\" }\n"
    "webhook erp { url = \"https://erp.example.com/hook\" }\n"
    "route docomo { host = \"smtp.docomo.test\" }\n"
    "route bulk { host = \"smtp.bulk.test\" }\n"
    "route news { host = \"smtp.news.test\" }\n"
    "route kept { host = \"smtp.kept.test\"  return_path = keep }\n"
    "route small { host = \"smtp.small.test\"  max_size_kb = 2 }\n"
    "rule mobile { priority = 10  recipients = { \"docomo.ne.jp\" }"
    "  route = docomo }\n"
    "rule welcome { priority = 20  header = { \"X-Scenario\", '^welcome' }"
    "  route = news }\n"
    "rule login { priority = 20  logins = { \"shop\" }  route = news }\n"
    "rule host { priority = 20  clients = { \"198.51.100.9\" }  route = news "
    "}\n"
    "rule door { priority = 20  listeners = { \"relay\" }  route = news }\n"
    "rule kept { priority = 30  recipients = { \"kept.test\" }  route = kept "
    "}\n"
    "rule exact { priority = 50  recipients = { \"vip@wide.test\" }"
    "  route = news }\n"
    "rule wide { priority = 50  recipients = { \"wide.test\" }"
    "  route = docomo }\n"
    "rule small { priority = 50  recipients = { \"small.test\" }"
    "  route = small }\n"
    "rule plain { priority = 60  recipients = { \"plain.test\" }"
    "  route = direct }\n"
    "rule everything { priority = 100  senders = { \"example.com\" }"
    "  route = bulk }\n"
    "return_path main { senders = { \"example.com\" }"
    "  domain = \"return.example.com\" }\n"
    "return_path others { senders = { \".example.net\" }"
    "  domain = \"return.%d\" }\n"
    "return_path srs { senders = { \"srs.test\" }  mode = srs"
    "  domain = \"signed.example.com\"  max_age = \"7d\" }\n"
    "return_path verp { senders = { \"verp.test\" }  mode = verp"
    "  domain = \"signed.example.com\" }\n"
    "return_path batv { senders = { \".batv.test\" }  mode = batv"
    "  domain = \"b.%d\" }\n"
    "return_path long { senders = { \"long.test\" }  mode = srs"
    "  domain = \"signed.example.com\"  overflow = plain }\n"
    "inbound mailform { domains = { \"mailform.example.com\" }"
    "  match = 'info@mailform\\.example\\.com'  webhook = crm }\n"
    "inbound orders { domains = { \"mailform.example.com\" }"
    "  match = 'order@mailform\\.example\\.com'  webhook = erp }\n"
    "inbound quiet { domains = { \"quiet.example.com\" }"
    "  match = '^log@'  match_on = envelope  webhook = crm }\n"
    "inbound both { domains = { \"both.example.com\" }"
    "  match = '^a@'  match_on = either  webhook = crm }\n"
    "bounces { domains = { \"return.example.com\", \"signed.example.com\","
    " \"b.shop.batv.test\" }  webhook = crm }\n";

#define KEY "0123456789abcdef0123456789abcdef\n"

static char folder[] = "/tmp/waybill-plan-XXXXXX";
static struct wb_conf *conf;

static void write_text(const char *name, const char *text)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(chmod(path, 0600), 0);
}

static int load(void **state)
{
    struct wb_problems problems = {0};
    char path[128];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    write_text("secret", KEY);
    write_text("waybill.conf", configuration);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    wb_conf_load(path, WB_USE_DAEMON, &conf, &problems);
    wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    return conf == NULL ? -1 : 0;
}

static int unload(void **state)
{
    char path[128];

    (void)state;
    wb_conf_unref(conf);
    snprintf(path, sizeof path, "%s/secret", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    unlink(path);
    return rmdir(folder);
}

enum { MOST = 4, DAY_S = 86400, NOW_S = 20000 * DAY_S };

/* A message and what must be decided for it. Strings that are not given stand
 * for: example.com's info as sender, client 127.0.0.1, mailer smtp. */
struct row {
    const char *why;
    const char *sender;
    const char *recipients[MOST];
    const char *mailer;
    const char *host;
    const char *resolved; /* what the MTA reads all addresses as */
    const char *login;
    const char *client;
    const char *listener;
    const char *headers[MOST]; /* "Name: value" */
    int days;                  /* how much later than NOW_S it comes */
    enum wb_decision decision;
    const char *reply; /* "550 5.1.1" */
    enum wb_class class[MOST];
    const char *rule[MOST];
    const char *route[MOST];
    const char *webhook[MOST];
    const char *filter[MOST];
    const char *sender_to; /* NULL: stays */
};

static const struct row rows[] = {
    {.why = "by recipient domain, sender moved",
     .recipients = {"a@docomo.ne.jp"},
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "info@return.example.com"},
    {.why = "two routes in one message",
     .recipients = {"a@docomo.ne.jp", "b@other.test"},
     .rule = {"mobile", "everything"},
     .route = {"docomo", "bulk"},
     .sender_to = "info@return.example.com"},
    {.why = "no rule: direct, and no return path for this sender",
     .sender = "x@else.test",
     .recipients = {"b@other.test"},
     .route = {"direct"}},
    {.why = "header criterion",
     .recipients = {"b@other.test"},
     .headers = {"x-scenario: Welcome back"},
     .rule = {"welcome"},
     .route = {"news"},
     .sender_to = "info@return.example.com"},
    {.why = "header criterion, encoded and folded",
     .recipients = {"b@other.test"},
     .headers = {"X-Scenario: =?utf-8?q?wel?=\r\n =?utf-8?q?come?="},
     .rule = {"welcome"},
     .route = {"news"},
     .sender_to = "info@return.example.com"},
    {.why = "login criterion, client from anywhere",
     .recipients = {"b@other.test"},
     .login = "SHOP",
     .client = "203.0.113.5",
     .rule = {"login"},
     .route = {"news"},
     .sender_to = "info@return.example.com"},
    {.why = "client criterion",
     .recipients = {"b@other.test"},
     .client = "198.51.100.9",
     .rule = {"host"},
     .route = {"news"},
     .sender_to = "info@return.example.com"},
    {.why = "listener criterion; an outbound listener's clients are own",
     .recipients = {"b@other.test"},
     .client = "203.0.113.5",
     .listener = "relay",
     .rule = {"door"},
     .route = {"news"},
     .sender_to = "info@return.example.com"},
    {.why = "full address before domain",
     .recipients = {"vip@wide.test", "x@wide.test"},
     .rule = {"exact", "wide"},
     .route = {"news", "docomo"},
     .sender_to = "info@return.example.com"},
    {.why = "a rule may choose direct",
     .recipients = {"x@plain.test"},
     .rule = {"plain"},
     .route = {"direct"},
     .sender_to = "info@return.example.com"},
    {.why = "a route that keeps the sender",
     .recipients = {"x@kept.test"},
     .rule = {"kept"},
     .route = {"kept"}},
    {.why = "recipients that need different senders: see test_again.c",
     .recipients = {"x@kept.test", "a@docomo.ne.jp"},
     .rule = {"kept", "mobile"},
     .route = {"kept", "docomo"}},
    {.why = "return path below the sender's own domain",
     .sender = "News@shop.example.net",
     .recipients = {"a@docomo.ne.jp"},
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "News@return.shop.example.net"},
    {.why = "already in a fixed return domain",
     .sender = "info@return.example.com",
     .recipients = {"a@docomo.ne.jp"},
     .rule = {"mobile"},
     .route = {"docomo"}},
    {.why = "already in a return domain with %d",
     .sender = "info@return.shop.example.net",
     .recipients = {"a@docomo.ne.jp"},
     .rule = {"mobile"},
     .route = {"docomo"}},
    {.why = "null sender stays null",
     .sender = "<>",
     .recipients = {"a@docomo.ne.jp"},
     .rule = {"mobile"},
     .route = {"docomo"}},
    {.why = "quoted local part moves as it is",
     .sender = "<\"in fo\"@example.com>",
     .recipients = {"a@docomo.ne.jp"},
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "\"in fo\"@return.example.com"},
    {.why = "not our client: left to the MTA",
     .recipients = {"a@docomo.ne.jp"},
     .client = "203.0.113.5",
     .class = {WB_CLASS_OTHER}},
    {.why = "not our client: no macro needed",
     .recipients = {"a@docomo.ne.jp"},
     .client = "203.0.113.5",
     .mailer = "",
     .class = {WB_CLASS_OTHER}},
    {.why = "an inbound listener trusts no network",
     .recipients = {"a@docomo.ne.jp"},
     .listener = "mx",
     .class = {WB_CLASS_OTHER}},
    {.why = "an inbound listener trusts a login",
     .recipients = {"a@docomo.ne.jp"},
     .listener = "mx",
     .login = "x",
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "info@return.example.com"},
    {.why = "the MTA's own loopback listener",
     .recipients = {"a@docomo.ne.jp"},
     .client = "203.0.113.5",
     .listener = WB_LOOPBACK_LISTENER,
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "info@return.example.com"},
    {.why = "local recipients stay",
     .recipients = {"bob@here.test"},
     .mailer = "local",
     .class = {WB_CLASS_LOCAL}},
    {.why = "virtual recipients stay",
     .recipients = {"bob@here.test"},
     .mailer = "virtual",
     .class = {WB_CLASS_LOCAL}},
    {.why = "a gateway's relay domains stay",
     .recipients = {"bob@here.test"},
     .mailer = "relay",
     .class = {WB_CLASS_OTHER}},
    {.why = "alias domains stay",
     .recipients = {"bob@here.test"},
     .mailer = "error",
     .class = {WB_CLASS_OTHER}},
    {.why = "bare postmaster stays",
     .recipients = {"postmaster"},
     .class = {WB_CLASS_LOCAL}},
    {.why = "missing macro: cannot decide",
     .recipients = {"a@docomo.ne.jp"},
     .mailer = "",
     .decision = WB_TEMPFAIL,
     .reply = "451 4.3.5",
     .class = {WB_CLASS_OTHER}},
    {.why = "the relayhost is no transport entry",
     .recipients = {"b@other.test"},
     .host = "[192.0.2.25]:587",
     .rule = {"everything"},
     .route = {"bulk"},
     .sender_to = "info@return.example.com"},
    {.why = "the domain itself is no transport entry",
     .recipients = {"b@Other.test"},
     .host = "other.test",
     .rule = {"everything"},
     .route = {"bulk"},
     .sender_to = "info@return.example.com"},
    {.why = "a transport entry outranks *",
     .recipients = {"b@other.test"},
     .host = "[192.0.2.99]",
     .route = {"direct"},
     .sender_to = "info@return.example.com"},
    {.why = "but not a rule that names the domain",
     .recipients = {"a@docomo.ne.jp"},
     .host = "[192.0.2.99]",
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "info@return.example.com"},
    {.why = "the seed's inbound example",
     .sender = "c@client.test",
     .recipients = {"info@mailform.example.com"},
     .client = "203.0.113.5",
     .mailer = "relay",
     .headers = {"To: \"Info\" <info@mailform.example.com>"},
     .class = {WB_CLASS_INBOUND},
     .webhook = {"crm"},
     .filter = {"mailform"}},
    {.why = "two recipients, two webhooks, one To",
     .sender = "c@client.test",
     .recipients = {"order@mailform.example.com", "info@mailform.example.com"},
     .client = "203.0.113.5",
     .headers = {"To: info@mailform.example.com, order@mailform.example.com"},
     .class = {WB_CLASS_INBOUND, WB_CLASS_INBOUND},
     .webhook = {"erp", "crm"},
     .filter = {"orders", "mailform"}},
    {.why = "match_on header: a Bcc does not stand in To",
     .sender = "c@client.test",
     .recipients = {"info@mailform.example.com"},
     .client = "203.0.113.5",
     .headers = {"To: someone@client.test"},
     .decision = WB_REJECT,
     .reply = "550 5.1.1",
     .class = {WB_CLASS_INBOUND}},
    {.why = "match_on envelope needs no header",
     .sender = "c@client.test",
     .recipients = {"log@quiet.example.com"},
     .client = "203.0.113.5",
     .class = {WB_CLASS_INBOUND},
     .webhook = {"crm"},
     .filter = {"quiet"}},
    {.why = "match_on either: by envelope",
     .sender = "c@client.test",
     .recipients = {"a@both.example.com"},
     .client = "203.0.113.5",
     .headers = {"To: undisclosed:;"},
     .class = {WB_CLASS_INBOUND},
     .webhook = {"crm"},
     .filter = {"both"}},
    {.why = "match_on either: by an address of the header",
     .sender = "c@client.test",
     .recipients = {"b@both.example.com"},
     .client = "203.0.113.5",
     .headers = {"To: \"x\" <a@both.example.com>"},
     .decision = WB_REJECT, /* "^a@" is not the whole of the address */
     .reply = "550 5.1.1",
     .class = {WB_CLASS_INBOUND}},
    {.why = "mail to the bounce domain",
     .sender = "<>",
     .recipients = {"info@return.example.com"},
     .client = "203.0.113.5",
     .class = {WB_CLASS_BOUNCE},
     .webhook = {"crm"},
     .filter = {"bounces"}},
    {.why = "a suffix from outside",
     .recipients = {"a@docomo.ne.jp.docomo.aaaaaaaa.waybill.invalid"},
     .decision = WB_REJECT,
     .reply = "550 5.1.2",
     .class = {WB_CLASS_OTHER}},
    {.why = "the bare suffix, upper case",
     .recipients = {"a@WAYBILL.INVALID"},
     .decision = WB_REJECT,
     .reply = "550 5.1.2",
     .class = {WB_CLASS_OTHER}},
    {.why = "a sender with a suffix: its bounces would be routed",
     .sender = "a@b.test.docomo.aaaaaaaa.waybill.invalid",
     .recipients = {"c@docomo.ne.jp"},
     .decision = WB_REJECT,
     .reply = "553 5.1.7",
     .rule = {"mobile"},
     .route = {"docomo"}},
    {.why = "a suffix hidden in a quoted local part",
     .recipients = {"\"a@b.test.docomo.aaaaaaaa.waybill.invalid\"@example.com"},
     .mailer = "waybill",
     .decision = WB_REJECT,
     .reply = "550 5.1.2",
     .class = {WB_CLASS_OTHER}},
    {.why = "an address that looks as if it were carried whole",
     .recipients = {"\"u@docomo.ne.jp\"@x"},
     .decision = WB_REJECT,
     .reply = "553 5.1.3",
     .rule = {"everything"},
     .route = {"bulk"}},
    {.why = "quotes that no table could undo",
     .recipients = {"\"a b\"@[192.0.2.1]"},
     .decision = WB_REJECT,
     .reply = "553 5.1.3",
     .rule = {"everything"},
     .route = {"bulk"}},
    {.why = "the same from the MTA itself: no MAC of a hook would be read",
     .recipients = {"a%b.test.crm.x.aaaa.hook.aaaaaaaa.Waybill.Invalid@x.test"},
     .mailer = "waybill",
     .listener = "waybill-loopback",
     .decision = WB_REJECT,
     .reply = "550 5.1.2",
     .class = {WB_CLASS_OTHER}},
    {.why = "a hidden suffix without a domain",
     .recipients = {"\"a@b.test.docomo.aaaaaaaa.waybill.invalid\""},
     .listener = "waybill-loopback",
     .decision = WB_REJECT,
     .reply = "550 5.1.2",
     .class = {WB_CLASS_OTHER}},
    {.why = "one that only the MTA finds",
     .recipients = {"b.test.docomo.aaaaaaaa.waybill.invalid!a@example.com"},
     .resolved = "a@b.test.docomo.aaaaaaaa.waybill.invalid",
     .decision = WB_REJECT,
     .reply = "553 5.1.7",
     .class = {WB_CLASS_OTHER}},
    {.why = "a sender with a hidden suffix",
     .sender = "a%b.test.docomo.aaaaaaaa.waybill.invalid@else.test",
     .recipients = {"c@docomo.ne.jp"},
     .decision = WB_REJECT,
     .reply = "553 5.1.7",
     .rule = {"mobile"},
     .route = {"docomo"}},
    {.why = "a local part that only looks like one",
     .recipients = {"waybill.invalid.x@docomo.ne.jp"},
     .resolved = "x@notwaybill.invalid",
     .rule = {"mobile"},
     .route = {"docomo"},
     .sender_to = "info@return.example.com"},
};

/* The message of a row, built in p. */
static void build(const struct row *row, struct wb_pool *p,
                  struct wb_envelope *env)
{
    struct wb_recipient *to = wb_pool_array(p, MOST, sizeof to[0]);
    struct wb_header *headers = wb_pool_array(p, MOST, sizeof headers[0]);
    struct wb_err err;

    *env = (struct wb_envelope){
        .now_s = NOW_S + row->days * DAY_S,
        .sender_resolved = row->resolved,
        .login = row->login,
        .client = row->client != NULL ? row->client : "127.0.0.1",
        .listener = row->listener,
        .recipients = to,
        .headers = headers,
    };
    ROW_TRUE(row, wb_address_parse(
                      p, row->sender != NULL ? row->sender : "info@example.com",
                      &env->sender, &err) == EX_OK);
    for (size_t i = 0; i < MOST && row->recipients[i] != NULL; i++) {
        to[i].given = row->recipients[i];
        to[i].mailer = row->mailer != NULL ? row->mailer : "smtp";
        to[i].host = row->host;
        to[i].resolved = row->resolved;
        ROW_TRUE(row, wb_address_parse(p, to[i].given, &to[i].address, &err) ==
                          EX_OK);
        env->recipient_count++;
    }
    for (size_t i = 0; i < MOST && row->headers[i] != NULL; i++) {
        const char *colon = strchr(row->headers[i], ':');

        headers[i].name = wb_pool_strndup(p, row->headers[i],
                                          (size_t)(colon - row->headers[i]));
        headers[i].value = colon + 2;
        env->header_count++;
    }
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_recipient(const struct row *row, size_t i,
                            const struct wb_recipient_plan *r)
{
    bool accepted = row->decision == WB_ACCEPT;
    bool suffixed =
        r->webhook != NULL || (r->route != NULL && !r->route->is_direct);

    ROW_TRUE(row, r->class == row->class[i]);
    ROW_TRUE(row, same(r->rule ? r->rule->name : NULL, row->rule[i]));
    ROW_TRUE(row, same(r->route ? r->route->name : NULL, row->route[i]));
    ROW_TRUE(row, same(r->webhook ? r->webhook->name : NULL, row->webhook[i]));
    ROW_TRUE(row, same(r->filter, row->filter[i]));
    if (accepted)
        ROW_TRUE(row, (r->rewritten != NULL) == suffixed);
}

static void decisions_are_as_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct wb_pool *p = wb_pool_new(0);
        struct wb_envelope env;
        struct wb_plan plan;
        struct wb_err err;
        char reply[64] = "";

        build(row, p, &env);
        ROW_TRUE(row, wb_plan_make(conf, &env, p, false, &plan, &err) == EX_OK);
        if (plan.decision != WB_ACCEPT)
            snprintf(reply, sizeof reply, "%s %s", plan.reply.code,
                     plan.reply.enhanced);
        ROW_TRUE(row, plan.decision == row->decision);
        ROW_TRUE(row, strcmp(reply, row->reply ? row->reply : "") == 0);
        ROW_TRUE(row, same(plan.sender_to, row->sender_to));
        ROW_TRUE(row, plan.decision == WB_ACCEPT || plan.action_count == 0);
        for (size_t k = 0; k < env.recipient_count; k++)
            check_recipient(row, k, &plan.recipients[k]);
        wb_pool_free(p);
    }
}

static void plan_row(const struct row *row, struct wb_pool *p,
                     struct wb_plan *plan, bool want_losses)
{
    struct wb_envelope *env = wb_pool_alloc(p, sizeof *env);
    struct wb_err err;

    build(row, p, env);
    assert_int_equal(wb_plan_make(conf, env, p, want_losses, plan, &err),
                     EX_OK);
}

static void actions_are_in_order(void **state)
{
    const struct row row = {
        .why = "all kinds of actions",
        .recipients = {"A+b@Docomo.ne.jp", "x@plain.test"},
        .headers = {"X-WAYBILL-route: forged", "Subject: x",
                    "X-Waybill-Webhook: forged", "x-waybill-route: again"},
    };
    const char *label = conf->secret.keys[0].label;
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;
    char added[128];

    (void)state;
    snprintf(added, sizeof added,
             "<A+b@Docomo.ne.jp.docomo.%s.waybill.invalid>", label);
    plan_row(&row, p, &plan, false);
    assert_int_equal(plan.action_count, 7);
    assert_int_equal(plan.actions[0].kind, WB_DELETE_HEADER);
    assert_int_equal(plan.actions[0].index, 2);
    assert_int_equal(plan.actions[1].index, 1);
    assert_string_equal(plan.actions[1].text, "X-Waybill-Webhook");
    assert_int_equal(plan.actions[2].index, 1);
    assert_int_equal(plan.actions[3].kind, WB_ADD_HEADER);
    assert_string_equal(plan.actions[3].text, "X-Waybill-Route");
    assert_string_equal(plan.actions[3].extra, "docomo, direct");
    assert_int_equal(plan.actions[4].kind, WB_CHANGE_SENDER);
    assert_string_equal(plan.actions[4].text, "<info@return.example.com>");
    assert_int_equal(plan.actions[5].kind, WB_DELETE_RECIPIENT);
    assert_string_equal(plan.actions[5].text, "A+b@Docomo.ne.jp");
    assert_int_equal(plan.actions[6].kind, WB_ADD_RECIPIENT);
    assert_string_equal(plan.actions[6].text, added);
    assert_string_equal(plan.actions[6].extra,
                        "ORCPT=rfc822;A+2Bb@Docomo.ne.jp");
    wb_pool_free(p);
}

/* A suffix must always give the recipient back. */
static void suffixes_carry_any_address(void **state)
{
    static const struct {
        const char *why;
        const char *recipient;
        const char *before; /* "LABEL" stands for the label */
    } suffixes[] = {
        {"plain", "a@b.test", "a@b.test.bulk.LABEL.waybill.invalid"},
        {"quoted", "<\"a b\"@b.test>",
         "\"a b\"@b.test.bulk.LABEL.waybill.invalid"},
        {"literal", "<a@[192.0.2.1]>",
         "\"a@[192.0.2.1]\"@x.bulk.LABEL.waybill.invalid"},
        {"quoted and literal", "<\"a\\\"b\"@[192.0.2.1]>",
         "\"\\\"a\\\\\\\"b\\\"@[192.0.2.1]\"@x.bulk.LABEL.waybill.invalid"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        const struct row row = {.why = suffixes[i].why,
                                .recipients = {suffixes[i].recipient}};
        const char *at = strstr(suffixes[i].before, "LABEL");
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan plan;
        char expected[256];

        snprintf(expected, sizeof expected, "%.*s%s%s",
                 (int)(at - suffixes[i].before), suffixes[i].before,
                 conf->secret.keys[0].label, at + strlen("LABEL"));
        plan_row(&row, p, &plan, false);
        assert_string_equal(plan.recipients[0].rewritten, expected);
        wb_pool_free(p);
    }
}

static void long_domains_are_carried_whole(void **state)
{
    struct row row = {.why = "a long domain"};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;
    char recipient[256] = "a@";

    (void)state;
    for (int i = 0; i < 4; i++)
        strcat(recipient, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxy"
                          "zabcde.");
    strcat(recipient, "test");
    row.recipients[0] = recipient;
    plan_row(&row, p, &plan, false);
    assert_int_equal(strncmp(plan.recipients[0].rewritten, "\"a@abc", 6), 0);
    assert_non_null(strstr(plan.recipients[0].rewritten, "\"@x.bulk."));
    wb_pool_free(p);
}

/* Mail that the MTA requeues passes the loopback listener once more: what was
 * decided stands. */
static void own_suffixes_pass_the_loopback_listener(void **state)
{
    static const char *const recipients[] = {
        "a@docomo.ne.jp", "<a@[192.0.2.1]>", "Info@mailform.example.com",
        "<\"x y\"@return.example.com>"};

    (void)state;
    for (size_t i = 0; i < COUNT(recipients); i++) {
        struct row row = {.why = recipients[i],
                          .sender = "news@shop.test",
                          .recipients = {recipients[i]},
                          .headers = {"To: info@mailform.example.com"}};
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan first, second, outside;

        /* a sender of no rule but this, for the literal; a bounce's is null */
        if (i == 1)
            row.sender = NULL;
        if (i == 3)
            row.sender = "<>";
        plan_row(&row, p, &first, false);
        assert_non_null(first.recipients[0].rewritten);
        row.recipients[0] = first.recipients[0].rewritten;
        plan_row(&row, p, &outside, false);
        assert_int_equal(outside.decision, WB_REJECT);
        row.listener = WB_LOOPBACK_LISTENER;
        plan_row(&row, p, &second, false);
        ROW_TRUE(&row, second.decision == WB_ACCEPT);
        ROW_TRUE(&row, second.recipients[0].rewritten == NULL);
        ROW_TRUE(&row, second.recipients[0].class == first.recipients[0].class);
        ROW_TRUE(&row, second.recipients[0].route == first.recipients[0].route);
        ROW_TRUE(&row,
                 second.recipients[0].webhook == first.recipients[0].webhook);
        ROW_TRUE(&row, second.sender_to == NULL);
        /* the tag or the webhook's mark, and the bounce's */
        assert_int_equal(second.action_count, i == 3 ? 2 : 1);
        assert_int_equal(second.actions[0].kind, WB_ADD_HEADER);
        wb_pool_free(p);
    }
}

#define HOOK_WITH_A_WRONG_MAC                                                  \
    "a@b.test.crm.mailform.aaaaaaaaaaaaaaaaaaaaaaaaaa."                        \
    "hook.LABEL.waybill.invalid"

static void other_suffixes_do_not_pass_it(void **state)
{
    static const char *const forms[] = {
        "a@docomo.ne.jp.docomo.aaaaaaaa.waybill.invalid",
        "a@docomo.LABEL.waybill.invalid",
        "a@LABEL.waybill.invalid",
        "a@waybill.invalid",
        HOOK_WITH_A_WRONG_MAC,
        "a@mailform.x.hook.LABEL.waybill.invalid",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const char *at = strstr(forms[i], "LABEL");
        struct row row = {.why = forms[i], .listener = WB_LOOPBACK_LISTENER};
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan plan;

        row.recipients[0] =
            at == NULL ? forms[i]
                       : wb_pool_printf(p, "%.*s%s%s", (int)(at - forms[i]),
                                        forms[i], conf->secret.keys[0].label,
                                        at + strlen("LABEL"));
        plan_row(&row, p, &plan, false);
        ROW_TRUE(&row, plan.decision == WB_REJECT);
        assert_string_equal(plan.reply.enhanced, "5.1.2");
        wb_pool_free(p);
    }
}

static void hook_recipients_can_be_verified(void **state)
{
    const struct row row = {
        .why = "hook",
        .recipients = {"Info@mailform.example.com"},
        .headers = {"To: info@mailform.example.com"},
    };
    const char *const parts[] = {"hook", "crm", "mailform",
                                 "info@mailform.example.com"};
    struct wb_pool *p = wb_pool_new(0);
    const char *middle = ".crm.mailform.";
    struct wb_plan plan;
    const char *at;
    char mac[WB_MAC_OCTETS + 1] = "";

    (void)state;
    plan_row(&row, p, &plan, false);
    at = strstr(plan.recipients[0].rewritten, middle);
    assert_non_null(at);
    memcpy(mac, at + strlen(middle), WB_MAC_OCTETS);
    assert_true(wb_secret_verify(&conf->secret, parts, COUNT(parts), mac));
    assert_int_equal(strncmp(at + strlen(middle) + WB_MAC_OCTETS, ".hook.", 6),
                     0);
    assert_string_equal(plan.actions[0].text, "X-Waybill-Webhook");
    assert_string_equal(plan.actions[0].extra, "crm; filter=mailform");
    wb_pool_free(p);
}

static void size_is_bounded_by_route(void **state)
{
    static const struct {
        const char *why;
        const char *recipients[2];
        size_t octets;
        bool is_known;
        enum wb_decision decision;
        const char *reply;
    } cases[] = {
        {"as large as allowed", {"a@small.test"}, 2048, true, WB_ACCEPT, ""},
        {"larger", {"a@small.test"}, 2049, true, WB_REJECT, "552 5.3.4"},
        {"one of two", {"a@docomo.ne.jp", "a@small.test"}, 9999, true,
         WB_REJECT, "552 5.3.4"},
        {"no limit", {"a@docomo.ne.jp"}, SIZE_MAX, true, WB_ACCEPT, ""},
        {"not known", {"a@small.test"}, 0, false, WB_TEMPFAIL, "451 4.3.0"},
        {"no matter", {"a@docomo.ne.jp"}, 0, false, WB_ACCEPT, ""},
    };
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct row row = {
            .recipients = {cases[i].recipients[0], cases[i].recipients[1]}};
        struct wb_envelope env;
        struct wb_plan plan;
        struct wb_err err;
        char reply[20] = "";

        build(&row, p, &env);
        env.octets = cases[i].octets;
        env.is_size_known = cases[i].is_known;
        assert_int_equal(wb_plan_make(conf, &env, p, false, &plan, &err),
                         EX_OK);
        if (plan.decision != WB_ACCEPT)
            snprintf(reply, sizeof reply, "%s %s", plan.reply.code,
                     plan.reply.enhanced);
        if (plan.decision != cases[i].decision ||
            strcmp(reply, cases[i].reply) != 0)
            fail_msg("%s: %d %s", cases[i].why, plan.decision, reply);
    }
    wb_pool_free(p);
}

static void every_losing_rule_is_told(void **state)
{
    const struct row row = {.why = "losers", .recipients = {"vip@wide.test"}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;
    const struct wb_recipient_plan *r;

    (void)state;
    plan_row(&row, p, &plan, true);
    r = &plan.recipients[0];
    assert_int_equal(r->loss_count, conf->rules.count - 1);
    for (size_t i = 0; i < r->loss_count; i++) {
        assert_ptr_not_equal(r->losses[i].rule, r->rule);
        assert_true(*r->losses[i].why != '\0');
        if (strcmp(r->losses[i].rule->name, "wide") == 0)
            assert_string_equal(r->losses[i].why,
                                "a rule of the same priority is more specific");
    }
    wb_pool_free(p);
}

static const struct {
    const char *why;
    const char *sender;
    int good_days;    /* max_age and a day of skew */
    const char *mark; /* when it comes back three days later */
} signed_senders[] = {
    {"srs", "Info@srs.test", 8, "sender=<Info@srs.test>; age=3"},
    {"verp", "Info@verp.test", 11,
     "sender=<Info@verp.test>; recipient=<A+b@docomo.ne.jp>; age=3"},
    {"batv", "news@shop.batv.test", 11, "sender=<news@shop.batv.test>; age=3"},
};

/* The reply to a bounce that comes days later; "" when it is accepted. */
static const char *bounce(struct wb_pool *p, const char *to, int days,
                          const char **mark)
{
    const struct row row = {.why = to,
                            .sender = "<>",
                            .recipients = {to},
                            .client = "203.0.113.5",
                            .days = days};
    struct wb_plan plan;

    plan_row(&row, p, &plan, false);
    assert_int_equal(plan.recipients[0].class, WB_CLASS_BOUNCE);
    *mark = plan.recipients[0].bounce;
    return plan.decision == WB_ACCEPT
               ? ""
               : wb_pool_printf(p, "%s %s", plan.reply.code,
                                plan.reply.enhanced);
}

static void signed_senders_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(signed_senders); i++) {
        const struct row row = {.why = signed_senders[i].why,
                                .sender = signed_senders[i].sender,
                                .recipients = {"A+b@docomo.ne.jp"}};
        int good = signed_senders[i].good_days;
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan plan;
        const char *mark;
        char *forged;

        plan_row(&row, p, &plan, false);
        ROW_TRUE(&row, plan.sender_to != NULL);
        assert_string_equal(bounce(p, plan.sender_to, 3, &mark), "");
        assert_string_equal(mark, signed_senders[i].mark);
        assert_string_equal(bounce(p, plan.sender_to, good, &mark), "");
        assert_string_equal(bounce(p, plan.sender_to, 60, &mark), "550 5.7.1");
        assert_null(mark);
        forged = wb_pool_strdup(p, plan.sender_to);
        forged[6] = forged[6] == 'a' ? 'b' : 'a'; /* within the signature */
        assert_string_equal(bounce(p, forged, 0, &mark), "550 5.7.1");
        wb_pool_free(p);
    }
}

static void unsigned_bounces_are_refused_where_all_are_signed(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    const char *mark;

    (void)state;
    assert_string_equal(bounce(p, "info@signed.example.com", 0, &mark),
                        "550 5.7.1");
    assert_string_equal(bounce(p, "postmaster@signed.example.com", 0, &mark),
                        "");
    assert_string_equal(bounce(p, "info@return.example.com", 0, &mark), "");
    assert_string_equal(mark, "sender=<info@example.com>");
    /* somebody else's BATV address, moved there by mode = domain */
    assert_string_equal(
        bounce(p, "prvs=0123abcdef=info@return.example.com", 0, &mark), "");
    assert_string_equal(mark, "sender=<prvs=0123abcdef=info@example.com>");
    wb_pool_free(p);
}

#define SIXTY "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"

static void what_is_too_long_to_sign_overflows(void **state)
{
    const struct row refused = {.why = "overflow = reject",
                                .sender = SIXTY "@srs.test",
                                .recipients = {"a@docomo.ne.jp"}};
    const struct row plain = {.why = "overflow = plain",
                              .sender = SIXTY "@long.test",
                              .recipients = {"a@docomo.ne.jp"}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;

    (void)state;
    plan_row(&refused, p, &plan, false);
    assert_int_equal(plan.decision, WB_REJECT);
    assert_string_equal(plan.reply.enhanced, "5.1.7");
    plan_row(&plain, p, &plan, false);
    assert_int_equal(plan.decision, WB_ACCEPT);
    assert_null(plan.sender_to);
    wb_pool_free(p);
}

/* postsuper -r brings a bounce back with its suffix on. */
static void requeued_bounces_keep_their_mark(void **state)
{
    struct row row = {.why = "requeued",
                      .sender = "info@srs.test",
                      .recipients = {"a@docomo.ne.jp"}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;

    (void)state;
    plan_row(&row, p, &plan, false);
    row = (struct row){
        .why = "requeued", .sender = "<>", .recipients = {plan.sender_to}};
    plan_row(&row, p, &plan, false);
    row.recipients[0] = plan.recipients[0].rewritten;
    row.listener = WB_LOOPBACK_LISTENER;
    plan_row(&row, p, &plan, false);
    assert_string_equal(plan.recipients[0].bounce,
                        "sender=<info@srs.test>; age=0");
    wb_pool_free(p);
}

static void own_notify_and_orcpt_are_kept(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_recipient to = {.given = "<a@docomo.ne.jp>",
                              .mailer = "smtp",
                              .notify = "SUCCESS,FAILURE",
                              .orcpt = "rfc822;first+2Bhop@a.test"};
    struct wb_envelope env = {
        .client = "127.0.0.1", .recipients = &to, .recipient_count = 1};
    struct wb_plan plan;
    struct wb_err err;

    (void)state;
    wb_address_parse(p, "info@example.com", &env.sender, &err);
    wb_address_parse(p, to.given, &to.address, &err);
    assert_int_equal(wb_plan_make(conf, &env, p, false, &plan, &err), EX_OK);
    assert_string_equal(
        plan.recipients[0].esmtp,
        "ORCPT=rfc822;first+2Bhop@a.test NOTIFY=SUCCESS,FAILURE");
    wb_pool_free(p);
}

static void early_answers_are_certain(void **state)
{
    static const struct {
        const char *why;
        const char *recipient;
        enum wb_decision decision;
    } early[] = {
        {"ordinary", "a@docomo.ne.jp", WB_ACCEPT},
        {"suffix", "a@x.waybill.invalid", WB_REJECT},
        {"hidden suffix", "\"a@x.waybill.invalid\"@example.com", WB_REJECT},
        {"hidden suffix alone", "\"a@x.waybill.invalid\"", WB_REJECT},
        {"no domain", "postmaster", WB_ACCEPT},
        {"headers may match yet", "nobody@mailform.example.com", WB_ACCEPT},
        {"only the envelope counts", "nobody@quiet.example.com", WB_REJECT},
        {"the envelope matches", "log@quiet.example.com", WB_ACCEPT},
        {"bounce", "x@return.example.com", WB_ACCEPT},
        {"bounce that is not signed", "x@signed.example.com", WB_REJECT},
        {"bounce that is forged", "SRS0=aaaa=aa=srs.test=x@signed.example.com",
         WB_REJECT},
        {"bare postmaster", "postmaster", WB_ACCEPT},
    };

    (void)state;
    assert_true(wb_plan_may_reject_early(conf));
    for (size_t i = 0; i < COUNT(early); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_recipient to = {.given = early[i].recipient};
        struct wb_envelope env = {.client = "203.0.113.5"};
        enum wb_decision decision;
        struct wb_reply reply = {0};
        struct wb_err err;

        wb_address_parse(p, to.given, &to.address, &err);
        ROW_TRUE(&early[i],
                 wb_plan_recipient_early(conf, &env, &to, p, &decision, &reply,
                                         &err) == EX_OK);
        ROW_TRUE(&early[i], decision == early[i].decision);
        ROW_TRUE(&early[i], (decision == WB_ACCEPT) == (reply.code == NULL));
        wb_pool_free(p);
    }
}

static void memory_bound_is_an_error(void **state)
{
    (void)state;
    for (size_t bound = 512; bound < 65536; bound *= 2) {
        struct wb_pool *facts = wb_pool_new(0);
        struct wb_pool *p = wb_pool_new(bound);
        struct wb_envelope env;
        struct wb_plan plan;
        struct wb_err err = {""};
        int rc;

        build(&rows[1], facts, &env);
        rc = wb_plan_make(conf, &env, p, true, &plan, &err);
        assert_true(rc == EX_OK || rc == EX_OSERR);
        assert_true(rc == EX_OSERR || bound > 512);
        wb_pool_free(p);
        wb_pool_free(facts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_are_as_told),
        cmocka_unit_test(actions_are_in_order),
        cmocka_unit_test(suffixes_carry_any_address),
        cmocka_unit_test(long_domains_are_carried_whole),
        cmocka_unit_test(own_suffixes_pass_the_loopback_listener),
        cmocka_unit_test(other_suffixes_do_not_pass_it),
        cmocka_unit_test(hook_recipients_can_be_verified),
        cmocka_unit_test(size_is_bounded_by_route),
        cmocka_unit_test(every_losing_rule_is_told),
        cmocka_unit_test(signed_senders_come_back),
        cmocka_unit_test(unsigned_bounces_are_refused_where_all_are_signed),
        cmocka_unit_test(what_is_too_long_to_sign_overflows),
        cmocka_unit_test(requeued_bounces_keep_their_mark),
        cmocka_unit_test(own_notify_and_orcpt_are_kept),
        cmocka_unit_test(early_answers_are_certain),
        cmocka_unit_test(memory_bound_is_an_error),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
