/* The page: everything on it is escaped, there is no script in it, and its
 * policy (CSP) would let none run. */
#include <string.h>

#include "plan/return_path.h"
#include "tool/graph/escape.h"
#include "tool/graph/graph.h"
#include "tool/graph/words.h"

enum { ENTRIES = 12, CHARS = 200 };

static const char style[] =
    "body{font:15px/1.45 sans-serif;margin:1.5em auto;max-width:80em;"
    "padding:0 1em;color:#222;background:#fff}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25em .6em;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere}"
    "th{background:#f3f3f3}td.place,.none{color:#777}"
    "ul.problems{padding-left:1.2em}.error{color:#a00}"
    ".picture{overflow:auto;border:1px solid #ddd;padding:.5em}"
    ".picture svg{max-width:100%;height:auto}";

static void html(FILE *out, const char *text)
{
    wb_put_html(out, text, CHARS);
}

/* ---- cells ---- */

static void cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    if (text != NULL)
        html(out, text);
    fputs("</td>", out);
}

static void number_cell(FILE *out, long long number, const char *unit)
{
    if (number == 0)
        fputs("<td></td>", out);
    else
        fprintf(out, "<td>%lld%s</td>", number, unit);
}

static void place_cell(FILE *out, const struct wb_origin *origin)
{
    const char *slash = strrchr(origin->file, '/');

    fputs("<td class=\"place\">", out);
    html(out, slash != NULL ? slash + 1 : origin->file);
    if (origin->line > 0)
        fprintf(out, ":%u", origin->line);
    fputs("</td>", out);
}

static void addresses_cell(FILE *out, const struct wb_addrlist *list)
{
    fputs("<td>", out);
    wb_put_addresses(out, wb_put_html, list, ENTRIES);
    fputs("</td>", out);
}

static void strings_cell(FILE *out, const struct wb_strings *list)
{
    fputs("<td>", out);
    wb_put_strings(out, wb_put_html, list, ENTRIES);
    fputs("</td>", out);
}

/* ---- tables ---- */

/* columns: parted by "|". Nothing is written for a table without rows. */
static bool begin(FILE *out, const char *id, const char *title,
                  const char *columns, size_t count)
{
    if (count == 0)
        return false;
    fprintf(out, "<h2>%s (%zu)</h2>\n<table id=\"%s\">\n<tr>", title, count,
            id);
    for (const char *c = columns; *c != '\0';) {
        size_t octets = strcspn(c, "|");

        fprintf(out, "<th>%.*s</th>", (int)octets, c);
        c += octets + (c[octets] == '|');
    }
    fputs("</tr>\n", out);
    return true;
}

static size_t rows(size_t count)
{
    return count < WB_ROWS_MAX ? count : WB_ROWS_MAX;
}

static void end(FILE *out, size_t count)
{
    fputs("</table>\n", out);
    if (count > WB_ROWS_MAX)
        fprintf(out, "<p class=\"none\">%zu more are not shown.</p>\n",
                count - WB_ROWS_MAX);
}

/* What else a rule asks for. */
static void criteria_cell(FILE *out, const struct wb_rule *r)
{
    fputs("<td>", out);
    if (r->logins.count > 0) {
        fputs("login ", out);
        wb_put_strings(out, wb_put_html, &r->logins, ENTRIES);
        fputs("<br>", out);
    }
    if (r->listeners.count > 0) {
        fputs("listener ", out);
        wb_put_strings(out, wb_put_html, &r->listeners, ENTRIES);
        fputs("<br>", out);
    }
    if (r->client_count > 0) {
        fputs("client ", out);
        wb_put_networks(out, wb_put_html, r->clients, r->client_count, ENTRIES);
        fputs("<br>", out);
    }
    if (r->header_name != NULL) {
        fputs("header ", out);
        html(out, r->header_name);
    }
    fputs("</td>", out);
}

static void rules_table(FILE *out, const struct wb_conf *conf)
{
    size_t count = conf->rules.count;

    if (!begin(out, "rules", "Rules, by priority",
               "Priority|Rule|To|Senders|And|Route|Place", count))
        return;
    for (size_t i = 0; i < rows(count); i++) {
        const struct wb_rule *r = &conf->rules.rules[i];

        fprintf(out, "<tr><td>%d</td>", r->priority);
        cell(out, r->name);
        addresses_cell(out, &r->recipients);
        addresses_cell(out, &r->senders);
        criteria_cell(out, r);
        cell(out, r->route->name);
        place_cell(out, &r->origin);
        fputs("</tr>\n", out);
    }
    end(out, count);
}

