#include "tool/test/routes.h"

#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/password.h"
#include "tool/test/source.h"

/* The tables' fault matters only where the dialogue went well. */
static void end(struct wb_route_test *t)
{
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

    (void)d;
    if (t->run->on_step != NULL)
        t->run->on_step(t);
}

static void on_end(void *context, const struct wb_dialogue *d)
{
    (void)d;
    end(context);
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
    return prepare_smtp(t, err);
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

int wb_routes_test(struct wb_routes_run *run,
                   const struct wb_route *const *routes, size_t count,
                   struct wb_route_test *tests, struct wb_err *err)
{
    struct wb_dialogue **list =
        wb_must(wb_pool_array(run->pool, count + 1, sizeof *list));
    size_t ready = 0;
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
        if (tests[i].fault.cause == WB_CAUSE_NONE)
            list[ready++] = &tests[i].smtp;
        else
            end(&tests[i]);
    }
    wb_dialogues_run(run->pool, list, ready);
    return EX_OK;
}
