#include "tool/test/routes.h"

#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/password.h"
#include "tool/test/names.h"
#include "tool/test/source.h"
#include "tool/watch/pop.h"

/* The host was found; would Postfix find it? */
static void look_into_dns(struct wb_route_test *t)
{
    const char *host = t->route->host;

    if (t->tables.cause != WB_CAUSE_NONE || !t->run->source.asks_dns_alone ||
        host[0] == '[' || wb_dns_knows(host, &t->run->source) != WB_NO)
        return;
    t->tables = (struct wb_fault){
        .step = WB_STEP_TABLES,
        .cause = WB_CAUSE_NOT_IN_DNS,
        .text = wb_say(t->run->pool, "the DNS does not know %s", host)};
}

static void take_fault(struct wb_route_test *t, const struct wb_dialogue *d)
{
    if (t->fault.cause != WB_CAUSE_NONE)
        return;
    t->fault = d->fault;
    if (d->fault.cause != WB_CAUSE_NONE && d->prefix != NULL)
        t->prefix = d->prefix;
}

/* The first thing that went wrong; the tables come last. */
static void end(struct wb_route_test *t)
{
    if (t->has_tables && t->smtp.address != NULL)
        look_into_dns(t);
    take_fault(t, &t->pop);
    take_fault(t, &t->smtp);
    for (size_t i = 0; i < t->route->fallback_count; i++)
        take_fault(t, &t->fallbacks[i]);
    if (t->fault.cause == WB_CAUSE_NONE && t->has_tables)
        t->fault = t->tables;
    if (t->run->on_end != NULL)
        t->run->on_end(t);
}

static void on_step(void *context, const struct wb_dialogue *d)
{
    struct wb_route_test *t = context;

    if (t->run->on_step != NULL)
        t->run->on_step(t, d);
}

/* A route whose POP login fails is not used, its fallbacks neither. */
static void on_end(void *context, const struct wb_dialogue *d)
{
    struct wb_route_test *t = context;

    if (d->fault.cause != WB_CAUSE_NONE)
        on_step(t, d);
    t->left = d->protocol == WB_POP3 && d->fault.cause != WB_CAUSE_NONE
                  ? 0
                  : t->left - 1;
    if (t->left == 0)
        end(t);
}

static int prepare_pop(struct wb_route_test *t, struct wb_err *err)
{
    const char *password;
    int code;

    if (t->route->pop.host == NULL)
        return EX_OK;
    code = wb_password_read(t->run->pool, t->route->pop.password_file,
                            &password, err);
    if (code != EX_OK)
        return code;
    t->pop =
        wb_pop_dialogue(t->route, password, &t->run->source, t->run->timeout_s);
    t->left++;
    t->pop.on_step = on_step;
    t->pop.on_end = on_end;
    t->pop.context = t;
    return EX_OK;
}

/* The dialogue with one of the route's relays. */
static int prepare_smtp(struct wb_route_test *t, const struct wb_relay *relay,
                        const struct wb_test_mail *mail,
                        struct wb_dialogue *out, struct wb_err *err)
{
    const struct wb_route *r = t->route;

    *out = (struct wb_dialogue){
        .protocol = WB_SMTP,
        .host = relay->host,
        .port = relay->port,
        .tls = r->tls,
        .ca_file = r->ca_file,
        .cert_file =
            r->cert_file != NULL ? r->cert_file : t->run->source.cert_file,
        .key_file =
            r->cert_file != NULL ? r->key_file : t->run->source.key_file,
        .auth = r->auth,
        .sender = mail->sender,
        .recipient = mail->recipient,
        .letter = mail->letter,
        .source = &t->run->source,
        .timeout_s = t->run->timeout_s,
        .on_step = on_step,
        .on_end = on_end,
        .context = t};
    t->left++;
    if (r->auth == WB_AUTH_NONE)
        return EX_OK;
    out->username = relay->username;
    return wb_password_read(t->run->pool, relay->password_file, &out->password,
                            err);
}

