#include <stdbool.h>
#include <string.h>

#include "plan/return_path.h"
#include "tool/graph/escape.h"
#include "tool/graph/graph.h"
#include "tool/graph/relays.h"
#include "tool/graph/words.h"
#include "tool/maps/memory.h"

enum { ENTRIES = 4, CHARS = 60 };

struct drawing {
    FILE *out;
    const struct wb_conf *conf;
    struct wb_pool *p;
    struct wb_relays relays;
    size_t *rules_of; /* how many rules lead to each route */
    bool has_all_rules, has_all_routes, has_all_relays;
    bool has_all_inbounds, has_all_webhooks, has_all_paths;
};

static bool is_few(size_t count)
{
    return count <= WB_DRAWN_MAX;
}

bool wb_graph_is_whole(const struct wb_conf *conf)
{
    return is_few(conf->rules.count) && is_few(conf->route_count) &&
           is_few(conf->inbound_count) && is_few(conf->webhook_count) &&
           is_few(conf->return_path_count);
}

/* ---- parts of a node ---- */

static void begin(struct drawing *d, const char *kind, size_t i,
                  const char *shape)
{
    fprintf(d->out, "  %s_%zu [id=\"%s_%zu\", shape=%s, label=\"", kind, i,
            kind, i, shape);
}

static void end(struct drawing *d)
{
    fputs("\"];\n", d->out);
}

static void line(struct drawing *d, const char *label)
{
    fprintf(d->out, "\\n%s", label);
}

/* A line of a rule's label, where the criterion is given. */
static void strings_line(struct drawing *d, const char *label,
                         const struct wb_strings *list)
{
    if (list->count == 0)
        return;
    line(d, label);
    wb_put_strings(d->out, wb_put_dot, list, ENTRIES);
}

static void addresses_line(struct drawing *d, const char *label,
                           const struct wb_addrlist *list)
{
    if (list->count == 0)
        return;
    line(d, label);
    wb_put_addresses(d->out, wb_put_dot, list, ENTRIES);
}

/* ---- senders and rules ---- */

static bool is_same_list(const struct wb_addrlist *a,
                         const struct wb_addrlist *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->entries[i].kind != b->entries[i].kind ||
            strcmp(a->entries[i].text == NULL ? "" : a->entries[i].text,
                   b->entries[i].text == NULL ? "" : b->entries[i].text) != 0)
            return false;
    return true;
}

/* The first rule with the same senders: its place names their node. */
static size_t senders_of(const struct wb_rules *rules, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (is_same_list(&rules->rules[k].senders, &rules->rules[i].senders))
            return k;
    return i;
}

static void draw_senders(struct drawing *d, size_t i)
{
    const struct wb_addrlist *senders = &d->conf->rules.rules[i].senders;

    if (senders_of(&d->conf->rules, i) != i)
        return;
    begin(d, "sender", i, "plaintext");
    if (senders->count == 0)
        fputs("any sender", d->out);
    else
        wb_put_addresses(d->out, wb_put_dot, senders, ENTRIES);
    end(d);
}

static void draw_rule(struct drawing *d, size_t i)
{
    const struct wb_rule *r = &d->conf->rules.rules[i];

    draw_senders(d, i);
    begin(d, "rule", i, "box");
    fputs("rule ", d->out);
    wb_put_dot(d->out, r->name, CHARS);
    fprintf(d->out, "\\npriority %d", r->priority);
    addresses_line(d, "to ", &r->recipients);
    strings_line(d, "login ", &r->logins);
    strings_line(d, "listener ", &r->listeners);
    if (r->client_count > 0) {
        line(d, "client ");
        wb_put_networks(d->out, wb_put_dot, r->clients, r->client_count,
                        ENTRIES);
    }
    if (r->header_name != NULL) {
        line(d, "header ");
        wb_put_dot(d->out, r->header_name, CHARS);
    }
    end(d);
    fprintf(d->out, "  sender_%zu -> rule_%zu;\n",
            senders_of(&d->conf->rules, i), i);
}

