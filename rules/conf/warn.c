/* Warnings: what is there but can have no effect. Only what is certain and
 * cheap to find: one pass over the rules, each compared with a few others. */
#include <search.h>
#include <string.h>
#include <strings.h>

#include "conf/check.h"

enum {
    MAX_WIDE = 8,           /* rules without recipients, to compare with */
    MAX_COMPARED = 1000000, /* entries of two lists, multiplied */
};

static void warn_at(struct wb_checker *c, const struct wb_origin *origin,
                    const char *kind, const char *name, const char *text)
{
    const char *label = wb_pool_printf(c->scratch, "%s %s", kind, name);

    if (label)
        wb_problem_add(c->problems, WB_WARNING, origin->file, origin->line,
                       label, "%s", text);
    else
        c->is_out_of_memory = true;
    wb_pool_reset(c->scratch);
}

static void warn_unused(struct wb_checker *c)
{
    const struct wb_conf *conf = c->conf;

    for (size_t i = 1; i < conf->route_count; i++)
        if (!wb_names_find(&c->routes, conf->routes[i].name)->is_used)
            warn_at(c, &conf->routes[i].origin, "route", conf->routes[i].name,
                    "no rule uses it");
    for (size_t i = 0; i < conf->webhook_count; i++)
        if (!wb_names_find(&c->webhooks, conf->webhooks[i].name)->is_used)
            warn_at(c, &conf->webhooks[i].origin, "webhook",
                    conf->webhooks[i].name, "nothing uses it");
}

static bool is_same_entry(const struct wb_addrspec *a,
                          const struct wb_addrspec *b)
{
    return a->kind == b->kind && strcmp(a->text, b->text) == 0;
}

static bool has_entry(const struct wb_addrlist *list,
                      const struct wb_addrspec *entry)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].kind == WB_NAMED_ANY ||
            is_same_entry(&list->entries[i], entry))
            return true;
    return false;
}

/* Is everything that inner names also named by outer? */
static bool covers_addresses(const struct wb_addrlist *outer,
                             const struct wb_addrlist *inner)
{
    if (outer->count == 0)
        return true;
    if (inner->count == 0)
        return has_entry(
            outer, &(struct wb_addrspec){.kind = WB_NAMED_ANY, .text = "*"});
    if (outer->count > MAX_COMPARED / inner->count)
        return false;
    for (size_t i = 0; i < inner->count; i++)
        if (!has_entry(outer, &inner->entries[i]))
            return false;
    return true;
}

static bool covers_strings(const struct wb_strings *outer,
                           const struct wb_strings *inner)
{
    if (outer->count == 0)
        return true;
    if (inner->count == 0 || outer->count > MAX_COMPARED / inner->count)
        return false;
    for (size_t i = 0; i < inner->count; i++)
        if (!wb_strings_hold(outer, inner->items[i]))
            return false;
    return true;
}

static bool has_network(const struct wb_rule *rule, const struct wb_network *n)
{
    for (size_t i = 0; i < rule->client_count; i++)
        if (rule->clients[i].prefix_bits == n->prefix_bits &&
            memcmp(rule->clients[i].octets, n->octets, sizeof n->octets) == 0)
            return true;
    return false;
}

static bool covers_clients(const struct wb_rule *outer,
                           const struct wb_rule *inner)
{
    if (outer->client_count == 0)
        return true;
    if (inner->client_count == 0 ||
        outer->client_count > MAX_COMPARED / inner->client_count)
        return false;
    for (size_t i = 0; i < inner->client_count; i++)
        if (!has_network(outer, &inner->clients[i]))
            return false;
    return true;
}

/* Does outer match whatever inner matches? A header criterion is never
 * compared: no says nothing. */
static bool covers(const struct wb_rule *outer, const struct wb_rule *inner)
{
    return !outer->header_name &&
           covers_addresses(&outer->recipients, &inner->recipients) &&
           covers_addresses(&outer->senders, &inner->senders) &&
           covers_strings(&outer->logins, &inner->logins) &&
           covers_strings(&outer->listeners, &inner->listeners) &&
           covers_clients(outer, inner);
}

/* Can inner never win, whatever comes? earlier stands before it. */
static bool is_shadowed_by(const struct wb_rule *earlier,
                           const struct wb_rule *inner)
{
    if (!covers(earlier, inner))
        return false;
    /* with one priority the more specific rule wins */
    return earlier->priority < inner->priority || covers(inner, earlier);
}

/* Where the MTA has a route of its own, only a rule that names the recipient's
 * domain outranks it; so such a rule can win behind one that says "*". */
static bool names_domains(const struct wb_rule *rule)
{
    for (size_t i = 0; i < rule->recipients.count; i++)
        if (rule->recipients.entries[i].kind >= WB_NAMED_SUBDOMAIN)
            return true;
    return false;
}

static void warn_shadowed(struct wb_checker *c, const struct wb_rule *by,
                          const struct wb_rule *rule)
{
    bool may_win = names_domains(rule) && !names_domains(by);
    const char *text = wb_pool_printf(
        c->kept, "%s: rule %s (%s:%u, priority %d) takes all %s",
        may_win ? "can win only where the MTA has a route of its own"
                : "can never win",
        by->name, by->origin.file, by->origin.line, by->priority,
        may_win ? "other mail" : "mail that it would match");

    if (text)
        warn_at(c, &rule->origin, "rule", rule->name, text);
    else
        c->is_out_of_memory = true;
}

