#include "base/map.h"

#include <string.h>

enum { LEAST_ROOM = 16 };

/* Where key is, or the free slot where it would be. At least one is free. */
static struct wb_map_slot *slot_of(const struct wb_map *map, uint32_t key)
{
    size_t i = (uint32_t)(key * UINT32_C(2654435769)) & (map->room - 1);

    while (map->slots[i].key != 0 && map->slots[i].key != key + 1)
        i = (i + 1) & (map->room - 1);
    return &map->slots[i];
}

const uint32_t *wb_map_find(const struct wb_map *map, uint32_t key)
{
    const struct wb_map_slot *slot = map->room ? slot_of(map, key) : NULL;

    return slot != NULL && slot->key != 0 ? &slot->value : NULL;
}

static bool grow(struct wb_map *map)
{
    struct wb_map old = *map;

    map->room = old.room ? 2 * old.room : LEAST_ROOM;
    map->slots = wb_pool_array(map->pool, map->room, sizeof *map->slots);
    if (map->slots == NULL) {
        *map = old;
        return false;
    }
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i].key != 0)
            *slot_of(map, old.slots[i].key - 1) = old.slots[i];
    return true;
}

bool wb_map_put(struct wb_map *map, uint32_t key, uint32_t value)
{
    struct wb_map_slot *slot;

    if (2 * (map->count + 1) > map->room && !grow(map))
        return false;
    slot = slot_of(map, key);
    map->count += slot->key == 0;
    *slot = (struct wb_map_slot){key + 1, value};
    return true;
}

void wb_map_clear(struct wb_map *map)
{
    if (map->count > 0)
        memset(map->slots, 0, map->room * sizeof *map->slots);
    map->count = 0;
}