/* ---- routes and relays ---- */

static const char *route_kind(const struct drawing *d, size_t route)
{
    return d->has_all_routes || d->conf->routes[route].is_direct ? "route"
                                                                 : "routes";
}

/* The place in the name of a route's node, or of its group's: its relay. */
static size_t route_place(const struct drawing *d, size_t route)
{
    if (d->has_all_routes || d->conf->routes[route].is_direct)
        return route;
    return d->has_all_relays ? d->relays.of_route[route] : 0;
}

static void draw_route(struct drawing *d, size_t i)
{
    const struct wb_route *r = &d->conf->routes[i];

    begin(d, "route", i, r->is_direct ? "oval" : "component");
    fputs("route ", d->out);
    wb_put_dot(d->out, r->name, CHARS);
    if (r->is_direct)
        line(d, "as without waybill");
    if (r->username != NULL) {
        line(d, "as ");
        wb_put_dot(d->out, r->username, CHARS);
    }
    if (r->from != NULL) {
        line(d, "From ");
        wb_put_dot(d->out, r->from_address.text, CHARS);
    }
    end(d);
}

static void draw_route_ways(struct drawing *d, size_t i)
{
    const struct wb_route *r = &d->conf->routes[i];

    if (r->is_direct)
        return;
    if (!d->has_all_relays) {
        fprintf(d->out, "  route_%zu -> relays_0;\n", i);
        return;
    }
    fprintf(d->out, "  route_%zu -> relay_%zu [label=\"%s\"];\n", i,
            d->relays.of_route[i], wb_tls_word(r->tls));
    for (size_t k = 0; k < r->fallback_count; k++)
        fprintf(d->out,
                "  route_%zu -> relay_%zu [style=dashed, label=\"then\"];\n", i,
                wb_relays_place(&d->relays, r->fallbacks[k].host,
                                r->fallbacks[k].port));
}

static void draw_relay(struct drawing *d, size_t i)
{
    begin(d, "relay", i, "cylinder");
    wb_put_dot(d->out, d->relays.items[i]->host, CHARS);
    fprintf(d->out, "\\nport %u", d->relays.items[i]->port);
    end(d);
}

/* Routes by the relay that they lead to, or all in one. */
static void draw_route_groups(struct drawing *d)
{
    size_t groups = d->has_all_relays ? d->relays.count : 1;
    size_t *members = wb_must(wb_pool_array(d->p, groups + 1, sizeof *members));

    draw_route(d, 0);
    for (size_t i = 1; i < d->conf->route_count; i++)
        members[route_place(d, i)]++;
    for (size_t i = 0; i < groups; i++) {
        if (members[i] == 0)
            continue;
        begin(d, "routes", i, "box3d");
        fprintf(d->out, "%zu route%s", members[i], members[i] == 1 ? "" : "s");
        end(d);
        if (d->has_all_relays)
            fprintf(d->out, "  routes_%zu -> relay_%zu;\n", i, i);
    }
    if (!d->has_all_relays)
        fputs("  routes_0 -> relays_0;\n", d->out);
}

static void draw_routes(struct drawing *d)
{
    for (size_t i = 0; d->has_all_relays && i < d->relays.count; i++)
        draw_relay(d, i);
    if (!d->has_all_relays) {
        begin(d, "relays", 0, "cylinder");
        fprintf(d->out, "%zu relays", d->relays.count);
        end(d);
    }
    if (!d->has_all_routes) {
        draw_route_groups(d);
        return;
    }
    for (size_t i = 0; i < d->conf->route_count; i++) {
        draw_route(d, i);
        draw_route_ways(d, i);
    }
}

