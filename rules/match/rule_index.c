#include "match/rule_index.h"

#include <stdlib.h>
#include <string.h>

#include "match/headers.h"

enum { PREFIXES = 129 }; /* of 0 to 128 bits */

struct wb_rule_index {
    struct wb_index *index;
    bool has_prefix[PREFIXES]; /* a client's network may have so many bits */
};

/* ---- what a rule asks for ---- */

static void describe_entry(struct wb_terms *terms, unsigned kind,
                           const struct wb_addrspec *e)
{
    switch (e->kind) {
    case WB_NAMED_ADDRESS:
        wb_terms_add(terms, wb_term_of(kind + WB_TERM_ADDRESS, e->text));
        break;
    case WB_NAMED_DOMAIN:
        wb_terms_add(terms, wb_term_of(kind + WB_TERM_AT, e->text));
        break;
    case WB_NAMED_SUBDOMAIN:
        wb_terms_add(terms, wb_term_of(kind + WB_TERM_BELOW, e->text));
        break;
    case WB_NAMED_REGEX:
        wb_terms_add_pattern(terms, wb_term_of(kind + WB_TERM_TEXT, ""),
                             wb_pattern_source(e->pattern));
        break;
    case WB_NAMED_ANY:
    case WB_NAMED_NOT:
        wb_terms_add_any(terms);
    }
}

static void describe_addresses(struct wb_terms *terms, unsigned kind,
                               const struct wb_addrlist *list)
{
    wb_terms_criterion(terms);
    for (size_t i = 0; i < list->count; i++)
        describe_entry(terms, kind, &list->entries[i]);
}

static void describe_strings(struct wb_terms *terms, unsigned kind,
                             const struct wb_strings *list)
{
    wb_terms_criterion(terms);
    for (size_t i = 0; i < list->count; i++)
        wb_terms_add(terms, wb_term_of(kind, list->items[i]));
}

static struct wb_term term_of_network(const struct wb_network *n)
{
    uint8_t octets[sizeof n->octets + 1];

    memcpy(octets, n->octets, sizeof n->octets);
    octets[sizeof n->octets] = (uint8_t)n->prefix_bits;
    return wb_term_of_octets(WB_TERM_CLIENT, octets, sizeof octets);
}

static void describe(const void *rules, size_t i, struct wb_terms *terms)
{
    const struct wb_rule *r = &((const struct wb_rule *)rules)[i];

    describe_addresses(terms, WB_TERM_RECIPIENT, &r->recipients);
    describe_addresses(terms, WB_TERM_SENDER, &r->senders);
    describe_strings(terms, WB_TERM_LOGIN, &r->logins);
    describe_strings(terms, WB_TERM_LISTENER, &r->listeners);
    wb_terms_criterion(terms);
    for (size_t n = 0; n < r->client_count; n++)
        wb_terms_add(terms, term_of_network(&r->clients[n]));
    wb_terms_criterion(terms);
    if (r->header_name != NULL)
        wb_headers_describe(terms, r->header_name, r->header_pattern);
}

bool wb_rules_index(struct wb_rules *rules)
{
    struct wb_rule_index *made = calloc(1, sizeof *made);

    if (made == NULL)
        return false;
    made->index = wb_index_new(rules->rules, rules->count, describe);
    if (made->index == NULL) {
        free(made);
        return false;
    }
    for (size_t i = 0; i < rules->count; i++)
        for (size_t n = 0; n < rules->rules[i].client_count; n++)
            made->has_prefix[rules->rules[i].clients[n].prefix_bits] = true;
    rules->index = made;
    return true;
}

void wb_rules_index_free(struct wb_rules *rules)
{
    if (rules->index != NULL)
        wb_index_free(rules->index->index);
    free(rules->index);
    rules->index = NULL;
}

/* ---- what a message has ---- */

bool wb_address_look_up(const struct wb_address *a, unsigned kind,
                        struct wb_hits *hits)
{
    bool done =
        wb_hits_add_text(hits, wb_term_of(kind + WB_TERM_TEXT, ""), a->text);
    struct wb_term whole;

    if (a->domain == NULL)
        return done;
    if (a->local != NULL) {
        whole = wb_term_of(kind + WB_TERM_ADDRESS, a->local);
        whole = wb_term_and(wb_term_and(whole, "@"), a->domain);
        done = done && wb_hits_add(hits, whole);
    }
    done = done && wb_hits_add(hits, wb_term_of(kind + WB_TERM_AT, a->domain));
    for (const char *dot = strchr(a->domain, '.'); done && dot != NULL;
         dot = strchr(dot + 1, '.'))
        done = wb_hits_add(hits, wb_term_of(kind + WB_TERM_BELOW, dot + 1));
    return done;
}

static bool look_up_client(const struct wb_rule_index *index,
                           const char *client, struct wb_hits *hits)
{
    struct wb_network n;
    bool done = true;

    if (client == NULL || !wb_network_of_client(client, &n))
        return true;
    for (n.prefix_bits = PREFIXES - 1;; n.prefix_bits--) {
        if (index->has_prefix[n.prefix_bits])
            done = done && wb_hits_add(hits, term_of_network(&n));
        if (n.prefix_bits == 0)
            return done;
        n.octets[(n.prefix_bits - 1) / 8] &=
            (uint8_t) ~(0x80 >> (n.prefix_bits - 1) % 8);
    }
}

static bool look_up_message(const struct wb_rule_index *index,
                            struct wb_matcher *m)
{
    const struct wb_envelope *env = m->envelope;
    struct wb_hits *hits = &m->rule_hits;

    wb_hits_begin(hits, index->index);
    return wb_address_look_up(&env->sender, WB_TERM_SENDER, hits) &&
           (env->login == NULL ||
            wb_hits_add(hits, wb_term_of(WB_TERM_LOGIN, env->login))) &&
           (env->listener == NULL ||
            wb_hits_add(hits, wb_term_of(WB_TERM_LISTENER, env->listener))) &&
           look_up_client(index, env->client, hits) &&
           wb_headers_look_up(m, hits);
}

bool wb_rules_walk(const struct wb_rules *rules, const struct wb_rule_query *q,
                   struct wb_walk *walk)
{
    struct wb_matcher *m = q->matcher;

    if (rules->index == NULL) {
        wb_walk_all(walk, rules->count);
        return true;
    }
    if (m->rule_hits.index == NULL && !look_up_message(rules->index, m)) {
        m->rule_hits.index = NULL;
        return false;
    }
    wb_hits_begin(&m->recipient_hits, rules->index->index);
    if (!wb_address_look_up(&q->recipient->address, WB_TERM_RECIPIENT,
                            &m->recipient_hits))
        return false;
    return wb_walk_hits(walk, &m->rule_hits, &m->recipient_hits);
}
