/* The second pass: what the first one writes the second one reads, and
 * nothing else. */
#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plan/plan.h"
#include "plan/return_path.h"

#define OLD_KEY "0123456789abcdef0123456789abcdef\n"
#define NEW_KEY "fedcba9876543210fedcba9876543210\n"

#define HEAD                                                                   \
    "secret_file = \"secret\"\n"                                               \
    "user = \"\"\n"                                                            \
    "listener office { class = outbound }\n"                                   \
    "webhook crm { url = \"https://app.example.com/hook\" }\n"                 \
    "bounces { domains = { \"b.example.com\" }  webhook = crm }\n"             \
    "inbound form { domains = { \"form.test\" }  match = '^info@'"             \
    "  match_on = envelope  webhook = crm }\n"
#define ROUTES                                                                 \
    "route one { host = \"one.test\" }\n"                                      \
    "route two { host = \"two.test\"  return_path = own }\n"                   \
    "route kept { host = \"kept.test\"  return_path = keep }\n"                \
    "rule one { recipients = { \"one.test\" }  route = one }\n"                \
    "rule two { recipients = { \"two.test\" }  route = two }\n"                \
    "rule kept { recipients = { \"kept.test\" }  route = kept }\n"
#define RETURN_PATHS                                                           \
    "return_path main { senders = { \"example.com\" }"                         \
    "  domain = \"main.%d\" }\n"                                               \
    "return_path own { senders = { \"example.com\" }"                          \
    "  domain = \"own.%d\" }\n"                                                \
    "return_path shop { senders = { \"info@example.com\" }"                    \
    "  logins = { \"shop\" }  domain = \"shop.%d\" }\n"                        \
    "return_path door { senders = { \"info@example.com\" }"                    \
    "  listeners = { \"office\" }  domain = \"door.%d\" }\n"                   \
    "return_path each { senders = { \"verp.test\" }  mode = verp"              \
    "  domain = \"b.example.com\" }\n"

static char folder[] = "/tmp/waybill-again-XXXXXX";

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

static struct wb_conf *load(const char *text, const char *keys,
                            enum wb_conf_use use)
{
    struct wb_problems problems = {0};
    struct wb_conf *conf = NULL;
    char path[128];

    write_text("secret", keys);
    write_text("waybill.conf", text);
    snprintf(path, sizeof path, "%s/secret", folder);
    if (*keys == '\0')
        unlink(path);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    wb_conf_load(path, use, &conf, &problems);
    if (conf == NULL)
        wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    assert_non_null(conf);
    return conf;
}

static struct wb_conf *usual;

static int begin(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    usual = load(HEAD ROUTES RETURN_PATHS, OLD_KEY, WB_USE_DAEMON);
    return 0;
}