static void relay_cell(FILE *out, const struct wb_route *r)
{
    fputs("<td>", out);
    if (r->is_direct)
        fputs("<span class=\"none\">as without waybill</span>", out);
    else {
        html(out, r->host);
        fprintf(out, " port %u", r->port);
    }
    for (size_t i = 0; i < r->fallback_count; i++) {
        fputs("<br>then ", out);
        html(out, r->fallbacks[i].host);
        fprintf(out, " port %u", r->fallbacks[i].port);
    }
    fputs("</td>", out);
}

static void limits_cell(FILE *out, const struct wb_route *r)
{
    fputs("<td>", out);
    if (r->delay_s > 0)
        fprintf(out, "%u s between messages<br>", r->delay_s);
    if (r->concurrency > 0)
        fprintf(out, "%u at a time<br>", r->concurrency);
    if (r->max_recipients > 0)
        fprintf(out, "%u recipients<br>", r->max_recipients);
    if (r->max_octets > 0)
        fprintf(out, "%zu KB", r->max_octets / 1024);
    fputs("</td>", out);
}

static void routes_table(FILE *out, const struct wb_conf *conf)
{
    size_t count = conf->route_count;

    if (!begin(out, "routes", "Routes",
               "Route|Relay|TLS|Login|Account|From|Return path|Limits|Place",
               count))
        return;
    for (size_t i = 0; i < rows(count); i++) {
        const struct wb_route *r = &conf->routes[i];

        fputs("<tr>", out);
        cell(out, r->name);
        relay_cell(out, r);
        cell(out, r->is_direct ? NULL : wb_tls_word(r->tls));
        cell(out, r->is_direct ? NULL : wb_auth_word(r->auth));
        cell(out, r->username);
        cell(out, r->from != NULL ? r->from_address.text : NULL);
        cell(out, r->return_path != NULL ? r->return_path->name : NULL);
        limits_cell(out, r);
        place_cell(out, &r->origin);
        fputs("</tr>\n", out);
    }
    end(out, count);
}

static void paths_table(FILE *out, const struct wb_conf *conf)
{
    size_t count = conf->return_path_count;

    if (count < 2 || !begin(out, "return_paths", "Return paths",
                            "Return path|Mode|Domain|Senders|Logins|"
                            "Listeners|Max. age|Place",
                            count))
        return;
    for (size_t i = 0; i < rows(count); i++) {
        const struct wb_return_path *r = &conf->return_paths[i];

        fputs("<tr>", out);
        cell(out, r->name);
        cell(out, wb_return_mode_name(r->mode));
        cell(out, r->domain);
        addresses_cell(out, &r->senders);
        strings_cell(out, &r->logins);
        strings_cell(out, &r->listeners);
        number_cell(out, r->max_age_days, " days");
        place_cell(out, &r->origin);
        fputs("</tr>\n", out);
    }
    end(out, count);
}

static void inbounds_table(FILE *out, const struct wb_conf *conf)
{
    static const char *const words[] = {[WB_ON_HEADER] = "header",
                                        [WB_ON_ENVELOPE] = "recipient",
                                        [WB_ON_EITHER] = "header or recipient"};
    size_t count = conf->inbound_count;

    if (!begin(out, "inbound", "Inbound mail",
               "Inbound|Domains|By|Header|Webhook|Place", count))
        return;
    for (size_t i = 0; i < rows(count); i++) {
        const struct wb_inbound *in = &conf->inbounds[i];

        fputs("<tr>", out);
        cell(out, in->name);
        strings_cell(out, &in->domains);
        cell(out, words[in->match_on]);
        cell(out, in->header_name);
        cell(out, in->webhook != NULL ? in->webhook->name : NULL);
        place_cell(out, &in->origin);
        fputs("</tr>\n", out);
    }
    end(out, count);
}

static void bounces_table(FILE *out, const struct wb_bounces *b)
{
    if (!begin(out, "bounces", "Bounces",
               "Domains|Bounces|Replies|Webhook|Mailbox|Place",
               b->domains.count > 0))
        return;
    fputs("<tr>", out);
    strings_cell(out, &b->domains);
    cell(out, wb_deliver_word(b->deliver));
    cell(out, wb_deliver_word(b->replies));
    cell(out, b->webhook != NULL ? b->webhook->name : NULL);
    cell(out, b->address);
    place_cell(out, &b->origin);
    fputs("</tr>\n", out);
    end(out, 1);
}

