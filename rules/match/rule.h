/* The rule table: which rule decides for a recipient. */
#ifndef WB_MATCH_RULE_H
#define WB_MATCH_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/envelope.h"
#include "match/criteria.h"

struct wb_matcher;
struct wb_route;
struct wb_rule_index;

/* Where something stands in the configuration. */
struct wb_origin {
    const char *file;
    unsigned line;
};

struct wb_strings {
    const char *const *items;
    size_t count;
};

struct wb_rule {
    const char *name;
    struct wb_origin origin;
    int priority; /* the smaller number wins */
    size_t order; /* place in the files, the last tie-break */
    struct wb_addrlist recipients;
    struct wb_addrlist senders;
    struct wb_strings logins;    /* exact, case ignored; empty: any */
    struct wb_strings listeners; /* names; empty: any */
    struct wb_network *clients;  /* empty: any */
    size_t client_count;
    const char *header_name; /* NULL: no header criterion */
    struct wb_pattern *header_pattern;
    const struct wb_route *route;
};

struct wb_rules {
    struct wb_rule *rules; /* sorted by priority, then order */
    size_t count;
    struct wb_rule_index *index; /* NULL: every rule is tried */
};

/* Why a rule did not win; for `waybill explain`. */
struct wb_loss {
    const struct wb_rule *rule;
    const char *why; /* one clause: "recipient is not in recipients" */
};

/* One question to the table. */
struct wb_rule_query {
    struct wb_matcher *matcher;
    const struct wb_recipient *recipient;
    bool mta_has_own_route; /* then "*" and regexes do not win */
};

/* Put the rules into the order in which they are tried. Call once, before
 * the first wb_rules_find. */
void wb_rules_sort(struct wb_rules *rules);

/* The winner: smallest priority, then specificity (recipient before sender;
 * a longer ".dom" before a shorter; more of the other criteria before fewer),
 * then file order. *winner is NULL when no rule matches.
 * It is the same with the index as without, except that patterns which the
 * index rules out can hit no limit.
 * Returns EX_OK, EX_TEMPFAIL (a limit was hit) or EX_OSERR, with *err. */
int wb_rules_find(const struct wb_rules *rules, const struct wb_rule_query *q,
                  const struct wb_rule **winner, struct wb_err *err);

/* Why every other rule did not win, by trying all of them, with no bound on
 * the time that they take together. winner: what wb_rules_find said, or NULL.
 * losses must have room for rules->count entries. Returns how many it has. */
size_t wb_rules_explain(const struct wb_rules *rules,
                        const struct wb_rule_query *q,
                        const struct wb_rule *winner, struct wb_loss *losses);

#endif