/* A mail of its own for each relay, so that people see which ones arrived. */
static void make_mail(struct wb_route_test *t, size_t fallback,
                      struct wb_test_mail *out)
{
    const struct wb_routes_run *run = t->run;
    struct wb_err why = {""};
    int code = wb_test_mail_make(run->conf, t->route, fallback, run->from,
                                 run->to, run->now_s, run->pool, out, &why);

    if (code != EX_OK)
        t->fault = (struct wb_fault){.step = WB_STEP_MAIL,
                                     .cause = WB_CAUSE_NO_SENDER,
                                     .text = wb_say(run->pool, "%s", why.text)};
}

static int prepare(struct wb_route_test *t, struct wb_err *err)
{
    const struct wb_route *r = t->route;
    const struct wb_relay own = {r->host, r->port, r->username,
                                 r->password_file};
    int code;

    t->fallbacks = wb_must(wb_pool_array(t->run->pool, r->fallback_count + 1,
                                         sizeof *t->fallbacks));
    make_mail(t, 0, &t->mail);
    code = prepare_smtp(t, &own, &t->mail, &t->smtp, err);
    for (size_t i = 0; i < r->fallback_count && code == EX_OK; i++) {
        struct wb_test_mail mail = {.sender = NULL};

        make_mail(t, i + 1, &mail);
        code = prepare_smtp(t, &r->fallbacks[i], &mail, &t->fallbacks[i], err);
        t->fallbacks[i].prefix = wb_say(t->run->pool, "fallback%zu:", i + 1);
    }
    return code == EX_OK ? prepare_pop(t, err) : code;
}

static void ask_tables(struct wb_routes_run *run, struct wb_route_test *tests,
                       size_t count)
{
    struct wb_tables tables;

    if (run->without_tables)
        return;
    wb_tables_open(run->pool, run->conf, run->dir, &tables);
    for (size_t i = 0; i < count; i++) {
        tests[i].has_tables = true;
        tests[i].tables = wb_tables_judge(&tables, tests[i].route);
    }
}

/* Without a Postfix the tables' fault says so. */
static void ask_source(struct wb_routes_run *run)
{
    if (wb_source_read(run->pool, run->dir, &run->source, NULL) != EX_OK)
        wb_source_read(run->pool, NULL, &run->source, NULL);
}

/* The dialogue of a route's test in a round: the POP login, then relay after
 * relay. NULL: it has none. */
static struct wb_dialogue *dialogue_of(struct wb_route_test *t, size_t round)
{
    if (round == 0)
        return t->pop.host != NULL ? &t->pop : NULL;
    if (round == 1)
        return &t->smtp;
    return round - 2 < t->route->fallback_count ? &t->fallbacks[round - 2]
                                                : NULL;
}

/* One of each route that has not ended yet. Returns whether there were any. */
static bool run_round(struct wb_routes_run *run, struct wb_route_test *tests,
                      size_t count, size_t round)
{
    struct wb_dialogue **list =
        wb_must(wb_pool_array(run->pool, count + 1, sizeof *list));
    size_t ready = 0;

    for (size_t i = 0; i < count; i++) {
        struct wb_dialogue *d = dialogue_of(&tests[i], round);

        if (tests[i].left > 0 && d != NULL)
            list[ready++] = d;
    }
    wb_dialogues_run(run->pool, list, ready);
    return ready > 0;
}

int wb_routes_test(struct wb_routes_run *run,
                   const struct wb_route *const *routes, size_t count,
                   struct wb_route_test *tests, struct wb_err *err)
{
    int code = EX_OK;

    ask_source(run);
    for (size_t i = 0; i < count && code == EX_OK; i++) {
        tests[i] = (struct wb_route_test){
            .route = routes[i], .run = run, .prefix = ""};
        code = prepare(&tests[i], err);
    }
    if (code != EX_OK)
        return code;
    ask_tables(run, tests, count);
    for (size_t i = 0; i < count; i++) {
        if (run->on_begin != NULL)
            run->on_begin(&tests[i]);
        if (tests[i].fault.cause == WB_CAUSE_NONE)
            continue;
        tests[i].left = 0;
        end(&tests[i]);
    }
    run_round(run, tests, count, 0);
    for (size_t round = 1; run_round(run, tests, count, round); round++)
        ;
    return EX_OK;
}