static void webhooks_table(FILE *out, const struct wb_conf *conf)
{
    static const char *const formats[] = {[WB_FORMAT_CMC] = "cmc",
                                          [WB_FORMAT_CMC_JSON] = "cmc-json",
                                          [WB_FORMAT_MAILGUN] = "mailgun",
                                          [WB_FORMAT_RAW] = "raw"};
    size_t count = conf->webhook_count;

    if (!begin(out, "webhooks", "Webhooks",
               "Webhook|Where|Format|At a time|Place", count))
        return;
    for (size_t i = 0; i < rows(count); i++) {
        const struct wb_webhook *w = &conf->webhooks[i];
        char url[CHARS + 1];
        const char *from;
        size_t octets = wb_url_shown(w->url, &from);

        snprintf(url, sizeof url, "%.*s", (int)octets, from);
        fputs("<tr>", out);
        cell(out, w->name);
        cell(out, url);
        cell(out, formats[w->format]);
        number_cell(out, w->concurrency, "");
        place_cell(out, &w->origin);
        fputs("</tr>\n", out);
    }
    end(out, count);
}

static void listeners_table(FILE *out, const struct wb_conf *conf)
{
    size_t count = conf->listener_count;

    if (!begin(out, "listeners", "Listeners", "Listener|Class|Place", count))
        return;
    for (size_t i = 0; i < rows(count); i++) {
        const struct wb_listener *l = &conf->listeners[i];

        fputs("<tr>", out);
        cell(out, l->name);
        cell(out, l->class == WB_LISTENER_INBOUND ? "inbound" : "outbound");
        place_cell(out, &l->origin);
        fputs("</tr>\n", out);
    }
    end(out, count);
}

/* ---- the rest of it ---- */

static void warnings(FILE *out, const struct wb_problems *problems)
{
    fprintf(out, "<h2>Warnings (%zu)</h2>\n", problems->count);
    if (problems->count == 0) {
        fputs("<p class=\"none\">None.</p>\n", out);
        return;
    }
    fputs("<ul class=\"problems\" id=\"problems\">\n", out);
    for (size_t i = 0; i < rows(problems->count); i++) {
        const struct wb_problem *p = &problems->items[i];

        fprintf(out, "<li%s>",
                p->severity == WB_ERROR ? " class=\"error\"" : "");
        html(out, p->file);
        if (p->line > 0)
            fprintf(out, ":%u", p->line);
        fputs(": ", out);
        if (p->option != NULL) {
            html(out, p->option);
            fputs(": ", out);
        }
        wb_put_html(out, p->text, 1000);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static void picture(FILE *out, const struct wb_conf *conf, const char *svg)
{
    fputs("<h2>Picture</h2>\n", out);
    if (svg == NULL) {
        fputs("<p class=\"none\">Left out.</p>\n", out);
        return;
    }
    if (!wb_graph_is_whole(conf))
        fprintf(out,
                "<p class=\"none\">Of what there are more than %d, only groups "
                "are drawn; the tables have them one by one.</p>\n",
                WB_DRAWN_MAX);
    fprintf(out, "<div class=\"picture\" id=\"picture\">\n%s</div>\n", svg);
}

void wb_graph_page(FILE *out, const struct wb_conf *conf,
                   const struct wb_problems *problems, const char *svg)
{
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
            "<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" "
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n"
            "<title>waybill</title>\n<style>%s</style>\n</head>\n<body>\n"
            "<h1>waybill</h1>\n<p>",
            style);
    html(out, conf->path);
    fprintf(out, "<br>configuration <code>%.8s</code>, waybill %s, %s %s</p>\n",
            conf->digest, WB_VERSION,
            conf->mta == WB_MTA_POSTFIX ? "Postfix," : "Sendmail,",
            conf->attach == WB_BEFORE_QUEUE ? "before the queue"
                                            : "after the queue");
    warnings(out, problems);
    picture(out, conf, svg);
    rules_table(out, conf);
    routes_table(out, conf);
    paths_table(out, conf);
    inbounds_table(out, conf);
    bounces_table(out, &conf->bounces);
    webhooks_table(out, conf);
    listeners_table(out, conf);
    fputs("</body>\n</html>\n", out);
}
