/* libFuzzer target for plan/plan.h: a message, and what is decided.
 *
 * Reaches: rules/plan/making.c rules/plan/outbound.c rules/plan/inbound.c
 * rules/plan/bounce.c rules/plan/again.c rules/plan/from.c rules/plan/reply.c
 * rules/plan/suffix.c rules/plan/return_path.c rules/plan/actions.c
 * rules/match/rule.c rules/match/criteria.c rules/match/pattern.c
 *
 * The input is a message in lines:
 *
 *     s SENDER          t RECIPIENT       h Name: value (a blank goes on)
 *     l login           c client          d daemon name
 *     m mailer, and n nexthop, of the recipients behind them
 *     o ORCPT, of those
 *     x                 the client wants XVERP
 *     z OCTETS          the size of the message
 *     y DAYS            later than 2023
 *
 * A second pass and a bounce go on where the message ended.
 * test_fuzz_plan.c replays the corpus. */
#include <string.h>
#include <sysexits.h>

#include "plan/plan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

enum { FUZZ_MAX_OCTETS = 8192, MOST = 64, DAY_S = 86400, NOW_S = 1700000000 };

struct message {
    struct wb_envelope env;
    struct wb_recipient recipients[MOST];
    struct wb_header headers[MOST];
    const char *mailer, *host, *orcpt;
};

/* ---- reading the input -------------------------------------------------- */

static void add_recipient(struct wb_pool *p, struct message *m,
                          const char *path)
{
    struct wb_recipient *r = &m->recipients[m->env.recipient_count];

    if (m->env.recipient_count == MOST ||
        wb_plan_read_recipient(&m->env, p, path, &r->address, NULL) != EX_OK)
        return;
    r->given = path;
    r->mailer = m->mailer;
    r->host = m->host;
    r->orcpt = m->orcpt;
    m->env.recipient_count++;
}

/* The session hands on no other. */
static bool is_esmtp_value(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static void add_header(struct message *m, char *line)
{
    char *colon = strchr(line, ':');

    if (colon == NULL || m->env.header_count == MOST)
        return;
    *colon = '\0';
    if (!wb_plan_wants_header(world(), line))
        return;
    m->headers[m->env.header_count++] =
        (struct wb_header){.name = line, .value = colon + 1};
}

static void read_line(struct wb_pool *p, struct message *m, char *line)
{
    char *value = line[0] != '\0' && line[1] == ' ' ? line + 2 : line;

    switch (line[0]) {
    case 's':
        (void)wb_address_parse(p, value, &m->env.sender, NULL);
        break;
    case 't':
        add_recipient(p, m, value);
        break;
    case 'h':
        add_header(m, value);
        break;
    case 'l':
        m->env.login = value;
        break;
    case 'c':
        m->env.client = value;
        break;
    case 'd':
        m->env.listener = value;
        break;
    case 'm':
        m->mailer = value;
        break;
    case 'n':
        m->host = value;
        break;
    case 'o':
        m->orcpt = is_esmtp_value(value) ? value : NULL;
        break;
    case 'x':
        m->env.has_xverp = true;
        break;
    case 'z':
        m->env.octets = strtoul(value, NULL, 10);
        m->env.is_size_known = true;
        break;
    case 'y':
        m->env.now_s = NOW_S + (int64_t)DAY_S * (atoi(value) % 10000);
        break;
    default:
        break;
    }
}

static void read_message(struct wb_pool *p, char *text, struct message *m)
{
    char *line;

    memset(m, 0, sizeof *m);
    m->env.sender.text = "";
    m->env.now_s = NOW_S;
    m->env.recipients = m->recipients;
    m->env.headers = m->headers;
    m->mailer = "smtp";
    while ((line = strsep(&text, "\n")) != NULL)
        read_line(p, m, line);
}

/* ---- promises ----------------------------------------------------------- */

static void check_reply(enum wb_decision decision, const struct wb_reply *r)
{
    char class = decision == WB_REJECT ? '5' : '4';

    PROMISE(strlen(r->code) == 3 && r->code[0] == class);
    PROMISE(r->enhanced[0] == class && r->enhanced[1] == '.');
    PROMISE(strpbrk(r->text, "\r\n%") == NULL && *r->text != '\0');
}

/* A line end goes out only where the line goes on. */
static void check_value(const char *value)
{
    for (; *value != '\0'; value++) {
        PROMISE(*value != '\r');
        if (*value == '\n')
            PROMISE(value[1] == ' ' || value[1] == '\t');
    }
}

static bool was_given(const struct wb_envelope *env, const char *recipient)
{
    for (size_t i = 0; i < env->recipient_count; i++)
        if (strcmp(env->recipients[i].given, recipient) == 0)
            return true;
    return false;
}

static void check_path(struct wb_pool *p, const char *path)
{
    struct wb_address a;

    PROMISE(path[0] == '<' && path[strlen(path) - 1] == '>');
    PROMISE(wb_address_parse_marked(p, path, &a, NULL) == EX_OK);
}

static void check_actions(struct wb_pool *p, const struct wb_envelope *env,
                          const struct wb_plan *plan)
{
    size_t added = 0, deleted = 0;

    for (size_t i = 0; i < plan->action_count; i++) {
        const struct wb_action *a = &plan->actions[i];

        check_value(a->text);
        if (a->extra != NULL)
            check_value(a->extra);
        if (a->kind == WB_DELETE_RECIPIENT) {
            PROMISE(was_given(env, a->text));
            deleted++;
        } else if (a->kind == WB_ADD_RECIPIENT) {
            check_path(p, a->text);
            added++;
        } else if (a->kind == WB_CHANGE_SENDER) {
            check_path(p, a->text);
        }
    }
    PROMISE(added == deleted); /* nobody is lost, nobody gets it twice */
}

static void check(struct wb_pool *p, const struct wb_envelope *env,
                  const struct wb_plan *plan)
{
    if (plan->decision != WB_ACCEPT) {
        PROMISE(plan->action_count == 0);
        check_reply(plan->decision, &plan->reply);
        return;
    }
    PROMISE(plan->passes == 1 || plan->passes == 2);
    for (size_t i = 0; i < env->recipient_count; i++) {
        const struct wb_recipient_plan *r = &plan->recipients[i];

        PROMISE(r->recipient == &env->recipients[i]);
        PROMISE((r->class == WB_CLASS_OUTBOUND) == (r->route != NULL));
        PROMISE(r->class == WB_CLASS_OUTBOUND || r->class == WB_CLASS_INBOUND ||
                r->class == WB_CLASS_BOUNCE || r->rewritten == NULL);
    }
    check_actions(p, env, plan);
}

/* What is certain at RCPT holds at the end: the refused one is left out. */
static size_t refuse_early(struct wb_pool *p, struct message *m)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->env.recipient_count; i++) {
        enum wb_decision decision = WB_ACCEPT;
        struct wb_envelope env = m->env;
        struct wb_reply reply;

        env.recipient_count = kept;
        PROMISE(wb_plan_recipient_early(world(), &env, &m->recipients[i], p,
                                        &decision, &reply, NULL) == EX_OK);
        if (decision == WB_ACCEPT)
            m->recipients[kept++] = m->recipients[i];
        else
            check_reply(decision, &reply);
    }
    return m->env.recipient_count - kept;
}

