#include "tool/test/report.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { EXPIRES_SOON_DAYS = 14, DAY_S = 86400 };

static const char *const tls_names[] = {
    [WB_TLS_NONE] = "no TLS",
    [WB_TLS_STARTTLS] = "STARTTLS",
    [WB_TLS_IMPLICIT] = "TLS",
};

static const char *const tls_words[] = {
    [WB_TLS_NONE] = "none",
    [WB_TLS_STARTTLS] = "starttls",
    [WB_TLS_IMPLICIT] = "tls",
};

/* ---- for people ------------------------------------------------------------
 */

void wb_report_head(FILE *out, const struct wb_route_test *t)
{
    const struct wb_route *r = t->route;

    fprintf(out, "route %s: %s port %u, %s%s%s\n", r->name, r->host, r->port,
            tls_names[r->tls], r->username != NULL ? ", as " : "",
            r->username != NULL ? r->username : "");
}

static const char *prefix(const struct wb_dialogue *d)
{
    return d->prefix != NULL ? d->prefix : "";
}

/* The names of a fallback's steps are longer. */
static int column(const struct wb_route_test *t)
{
    return t->route->fallback_count > 0 ? 18 : 12;
}

static void line(FILE *out, const struct wb_route_test *t,
                 const struct wb_dialogue *d, enum wb_step step,
                 int64_t took_us, const char *text)
{
    const char *before = prefix(d);

    fprintf(out, "  %s%-*s %8.1f ms  %s\n", before,
            column(t) - (int)strlen(before), wb_step_name(step),
            (double)took_us / 1000, text);
}

static void failed_step(FILE *out, const struct wb_route_test *t,
                        const struct wb_dialogue *d)
{
    line(out, t, d, d->fault.step, d->failed_after_us, "failed");
}

static void done_step(FILE *out, const struct wb_route_test *t,
                      const struct wb_dialogue *d, size_t i)
{
    line(out, t, d, d->steps[i].step, d->steps[i].took_us, d->steps[i].detail);
}

void wb_report_step(FILE *out, const struct wb_route_test *t,
                    const struct wb_dialogue *d)
{
    if (d->fault.cause != WB_CAUSE_NONE)
        failed_step(out, t, d);
    else
        done_step(out, t, d, d->step_count - 1);
}

/* Text of several lines, each below the first. */
static void field(FILE *out, const char *name, const char *text)
{
    fprintf(out, "  %-12s ", name);
    for (; *text != '\0'; text++) {
        fputc(*text, out);
        if (*text == '\n')
            fprintf(out, "  %-12s ", "");
    }
    fputc('\n', out);
}

static int64_t days_left(const struct wb_route_test *t, int64_t now_s)
{
    return (t->smtp.certificate.expires_s - now_s) / DAY_S;
}

static void note_expiry(FILE *out, const struct wb_route_test *t)
{
    int64_t days = days_left(t, t->run->now_s);

    if (t->smtp.certificate.names.count > 0 && days < EXPIRES_SOON_DAYS)
        fprintf(out, "  %-12s the certificate expires in %lld day%s\n", "note",
                (long long)days, days == 1 ? "" : "s");
}

void wb_report_fault(FILE *out, const char *route, const char *before,
                     const struct wb_fault *fault)
{
    const struct wb_hint *hint = wb_hint_find(fault);

    fprintf(out, "route %s: failed at %s%s: %s\n", route, before,
            wb_step_name(fault->step), wb_failure_name(hint->kind));
    field(out, fault->cause == WB_CAUSE_REPLY ? "server" : "why", fault->text);
    field(out, "hint", hint->text);
}

void wb_report_end(FILE *out, const struct wb_route_test *t)
{
    if (t->has_tables)
        fprintf(out, "  %-*s %8s     %s\n", column(t),
                wb_step_name(WB_STEP_TABLES), "", t->tables.text);
    note_expiry(out, t);
    if (t->fault.cause == WB_CAUSE_NONE)
        fprintf(out, "route %s: ok\n", t->route->name);
    else
        wb_report_fault(out, t->route->name, t->prefix, &t->fault);
}

