#include "conf/names.h"

#include <search.h>
#include <stdint.h>
#include <string.h>

enum {
    MAX_COMPARED = 64,     /* octets of a name */
    MAX_CANDIDATES = 2000, /* more would take longer than a hint is worth */
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct wb_name *)a)->text,
                  ((const struct wb_name *)b)->text);
}

struct wb_name *wb_names_add(struct wb_names *names, struct wb_pool *pool,
                             const char *text, struct wb_origin origin,
                             size_t index)
{
    struct wb_name *made = wb_pool_alloc(pool, sizeof *made);
    void *node;

    if (!made)
        return NULL;
    *made = (struct wb_name){.text = text, .origin = origin, .index = index};
    node = tsearch(made, &names->root, by_text);
    if (!node)
        return NULL;
    if (*(struct wb_name **)node == made)
        names->count++;
    return *(struct wb_name **)node;
}

struct wb_name *wb_names_find(const struct wb_names *names, const char *text)
{
    struct wb_name key = {.text = text};
    void *node = tfind(&key, &names->root, by_text);

    return node ? *(struct wb_name **)node : NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Optimal string alignment: how many octets to insert, delete, change or swap
 * with a neighbour. Both at most MAX_COMPARED. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t d[3][MAX_COMPARED + 1];
    size_t *older = d[0], *old = d[1], *row = d[2];

    for (size_t j = 0; j <= lb; j++)
        old[j] = j;
    for (size_t i = 1; i <= la; i++) {
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            row[j] = smallest(old[j] + 1, row[j - 1] + 1,
                              old[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && older[j - 2] + 1 < row[j])
                row[j] = older[j - 2] + 1;
        }
        size_t *free_row = older;
        older = old;
        old = row;
        row = free_row;
    }
    return old[lb];
}

bool wb_name_is_closer(const char *candidate, const char *text, size_t *best)
{
    size_t length = strlen(text), other = strlen(candidate), d;

    if (length > MAX_COMPARED || other > MAX_COMPARED)
        return false;
    d = distance(candidate, text);
    if (d >= *best || d > (length + 2) / 3)
        return false;
    *best = d;
    return true;
}

struct search {
    const char *text;
    const char *found;
    size_t best;
};

static void visit(const void *node, VISIT when, void *context)
{
    struct search *s = context;
    const struct wb_name *name = *(const struct wb_name *const *)node;

    if ((when == postorder || when == leaf) &&
        wb_name_is_closer(name->text, s->text, &s->best))
        s->found = name->text;
}

const char *wb_names_nearest(const struct wb_names *names, const char *text)
{
    struct search s = {.text = text, .best = SIZE_MAX};

    if (names->count <= MAX_CANDIDATES)
        twalk_r(names->root, visit, &s);
    return s.found;
}

static void keep(void *name)
{
    (void)name; /* its pool frees it */
}

void wb_names_free(struct wb_names *names)
{
    tdestroy(names->root, keep);
    *names = (struct wb_names){0};
}
