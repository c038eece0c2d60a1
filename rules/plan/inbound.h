/* Mail that comes in: which webhook a recipient is for. */
#ifndef WB_PLAN_INBOUND_H
#define WB_PLAN_INBOUND_H

#include "conf/conf.h"
#include "match/matcher.h"
#include "match/rule.h"

/* Is domain (lower case) one of an inbound section? */
bool wb_inbound_has_domain(const struct wb_conf *conf, const char *domain);

/* The section that this recipient's mail belongs to: of those whose domains
 * hold the recipient and whose pattern matches where match_on says, the first
 * whose pattern also matches the recipient itself (two recipients of one
 * message share its headers), else the first.
 * WB_NO: none; WB_RETRY: a limit was hit. */
enum wb_verdict wb_inbound_find(const struct wb_conf *conf,
                                struct wb_matcher *m,
                                const struct wb_address *recipient,
                                const struct wb_inbound **out);

/* The same at RCPT, when the headers are not known yet: WB_NO only when no
 * header could make any section match. */
enum wb_verdict wb_inbound_find_early(const struct wb_conf *conf,
                                      struct wb_matcher *m,
                                      const struct wb_address *recipient);

#endif
