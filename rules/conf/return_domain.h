/* Which return_path leads to a domain, and from which one: asked when a bounce
 * comes back there, and before, whether that could be told. */
#ifndef WB_CONF_RETURN_DOMAIN_H
#define WB_CONF_RETURN_DOMAIN_H

#include "conf/conf.h"

/* Could rp have made domain (in lower case)? "return.%d" made everything below
 * "return.". The mode is not looked at. */
bool wb_return_path_makes(const struct wb_return_path *rp, const char *domain);

/* The one domain that every entry of senders is in; NULL when there are
 * several, or any. */
const char *wb_return_domain_only(const struct wb_addrlist *senders);

/* A set of modes: WB_MODE(WB_RETURN_BATV) | ... */
#define WB_MODE(mode) (1U << (mode))
#define WB_MODES_SIGNED                                                        \
    (WB_MODE(WB_RETURN_BATV) | WB_MODE(WB_RETURN_SRS) | WB_MODE(WB_RETURN_VERP))
#define WB_MODES_MOVING (WB_MODES_SIGNED | WB_MODE(WB_RETURN_DOMAIN))

/* Does any return_path of one of these modes make domain? */
bool wb_return_domain_is_made(const struct wb_conf *conf, unsigned modes,
                              const char *domain);

/* The one domain from which the return_paths of these modes lead to domain:
 * "return.%d" tells it, and so do senders of one domain.
 * out: lives in p or in conf; NULL when it cannot be told, because there are
 *      several or there is none.
 * Returns EX_OK or EX_OSERR (out of memory). */
int wb_return_domain_source(const struct wb_conf *conf, unsigned modes,
                            const char *domain, struct wb_pool *p,
                            const char **out);

#endif