static void draw_rules(struct drawing *d)
{
    const struct wb_conf *conf = d->conf;

    for (size_t i = 0; i < conf->rules.count; i++)
        d->rules_of[conf->rules.rules[i].route - conf->routes]++;
    for (size_t i = 0; d->has_all_rules && i < conf->rules.count; i++) {
        size_t to = (size_t)(conf->rules.rules[i].route - conf->routes);

        draw_rule(d, i);
        fprintf(d->out, "  rule_%zu -> %s_%zu;\n", i, route_kind(d, to),
                route_place(d, to));
    }
}

/* One for each route, or each group of routes. */
static void draw_rule_groups(struct drawing *d)
{
    const struct wb_conf *conf = d->conf;
    size_t *sums, *of;

    if (d->has_all_rules)
        return;
    sums = wb_must(wb_pool_array(d->p, conf->route_count + 1, sizeof *sums));
    of = wb_must(wb_pool_array(d->p, conf->route_count + 1, sizeof *of));
    for (size_t i = 0; i < conf->route_count; i++) {
        /* 0 is "direct", of which there are no others */
        size_t at = conf->routes[i].is_direct ? 0 : 1 + route_place(d, i);

        sums[at] += d->rules_of[i];
        of[at] = i;
    }
    for (size_t at = 0; at <= conf->route_count; at++) {
        if (sums[at] == 0)
            continue;
        begin(d, "rules", at, "box3d");
        fprintf(d->out, "%zu rule%s", sums[at], sums[at] == 1 ? "" : "s");
        end(d);
        fprintf(d->out, "  rules_%zu -> %s_%zu;\n", at, route_kind(d, of[at]),
                route_place(d, of[at]));
    }
}

/* ---- return paths, inbound mail ---- */

static void draw_path(struct drawing *d, size_t i)
{
    const struct wb_return_path *r = &d->conf->return_paths[i];

    if (r->mode == WB_RETURN_KEEP)
        return;
    begin(d, "path", i, "note");
    fputs("return path ", d->out);
    wb_put_dot(d->out, r->name, CHARS);
    addresses_line(d, "of ", &r->senders);
    line(d, wb_return_mode_name(r->mode));
    if (r->domain != NULL) {
        fputs(" @", d->out);
        wb_put_dot(d->out, r->domain, CHARS);
    }
    end(d);
    if (r->domain != NULL &&
        wb_strings_hold(&d->conf->bounces.domains, r->domain))
        fprintf(d->out, "  path_%zu -> bounces_0 [style=dashed];\n", i);
}

static void draw_paths(struct drawing *d)
{
    const struct wb_conf *conf = d->conf;

    for (size_t i = 0; d->has_all_paths && i < conf->return_path_count; i++)
        draw_path(d, i);
    if (!d->has_all_paths) {
        begin(d, "paths", 0, "box3d");
        fprintf(d->out, "%zu return paths", conf->return_path_count - 1);
        end(d);
    }
    for (size_t i = 0;
         d->has_all_paths && d->has_all_routes && i < conf->route_count; i++) {
        const struct wb_return_path *r = conf->routes[i].return_path;

        if (r != NULL && r->mode != WB_RETURN_KEEP &&
            r->mode != WB_RETURN_ADDRESS)
            fprintf(d->out, "  route_%zu -> path_%zu [style=dotted];\n", i,
                    (size_t)(r - conf->return_paths));
    }
}

static void draw_webhook(struct drawing *d, size_t i)
{
    const struct wb_webhook *w = &d->conf->webhooks[i];
    const char *from;
    size_t octets = wb_url_shown(w->url, &from);

    begin(d, "webhook", i, "house");
    fputs("webhook ", d->out);
    wb_put_dot(d->out, w->name, CHARS);
    line(d, "");
    wb_put_dot(d->out, wb_slice(d->p, from, 0, octets), CHARS);
    end(d);
}

