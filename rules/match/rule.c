#include "match/rule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/header.h"

enum { HEADER_MAX_ADDRESSES = 1000 };

/* How closely a rule fits; compared member by member, in this order. */
struct fit {
    enum wb_specificity recipient;
    enum wb_specificity sender;
    size_t recipient_octets; /* among ".dom" entries the longer is closer */
    size_t sender_octets;
    unsigned others; /* how many of the other criteria the rule has */
};

/* A criterion: does the rule fit in this respect? */
typedef enum wb_verdict criterion(const struct wb_rule *r,
                                  const struct wb_rule_query *q,
                                  struct fit *fit);

static size_t subdomain_octets(const struct wb_addrspec *entry)
{
    return entry != NULL && entry->kind == WB_NAMED_SUBDOMAIN
               ? strlen(entry->text)
               : 0;
}

static enum wb_verdict by_recipient(const struct wb_rule *r,
                                    const struct wb_rule_query *q,
                                    struct fit *fit)
{
    const struct wb_addrspec *entry = NULL;
    enum wb_verdict v =
        wb_addrlist_names(&r->recipients, &q->recipient->address,
                          &q->matcher->budget, &fit->recipient, &entry);

    fit->recipient_octets = subdomain_octets(entry);
    return v;
}

/* Only a rule that names the domain outranks the MTA's own table for it. */
static enum wb_verdict by_mta_route(const struct wb_rule *r,
                                    const struct wb_rule_query *q,
                                    struct fit *fit)
{
    (void)r;
    return q->mta_has_own_route && fit->recipient < WB_NAMED_SUBDOMAIN ? WB_NO
                                                                       : WB_YES;
}

static enum wb_verdict by_sender(const struct wb_rule *r,
                                 const struct wb_rule_query *q, struct fit *fit)
{
    const struct wb_addrspec *entry = NULL;
    enum wb_verdict v =
        wb_addrlist_names(&r->senders, &q->matcher->envelope->sender,
                          &q->matcher->budget, &fit->sender, &entry);

    fit->sender_octets = subdomain_octets(entry);
    return v;
}

/* An empty list asks nothing; a fact that is missing fits no list. */
static enum wb_verdict in_list(const struct wb_strings *list, const char *text,
                               struct fit *fit)
{
    if (list->count == 0)
        return WB_YES;
    fit->others++;
    for (size_t i = 0; text != NULL && i < list->count; i++)
        if (strcasecmp(list->items[i], text) == 0)
            return WB_YES;
    return WB_NO;
}

static enum wb_verdict by_login(const struct wb_rule *r,
                                const struct wb_rule_query *q, struct fit *fit)
{
    return in_list(&r->logins, q->matcher->envelope->login, fit);
}

static enum wb_verdict by_listener(const struct wb_rule *r,
                                   const struct wb_rule_query *q,
                                   struct fit *fit)
{
    return in_list(&r->listeners, q->matcher->envelope->listener, fit);
}

static enum wb_verdict by_client(const struct wb_rule *r,
                                 const struct wb_rule_query *q, struct fit *fit)
{
    if (r->client_count == 0)
        return WB_YES;
    fit->others++;
    return wb_networks_hold(r->clients, r->client_count,
                            q->matcher->envelope->client)
               ? WB_YES
               : WB_NO;
}

static enum wb_verdict by_header(const struct wb_rule *r,
                                 const struct wb_rule_query *q, struct fit *fit)
{
    if (r->header_name == NULL)
        return WB_YES;
    fit->others++;
    return wb_headers_match(q->matcher, r->order, r->header_name,
                            r->header_pattern);
}

/* Cheap questions first: a rule is left at the first "no". */
static const struct {
    criterion *fits;
    const char *why_not;
} criteria[] = {
    {by_listener, "listener is not in listeners"},
    {by_login, "login is not in logins"},
    {by_client, "client is not in clients"},
    {by_recipient, "recipient is not in recipients"},
    {by_mta_route, "the MTA's own transport table has this domain, and only "
                   "a rule that names the domain outranks it"},
    {by_sender, "sender is not in senders"},
    {by_header, "header does not match"},
};

static enum wb_verdict rule_fits(const struct wb_rule *r,
                                 const struct wb_rule_query *q, struct fit *fit,
                                 const char **why_not)
{
    memset(fit, 0, sizeof *fit);
    for (size_t i = 0; i < sizeof criteria / sizeof criteria[0]; i++) {
        enum wb_verdict v = criteria[i].fits(r, q, fit);

        *why_not = criteria[i].why_not;
        if (v != WB_YES)
            return v;
    }
    return WB_YES;
}

static int compare(size_t a, size_t b)
{
    return a < b ? -1 : a > b;
}

