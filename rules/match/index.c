#include "match/index.h"

#include <stdlib.h>
#include <string.h>

#include "match/literal.h"
#include "match/terms.h"

enum {
    COUNTERS_MAX = 1 << 22,
    COUNTERS_EACH = 32,    /* a rule */
    FILTER_BITS_EACH = 16, /* a term */
};

struct slot {
    uint64_t hash;         /* 0: free */
    uint32_t first, count; /* in items */
};

struct wb_index {
    struct slot *slots;
    size_t room;     /* a power of two */
    uint32_t *items; /* the lists, one after the other */
    uint32_t *always;
    size_t always_count;
    uint64_t
        *filter; /* a bit for each term: most of what a text holds is none */
    unsigned filter_shift;
};

/* What is collected until the lists can be laid out. */
struct pair {
    uint64_t hash;
    uint32_t item;
};

struct builder {
    const void *rules;
    size_t count;
    wb_index_describe *describe;
    struct wb_terms terms;
    uint32_t *counters; /* how many rules ask for a hash, or for others that
                         * share its counter */
    size_t counter_mask;
    struct pair *pairs;
    size_t pair_count, pair_room;
    struct wb_index *index;
    bool is_out_of_memory;
};

/* The least power of two that is at least n. */
static size_t power_of_two(size_t n)
{
    size_t power = 1;

    while (power < n)
        power *= 2;
    return power;
}

static void describe(struct builder *b, size_t i)
{
    wb_terms_reset(&b->terms);
    b->describe(b->rules, i, &b->terms);
}

static void count_all(struct builder *b)
{
    for (size_t i = 0; i < b->count; i++) {
        describe(b, i);
        for (size_t h = 0; h < b->terms.hashes.count; h++)
            b->counters[b->terms.hashes.items[h] & b->counter_mask]++;
    }
}

/* ---- the choice ---- */

static uint32_t count_of(const struct builder *b, uint64_t hash)
{
    return b->counters[hash & b->counter_mask];
}

static uint64_t rarest(const struct builder *b, const struct wb_terms_entry *e)
{
    const uint64_t *hashes = b->terms.hashes.items + e->first;
    uint64_t best = hashes[0];

    for (size_t i = 1; i < e->count; i++)
        if (count_of(b, hashes[i]) < count_of(b, best))
            best = hashes[i];
    return best;
}

/* How many rules the commonest entry brings along; UINT64_MAX: all. */
static uint64_t cost_of(const struct builder *b,
                        const struct wb_terms_criterion *c)
{
    uint64_t most = 0;

    if (c->is_useless)
        return UINT64_MAX;
    for (size_t i = c->first; i < c->first + c->count; i++) {
        const struct wb_terms_entry *e = &b->terms.entries[i];
        uint32_t count = e->is_also ? 0 : count_of(b, rarest(b, e));

        if (count > most)
            most = count;
    }
    return most > 0 ? most : UINT64_MAX;
}

static const struct wb_terms_criterion *choose(const struct builder *b)
{
    const struct wb_terms_criterion *best = NULL;
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < b->terms.criterion_count; i++) {
        uint64_t cost = cost_of(b, &b->terms.criteria[i]);

        if (cost < least) {
            least = cost;
            best = &b->terms.criteria[i];
        }
    }
    return best;
}

static void post(struct builder *b, uint64_t hash, size_t item)
{
    if (b->pair_count == b->pair_room) {
        size_t room = b->pair_room ? 2 * b->pair_room : 1024;
        struct pair *pairs = reallocarray(b->pairs, room, sizeof *pairs);

        if (pairs == NULL) {
            b->is_out_of_memory = true;
            return;
        }
        b->pairs = pairs;
        b->pair_room = room;
    }
    b->pairs[b->pair_count++] = (struct pair){hash, (uint32_t)item};
}

static void post_all(struct builder *b)
{
    struct wb_index *index = b->index;

    for (size_t i = 0; i < b->count; i++) {
        const struct wb_terms_criterion *c;

        describe(b, i);
        c = choose(b);
        if (c == NULL)
            index->always[index->always_count++] = (uint32_t)i;
        for (size_t e = 0; c != NULL && e < c->count; e++)
            post(b, rarest(b, &b->terms.entries[c->first + e]), i);
    }
}

/* ---- the lists ---- */

static struct slot *slot_of(const struct wb_index *index, uint64_t hash)
{
    size_t i = hash & (index->room - 1);

    while (index->slots[i].hash != 0 && index->slots[i].hash != hash)
        i = (i + 1) & (index->room - 1);
    return &index->slots[i];
}