static void to_webhook(struct drawing *d, const char *kind, size_t i,
                       const struct wb_webhook *w)
{
    if (w != NULL)
        fprintf(d->out, "  %s_%zu -> webhook%s_%zu;\n", kind, i,
                d->has_all_webhooks ? "" : "s",
                d->has_all_webhooks ? (size_t)(w - d->conf->webhooks) : 0);
}

static void draw_inbound(struct drawing *d, size_t i)
{
    const struct wb_inbound *in = &d->conf->inbounds[i];

    begin(d, "inbound", i, "folder");
    fputs("inbound ", d->out);
    wb_put_dot(d->out, in->name, CHARS);
    strings_line(d, "to ", &in->domains);
    if (in->header_name != NULL) {
        line(d, "by header ");
        wb_put_dot(d->out, in->header_name, CHARS);
    }
    end(d);
    to_webhook(d, "inbound", i, in->webhook);
}

static void draw_inbound_group(struct drawing *d)
{
    const struct wb_conf *conf = d->conf;
    bool *is_met =
        wb_must(wb_pool_array(d->p, conf->webhook_count + 1, sizeof *is_met));

    begin(d, "inbounds", 0, "box3d");
    fprintf(d->out, "%zu inbound sections", conf->inbound_count);
    end(d);
    for (size_t i = 0; i < conf->inbound_count; i++) {
        const struct wb_webhook *w = conf->inbounds[i].webhook;
        size_t at = d->has_all_webhooks && w ? (size_t)(w - conf->webhooks) : 0;

        if (!is_met[at])
            to_webhook(d, "inbounds", 0, w);
        is_met[at] = true;
    }
}

static void draw_bounces(struct drawing *d)
{
    const struct wb_bounces *b = &d->conf->bounces;

    if (b->domains.count == 0)
        return;
    begin(d, "bounces", 0, "folder");
    fputs("bounces", d->out);
    strings_line(d, "to ", &b->domains);
    line(d, wb_deliver_word(b->deliver));
    end(d);
    to_webhook(d, "bounces", 0, b->webhook);
}

static void draw_inbounds(struct drawing *d)
{
    const struct wb_conf *conf = d->conf;

    for (size_t i = 0; d->has_all_webhooks && i < conf->webhook_count; i++)
        draw_webhook(d, i);
    if (!d->has_all_webhooks) {
        begin(d, "webhooks", 0, "box3d");
        fprintf(d->out, "%zu webhooks", conf->webhook_count);
        end(d);
    }
    for (size_t i = 0; d->has_all_inbounds && i < conf->inbound_count; i++)
        draw_inbound(d, i);
    if (!d->has_all_inbounds)
        draw_inbound_group(d);
    draw_bounces(d);
}

void wb_graph_dot(FILE *out, const struct wb_conf *conf, struct wb_pool *p)
{
    struct drawing d = {.out = out, .conf = conf, .p = p};

    d.rules_of =
        wb_must(wb_pool_array(p, conf->route_count, sizeof d.rules_of[0]));
    wb_relays_find(conf, p, &d.relays);
    d.has_all_rules = is_few(conf->rules.count);
    d.has_all_routes = is_few(conf->route_count);
    d.has_all_relays = is_few(d.relays.count);
    d.has_all_inbounds = is_few(conf->inbound_count);
    d.has_all_webhooks = is_few(conf->webhook_count);
    d.has_all_paths = is_few(conf->return_path_count);
    fputs("digraph waybill {\n"
          "  rankdir=LR;\n"
          "  node [fontname=\"sans-serif\", fontsize=11];\n"
          "  edge [fontname=\"sans-serif\", fontsize=9];\n",
          out);
    if (!wb_graph_is_whole(conf))
        fprintf(out,
                "  label=\"of what there are more than %d, only groups are "
                "drawn\";\n",
                WB_DRAWN_MAX);
    draw_rules(&d);
    draw_rule_groups(&d);
    draw_routes(&d);
    draw_paths(&d);
    draw_inbounds(&d);
    fputs("}\n", out);
}
