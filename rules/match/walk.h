/* A walk over the candidates of a message, in the order of the rules. */
#ifndef WB_MATCH_WALK_H
#define WB_MATCH_WALK_H

#include "base/map.h"
#include "match/index.h"
#include "match/pattern.h"

/* The lists of an index that a message's facts lead to. Zeroed but for the
 * map's pool. The functions that add return false when out of memory. */
struct wb_hits {
    const struct wb_index *index; /* NULL: not begun */
    struct wb_map lists;
};

/* Nothing found yet, in the pool that hits has. */
void wb_hits_begin(struct wb_hits *hits, const struct wb_index *index);

bool wb_hits_add(struct wb_hits *hits, struct wb_term term);

/* By a text that patterns are tried on. */
bool wb_hits_add_text(struct wb_hits *hits, struct wb_term field,
                      const char *text);

/* Used again and again for one message; zeroed but for pool and budget. */
struct wb_walk {
    struct wb_pool *pool;
    struct wb_budget *budget;
    struct wb_cursor {
        const uint32_t *at, *end;
    } * heap; /* the least *at first */
    size_t count, room;
    size_t plain_at, plain_end; /* without an index */
    size_t last;                /* handed out */
    bool has_last;
    unsigned tries;
    uint64_t lap_ns, lap_told_ns; /* when the budget was last charged */
    bool is_stopped;              /* the budget is spent; there may be more */
};

/* All of count rules, one after the other. */
void wb_walk_all(struct wb_walk *walk, size_t count);

/* The candidates that either hits leads to, and those that always are.
 * Returns false when out of memory. */
bool wb_walk_hits(struct wb_walk *walk, const struct wb_hits *hits,
                  const struct wb_hits *more);

/* The next rule: ascending, each once. False at the end, or when the walk is
 * stopped: what a search costs beside its patterns is charged to the budget,
 * too. */
bool wb_walk_next(struct wb_walk *walk, size_t *i);

#endif