/* ---- what becomes of it ------------------------------------------------- */

/* One message more, about the same day, to one recipient. */
static void one_more(struct wb_pool *p, struct wb_envelope *env,
                     struct wb_recipient *r, const char *to,
                     struct wb_plan *plan)
{
    struct wb_address sender = env->sender;

    *r = (struct wb_recipient){.given = to, .mailer = "smtp"};
    env->recipients = r;
    env->recipient_count = 1;
    PROMISE(wb_plan_read_recipient(env, p, to, &r->address, NULL) == EX_OK);
    PROMISE(wb_plan_make(world(), env, p, false, plan, NULL) == EX_OK);
    check(p, env, plan);
    PROMISE(env->sender.text == sender.text);
}

/* What was put off to a second pass leaves there by the same route, and by no
 * other sender. */
static void second_pass(struct wb_pool *p, const struct message *m,
                        const struct wb_recipient_plan *first)
{
    struct wb_envelope env = m->env;
    struct wb_recipient r;
    struct wb_plan plan;

    env.listener = WB_AGAIN_LISTENER;
    env.client = "127.0.0.1";
    one_more(p, &env, &r, first->rewritten, &plan);
    PROMISE(plan.decision == WB_ACCEPT && plan.passes == 1);
    PROMISE(plan.recipients[0].route == first->route);
    PROMISE(strcmp(plan.recipients[0].original,
                   first->recipient->address.text) == 0);
    env.sender.text = "other@sender.test";
    env.sender.local = "other";
    env.sender.domain = "sender.test";
    one_more(p, &env, &r, first->rewritten, &plan);
    PROMISE(plan.decision != WB_ACCEPT);
}

/* Its bounce comes from outside, to the sender that it left with. */
static void bounce(struct wb_pool *p, const struct message *m, const char *to)
{
    struct wb_envelope env = {.now_s = m->env.now_s,
                              .sender = {.text = ""},
                              .client = "203.0.113.9",
                              .listener = "mx"};
    struct wb_recipient r;
    struct wb_plan plan;
    struct wb_address a;

    if (wb_address_parse(p, to, &a, NULL) != EX_OK ||
        !wb_strings_hold(&world()->bounces.domains, a.domain))
        return;
    one_more(p, &env, &r, to, &plan);
    PROMISE(plan.decision == WB_ACCEPT);
    PROMISE(plan.recipients[0].class == WB_CLASS_BOUNCE);
}

static void go_on(struct wb_pool *p, const struct message *m,
                  const struct wb_plan *plan)
{
    if (plan->decision != WB_ACCEPT)
        return;
    for (size_t i = 0; i < m->env.recipient_count; i++)
        if (plan->recipients[i].is_again && plan->passes == 2)
            second_pass(p, m, &plan->recipients[i]);
    if (plan->sender_to != NULL)
        bounce(p, m, plan->sender_to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    struct wb_pool *p;
    struct message m;
    struct wb_plan plan, told;
    size_t refused;

    if (octets > FUZZ_MAX_OCTETS)
        return 0;
    p = wb_pool_new(0);
    PROMISE(p != NULL);
    read_message(p, wb_pool_strndup(p, (const char *)data, octets), &m);
    PROMISE(wb_plan_make(world(), &m.env, p, false, &plan, NULL) == EX_OK);
    check(p, &m.env, &plan);
    PROMISE(wb_plan_make(world(), &m.env, p, true, &told, NULL) == EX_OK);
    PROMISE(told.decision == plan.decision &&
            told.action_count == plan.action_count);
    go_on(p, &m, &plan);
    refused = refuse_early(p, &m);
    PROMISE(refused == 0 || plan.decision != WB_ACCEPT);
    wb_pool_free(p);
    return 0;
}