static void set_filter(struct wb_index *index, uint64_t hash)
{
    uint64_t bit = hash >> index->filter_shift;

    index->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool may_have(const struct wb_index *index, uint64_t hash)
{
    uint64_t bit = hash >> index->filter_shift;

    return index->filter[bit / 64] >> bit % 64 & 1;
}

static void count_lists(struct builder *b)
{
    uint32_t first = 0;

    for (size_t i = 0; i < b->pair_count; i++) {
        struct slot *slot = slot_of(b->index, b->pairs[i].hash);

        slot->hash = b->pairs[i].hash;
        slot->count++;
        set_filter(b->index, slot->hash);
    }
    for (size_t i = 0; i < b->index->room; i++) {
        b->index->slots[i].first = first;
        first += b->index->slots[i].count;
        b->index->slots[i].count = 0;
    }
}

/* A rule may have come to a list by two of its entries. */
static void fill_lists(struct builder *b)
{
    for (size_t i = 0; i < b->pair_count; i++) {
        struct slot *slot = slot_of(b->index, b->pairs[i].hash);
        uint32_t *list = b->index->items + slot->first;

        if (slot->count == 0 || list[slot->count - 1] != b->pairs[i].item)
            list[slot->count++] = b->pairs[i].item;
    }
}

static bool make_lists(struct builder *b)
{
    struct wb_index *index = b->index;
    size_t bits = power_of_two(FILTER_BITS_EACH * (b->pair_count + 4));

    index->room = power_of_two(2 * b->pair_count + 1);
    index->slots = calloc(index->room, sizeof *index->slots);
    index->items = calloc(b->pair_count + 1, sizeof *index->items);
    index->filter = calloc(bits / 64 + 1, sizeof *index->filter);
    index->filter_shift = 64;
    for (size_t n = bits; n > 1; n /= 2)
        index->filter_shift--;
    if (index->slots == NULL || index->items == NULL || index->filter == NULL)
        return false;
    count_lists(b);
    fill_lists(b);
    return true;
}

static bool build(struct builder *b)
{
    size_t counters = power_of_two(COUNTERS_EACH * b->count + 1);

    if (counters > COUNTERS_MAX)
        counters = COUNTERS_MAX;
    b->counter_mask = counters - 1;
    b->counters = calloc(counters, sizeof *b->counters);
    b->index->always = calloc(b->count + 1, sizeof *b->index->always);
    if (b->counters == NULL || b->index->always == NULL)
        return false;
    count_all(b);
    post_all(b);
    return !b->is_out_of_memory && !b->terms.is_out_of_memory && make_lists(b);
}

struct wb_index *wb_index_new(const void *rules, size_t count,
                              wb_index_describe *describe_rule)
{
    struct builder b = {.rules = rules,
                        .count = count,
                        .describe = describe_rule,
                        .index = calloc(1, sizeof *b.index)};
    bool is_built = b.index != NULL && build(&b);

    wb_terms_free(&b.terms);
    free(b.counters);
    free(b.pairs);
    if (is_built)
        return b.index;
    wb_index_free(b.index);
    return NULL;
}

void wb_index_free(struct wb_index *index)
{
    if (index == NULL)
        return;
    free(index->slots);
    free(index->items);
    free(index->always);
    free(index->filter);
    free(index);
}

/* ---- looking up ---- */

static uint32_t find(const struct wb_index *index, uint64_t hash)
{
    const struct slot *slot;

    if (!may_have(index, hash))
        return WB_NOT_FOUND;
    slot = slot_of(index, hash);
    return slot->hash != 0 ? (uint32_t)(slot - index->slots) : WB_NOT_FOUND;
}

uint32_t wb_index_find(const struct wb_index *index, struct wb_term term)
{
    return find(index, wb_hash_of_term(term));
}

struct wb_postings wb_index_list(const struct wb_index *index, uint32_t list)
{
    const struct slot *slot = &index->slots[list];

    return (struct wb_postings){index->items + slot->first, slot->count};
}

struct wb_postings wb_index_always(const struct wb_index *index)
{
    return (struct wb_postings){index->always, index->always_count};
}

bool wb_index_scan(const struct wb_index *index, struct wb_term field,
                   const char *text, wb_index_found *found, void *context)
{
    const unsigned char *at = (const unsigned char *)text;
    uint64_t salt = wb_hash_of_term(field), window = 0;
    unsigned char octet;

    for (size_t n = 1; (octet = wb_fold_next(&at)) != 0; n++) {
        uint32_t list;

        window = window >> 8 | (uint64_t)octet << 56;
        list = n >= WB_WINDOW_OCTETS
                   ? find(index, wb_hash_of_window(salt, window))
                   : WB_NOT_FOUND;
        if (list != WB_NOT_FOUND && !found(context, list))
            return false;
        list = n >= WB_SHORT_OCTETS
                   ? find(index, wb_hash_of_short(salt, window))
                   : WB_NOT_FOUND;
        if (list != WB_NOT_FOUND && !found(context, list))
            return false;
    }
    return true;
}