/* Positive: a is the closer fit. 0: alike, and file order decides. */
static int compare_fits(const struct fit *a, const struct fit *b)
{
    int c = compare(a->recipient, b->recipient);

    if (c == 0)
        c = compare(a->recipient_octets, b->recipient_octets);
    if (c == 0)
        c = compare(a->sender, b->sender);
    if (c == 0)
        c = compare(a->sender_octets, b->sender_octets);
    if (c == 0)
        c = compare(a->others, b->others);
    return c;
}

static int by_priority(const void *left, const void *right)
{
    const struct wb_rule *a = left;
    const struct wb_rule *b = right;

    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return compare(a->order, b->order);
}

void wb_rules_sort(struct wb_rules *rules)
{
    if (rules->count > 1)
        qsort(rules->rules, rules->count, sizeof rules->rules[0], by_priority);
}

/* Collects why rules lost, where the caller wants to know. */
struct losers {
    struct wb_loss *losses; /* NULL: nobody asks */
    size_t count;
};

static void lose(struct losers *l, const struct wb_rule *r, const char *why)
{
    if (l->losses != NULL)
        l->losses[l->count++] = (struct wb_loss){.rule = r, .why = why};
}

static const char *why_beaten(const struct wb_rule *winner,
                              const struct wb_rule *loser, int closeness)
{
    if (winner->priority != loser->priority)
        return "a rule with a smaller priority matches";
    return closeness != 0 ? "a rule of the same priority is more specific"
                          : "an earlier rule matches as well";
}

int wb_rules_find(const struct wb_rules *rules, const struct wb_rule_query *q,
                  const struct wb_rule **winner, struct wb_loss *losses,
                  size_t *loss_count, struct wb_err *err)
{
    struct losers losers = {.losses = losses};
    struct fit best = {0};

    assert(rules->count == 0 || rules->rules != NULL);
    *winner = NULL;
    for (size_t i = 0; i < rules->count; i++) {
        const struct wb_rule *r = &rules->rules[i];
        const char *why_not;
        struct fit fit;
        enum wb_verdict v;
        int closeness;

        if (*winner != NULL && (*winner)->priority < r->priority) {
            if (losses == NULL)
                break;
            lose(&losers, r, why_beaten(*winner, r, 0));
            continue;
        }
        v = rule_fits(r, q, &fit, &why_not);
        if (v == WB_RETRY)
            return wb_err_set(err, EX_TEMPFAIL,
                              "rule %s: a pattern hit its limit", r->name);
        closeness = *winner == NULL ? 1 : compare_fits(&fit, &best);
        if (v == WB_NO) {
            lose(&losers, r, why_not);
        } else if (closeness > 0) {
            if (*winner != NULL)
                lose(&losers, *winner, why_beaten(r, *winner, closeness));
            *winner = r;
            best = fit;
        } else {
            lose(&losers, r, why_beaten(*winner, r, closeness));
        }
    }
    if (loss_count != NULL)
        *loss_count = losers.count;
    return EX_OK;
}

/* Decode a header on its first use. False: longer than the bound, where a
 * "no" could pick the wrong route, or out of memory. */
static bool read_header(struct wb_matcher *m, size_t i)
{
    const char *value = m->envelope->headers[i].value;
    struct wb_read_header *h = &m->read[i];

    if (h->text != NULL)
        return true;
    if (strlen(value) > m->header_max_octets)
        return false;
    if (wb_header_addresses(m->pool, value, HEADER_MAX_ADDRESSES, &h->addresses,
                            &h->address_count) != EX_OK)
        return false;
    h->text = wb_header_decode(m->pool, value, m->header_max_octets);
    return h->text != NULL;
}

static enum wb_verdict header_matches(const struct wb_read_header *h,
                                      const struct wb_pattern *pattern,
                                      struct wb_budget *budget)
{
    enum wb_verdict v = wb_pattern_search(pattern, h->text, budget);

    for (size_t i = 0; v == WB_NO && i < h->address_count; i++)
        v = wb_pattern_is_whole(pattern, h->addresses[i], budget);
    return v;
}

static enum wb_verdict search_headers(struct wb_matcher *m, const char *name,
                                      const struct wb_pattern *pattern)
{
    enum wb_verdict v = WB_NO;

    for (size_t i = 0; v == WB_NO && i < m->envelope->header_count; i++) {
        if (strcasecmp(m->envelope->headers[i].name, name) != 0)
            continue;
        if (!read_header(m, i))
            return WB_RETRY;
        v = header_matches(&m->read[i], pattern, &m->budget);
    }
    return v;
}

enum wb_verdict wb_headers_match(struct wb_matcher *m, size_t slot,
                                 const char *name,
                                 const struct wb_pattern *pattern)
{
    if (m->known == NULL)
        m->known = wb_pool_alloc(m->pool, m->slot_count);
    if (m->known == NULL)
        return WB_RETRY;
    if (m->known[slot] == 0)
        m->known[slot] = (unsigned char)(1 + search_headers(m, name, pattern));
    return (enum wb_verdict)(m->known[slot] - 1);
}
