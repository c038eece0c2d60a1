#include "match/terms.h"

#include <assert.h>
#include <stdlib.h>

#include "match/literal.h"

enum { MOST_WINDOWS = 512 }; /* of an alternative that are compared */

/* FNV-1a: what is added octet by octet is the same in one piece or in many. */
static uint64_t hash_octet(uint64_t state, unsigned char octet)
{
    return (state ^ octet) * UINT64_C(0x100000001b3);
}

struct wb_term wb_term_and(struct wb_term term, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        term.state = hash_octet(
            term.state, c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c);
    }
    return term;
}

static struct wb_term begin(unsigned kind)
{
    return (struct wb_term){
        hash_octet(UINT64_C(0xcbf29ce484222325), (unsigned char)kind)};
}

struct wb_term wb_term_of(unsigned kind, const char *text)
{
    return wb_term_and(begin(kind), text);
}

struct wb_term wb_term_of_octets(unsigned kind, const uint8_t *octets,
                                 size_t count)
{
    struct wb_term term = begin(kind);

    for (size_t i = 0; i < count; i++)
        term.state = hash_octet(term.state, octets[i]);
    return term;
}

uint64_t wb_hash_of_term(struct wb_term term)
{
    return wb_hash_mix(term.state);
}

static void push(struct wb_terms *terms, uint64_t hash)
{
    struct wb_hashes *h = &terms->hashes;

    if (h->count == h->room) {
        size_t room = h->room ? 2 * h->room : 64;
        uint64_t *items = reallocarray(h->items, room, sizeof *items);

        if (items == NULL) {
            terms->is_out_of_memory = true;
            return;
        }
        h->items = items;
        h->room = room;
    }
    h->items[h->count++] = hash;
}

void wb_terms_reset(struct wb_terms *terms)
{
    terms->hashes.count = 0;
    terms->entry_count = 0;
    terms->criterion_count = 0;
}

void wb_terms_free(struct wb_terms *terms)
{
    free(terms->hashes.items);
    free(terms->entries);
}

static struct wb_terms_criterion *criterion(struct wb_terms *terms)
{
    return &terms->criteria[terms->criterion_count - 1];
}

void wb_terms_criterion(struct wb_terms *terms)
{
    assert(terms->criterion_count < WB_CRITERIA_MAX);
    terms->criterion_count++;
    *criterion(terms) =
        (struct wb_terms_criterion){.first = terms->entry_count};
}

/* The hashes from first on are an entry's. */
static void end_entry(struct wb_terms *terms, size_t first, bool is_also)
{
    if (terms->entry_count == terms->entry_room) {
        size_t room = terms->entry_room ? 2 * terms->entry_room : 16;
        struct wb_terms_entry *entries =
            reallocarray(terms->entries, room, sizeof *entries);

        if (entries == NULL) {
            terms->is_out_of_memory = true;
            return;
        }
        terms->entries = entries;
        terms->entry_room = room;
    }
    terms->entries[terms->entry_count++] =
        (struct wb_terms_entry){.first = first,
                                .count = terms->hashes.count - first,
                                .is_also = is_also};
    criterion(terms)->count++;
}

void wb_terms_add(struct wb_terms *terms, struct wb_term term)
{
    push(terms, wb_hash_of_term(term));
    end_entry(terms, terms->hashes.count - 1, false);
}

void wb_terms_also(struct wb_terms *terms, struct wb_term term)
{
    push(terms, wb_hash_of_term(term));
    end_entry(terms, terms->hashes.count - 1, true);
}

void wb_terms_add_any(struct wb_terms *terms)
{
    criterion(terms)->is_useless = true;
}

/* Any of the windows of its literals finds an alternative. */
static void end_alternative(struct wb_terms *terms)
{
    size_t first = terms->alternative;

    terms->alternative = terms->hashes.count;
    if (terms->hashes.count == first)
        wb_terms_add_any(terms);
    else
        end_entry(terms, first, false);
}

static void take_literal(void *context, const char *text, size_t octets)
{
    struct wb_terms *terms = context;
    uint64_t window = 0;

    if (text == NULL) {
        end_alternative(terms);
        return;
    }
    for (size_t i = 1; i <= octets; i++) {
        window = window >> 8 | (uint64_t)(unsigned char)text[i - 1] << 56;
        if (terms->hashes.count - terms->alternative >= MOST_WINDOWS)
            return;
        if (i >= WB_WINDOW_OCTETS)
            push(terms, wb_hash_of_window(terms->field, window));
        if (i >= WB_SHORT_OCTETS)
            push(terms, wb_hash_of_short(terms->field, window));
    }
}

void wb_terms_add_pattern(struct wb_terms *terms, struct wb_term field,
                          const char *source)
{
    terms->field = wb_hash_of_term(field);
    terms->alternative = terms->hashes.count;
    if (!wb_literals_each(source, take_literal, terms))
        wb_terms_add_any(terms);
}
