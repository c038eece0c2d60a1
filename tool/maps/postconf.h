/* What a Postfix's main.cf says. */
#ifndef WB_MAPS_POSTCONF_H
#define WB_MAPS_POSTCONF_H

#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

enum { WB_POSTCONF_MOST = 16 };

/* The values of names, at most WB_POSTCONF_MOST, expanded, as main.cf in dir
 * has them now; "" for what is empty. Lives in pool.
 * Returns EX_OK, or EX_UNAVAILABLE or EX_CONFIG with *err. */
int wb_postconf_values(struct wb_pool *pool, const char *dir,
                       const char *const *names, size_t count,
                       const char **values, struct wb_err *err);

#endif
