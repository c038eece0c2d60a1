#include "match/walk.h"

enum { TRIES_A_LAP = 256 };

void wb_hits_begin(struct wb_hits *hits, const struct wb_index *index)
{
    hits->index = index;
    wb_map_clear(&hits->lists);
}

static bool add_list(void *context, uint32_t list)
{
    struct wb_hits *hits = context;

    return wb_map_find(&hits->lists, list) != NULL ||
           wb_map_put(&hits->lists, list, 0);
}

bool wb_hits_add(struct wb_hits *hits, struct wb_term term)
{
    uint32_t list = wb_index_find(hits->index, term);

    return list == WB_NOT_FOUND || add_list(hits, list);
}

bool wb_hits_add_text(struct wb_hits *hits, struct wb_term field,
                      const char *text)
{
    return wb_index_scan(hits->index, field, text, add_list, hits);
}

static void begin(struct wb_walk *walk)
{
    walk->count = 0;
    walk->plain_at = 0;
    walk->plain_end = 0;
    walk->has_last = false;
    walk->tries = 0;
    walk->is_stopped = false;
}

void wb_walk_all(struct wb_walk *walk, size_t count)
{
    begin(walk);
    walk->plain_end = count;
}

static void sink(struct wb_walk *walk, size_t i)
{
    struct wb_cursor moved = walk->heap[i];

    for (size_t child; (child = 2 * i + 1) < walk->count; i = child) {
        if (child + 1 < walk->count &&
            *walk->heap[child + 1].at < *walk->heap[child].at)
            child++;
        if (*walk->heap[child].at >= *moved.at)
            break;
        walk->heap[i] = walk->heap[child];
    }
    walk->heap[i] = moved;
}

static void add_cursor(struct wb_walk *walk, struct wb_postings list)
{
    if (list.count > 0)
        walk->heap[walk->count++] =
            (struct wb_cursor){list.items, list.items + list.count};
}

static void add_hits(struct wb_walk *walk, const struct wb_hits *hits)
{
    for (size_t i = 0; i < hits->lists.room; i++)
        if (hits->lists.slots[i].key != 0)
            add_cursor(
                walk, wb_index_list(hits->index, hits->lists.slots[i].key - 1));
}

static bool make_room(struct wb_walk *walk, size_t most)
{
    if (most <= walk->room)
        return true;
    walk->heap = wb_pool_array(walk->pool, 2 * most, sizeof *walk->heap);
    walk->room = walk->heap != NULL ? 2 * most : 0;
    return walk->heap != NULL;
}

bool wb_walk_hits(struct wb_walk *walk, const struct wb_hits *hits,
                  const struct wb_hits *more)
{
    begin(walk);
    if (!make_room(walk, 1 + hits->lists.count + more->lists.count))
        return false;
    add_cursor(walk, wb_index_always(hits->index));
    add_hits(walk, hits);
    add_hits(walk, more);
    for (size_t i = walk->count / 2; i-- > 0;)
        sink(walk, i);
    return true;
}

static size_t take_least(struct wb_walk *walk)
{
    struct wb_cursor *top = &walk->heap[0];
    size_t least = *top->at++;

    if (top->at == top->end)
        *top = walk->heap[--walk->count];
    if (walk->count > 0)
        sink(walk, 0);
    return least;
}

/* Patterns charge their time themselves. */
static void charge(struct wb_walk *walk)
{
    struct wb_budget *budget = walk->budget;
    uint64_t now_ns = budget->clock_ns();
    uint64_t told_ns = budget->used_ns + budget->free_ns;

    if (walk->tries > TRIES_A_LAP &&
        now_ns - walk->lap_ns > told_ns - walk->lap_told_ns)
        budget->used_ns +=
            now_ns - walk->lap_ns - (told_ns - walk->lap_told_ns);
    walk->lap_ns = now_ns;
    walk->lap_told_ns = budget->used_ns + budget->free_ns;
    walk->is_stopped = budget->used_ns >= budget->limit_ns;
    if (walk->is_stopped)
        (void)wb_budget_retry(budget, "there are too many rules to try");
}

static bool take(struct wb_walk *walk, size_t *i)
{
    if (walk->plain_at < walk->plain_end) {
        *i = walk->plain_at++;
        return true;
    }
    while (walk->count > 0) {
        *i = take_least(walk);
        if (!walk->has_last || *i != walk->last)
            return true;
    }
    return false;
}

bool wb_walk_next(struct wb_walk *walk, size_t *i)
{
    if (walk->is_stopped || !take(walk, i))
        return false;
    walk->last = *i;
    walk->has_last = true;
    if (++walk->tries % TRIES_A_LAP == 0)
        charge(walk);
    return !walk->is_stopped;
}
