/* Names that are taken, to be looked up by thousands. */
#ifndef WB_CONF_NAMES_H
#define WB_CONF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "match/rule.h"

struct wb_name {
    const char *text;
    struct wb_origin origin;
    size_t index; /* of what has the name, for the owner's use */
    bool is_used;
};

/* Begins zeroed; ends with wb_names_free. Entries live in a pool. */
struct wb_names {
    void *root;
    size_t count;
};

/* Take a name. text must live as long as pool. Returns the entry, which is an
 * older one with another index if the name was taken, or NULL when out of
 * memory. */
struct wb_name *wb_names_add(struct wb_names *names, struct wb_pool *pool,
                             const char *text, struct wb_origin origin,
                             size_t index);
struct wb_name *wb_names_find(const struct wb_names *names, const char *text);

/* The name that text was most likely meant to be, or NULL. It looks at all of
 * them, so it gives up where there are very many. */
const char *wb_names_nearest(const struct wb_names *names, const char *text);
void wb_names_free(struct wb_names *names);

/* Is candidate so close to text that one may be meant by the other?
 * *best is the distance to beat and is lowered; start with SIZE_MAX. */
bool wb_name_is_closer(const char *candidate, const char *text, size_t *best);

#endif
