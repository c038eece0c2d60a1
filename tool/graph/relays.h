/* The relays that routes lead to: each host and port once. */
#ifndef WB_GRAPH_RELAYS_H
#define WB_GRAPH_RELAYS_H

#include "conf/conf.h"

struct wb_relays {
    const struct wb_relay **items; /* sorted by host and port */
    size_t count;
    size_t *of_route; /* the place of each route's relay in items; that of
                       * "direct" says nothing */
};

/* All lives in p; the program ends when out of memory. */
void wb_relays_find(const struct wb_conf *conf, struct wb_pool *p,
                    struct wb_relays *out);

/* The place of a relay that is there. */
size_t wb_relays_place(const struct wb_relays *relays, const char *host,
                       unsigned port);

#endif
