/* Which of very many rules could match a message: those that ask for something
 * that it has.
 *
 * Every rule stands in the index under what is rarest of what it asks for: an
 * exact address, a domain, a login, or eight octets of a literal that its
 * pattern cannot match without. So a message finds a few candidates, in order,
 * however many rules there are, and the matcher decides on each as it would in
 * a loop over all. What is found is a guess upwards: a candidate more costs
 * time, and a rule that is not found cannot match. */
#ifndef WB_MATCH_INDEX_H
#define WB_MATCH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a text is to a rule. */
enum wb_term_kind {
    WB_TERM_RECIPIENT, /* the first of four, see wb_term_part */
    WB_TERM_SENDER = WB_TERM_RECIPIENT + 4,
    WB_TERM_LOGIN = WB_TERM_SENDER + 4,
    WB_TERM_LISTENER,
    WB_TERM_CLIENT, /* a network */
    WB_TERM_DOMAIN, /* of an inbound section */
    WB_TERM_HEADER_NAME,
    WB_TERM_HEADER_TEXT, /* begins with the header's name */
};

/* The parts of an address, added to its kind. */
enum wb_term_part {
    WB_TERM_ADDRESS, /* "local@domain" */
    WB_TERM_AT,      /* "domain" */
    WB_TERM_BELOW,   /* "domain" in ".domain" */
    WB_TERM_TEXT,    /* what a pattern is tried on */
};

/* A term in the making: a hash, case ignored. */
struct wb_term {
    uint64_t state;
};

struct wb_term wb_term_of(unsigned kind, const char *text);
struct wb_term wb_term_and(struct wb_term term, const char *text);
struct wb_term wb_term_of_octets(unsigned kind, const uint8_t *octets,
                                 size_t count);

/* What one rule asks for: criteria, all of which must be met, each a list of
 * entries, any of which will do. */
struct wb_terms;

/* The next criterion begins. Without entries it says nothing. */
void wb_terms_criterion(struct wb_terms *terms);

/* An entry: the message must have this. */
void wb_terms_add(struct wb_terms *terms, struct wb_term term);

/* An entry: one of the texts called field must hold what this pattern needs to
 * match in it. */
void wb_terms_add_pattern(struct wb_terms *terms, struct wb_term field,
                          const char *source);

/* An entry that every message meets. */
void wb_terms_add_any(struct wb_terms *terms);

/* If this criterion is what the rule is found by, let it be found by this as
 * well: for messages that may have what it asks for, but cannot be read. */
void wb_terms_also(struct wb_terms *terms, struct wb_term term);

/* Tell terms what the rule at i of rules asks for; must tell the same each
 * time. */
typedef void wb_index_describe(const void *rules, size_t i,
                               struct wb_terms *terms);

struct wb_index;

/* Index count rules (at most UINT32_MAX - 1). The caller frees it with
 * wb_index_free; it is immutable. NULL when out of memory. */
struct wb_index *wb_index_new(const void *rules, size_t count,
                              wb_index_describe *describe);
void wb_index_free(struct wb_index *index);

/* Rules, in order; ascending. */
struct wb_postings {
    const uint32_t *items;
    size_t count;
};

/* For walk.c: look a term up; WB_NOT_FOUND, or the list's number. */
#define WB_NOT_FOUND UINT32_MAX
uint32_t wb_index_find(const struct wb_index *index, struct wb_term term);
struct wb_postings wb_index_list(const struct wb_index *index, uint32_t list);

/* The rules that nothing is known of; they are candidates of every message. */
struct wb_postings wb_index_always(const struct wb_index *index);

/* Call found for every list that a part of text is a term of, maybe more than
 * once. Stops and returns false when found does. */
typedef bool wb_index_found(void *context, uint32_t list);
bool wb_index_scan(const struct wb_index *index, struct wb_term field,
                   const char *text, wb_index_found *found, void *context);

#endif
