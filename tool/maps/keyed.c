#include "tool/maps/keyed.h"

#include <search.h>
#include <string.h>

#include "tool/maps/memory.h"

struct item {
    const char *key;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

void *wb_keyed_find(const struct wb_keyed *items, const char *key)
{
    struct item wanted = {key};
    void *node = tfind(&wanted, &items->root, by_key);

    return node == NULL ? NULL : *(void **)node;
}

void *wb_keyed_get(struct wb_keyed *items, struct wb_pool *pool,
                   const char *key, size_t octets)
{
    struct item *made = wb_keyed_find(items, key);

    if (made != NULL)
        return made;
    made = wb_must(wb_pool_alloc(pool, octets));
    made->key = key;
    wb_must(tsearch(made, &items->root, by_key));
    items->count++;
    return made;
}

static void keep(void *item)
{
    (void)item; /* its pool frees it */
}

void wb_keyed_free(struct wb_keyed *items)
{
    tdestroy(items->root, keep);
    *items = (struct wb_keyed){0};
}
