#include <string.h>

#include "mail/header.h"
#include "tool/explain.h"

/* Is this the LF of a folded header? */
static bool is_fold(const char *text)
{
    return text[0] == '\n' && (text[1] == ' ' || text[1] == '\t');
}

/* Untrusted octets must not steer the terminal. */
static void put(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (!is_fold(text))
            fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text,
                  out);
}

static void field(FILE *out, const char *name, const char *value)
{
    fprintf(out, "  %-10s ", name);
    put(out, value);
    fputc('\n', out);
}

static void show_sender(FILE *out, const struct wb_envelope *env,
                        const struct wb_plan *plan)
{
    fputs("sender <", out);
    put(out, env->sender.text);
    fputs(">\n", out);
    if (plan->sender_to == NULL) {
        field(out, "becomes", "(stays)");
        return;
    }
    field(out, "becomes", plan->sender_to);
    field(out, "because", plan->return_path->name);
}

/* A header's value as people read it. */
static void value(FILE *out, const char *name, const char *raw)
{
    struct wb_pool *p = wb_pool_new(0);
    const char *text = p == NULL ? NULL : wb_header_decode(p, raw, strlen(raw));

    field(out, name, text != NULL ? text : raw);
    wb_pool_free(p);
}

static void show_from(FILE *out, const struct wb_plan *plan)
{
    if (plan->from_header == NULL)
        return;
    fputs("header From\n", out);
    value(out, "becomes", plan->from_header);
    if (plan->reply_to != NULL)
        value(out, "reply-to", plan->reply_to);
    if (plan->breaks_dkim)
        field(out, "dkim", "broken: a signer must stand behind waybill");
}

static const char *const tls_names[] = {
    [WB_TLS_NONE] = "no TLS",
    [WB_TLS_STARTTLS] = "STARTTLS",
    [WB_TLS_IMPLICIT] = "TLS",
};

/* Why there is no rule. */
static const char *no_rule(const struct wb_recipient_plan *r)
{
    return r->original != NULL ? "(the first pass asked the rules)"
                               : "(none matches)";
}

static void show_route(FILE *out, const struct wb_recipient_plan *r)
{
    const struct wb_route *route = r->route;

    if (r->rule != NULL)
        fprintf(out, "  %-10s %s (%s:%u, priority %d)\n", "rule", r->rule->name,
                r->rule->origin.file, r->rule->origin.line, r->rule->priority);
    else
        field(out, "rule", no_rule(r));
    if (route->is_direct)
        field(out, "route", "direct: as the MTA would do without waybill");
    else
        fprintf(out, "  %-10s %s: %s port %u, %s%s%s\n", "route", route->name,
                route->host, route->port, tls_names[route->tls],
                route->username != NULL ? ", as " : "",
                route->username != NULL ? route->username : "");
    for (size_t i = 0; i < route->fallback_count; i++) {
        const struct wb_relay *next = &route->fallbacks[i];

        fprintf(out, "  %-10s %s port %u%s%s\n", "then", next->host,
                next->port, next->username != NULL ? ", as " : "",
                next->username != NULL ? next->username : "");
    }
}

/* What its second pass will send it with. */
static void show_own_sender(FILE *out, const struct wb_recipient_plan *r)
{
    const struct wb_route *route = r->route;

    field(out, "sender", *r->sender != '\0' ? r->sender : "<>");
    field(out, "because", r->return_path->name);
    if (route != NULL && route->from != NULL)
        value(out, "from", route->from);
}

static void show_recipient(FILE *out, const struct wb_recipient_plan *r)
{
    fputs("recipient <", out);
    put(out, r->recipient->address.text);
    fputs(">\n", out);
    if (r->original != NULL)
        field(out, "was", r->original);
    field(out, "class", wb_class_name(r->class));
    if (r->kind != NULL)
        field(out, "kind", r->kind);
    if (r->route != NULL)
        show_route(out, r);
    if (r->webhook != NULL)
        fprintf(out, "  %-10s %s, filter %s\n", "webhook", r->webhook->name,
                r->filter);
    if (r->is_again && r->return_path != NULL)
        show_own_sender(out, r);
    if (r->rewritten != NULL)
        field(out, "becomes", r->rewritten);
    for (size_t i = 0; i < r->loss_count; i++)
        fprintf(out, "  %-10s %s (%s:%u): %s\n", "lost",
                r->losses[i].rule->name, r->losses[i].rule->origin.file,
                r->losses[i].rule->origin.line, r->losses[i].why);
}

static void show_header(FILE *out, const struct wb_action *a)
{
    fprintf(out, "header\n  %-10s %s: ",
            a->kind == WB_CHANGE_HEADER ? "change" : "add", a->text);
    put(out, a->extra);
    fputc('\n', out);
}

static void show_headers(FILE *out, const struct wb_plan *plan)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct wb_action *a = &plan->actions[i];

        if (a->kind == WB_DELETE_HEADER)
            fprintf(out, "header\n  %-10s %s (copy %u)\n", "delete", a->text,
                    a->index);
        else if (a->kind == WB_CHANGE_HEADER || a->kind == WB_ADD_HEADER)
            show_header(out, a);
    }
}

void wb_explain_text(FILE *out, const struct wb_envelope *env,
                     const struct wb_plan *plan)
{
    show_sender(out, env, plan);
    show_from(out, plan);
    for (size_t i = 0; i < env->recipient_count; i++)
        show_recipient(out, &plan->recipients[i]);
    show_headers(out, plan);
    if (plan->passes > 1)
        fputs("passes 2\n"
              "  because    the recipients need different senders or From "
              "headers: "
              "each\n"
              "             outbound one comes back to " WB_AGAIN_LISTENER
              " as a message of its own\n",
              out);
    fprintf(out, "verdict %s\n", wb_explain_verdict(plan->decision));
    if (plan->decision != WB_ACCEPT)
        fprintf(out, "  %-10s %s %s %s\n", "reply", plan->reply.code,
                plan->reply.enhanced, plan->reply.text);
}
