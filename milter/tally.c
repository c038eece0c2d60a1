/* The counts beside a configuration, and how the next one takes them over. */
#include <stdlib.h>
#include <string.h>

#include "milter/stats.h"

const struct wb_tally *wb_stats_tally(const struct wb_conf *conf)
{
    return wb_conf_kept(conf);
}

static void drop(struct wb_counts *counts)
{
    for (size_t i = 0; counts->items != NULL && i < counts->count; i++) {
        struct wb_count *c = counts->items[i];

        if (c != NULL && atomic_fetch_sub_explicit(&c->references, 1,
                                                   memory_order_acq_rel) == 1)
            free(c);
    }
    free(counts->items);
}

static void free_tally(void *kept)
{
    struct wb_tally *t = kept;

    if (t == NULL)
        return;
    drop(&t->rules);
    drop(&t->routes);
    drop(&t->webhooks);
    free(t);
}

static int by_name(const void *a, const void *b)
{
    const struct wb_count *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* old's, sorted by name, to search in; empty when old has none. Returns false
 * when out of memory. */
static bool sort(const struct wb_counts *old, struct wb_counts *out)
{
    *out = (struct wb_counts){NULL, 0};
    if (old == NULL || old->count == 0)
        return true;
    out->items = calloc(old->count, sizeof out->items[0]);
    if (out->items == NULL)
        return false;
    out->count = old->count;
    memcpy(out->items, old->items, old->count * sizeof out->items[0]);
    qsort(out->items, out->count, sizeof out->items[0], by_name);
    return true;
}

static int to_name(const void *name, const void *item)
{
    const struct wb_count *const *count = item;

    return strcmp(name, (*count)->name);
}

static struct wb_count *take(const struct wb_counts *sorted, const char *name)
{
    struct wb_count **old = sorted->count == 0
                                ? NULL
                                : bsearch(name, sorted->items, sorted->count,
                                          sizeof sorted->items[0], to_name);
    size_t octets = strlen(name) + 1;
    struct wb_count *made;

    if (old != NULL) {
        atomic_fetch_add_explicit(&(*old)->references, 1, memory_order_relaxed);
        return *old;
    }
    made = calloc(1, sizeof *made + octets);
    if (made == NULL)
        return NULL;
    atomic_init(&made->references, 1);
    memcpy(made->name, name, octets);
    return made;
}

/* Name after name of an array of structs, each octets long, which begin with
 * theirs. */
static bool fill(struct wb_counts *out, const void *array, size_t count,
                 size_t octets, const struct wb_counts *old)
{
    struct wb_counts sorted;
    bool is_done = sort(old, &sorted);

    out->items = is_done ? calloc(count + 1, sizeof out->items[0]) : NULL;
    is_done = out->items != NULL;
    for (size_t i = 0; is_done && i < count; i++) {
        const char *const *name =
            (const void *)((const char *)array + i * octets);

        out->items[i] = take(&sorted, *name);
        out->count = i + 1;
        is_done = out->items[i] != NULL;
    }
    free(sorted.items);
    return is_done;
}

bool wb_stats_attach(struct wb_conf *conf, const struct wb_conf *old)
{
    const struct wb_tally *before = old != NULL ? wb_stats_tally(old) : NULL;
    struct wb_tally *t = calloc(1, sizeof *t);

    if (t == NULL)
        return false;
    if (!fill(&t->rules, conf->rules.rules, conf->rules.count,
              sizeof conf->rules.rules[0],
              before != NULL ? &before->rules : NULL) ||
        !fill(&t->routes, conf->routes, conf->route_count,
              sizeof conf->routes[0],
              before != NULL ? &before->routes : NULL) ||
        !fill(&t->webhooks, conf->webhooks, conf->webhook_count,
              sizeof conf->webhooks[0],
              before != NULL ? &before->webhooks : NULL)) {
        free_tally(t);
        return false;
    }
    wb_conf_keep(conf, t, free_tally);
    return true;
}
