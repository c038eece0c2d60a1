/* Which routes can share a service of the MTA. */
#ifndef WB_MAPS_KIND_H
#define WB_MAPS_KIND_H

#include "conf/conf.h"

/* All that routes must have in common, as text for comparing. */
const char *wb_kind_key(struct wb_pool *pool, const struct wb_route *route);

/* A short name for it, which tells what it can and marks the rest:
 * "starttls-plain", "tls-login-ca1f2e3d4c-conc5". It never ends in "-NUMBER". */
const char *wb_kind_name(struct wb_pool *pool, const struct wb_route *route);

#endif