static int end(void **state)
{
    char path[128];

    (void)state;
    wb_conf_unref(usual);
    snprintf(path, sizeof path, "%s/secret", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    unlink(path);
    return rmdir(folder);
}

enum { MOST = 4, DAY_S = 86400, NOW_S = 20000 * DAY_S + 3600 };

/* A message. Strings that are not given stand for: example.com's info as
 * sender, client 127.0.0.1, mailer smtp. */
struct mail {
    const char *sender;
    const char *resolved; /* the sender, as the MTA reads it */
    const char *recipients[MOST];
    const char *local; /* which of them the MTA would deliver here */
    const char *login;
    const char *client;
    const char *listener;
    const char *header; /* the name of one */
    int days;           /* how much later than NOW_S it comes */
    bool has_xverp;
};

/* Decide about mail. Returns false for an address that is none. */
static bool decide(const struct wb_conf *conf, const struct mail *mail,
                   struct wb_pool *p, struct wb_plan *out)
{
    struct wb_recipient *to = wb_pool_array(p, MOST, sizeof to[0]);
    struct wb_header *header = wb_pool_alloc(p, sizeof *header);
    struct wb_envelope *env = wb_pool_alloc(p, sizeof *env);

    *env = (struct wb_envelope){
        .now_s = NOW_S + mail->days * DAY_S,
        .sender_resolved = mail->resolved,
        .has_xverp = mail->has_xverp,
        .login = mail->login,
        .client = mail->client != NULL ? mail->client : "127.0.0.1",
        .listener = mail->listener,
        .recipients = to,
        .headers = header,
        .header_count = mail->header != NULL,
    };
    *header = (struct wb_header){mail->header, "forged"};
    if (wb_address_parse(
            p, mail->sender != NULL ? mail->sender : "info@example.com",
            &env->sender, NULL) != EX_OK)
        return false;
    for (size_t i = 0; i < MOST && mail->recipients[i] != NULL; i++) {
        to[i].given = mail->recipients[i];
        to[i].mailer = mail->local == to[i].given ? "local" : "smtp";
        if (wb_plan_read_recipient(env, p, to[i].given, &to[i].address, NULL) !=
            EX_OK)
            return false;
        env->recipient_count++;
    }
    assert_int_equal(wb_plan_make(conf, env, p, false, out, NULL), EX_OK);
    return true;
}

/* "451 4.3.0", or "" when it is accepted. */
static const char *reply(struct wb_pool *p, const struct wb_plan *plan)
{
    return plan->decision == WB_ACCEPT
               ? ""
               : wb_pool_printf(p, "%s %s", plan->reply.code,
                                plan->reply.enhanced);
}

/* The marked form of the first recipient of mail, with two others beside it,
 * so that two passes are needed. */
static const char *marked(const struct wb_conf *conf, struct mail mail,
                          struct wb_pool *p)
{
    struct wb_plan first;

    mail.recipients[1] = "x@kept.test";
    mail.recipients[2] = "x@two.test";
    assert_true(decide(conf, &mail, p, &first));
    assert_string_equal(reply(p, &first), "");
    assert_int_equal(first.passes, 2);
    assert_non_null(first.recipients[0].rewritten);
    return first.recipients[0].rewritten;
}

/* The second pass of a marked recipient: the reply. */
static const char *second(const struct wb_conf *conf, struct mail mail,
                          const char *recipient, struct wb_pool *p,
                          struct wb_plan *out)
{
    mail.recipients[0] = recipient;
    mail.recipients[1] = NULL;
    mail.listener = WB_AGAIN_LISTENER;
    if (!decide(conf, &mail, p, out))
        return "no address";
    return reply(p, out);
}

static void the_first_pass_changes_outbound_recipients_only(void **state)
{
    const struct mail mail = {
        .recipients = {"A@One.test", "b@kept.test", "c@else.test", "d@here"},
        .header = "X-Waybill-Route"};
    struct mail local = mail;
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan first;
    size_t added = 0;

    (void)state;
    local.local = mail.recipients[3];
    assert_true(decide(usual, &local, p, &first));
    assert_int_equal(first.decision, WB_ACCEPT);
    assert_int_equal(first.passes, 2);
    assert_null(first.sender_to);
    for (size_t i = 0; i < 3; i++) {
        static const char *const routes[] = {".one.", ".kept.", ".direct."};

        assert_non_null(strstr(first.recipients[i].rewritten, routes[i]));
        assert_non_null(strstr(first.recipients[i].rewritten, ".again."));
        assert_true(first.recipients[i].is_again);
    }
    assert_null(first.recipients[3].rewritten);
    assert_string_equal(first.recipients[0].esmtp, "ORCPT=rfc822;A@One.test");
    assert_int_equal(first.action_count, 1 + 3 * 2);
    assert_int_equal(first.actions[0].kind, WB_DELETE_HEADER);
    for (size_t i = 1; i < first.action_count; i++)
        added += first.actions[i].kind == WB_ADD_RECIPIENT;
    assert_int_equal(added, 3);
    wb_pool_free(p);
}

static void one_pass_is_enough_where_all_agree(void **state)
{
    const struct mail mail = {.recipients = {"a@one.test", "b@else.test"}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan only;

    (void)state;
    assert_true(decide(usual, &mail, p, &only));
    assert_int_equal(only.passes, 1);
    assert_string_equal(only.sender_to, "info@main.example.com");
    assert_false(only.recipients[0].is_again);
    assert_null(only.recipients[1].rewritten);
    wb_pool_free(p);
}

/* A recipient, and what its second pass makes of it. */
static const struct {
    const char *why;
    struct mail mail;
    const char *sender; /* NULL: stays */
    const char *route;
    const char *becomes; /* "LABEL" stands for the label */
    const char *esmtp;
} second_passes[] = {
    {.why = "by the sender",
     .mail = {.recipients = {"a@one.test"}},
     .sender = "info@main.example.com",
     .route = "one",
     .becomes = "a@one.test.one.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;a@one.test"},
    {.why = "by the route",
     .mail = {.recipients = {"A+b@Two.test"}},
     .sender = "info@own.example.com",
     .route = "two",
     .becomes = "A+b@Two.test.two.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;A+2Bb@Two.test"},
    {.why = "a route that keeps it",
     .mail = {.recipients = {"a@kept.test"}},
     .route = "kept",
     .becomes = "a@kept.test.kept.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;a@kept.test"},
    {.why = "direct",
     .mail = {.recipients = {"a@else.test"}},
     .sender = "info@main.example.com",
     .route = "direct",
     .becomes = "a@else.test",
     .esmtp = "ORCPT=rfc822;a@else.test"},
    {.why = "by a login that is not known any more",
     .mail = {.recipients = {"a@one.test"}, .login = "shop"},
     .sender = "info@shop.example.com",
     .route = "one",
     .becomes = "a@one.test.one.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;a@one.test"},
    {.why = "by a listener that is not known any more",
     .mail = {.recipients = {"a@one.test"}, .listener = "office"},
     .sender = "info@door.example.com",
     .route = "one",
     .becomes = "a@one.test.one.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;a@one.test"},
    {.why = "quotes that the MTA would drop",
     .mail = {.sender = "\"info\"@example.com",
              .resolved = "info@example.com",
              .recipients = {"\"a\"@one.test"}},
     .sender = "\"info\"@main.example.com",
     .route = "one",
     .becomes = "\"a\"@one.test.one.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;\"a\"@one.test"},
    {.why = "quotes that are needed",
     .mail = {.recipients = {"\"a b\\\"c\"@one.test"}},
     .sender = "info@main.example.com",
     .route = "one",
     .becomes = "\"a b\\\"c\"@one.test.one.LABEL.waybill.invalid",
     .esmtp = "ORCPT=rfc822;\"a+20b\\\"c\"@one.test"},
    {.why = "an address literal",
     .mail = {.recipients = {"a@[192.0.2.1]"}},
     .sender = "info@main.example.com",
     .route = "direct",
     .becomes = "a@[192.0.2.1]",
     .esmtp = "ORCPT=rfc822;a@[192.0.2.1]"},
    {.why = "a quoted one",
     .mail = {.recipients = {"\"a\\\"b\"@[192.0.2.1]"}},
     .sender = "info@main.example.com",
     .route = "direct",
     .becomes = "\"a\\\"b\"@[192.0.2.1]",
     .esmtp = "ORCPT=rfc822;\"a\\\"b\"@[192.0.2.1]"},
};

static const char *with_label(const struct wb_conf *conf, struct wb_pool *p,
                              const char *text)
{
    const char *at = strstr(text, "LABEL");

    if (at == NULL)
        return text;
    return wb_pool_printf(p, "%.*s%s%s", (int)(at - text), text,
                          conf->secret.keys[0].label, at + strlen("LABEL"));
}

static void the_second_pass_does_what_the_first_decided(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(second_passes); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct mail mail = second_passes[i].mail;
        const char *mark = marked(usual, mail, p);
        struct wb_plan plan;
        const struct wb_recipient_plan *r;

        mail.login = NULL;
        ROW_TRUE(&second_passes[i], *second(usual, mail, mark, p, &plan) == 0);
        r = &plan.recipients[0];
        ROW_TRUE(&second_passes[i], plan.passes == 1);
        ROW_TRUE(&second_passes[i], r->class == WB_CLASS_OUTBOUND);
        assert_string_equal(r->original, mail.recipients[0]);
        assert_string_equal(r->route->name, second_passes[i].route);
        assert_string_equal(r->rewritten,
                            with_label(usual, p, second_passes[i].becomes));
        assert_string_equal(r->esmtp, second_passes[i].esmtp);
        if (second_passes[i].sender == NULL)
            ROW_TRUE(&second_passes[i], plan.sender_to == NULL);
        else
            assert_string_equal(plan.sender_to, second_passes[i].sender);
        assert_string_equal(plan.actions[0].text, "X-Waybill-Route");
        assert_string_equal(plan.actions[0].extra, second_passes[i].route);
        wb_pool_free(p);
    }
}

/* A domain so long that the recipient is carried whole in quotes. */
static void long_recipients_come_back_whole(void **state)
{
    char recipient[256] = "a@";
    struct mail mail = {.recipients = {recipient}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;

    (void)state;
    while (strlen(recipient) < 232)
        strcat(recipient, "abcdefghijkl.");
    strcat(recipient, "one.test");
    assert_true(strlen(recipient) <= WB_PATH_MAX_OCTETS - 2);
    assert_string_equal(second(usual, mail, marked(usual, mail, p), p, &plan),
                        "");
    assert_string_equal(plan.recipients[0].original, recipient);
    wb_pool_free(p);
}

/* text with the octet at changed to another letter or digit. */
static const char *altered(struct wb_pool *p, const char *text, size_t at)
{
    char *copy = wb_pool_strdup(p, text);

    copy[at] = copy[at] == 'a' || copy[at] == 'A' ? 'b' : 'a';
    return copy;
}

static void every_changed_character_of_a_recipient_is_refused(void **state)
{
    const struct mail mail = {.recipients = {"yuki@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    size_t octets = strlen(mark);
    size_t label = octets - strlen("abcdefgh.waybill.invalid");
    struct wb_plan plan;

    (void)state;
    assert_string_equal(second(usual, mail, mark, p, &plan), "");
    for (size_t i = 0; i < octets; i++) {
        const char *got = second(usual, mail, altered(p, mark, i), p, &plan);
        bool is_ours = i < label - strlen("again.");

        if (strchr("@.", mark[i]) != NULL)
            assert_string_not_equal(got, "");
        else if (is_ours) /* the name of a route, or what is signed */
            assert_int_equal(strncmp(got, "451 4.3.", 8), 0);
        else
            assert_string_equal(got, "550 5.1.2");
    }
    /* mail tables fold case, so that is no change */
    mark = wb_pool_printf(p, "YUKI%s", mark + 4);
    assert_string_equal(second(usual, mail, mark, p, &plan), "");
    wb_pool_free(p);
}

static void every_changed_character_of_the_sender_is_refused(void **state)
{
    static const char sender[] = "Info.x@shop.example.com";
    struct mail mail = {.sender = sender, .recipients = {"a@two.test"}};
    struct wb_conf *conf =
        load(HEAD ROUTES "return_path own { domain = \"own.%d\" }\n", OLD_KEY,
             WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(conf, mail, p);
    struct wb_plan plan;

    (void)state;
    assert_string_equal(second(conf, mail, mark, p, &plan), "");
    for (size_t i = 0; i < strlen(sender); i++) {
        mail.sender = altered(p, sender, i);
        assert_string_not_equal(second(conf, mail, mark, p, &plan), "");
    }
    mail.sender = "<>";
    assert_string_equal(second(conf, mail, mark, p, &plan), "451 4.3.0");
    mail.sender = "info.x@shop.example.com";
    assert_string_equal(second(conf, mail, mark, p, &plan), "451 4.3.0");
    mail.sender = "Info.x@SHOP.example.com";
    assert_string_equal(second(conf, mail, mark, p, &plan), "");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* A mark says a route that exists, but not the one that was signed. */
static void a_mark_is_for_its_route_alone(void **state)
{
    const struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    const char *others[] = {"two", "kept", "direct"};
    const char *rest = strstr(mark, ".one.") + strlen(".one");
    struct wb_plan plan;

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++)
        assert_string_equal(
            second(usual, mail,
                   wb_pool_printf(p, "a@one.test.%s%s", others[i], rest), p,
                   &plan),
            "451 4.3.0");
    wb_pool_free(p);
}

static void a_mark_is_good_for_30_days(void **state)
{
    static const struct {
        int days;
        const char *reply;
    } rows[] = {{-2, "451 4.3.0"}, {-1, ""}, {0, ""},          {1, ""},
                {29, ""},          {30, ""}, {31, "451 4.3.0"}};
    struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    struct wb_plan plan;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        mail.days = rows[i].days;
        assert_string_equal(second(usual, mail, mark, p, &plan), rows[i].reply);
    }
    wb_pool_free(p);
}

static void any_key_verifies(void **state)
{
    const struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_conf *both =
        load(HEAD ROUTES RETURN_PATHS, NEW_KEY OLD_KEY, WB_USE_DAEMON);
    struct wb_conf *other =
        load(HEAD ROUTES RETURN_PATHS, NEW_KEY, WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    struct wb_plan plan;

    (void)state;
    assert_string_equal(second(both, mail, mark, p, &plan), "");
    assert_string_equal(second(other, mail, mark, p, &plan), "550 5.1.2");
    mark = marked(both, mail, p);
    assert_string_equal(second(both, mail, mark, p, &plan), "");
    assert_string_equal(second(other, mail, mark, p, &plan), "");
    assert_string_equal(second(usual, mail, mark, p, &plan), "550 5.1.2");
    wb_pool_free(p);
    wb_conf_unref(both);
    wb_conf_unref(other);
}

#define OWN_IS_GONE                                                            \
    "route one { host = \"one.test\" }\n"                                      \
    "route two { host = \"two.test\" }\n"                                      \
    "return_path main { senders = { \"example.com\" }"                         \
    "  domain = \"main.%d\" }\n"

/* What was decided cannot be done any more: the mail waits for the admin. */
static void what_is_gone_since_is_a_temporary_failure(void **state)
{
    struct wb_conf *later = load(HEAD OWN_IS_GONE, OLD_KEY, WB_USE_DAEMON);
    static const struct {
        struct mail mail;
        const char *reply;
    } rows[] = {
        {{.recipients = {"a@one.test"}}, ""},
        {{.recipients = {"a@two.test"}}, "451 4.3.0"},
        {{.recipients = {"a@one.test"}, .login = "shop"}, "451 4.3.0"},
        {{.recipients = {"a@kept.test"}}, "451 4.3.5"},
        {{.recipients = {"a@else.test"}}, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        const char *mark = marked(usual, rows[i].mail, p);
        struct wb_plan plan;

        assert_string_equal(second(later, rows[i].mail, mark, p, &plan),
                            rows[i].reply);
        /* the reply goes into bounces */
        if (plan.decision != WB_ACCEPT)
            assert_null(strstr(plan.reply.text, "waybill.invalid"));
        wb_pool_free(p);
    }
    wb_conf_unref(later);
}

/* The MTA completes a sender between the passes. */
static void the_sender_is_taken_as_the_mta_reads_it(void **state)
{
    const struct mail before = {.sender = "Info@example",
                                .resolved = "Info@example.com",
                                .recipients = {"a@two.test"}};
    struct mail after = {.sender = "Info@example.com",
                         .resolved = "Info@example.com"};
    struct wb_conf *conf =
        load(HEAD ROUTES "return_path own { domain = \"own.%d\" }\n", OLD_KEY,
             WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(conf, before, p);
    struct wb_plan plan;

    (void)state;
    assert_string_equal(second(conf, after, mark, p, &plan), "");
    assert_string_equal(plan.sender_to, "Info@own.example.com");
    after.resolved = "other@example.com"; /* canonical maps */
    assert_string_equal(second(conf, after, mark, p, &plan), "451 4.3.0");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

static void verp_makes_a_sender_for_each(void **state)
{
    const struct mail mail = {
        .sender = "a@verp.test",
        .recipients = {"A@one.test", "b@one.test", "c@else.test"}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan first, plan;

    (void)state;
    assert_true(decide(usual, &mail, p, &first));
    for (size_t i = 0; i < 3; i++) {
        struct wb_address returned;
        struct wb_token token;

        assert_string_equal(
            second(usual, mail, first.recipients[i].rewritten, p, &plan), "");
        assert_non_null(plan.sender_to);
        assert_int_equal(wb_address_parse(p, plan.sender_to, &returned, NULL),
                         EX_OK);
        assert_int_equal(
            wb_return_path_read(usual, &returned, NOW_S, p, &token, NULL),
            EX_OK);
        assert_int_equal(token.verdict, WB_TOKEN_IS_VALID);
        assert_string_equal(token.sender.text, "a@verp.test");
        assert_string_equal(token.recipient.text, mail.recipients[i]);
    }
    wb_pool_free(p);
}

/* What the listener for second passes does not take. */
static const struct {
    const char *why;
    struct mail mail;
    const char *reply;
} strangers[] = {
    {"an ordinary recipient", {.recipients = {"a@one.test"}}, "550 5.1.2"},
    {"one of this host", {.recipients = {"postmaster"}}, "550 5.1.2"},
    {"a route's suffix",
     {.recipients = {"a@one.test.one.LABEL.waybill.invalid"}},
     "550 5.1.2"},
    {"an unknown label",
     {.recipients = {"a@one.test.one.aaaaaaaaaaaaaaaaaaaaaaaaaa.again."
                     "aaaaaaaa.waybill.invalid"}},
     "550 5.1.2"},
    {"no recipient in front",
     {.recipients = {"one.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.LABEL.waybill."
                     "invalid"}},
     "550 5.1.2"},
    {"a suffix and nothing else",
     {.recipients = {"a@one.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.LABEL.waybill."
                     "invalid"}},
     "550 5.1.2"},
    {"a MAC that is made up",
     {.recipients = {"a@one.test.one.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.LABEL."
                     "waybill.invalid"}},
     "451 4.3.0"},
    {"a MAC that is too short",
     {.recipients = {"a@one.test.one.a.again.LABEL.waybill.invalid"}},
     "451 4.3.0"},
    {"no such route",
     {.recipients = {"a@one.test.none.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.LABEL."
                     "waybill.invalid"}},
     "451 4.3.5"},
    {"carried, but no address",
     {.recipients = {"\"@\"@x.one.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.LABEL."
                     "waybill.invalid"}},
     "451 4.3.0"},
    {"a sender with a suffix",
     {.sender = "a@x.one.LABEL.waybill.invalid",
      .recipients = {"a@one.test.one.aaaaaaaaaaaaaaaaaaaaaaaaaa.again.LABEL."
                     "waybill.invalid"}},
     "553 5.1.7"},
};

static void only_second_passes_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strangers); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct mail mail = strangers[i].mail;
        struct wb_plan plan;

        if (mail.sender != NULL)
            mail.sender = with_label(usual, p, mail.sender);
        ROW_TRUE(
            &strangers[i],
            strcmp(second(usual, mail, with_label(usual, p, mail.recipients[0]),
                          p, &plan),
                   strangers[i].reply) == 0);
        ROW_TRUE(&strangers[i], plan.action_count == 0);
        wb_pool_free(p);
    }
}

static void a_second_pass_has_one_recipient(void **state)
{
    struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    struct wb_plan plan_of_two;

    (void)state;
    mail.recipients[0] = mail.recipients[1] = mark;
    mail.listener = WB_AGAIN_LISTENER;
    assert_true(decide(usual, &mail, p, &plan_of_two));
    assert_string_equal(reply(p, &plan_of_two), "452 4.5.3");
    wb_pool_free(p);
}

/* What is told at RCPT, where the MTA reads replies there. */
static void early_answers_are_certain(void **state)
{
    const struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    const struct {
        const char *why, *recipient;
        size_t before;
        const char *code;
    } rows[] = {
        {"a mark", mark, 0, NULL},
        {"the second one", mark, 1, "452"},
        {"none", "a@one.test", 0, "550"},
        {"none, in a domain of ours", "info@form.test", 0, "550"},
        {"an unknown label", altered(p, mark, strlen(mark) - 20), 0, "550"},
        {"a changed MAC waits for the end",
         altered(p, mark, strlen("a@one.test.one.x")), 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_recipient to = {.given = rows[i].recipient};
        struct wb_envelope env = {.client = "127.0.0.1",
                                  .listener = WB_AGAIN_LISTENER,
                                  .recipient_count = rows[i].before};
        enum wb_decision decision;
        struct wb_reply told = {0};

        assert_int_equal(
            wb_plan_read_recipient(&env, p, to.given, &to.address, NULL),
            EX_OK);
        assert_int_equal(wb_plan_recipient_early(usual, &env, &to, p, &decision,
                                                 &told, NULL),
                         EX_OK);
        ROW_TRUE(&rows[i], (decision == WB_ACCEPT) == (rows[i].code == NULL));
        if (rows[i].code != NULL)
            assert_string_equal(told.code, rows[i].code);
    }
    wb_pool_free(p);
}

/* postsuper -r takes mail through the other listener. */
static void a_requeued_mark_stands(void **state)
{
    struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(usual, mail, p);
    struct wb_plan again;

    (void)state;
    mail.listener = WB_LOOPBACK_LISTENER;
    mail.recipients[0] = mark;
    /* an alias of the first pass became this one */
    mail.recipients[1] = "b@one.test";
    assert_true(decide(usual, &mail, p, &again));
    assert_string_equal(reply(p, &again), "");
    assert_int_equal(again.passes, 2);
    assert_null(again.recipients[0].rewritten);
    assert_string_equal(again.recipients[0].route->name, "one");
    assert_non_null(strstr(again.recipients[1].rewritten, ".again."));
    assert_null(again.sender_to);
    mail.recipients[1] = NULL;
    assert_true(decide(usual, &mail, p, &again));
    assert_int_equal(again.action_count, 0);
    mail.recipients[0] = altered(p, mark, strlen("a@one.test.one.x"));
    assert_true(decide(usual, &mail, p, &again));
    assert_string_equal(reply(p, &again), "451 4.3.0");
    mail.recipients[0] = altered(p, mark, strlen(mark) - 20);
    assert_true(decide(usual, &mail, p, &again));
    assert_string_equal(reply(p, &again), "550 5.1.2");
    wb_pool_free(p);
}

/* What has its route already must keep its sender, too. */
static void a_requeued_route_keeps_its_sender(void **state)
{
    const struct mail before = {.recipients = {"a@kept.test"}};
    struct mail mail = {.listener = WB_LOOPBACK_LISTENER};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan first, again;

    (void)state;
    assert_true(decide(usual, &before, p, &first));
    mail.recipients[0] = first.recipients[0].rewritten;
    mail.recipients[1] = "b@one.test";
    assert_true(decide(usual, &mail, p, &again));
    assert_int_equal(again.passes, 2);
    assert_null(again.sender_to);
    assert_null(again.recipients[0].rewritten);
    assert_non_null(strstr(again.recipients[1].rewritten, ".again."));
    wb_pool_free(p);
}

static void elsewhere_a_mark_is_forged(void **state)
{
    static const struct {
        const char *listener, *client;
    } rows[] = {{NULL, NULL}, {"office", NULL}, {NULL, "203.0.113.5"}};
    struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan forged;

    (void)state;
    mail.recipients[0] = marked(usual, mail, p);
    for (size_t i = 0; i < COUNT(rows); i++) {
        mail.listener = rows[i].listener;
        mail.client = rows[i].client;
        assert_true(decide(usual, &mail, p, &forged));
        assert_string_equal(reply(p, &forged), "550 5.1.2");
    }
    wb_pool_free(p);
}

#define FROM                                                                   \
    "route shop { host = \"shop.test\"  from = \"shop@shop.test\" }\n"         \
    "rule shop { recipients = { \"shop.test\" }  route = shop }\n"

/* Whoever is not sent out sees the author's own From, in the first pass. */
static void a_from_is_made_in_the_second_pass(void **state)
{
    struct mail mail = {.recipients = {"a@shop.test", "d@here"},
                        .header = "From"};
    struct wb_conf *conf = load(HEAD FROM, OLD_KEY, WB_USE_DAEMON);
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan first, after;
    const char *mark;

    (void)state;
    mail.local = mail.recipients[1];
    assert_true(decide(conf, &mail, p, &first));
    assert_int_equal(first.passes, 2);
    assert_null(first.from_header);
    assert_null(first.recipients[1].rewritten);
    mark = first.recipients[0].rewritten;
    assert_string_equal(second(conf, mail, mark, p, &after), "");
    assert_string_equal(after.from_header, "shop@shop.test");
    assert_string_equal(after.sender_to, "shop@shop.test");
    /* requeued, it has its From: then nothing more is to be decided */
    mail.recipients[0] = after.recipients[0].rewritten;
    mail.listener = WB_LOOPBACK_LISTENER;
    assert_true(decide(conf, &mail, p, &first));
    assert_int_equal(first.passes, 1);
    assert_null(first.from_header);
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* The MTA's own senders would not be those that were signed. */
static void xverp_and_two_passes_do_not_go_together(void **state)
{
    struct mail mail = {.recipients = {"a@one.test", "b@kept.test"},
                        .has_xverp = true};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan_of_two;

    (void)state;
    assert_true(decide(usual, &mail, p, &plan_of_two));
    assert_string_equal(reply(p, &plan_of_two), "452 4.5.3");
    mail.recipients[1] = "b@one.test";
    assert_true(decide(usual, &mail, p, &plan_of_two));
    assert_string_equal(reply(p, &plan_of_two), "");
    wb_pool_free(p);
}

/* explain shows both passes without the secret. */
static void without_a_secret_it_is_shown(void **state)
{
    const struct mail mail = {.recipients = {"a@one.test"}};
    struct wb_conf *conf = load(HEAD ROUTES RETURN_PATHS, "", WB_USE_EXPLAIN);
    struct wb_pool *p = wb_pool_new(0);
    const char *mark = marked(conf, mail, p);
    struct wb_plan plan;

    (void)state;
    assert_string_equal(mark,
                        "a@one.test.one.SECRET.again.SECRET.waybill.invalid");
    assert_string_equal(second(conf, mail, mark, p, &plan), "");
    assert_string_equal(plan.sender_to, "info@main.example.com");
    assert_string_equal(plan.recipients[0].rewritten,
                        "a@one.test.one.SECRET.waybill.invalid");
    wb_pool_free(p);
    wb_conf_unref(conf);
}

/* With too little memory there is no decision, whichever step lacks it. */
static void memory_bound_is_an_error(void **state)
{
    struct wb_pool *facts = wb_pool_new(0);
    const struct mail mail = {.recipients = {"a@one.test"}};
    const char *mark = marked(usual, mail, facts);
    struct wb_recipient to = {.given = mark, .mailer = "smtp"};
    struct wb_envelope env = {.now_s = NOW_S,
                              .client = "127.0.0.1",
                              .listener = WB_AGAIN_LISTENER,
                              .recipients = &to,
                              .recipient_count = 1};
    bool was_enough = false;

    (void)state;
    assert_int_equal(
        wb_address_parse(facts, "info@example.com", &env.sender, NULL), EX_OK);
    assert_int_equal(wb_address_parse(facts, mark, &to.address, NULL), EX_OK);
    for (size_t bound = 64; bound < 8192; bound += 16) {
        struct wb_pool *p = wb_pool_new(bound);
        struct wb_plan plan;
        int rc = wb_plan_make(usual, &env, p, false, &plan, NULL);

        assert_true(rc == EX_OK || rc == EX_OSERR);
        if (rc == EX_OK)
            assert_int_equal(plan.decision, WB_ACCEPT);
        assert_true(rc == EX_OK || !was_enough);
        was_enough = rc == EX_OK;
        wb_pool_free(p);
    }
    assert_true(was_enough);
    wb_pool_free(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_pass_changes_outbound_recipients_only),
        cmocka_unit_test(one_pass_is_enough_where_all_agree),
        cmocka_unit_test(the_second_pass_does_what_the_first_decided),
        cmocka_unit_test(long_recipients_come_back_whole),
        cmocka_unit_test(every_changed_character_of_a_recipient_is_refused),
        cmocka_unit_test(every_changed_character_of_the_sender_is_refused),
        cmocka_unit_test(a_mark_is_for_its_route_alone),
        cmocka_unit_test(a_mark_is_good_for_30_days),
        cmocka_unit_test(any_key_verifies),
        cmocka_unit_test(what_is_gone_since_is_a_temporary_failure),
        cmocka_unit_test(the_sender_is_taken_as_the_mta_reads_it),
        cmocka_unit_test(verp_makes_a_sender_for_each),
        cmocka_unit_test(only_second_passes_are_taken),
        cmocka_unit_test(a_second_pass_has_one_recipient),
        cmocka_unit_test(early_answers_are_certain),
        cmocka_unit_test(a_requeued_mark_stands),
        cmocka_unit_test(a_requeued_route_keeps_its_sender),
        cmocka_unit_test(elsewhere_a_mark_is_forged),
        cmocka_unit_test(a_from_is_made_in_the_second_pass),
        cmocka_unit_test(xverp_and_two_passes_do_not_go_together),
        cmocka_unit_test(without_a_secret_it_is_shown),
        cmocka_unit_test(memory_bound_is_an_error),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
