#include "tool/graph/relays.h"

#include <stdlib.h>
#include <string.h>

#include "tool/maps/memory.h"

static int compare(const void *a, const void *b)
{
    const struct wb_relay *x = *(const struct wb_relay *const *)a;
    const struct wb_relay *y = *(const struct wb_relay *const *)b;
    int order = strcmp(x->host, y->host);

    return order != 0 ? order : (x->port > y->port) - (x->port < y->port);
}

size_t wb_relays_place(const struct wb_relays *relays, const char *host,
                       unsigned port)
{
    const struct wb_relay wanted = {.host = host, .port = port};
    const struct wb_relay *key = &wanted;
    const struct wb_relay **found =
        bsearch(&key, relays->items, relays->count, sizeof key, compare);

    return found != NULL ? (size_t)(found - relays->items) : 0;
}

static void sort_once(struct wb_relays *r)
{
    size_t kept = 0;

    qsort(r->items, r->count, sizeof r->items[0], compare);
    for (size_t i = 0; i < r->count; i++)
        if (kept == 0 || compare(&r->items[kept - 1], &r->items[i]) != 0)
            r->items[kept++] = r->items[i];
    r->count = kept;
}

void wb_relays_find(const struct wb_conf *conf, struct wb_pool *p,
                    struct wb_relays *out)
{
    size_t room = 0;
    struct wb_relay *own =
        wb_must(wb_pool_array(p, conf->route_count, sizeof own[0]));

    for (size_t i = 0; i < conf->route_count; i++)
        room += 1 + conf->routes[i].fallback_count;
    *out = (struct wb_relays){
        .items = wb_must(wb_pool_array(p, room, sizeof out->items[0])),
        .of_route = wb_must(
            wb_pool_array(p, conf->route_count, sizeof out->of_route[0]))};
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct wb_route *route = &conf->routes[i];

        if (route->is_direct)
            continue;
        own[i] = (struct wb_relay){.host = route->host, .port = route->port};
        out->items[out->count++] = &own[i];
        for (size_t k = 0; k < route->fallback_count; k++)
            out->items[out->count++] = &route->fallbacks[k];
    }
    sort_once(out);
    for (size_t i = 0; i < conf->route_count; i++)
        if (!conf->routes[i].is_direct)
            out->of_route[i] = wb_relays_place(out, own[i].host, own[i].port);
}
