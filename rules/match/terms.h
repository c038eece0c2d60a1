/* What one rule asks for, as hashes. For index.c, which chooses among them. */
#ifndef WB_MATCH_TERMS_H
#define WB_MATCH_TERMS_H

#include "match/index.h"

enum {
    WB_WINDOW_OCTETS = 8, /* of a literal, or of a text where it may stand */
    WB_SHORT_OCTETS = 4,  /* where a pattern has no rare window of eight */
    WB_CRITERIA_MAX = 8,
};

/* One of them will do to find the rule by this entry. */
struct wb_terms_entry {
    size_t first, count; /* in hashes */
    bool is_also;
};

struct wb_terms_criterion {
    size_t first, count; /* in entries */
    bool is_useless;     /* every message may meet it */
};

struct wb_terms {
    struct wb_hashes {
        uint64_t *items;
        size_t count, room;
    } hashes;
    struct wb_terms_entry *entries;
    size_t entry_count, entry_room;
    struct wb_terms_criterion criteria[WB_CRITERIA_MAX];
    size_t criterion_count;
    size_t alternative; /* of the pattern at hand: its first hash */
    uint64_t field;     /* what the pattern is tried on */
    bool is_out_of_memory;
};

/* Forget what was told, for the next rule. */
void wb_terms_reset(struct wb_terms *terms);
void wb_terms_free(struct wb_terms *terms);

/* The hash that a finished term, or a window of a text, is found by; never
 * 0. A window holds its octets as they were shifted in, the last one in the
 * highest octet. */
uint64_t wb_hash_of_term(struct wb_term term);

static inline uint64_t wb_hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return x != 0 ? x : 1;
}

static inline uint64_t wb_hash_of_window(uint64_t field, uint64_t window)
{
    return wb_hash_mix(field + window);
}

/* A short window is told from a long one that begins with NULs, which no text
 * holds. */
static inline uint64_t wb_hash_of_short(uint64_t field, uint64_t window)
{
    return wb_hash_mix(field + (window >> 32));
}

#endif
