/* A map from numbers to numbers that lives in a pool. */
#ifndef WB_BASE_MAP_H
#define WB_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

/* Empty when all but pool is zero. Growing leaves the old places in the pool:
 * at most as much again. */
struct wb_map {
    struct wb_pool *pool;
    struct wb_map_slot {
        uint32_t key; /* plus 1; 0: free */
        uint32_t value;
    } * slots;
    size_t room; /* a power of two */
    size_t count;
};

/* The value of key, or NULL. Good until the next put. */
const uint32_t *wb_map_find(const struct wb_map *map, uint32_t key);

/* Set it; key is not UINT32_MAX. Returns false when out of memory. */
bool wb_map_put(struct wb_map *map, uint32_t key, uint32_t value);

/* Forget all keys and keep the room. */
void wb_map_clear(struct wb_map *map);

#endif
