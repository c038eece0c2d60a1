/* Items that are found by a text, by the thousand. */
#ifndef WB_MAPS_KEYED_H
#define WB_MAPS_KEYED_H

#include <stddef.h>

#include "base/pool.h"

/* Begins zeroed; ends with wb_keyed_free, which leaves the items to their
 * pool. The first member of every item is "const char *key". */
struct wb_keyed {
    void *root;
    size_t count;
};

/* The item of that key, or NULL. */
void *wb_keyed_find(const struct wb_keyed *items, const char *key);

/* The item of that key; one of so many octets is made in pool, zeroed but for
 * its key, if there is none. Never NULL. key must live as long. */
void *wb_keyed_get(struct wb_keyed *items, struct wb_pool *pool,
                   const char *key, size_t octets);

void wb_keyed_free(struct wb_keyed *items);

#endif