/* The first rule that has an entry among its recipients. */
struct first {
    const struct wb_addrspec *entry;
    const struct wb_rule *rule;
};

static int by_entry(const void *a, const void *b)
{
    const struct first *x = a, *y = b;
    int order = (int)x->entry->kind - (int)y->entry->kind;

    return order ? order : strcmp(x->entry->text, y->entry->text);
}

struct shadows {
    void *firsts; /* tree of struct first */
    const struct wb_rule *wide[MAX_WIDE];
    size_t wide_count;
};

static const struct wb_rule *find_shadow(const struct shadows *s,
                                         const struct wb_rule *rule)
{
    void *node;

    for (size_t i = 0; i < s->wide_count; i++)
        if (is_shadowed_by(s->wide[i], rule))
            return s->wide[i];
    if (rule->recipients.count == 0)
        return NULL;
    node = tfind(&(struct first){.entry = &rule->recipients.entries[0]},
                 &s->firsts, by_entry);
    if (node && is_shadowed_by((*(struct first **)node)->rule, rule))
        return (*(struct first **)node)->rule;
    return NULL;
}

static bool is_wide(const struct wb_rule *rule)
{
    return has_entry(&rule->recipients,
                     &(struct wb_addrspec){.kind = WB_NAMED_ANY, .text = "*"});
}

static void remember(struct wb_checker *c, struct shadows *s,
                     const struct wb_rule *rule)
{
    if (rule->header_name)
        return;
    if (rule->recipients.count == 0 || is_wide(rule)) {
        if (s->wide_count < MAX_WIDE)
            s->wide[s->wide_count++] = rule;
        return;
    }
    for (size_t i = 0; i < rule->recipients.count; i++) {
        struct first *made = wb_pool_alloc(c->kept, sizeof *made);
        if (made)
            *made = (struct first){&rule->recipients.entries[i], rule};
        if (!made || !tsearch(made, &s->firsts, by_entry)) {
            c->is_out_of_memory = true;
            return;
        }
    }
}

static void keep(void *first)
{
    (void)first; /* its pool frees it */
}

static void warn_rules(struct wb_checker *c)
{
    const struct wb_rules *rules = &c->conf->rules;
    struct shadows s = {0};

    for (size_t i = 0; i < rules->count; i++) {
        const struct wb_rule *by = find_shadow(&s, &rules->rules[i]);
        if (by)
            warn_shadowed(c, by, &rules->rules[i]);
        else
            remember(c, &s, &rules->rules[i]);
    }
    tdestroy(s.firsts, keep);
}

/* An inbound section whose pattern and headers an earlier one has, too, for
 * all of its domains. */
static bool is_inbound_shadowed(const struct wb_checker *c, size_t earlier,
                                size_t later)
{
    const struct wb_inbound *a = &c->conf->inbounds[earlier];
    const struct wb_inbound *b = &c->conf->inbounds[later];
    bool is_same_header = !a->header_name || !b->header_name
                              ? a->header_name == b->header_name
                              : !strcasecmp(a->header_name, b->header_name);

    return strcmp(c->matches[earlier], c->matches[later]) == 0 &&
           (a->match_on == b->match_on || a->match_on == WB_ON_EITHER) &&
           (is_same_header || b->match_on == WB_ON_ENVELOPE) &&
           covers_strings(&a->domains, &b->domains);
}

static void warn_inbounds(struct wb_checker *c)
{
    const struct wb_conf *conf = c->conf;
    struct wb_names patterns = {0};

    for (size_t i = 0; i < conf->inbound_count; i++) {
        const struct wb_name *first = wb_names_add(
            &patterns, c->kept, c->matches[i], conf->inbounds[i].origin, i);
        const char *text;
        if (!first) {
            c->is_out_of_memory = true;
            break;
        }
        if (first->index == i || !is_inbound_shadowed(c, first->index, i))
            continue;
        text = wb_pool_printf(c->kept,
                              "can never match: inbound %s (%s:%u) "
                              "has the same pattern and domains",
                              conf->inbounds[first->index].name,
                              first->origin.file, first->origin.line);
        if (text)
            warn_at(c, &conf->inbounds[i].origin, "inbound",
                    conf->inbounds[i].name, text);
    }
    wb_names_free(&patterns);
}

/* Signed addresses that nobody reads: another host may, with the same secret,
 * so this is no error. */
static void warn_unread(struct wb_checker *c)
{
    for (size_t i = 1; i < c->conf->return_path_count; i++) {
        const struct wb_return_path *r = &c->conf->return_paths[i];

        if (r->mode != WB_RETURN_KEEP && r->mode != WB_RETURN_DOMAIN &&
            r->domain && !strstr(r->domain, "%d") &&
            !wb_strings_hold(&c->conf->bounces.domains, r->domain))
            warn_at(c, &r->origin, "return_path", r->name,
                    "its domain is not in the domains of bounces, so nothing "
                    "here reads what it signs");
    }
}

void wb_conf_warn(struct wb_checker *c)
{
    warn_unread(c);
    warn_unused(c);
    warn_rules(c);
    warn_inbounds(c);
}
