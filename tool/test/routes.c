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

/* The first thing that went wrong; the tables come last. */
static void end(struct wb_route_test *t)
{
    if (t->has_tables && t->smtp.address != NULL)
        look_into_dns(t);
    if (t->fault.cause == WB_CAUSE_NONE)
        t->fault = t->pop.fault;
    if (t->fault.cause == WB_CAUSE_NONE)
        t->fault = t->smtp.fault;
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

static void on_end(void *context, const struct wb_dialogue *d)
{
    if (d->protocol == WB_SMTP || d->fault.cause != WB_CAUSE_NONE)
        end(context);
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
    t->pop.on_step = on_step;
    t->pop.on_end = on_end;
    t->pop.context = t;
    return EX_OK;
}

static int prepare_smtp(struct wb_route_test *t, struct wb_err *err)
{
    const struct wb_route *r = t->route;

    t->smtp = (struct wb_dialogue){.protocol = WB_SMTP,
                                   .host = r->host,
                                   .port = r->port,
                                   .tls = r->tls,
                                   .ca_file = r->ca_file,
                                   .auth = r->auth,
                                   .sender = t->mail.sender,
                                   .recipient = t->mail.recipient,
                                   .letter = t->mail.letter,
                                   .source = &t->run->source,
                                   .timeout_s = t->run->timeout_s,
                                   .on_step = on_step,
                                   .on_end = on_end,
                                   .context = t};
    if (r->auth == WB_AUTH_NONE)
        return EX_OK;
    t->smtp.username = r->username;
    return wb_password_read(t->run->pool, r->password_file, &t->smtp.password,
                            err);
}

static int prepare(struct wb_route_test *t, struct wb_err *err)
{
    const struct wb_routes_run *run = t->run;
    struct wb_err why = {""};
    int code = wb_test_mail_make(run->conf, t->route, run->from, run->to,
                                 run->now_s, run->pool, &t->mail, &why);

    if (code != EX_OK)
        t->fault = (struct wb_fault){.step = WB_STEP_MAIL,
                                     .cause = WB_CAUSE_NO_SENDER,
                                     .text = wb_say(run->pool, "%s", why.text)};
    code = prepare_smtp(t, err);
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

/* Those that need POP before SMTP, or all, that nothing is wrong with yet. */
static void run_dialogues(struct wb_routes_run *run,
                          struct wb_route_test *tests, size_t count,
                          enum wb_protocol protocol)
{
    struct wb_dialogue **list =
        wb_must(wb_pool_array(run->pool, count + 1, sizeof *list));
    size_t ready = 0;

    for (size_t i = 0; i < count; i++) {
        struct wb_dialogue *d =
            protocol == WB_POP3 ? &tests[i].pop : &tests[i].smtp;

        if (tests[i].fault.cause == WB_CAUSE_NONE && d->host != NULL)
            list[ready++] = d;
    }
    wb_dialogues_run(run->pool, list, ready);
}

int wb_routes_test(struct wb_routes_run *run,
                   const struct wb_route *const *routes, size_t count,
                   struct wb_route_test *tests, struct wb_err *err)
{
    int code = EX_OK;

    ask_source(run);
    for (size_t i = 0; i < count && code == EX_OK; i++) {
        tests[i] = (struct wb_route_test){.route = routes[i], .run = run};
        code = prepare(&tests[i], err);
    }
    if (code != EX_OK)
        return code;
    ask_tables(run, tests, count);
    for (size_t i = 0; i < count; i++) {
        if (run->on_begin != NULL)
            run->on_begin(&tests[i]);
        if (tests[i].fault.cause != WB_CAUSE_NONE)
            end(&tests[i]);
    }
    run_dialogues(run, tests, count, WB_POP3);
    run_dialogues(run, tests, count, WB_SMTP);
    return EX_OK;
}

const char *wb_route_test_prefix(const struct wb_route_test *t)
{
    return t->pop.fault.cause != WB_CAUSE_NONE ? "pop:" : "";
}
