/* Which routes and return paths can a sender's mail get? */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "plan/return_path.h"
#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

/* ---- one meeting -------------------------------------------------------- */

/* The domain of the header From: the route's own, or what most programs write,
 * the envelope sender's. */
static const char *from_of(const struct wb_route *route,
                           const struct wb_dns_sender *sender)
{
    return route->from != NULL ? route->from_address.domain : sender->sample;
}

/* The domain that bounces of the sample come back to; NULL when its mail is
 * refused (told). The milter's own code decides. */
static const char *returns_of(struct wb_dns *dns,
                              const struct wb_return_path *rp,
                              const struct wb_dns_sender *sender)
{
    struct wb_envelope env = {.now_s = 0};
    struct wb_address recipient;
    struct wb_err err = {""};
    const char *out, *at;
    int rc =
        wb_address_parse(dns->pool, wb_say(dns->pool, "x@%s", sender->sample),
                         &env.sender, &err);

    if (rc == EX_OK)
        rc = wb_address_parse(dns->pool, "x@x.test", &recipient, &err);
    if (rc == EX_OK)
        rc = wb_return_path_apply(dns->conf, rp, &env, &recipient, dns->pool,
                                  &out, &err);
    if (rc != EX_OK) {
        wb_dns_warn(dns, "%s, return path %s: %s", sender->shown, rp->name,
                    err.text);
        return NULL;
    }
    at = strrchr(out, '@');
    return at + 1;
}

/* domain with the sample's name for what it stands for, and in A-labels. */
static const char *shown(struct wb_dns *dns, const struct wb_dns_sender *sender,
                         const char *domain)
{
    const char *sample = wb_must((void *)wb_dns_ascii(dns, sender->sample));
    const char *ascii = wb_dns_ascii(dns, domain);
    const char *at = ascii == NULL ? NULL : strstr(ascii, sample);

    if (at == NULL || sender->kind == WB_DNS_NAMED)
        return ascii;
    return wb_splice(dns->pool, ascii, (size_t)(at - ascii),
                     (size_t)(at - ascii) + strlen(sample), sender->shown);
}

static enum wb_dns_alignment align(const struct wb_dns *dns, const char *from,
                                   const char *returns)
{
    if (strcasecmp(from, returns) == 0)
        return WB_DNS_STRICT;
    return strcmp(wb_dns_organization(dns, from),
                  wb_dns_organization(dns, returns)) == 0
               ? WB_DNS_RELAXED
               : WB_DNS_NOT_ALIGNED;
}

static bool has_unseen(const struct wb_dns *dns, const struct wb_route *route)
{
    const char **hosts = wb_must(
        wb_pool_array(dns->pool, wb_dns_hosts_most(dns), sizeof *hosts));
    size_t count = wb_dns_hosts(dns, route, hosts);

    for (size_t i = 0; i < count; i++)
        if (hosts[i] != NULL && wb_dns_sends(dns, hosts[i]) == NULL)
            return true;
    return false;
}

static void meet(struct wb_dns *dns, const struct wb_dns_sender *sender,
                 const struct wb_route *route, const struct wb_return_path *rp)
{
    const char *from = from_of(route, sender);
    const char *returns = returns_of(dns, rp, sender);
    struct wb_dns_meeting m = {
        .sender = sender, .route = route, .return_path = rp};

    if (returns == NULL)
        return;
    m.way = wb_dns_way_of(dns, route, sender->sample);
    m.alignment = align(dns, from, returns);
    m.is_unseen = has_unseen(dns, route);
    m.from = shown(dns, sender, from);
    m.returns = shown(dns, sender, returns);
    m.organization = shown(dns, sender, wb_dns_organization(dns, from));
    if (m.from == NULL || m.returns == NULL || m.organization == NULL) {
        wb_dns_warn(dns, "return path %s: its domain has no form in the DNS",
                    rp->name);
        return;
    }
    dns->meetings = wb_dns_push(dns->pool, dns->meetings, &dns->meeting_count,
                                sizeof *dns->meetings);
    dns->meetings[dns->meeting_count - 1] = m;
}

/* ---- which return paths ------------------------------------------------- */

/* As wb_return_path_choose has it, but for all mail of a sender at once. */
static struct wb_dns_named names(const struct wb_return_path *rp,
                                 const struct wb_dns_sender *sender)
{
    struct wb_dns_named n = wb_dns_names(&rp->senders, sender);

    if (rp->logins.count > 0 || rp->listeners.count > 0)
        n.surely = WB_NAMED_NOT;
    return n;
}

static void meet_return_paths(struct wb_dns *dns,
                              const struct wb_dns_sender *sender,
                              const struct wb_route *route)
{
    const struct wb_return_path *all = dns->conf->return_paths;
    const struct wb_return_path *own = route->return_path, *best = &all[0];
    struct wb_dns_named n = {WB_NAMED_NOT, WB_NAMED_NOT};
    enum wb_specificity closest = WB_NAMED_NOT;

    if (own != NULL)
        n = names(own, sender);
    if (n.perhaps != WB_NAMED_NOT)
        meet(dns, sender, route, own);
    if (n.surely != WB_NAMED_NOT)
        return;
    for (size_t i = 1; i < dns->conf->return_path_count; i++) {
        n = names(&all[i], sender);
        if (n.surely > closest) {
            closest = n.surely;
            best = &all[i];
        }
    }
    if (best != own)
        meet(dns, sender, route, best);
    for (size_t i = 1; i < dns->conf->return_path_count; i++) {
        n = names(&all[i], sender);
        if (&all[i] != best && &all[i] != own && n.perhaps != WB_NAMED_NOT &&
            (n.perhaps > closest || (n.perhaps == closest && &all[i] < best)))
            meet(dns, sender, route, &all[i]);
    }
}

