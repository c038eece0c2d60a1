/* The rule table: which rule decides for a recipient. */
#ifndef WB_MATCH_RULE_H
#define WB_MATCH_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/envelope.h"
#include "match/criteria.h"

struct wb_route;

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
};

/* Why a rule did not win; for `waybill explain`. */
struct wb_loss {
    const struct wb_rule *rule;
    const char *why; /* one clause: "recipient is not in recipients" */
};

/* A header as the criteria read it, kept because many rules ask for it. */
struct wb_read_header {
    const char *text; /* unfolded, decoded; NULL: not read yet */
    const char *const *addresses;
    size_t address_count;
};

/* The matching of one message: its facts, its limits, and what has been read
 * of it so far. Not to be shared by threads. */
struct wb_matcher {
    const struct wb_envelope *envelope;
    struct wb_budget budget;
    size_t header_max_octets;    /* a longer value cannot be judged */
    struct wb_pool *pool;        /* of the message */
    struct wb_read_header *read; /* envelope->header_count of them, zeroed */
    size_t slot_count;           /* how many header criteria there may be */
    unsigned char *known;        /* what each said, + 1; NULL: none was asked */
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
 * losses (NULL: not wanted) must have room for rules->count entries; it is
 * filled for every rule but the winner, *loss_count says how many.
 * Returns EX_OK, EX_TEMPFAIL (a pattern limit) or EX_OSERR, with *err. */
int wb_rules_find(const struct wb_rules *rules, const struct wb_rule_query *q,
                  const struct wb_rule **winner, struct wb_loss *losses,
                  size_t *loss_count, struct wb_err *err);

/* Does pattern match a header named name? On each decoded, unfolded value:
 * somewhere; on each address in it: the whole. slot (below slot_count) is the
 * criterion's own: it is asked once a message, however many recipients there
 * are. WB_RETRY: a limit was hit, the value is longer than header_max_octets,
 * or out of memory. */
enum wb_verdict wb_headers_match(struct wb_matcher *m, size_t slot,
                                 const char *name,
                                 const struct wb_pattern *pattern);

#endif