static void all_steps(FILE *out, const struct wb_route_test *t,
                      const struct wb_dialogue *d)
{
    for (size_t i = 0; i < d->step_count; i++)
        done_step(out, t, d, i);
    if (d->fault.cause != WB_CAUSE_NONE)
        failed_step(out, t, d);
}

void wb_report_whole(FILE *out, const struct wb_route_test *t)
{
    wb_report_head(out, t);
    all_steps(out, t, &t->pop);
    all_steps(out, t, &t->smtp);
    for (size_t i = 0; i < t->route->fallback_count; i++)
        all_steps(out, t, &t->fallbacks[i]);
    wb_report_end(out, t);
}

/* ---- for programs ----------------------------------------------------------
 */

static json_t *text(const char *s)
{
    return s != NULL ? json_string(s) : json_null();
}

static json_t *step_name(const struct wb_dialogue *d, enum wb_step step)
{
    return json_sprintf("%s%s", prefix(d), wb_step_name(step));
}

static void add_steps(json_t *list, const struct wb_dialogue *d)
{
    for (size_t i = 0; i < d->step_count; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:b, s:f, s:s}", "step",
                            step_name(d, d->steps[i].step), "ok", 1, "ms",
                            (double)d->steps[i].took_us / 1000, "detail",
                            d->steps[i].detail));
    if (d->fault.cause != WB_CAUSE_NONE)
        json_array_append_new(list,
                              json_pack("{s:o, s:b, s:f, s:o}", "step",
                                        step_name(d, d->fault.step), "ok", 0,
                                        "ms", (double)d->failed_after_us / 1000,
                                        "detail", text(d->fault.text)));
}

static json_t *steps(const struct wb_route_test *t)
{
    json_t *list = json_array();

    add_steps(list, &t->pop);
    add_steps(list, &t->smtp);
    for (size_t i = 0; i < t->route->fallback_count; i++)
        add_steps(list, &t->fallbacks[i]);
    return list;
}

static json_t *failed_at(const struct wb_route_test *t)
{
    if (t->fault.cause == WB_CAUSE_NONE)
        return json_null();
    return json_sprintf("%s%s", t->prefix, wb_step_name(t->fault.step));
}

static json_t *strings(const struct wb_strings *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static json_t *certificate(const struct wb_route_test *t, int64_t now_s)
{
    const struct wb_certificate *c = &t->smtp.certificate;
    time_t expires = (time_t)c->expires_s;
    char stamp[32] = "";
    struct tm tm;

    if (c->names.count == 0)
        return json_null();
    if (gmtime_r(&expires, &tm) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_pack("{s:o, s:s, s:I}", "names", strings(&c->names), "expires",
                     stamp, "days_left", (json_int_t)days_left(t, now_s));
}

static json_t *tables(const struct wb_route_test *t)
{
    if (!t->has_tables)
        return json_null();
    return json_pack("{s:b, s:o}", "ok", t->tables.cause == WB_CAUSE_NONE,
                     "detail", text(t->tables.text));
}

static json_t *object(const struct wb_route_test *t, int64_t now_s)
{
    const struct wb_route *r = t->route;
    bool is_ok = t->fault.cause == WB_CAUSE_NONE;
    const struct wb_hint *hint = is_ok ? NULL : wb_hint_find(&t->fault);
    enum wb_kind kind = is_ok ? WB_KIND_OK : hint->kind;

    return json_pack(
        "{s:s, s:s, s:i, s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o}",
        "route", r->name, "result", wb_failure_name(kind), "status",
        wb_failure_status(kind), "host", r->host, "port", (int)r->port, "tls",
        tls_words[r->tls], "username", text(r->username), "sender",
        text(t->mail.sender), "recipient", text(t->mail.recipient), "steps",
        steps(t), "certificate", certificate(t, now_s), "tables", tables(t),
        "failed_at", failed_at(t), "reply", text(is_ok ? NULL : t->fault.text),
        "hint", text(is_ok ? NULL : hint->text));
}

int wb_report_json(FILE *out, const struct wb_route_test *tests, size_t count,
                   int64_t now_s)
{
    json_t *list = json_array();
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        rc |= json_array_append_new(list, object(&tests[i], now_s));
    if (rc == 0)
        rc = json_dumpf(list, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(list);
    fputc('\n', out);
    return rc == 0 ? EX_OK : EX_OSERR;
}
