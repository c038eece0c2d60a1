#include "match/rule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "match/headers.h"
#include "match/rule_index.h"

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
    return wb_headers_match(q->matcher, (uint32_t)r->order, r->header_name,
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

static const char *why_beaten(const struct wb_rule *winner,
                              const struct wb_rule *loser, int closeness)
{
    if (winner->priority != loser->priority)
        return "a rule with a smaller priority matches";
    return closeness != 0 ? "a rule of the same priority is more specific"
                          : "an earlier rule matches as well";
}

int wb_rules_find(const struct wb_rules *rules, const struct wb_rule_query *q,
                  const struct wb_rule **winner, struct wb_err *err)
{
    struct wb_walk *walk = &q->matcher->walk;
    struct fit best = {0};
    size_t i;

    assert(rules->count == 0 || rules->rules != NULL);
    *winner = NULL;
    if (!wb_rules_walk(rules, q, walk))
        return wb_err_set(err, EX_OSERR, "out of memory");
    while (wb_walk_next(walk, &i)) {
        const struct wb_rule *r = &rules->rules[i];
        const char *why_not;
        struct fit fit;
        enum wb_verdict v;

        if (*winner != NULL && (*winner)->priority < r->priority)
            return EX_OK;
        v = rule_fits(r, q, &fit, &why_not);
        if (v == WB_RETRY)
            return wb_err_set(err, EX_TEMPFAIL, "%s", q->matcher->budget.cause);
        if (v == WB_YES && (*winner == NULL || compare_fits(&fit, &best) > 0)) {
            *winner = r;
            best = fit;
        }
    }
    return walk->is_stopped
               ? wb_err_set(err, EX_TEMPFAIL, "%s", q->matcher->budget.cause)
               : EX_OK;
}

size_t wb_rules_explain(const struct wb_rules *rules,
                        const struct wb_rule_query *q,
                        const struct wb_rule *winner, struct wb_loss *losses)
{
    const struct wb_budget budget = q->matcher->budget;
    const char *why = NULL;
    struct fit best, fit;
    size_t count = 0;

    q->matcher->budget.limit_ns = UINT64_MAX;
    if (winner != NULL)
        (void)rule_fits(winner, q, &best, &why);
    for (size_t i = 0; i < rules->count; i++) {
        const struct wb_rule *r = &rules->rules[i];
        enum wb_verdict v = WB_YES;

        if (r == winner)
            continue;
        if (winner == NULL || winner->priority >= r->priority)
            v = rule_fits(r, q, &fit, &why);
        if (v == WB_RETRY)
            why = "a pattern or a header is beyond its limit";
        else if (v == WB_YES && winner != NULL)
            why = why_beaten(winner, r,
                             winner->priority == r->priority
                                 ? compare_fits(&best, &fit)
                                 : 1);
        losses[count++] = (struct wb_loss){.rule = r, .why = why};
    }
    q->matcher->budget = budget;
    return count;
}