/* ---- which routes ------------------------------------------------------- */

/* A rule that names a sender's domain. */
struct claim {
    size_t sender;
    const struct wb_rule *rule;
};

struct claims {
    struct claim *items;
    size_t count;
    const struct wb_rule **open; /* rules that may be for many senders */
    size_t open_count;
};

static int by_sender(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;

    return x->sender < y->sender ? -1 : x->sender > y->sender;
}

static int by_sender_name(const void *key, const void *item)
{
    const struct wb_dns_sender *s = item;

    return s->kind == WB_DNS_NAMED ? strcmp(key, s->name) : -1;
}

/* The place of a named sender; SIZE_MAX when it was left out. */
static size_t place_of(const struct wb_dns *dns, const char *name)
{
    const struct wb_dns_sender *s = bsearch(
        name, dns->senders, dns->sender_count, sizeof *s, by_sender_name);

    return s == NULL ? SIZE_MAX : (size_t)(s - dns->senders);
}

static void claim(struct wb_dns *dns, struct claims *c,
                  const struct wb_rule *rule)
{
    bool is_open = rule->senders.count == 0;

    for (size_t i = 0; i < rule->senders.count; i++) {
        const struct wb_addrspec *entry = &rule->senders.entries[i];
        const char *at = strrchr(entry->text, '@');
        size_t place = SIZE_MAX;

        if (entry->kind == WB_NAMED_ADDRESS)
            place = place_of(dns, at + 1);
        else if (entry->kind == WB_NAMED_DOMAIN)
            place = place_of(dns, entry->text);
        else
            is_open = true;
        if (place == SIZE_MAX)
            continue;
        c->items =
            wb_dns_push(dns->pool, c->items, &c->count, sizeof *c->items);
        c->items[c->count - 1] = (struct claim){place, rule};
    }
    if (!is_open)
        return;
    c->open = wb_dns_push(dns->pool, c->open, &c->open_count, sizeof *c->open);
    c->open[c->open_count - 1] = rule;
}

/* Does a rule take all mail of the sender, so that none is left for "direct"?
 */
static bool takes_all(const struct wb_rule *rule,
                      const struct wb_dns_sender *sender)
{
    bool is_any_recipient = rule->recipients.count == 0;

    for (size_t i = 0; i < rule->recipients.count; i++)
        is_any_recipient |= rule->recipients.entries[i].kind == WB_NAMED_ANY;
    return is_any_recipient && rule->logins.count == 0 &&
           rule->listeners.count == 0 && rule->client_count == 0 &&
           rule->header_name == NULL &&
           wb_dns_names(&rule->senders, sender).surely != WB_NAMED_NOT;
}

static void use(const struct wb_dns *dns, const struct wb_dns_sender *sender,
                const struct wb_rule *rule, bool *used, bool *has_rest)
{
    if (wb_dns_names(&rule->senders, sender).perhaps == WB_NAMED_NOT)
        return;
    used[rule->route - dns->conf->routes] = true;
    if (takes_all(rule, sender))
        *has_rest = false;
}

static int by_group(const void *a, const void *b)
{
    const struct wb_dns_meeting *x = a, *y = b;
    int order;

    if (x->sender != y->sender)
        return x->sender < y->sender ? -1 : 1;
    if ((order = strcmp(x->returns, y->returns)) != 0 ||
        (order = strcmp(x->return_path->name, y->return_path->name)) != 0 ||
        (order = strcmp(x->from, y->from)) != 0)
        return order;
    if (x->way != y->way)
        return (int)x->way - (int)y->way;
    if (x->is_unseen != y->is_unseen)
        return (int)x->is_unseen - (int)y->is_unseen;
    return x->route < y->route ? -1 : x->route > y->route;
}

/* first to end: the sender's claims. used: a flag for each route, all false. */
static void meet_routes(struct wb_dns *dns, const struct wb_dns_sender *sender,
                        const struct claims *c, size_t first, size_t end,
                        bool *used)
{
    bool has_rest = true;

    for (size_t i = first; i < end; i++)
        use(dns, sender, c->items[i].rule, used, &has_rest);
    for (size_t i = 0; i < c->open_count; i++)
        use(dns, sender, c->open[i], used, &has_rest);
    used[0] |= has_rest; /* "direct" */
    for (size_t i = 0; i < dns->conf->route_count; i++)
        if (used[i])
            meet_return_paths(dns, sender, &dns->conf->routes[i]);
}

void wb_dns_find_meetings(struct wb_dns *dns)
{
    const struct wb_conf *conf = dns->conf;
    bool *used =
        wb_must(wb_pool_array(dns->pool, conf->route_count, sizeof *used));
    struct claims c = {0};
    size_t end = 0;

    for (size_t i = 0; i < conf->rules.count; i++)
        claim(dns, &c, &conf->rules.rules[i]);
    if (c.count > 0)
        qsort(c.items, c.count, sizeof *c.items, by_sender);
    for (size_t i = 0; i < dns->sender_count; i++) {
        size_t first = end;

        while (end < c.count && c.items[end].sender == i)
            end++;
        memset(used, 0, conf->route_count * sizeof *used);
        meet_routes(dns, &dns->senders[i], &c, first, end, used);
    }
    if (dns->meeting_count > 0)
        qsort(dns->meetings, dns->meeting_count, sizeof *dns->meetings,
              by_group);
}
