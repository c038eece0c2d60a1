/* The two pictures of a configuration: a graph for Graphviz, and a page. */
#ifndef WB_GRAPH_GRAPH_H
#define WB_GRAPH_GRAPH_H

#include <stdio.h>

#include "conf/conf.h"

enum {
    /* More of a kind are drawn as groups: dot's time grows with the square. */
    WB_DRAWN_MAX = 120,
    WB_ROWS_MAX = 2000, /* of a table of the page */
};

/* Write the graph in Graphviz's language. Nodes are called by what they are and
 * their place: sender_0, rule_0, route_1, relay_0, path_1, inbound_0, bounces,
 * webhook_0; groups rules_1, routes_0. All lives in p for a while; the program
 * ends when out of memory. */
void wb_graph_dot(FILE *out, const struct wb_conf *conf, struct wb_pool *p);

/* Does the graph show every rule and route? */
bool wb_graph_is_whole(const struct wb_conf *conf);

/* Write the page. problems: of the configuration; svg: the picture, an element
 * of its own, or NULL. The page needs nothing but itself, and no script. */
void wb_graph_page(FILE *out, const struct wb_conf *conf,
                   const struct wb_problems *problems, const char *svg);

#endif
