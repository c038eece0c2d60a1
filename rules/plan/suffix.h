/* The route channel: a recipient's suffix tells the MTA's tables which way
 * out it takes, or which webhook it is for. */
#ifndef WB_PLAN_SUFFIX_H
#define WB_PLAN_SUFFIX_H

#include "conf/conf.h"
#include "mail/address.h"

/* What stands where explain, without a secret, has neither LABEL nor MAC. */
#define WB_NO_SECRET "SECRET"

/* Is domain waybill.invalid, or below it? Nobody outside may use it. */
bool wb_suffix_is_own(const char *domain);

/* The same for an address as the MTA reads it: Postfix looks for "@", "%" and
 * "!" inside a local part, quoted or not, so it would route
 * "\"u@dom.ROUTE.LABEL.waybill.invalid\"@here" by the suffix. resolved: what
 * the MTA says that it read, NULL when not known. */
bool wb_suffix_is_in(const struct wb_address *a, const char *resolved);

/* Can a suffix be put on a and taken off again: by the MTA's tables, or, with
 * by_us, by wb_suffix_parse alone? Not where it looks like one that is carried
 * whole already, as below, and by a table not where it would be and has quotes
 * of its own, which no table can undo. */
bool wb_suffix_can_carry(const struct wb_address *a, bool by_us);

/* "u@dom" becomes "u@dom.ROUTE.LABEL.waybill.invalid". An address literal, or
 * a domain that would grow past WB_DOMAIN_MAX_OCTETS, is carried whole as the
 * local part: "\"u@[192.0.2.1]\"@x.ROUTE.LABEL.waybill.invalid".
 * a has a domain. Lives in p; NULL when out of memory. Without a secret
 * WB_NO_SECRET stands in LABEL's place. */
const char *wb_suffix_for_route(const struct wb_conf *conf, struct wb_pool *p,
                                const struct wb_address *a,
                                const struct wb_route *route);

/* "u@dom" becomes "u@dom.WEBHOOK.FILTER.MAC.hook.LABEL.waybill.invalid". The
 * MAC covers webhook, filter and recipient (in lower case, as mail tables
 * fold it). Otherwise as above. */
const char *wb_suffix_for_hook(const struct wb_conf *conf, struct wb_pool *p,
                               const struct wb_address *a,
                               const struct wb_webhook *webhook,
                               const char *filter);

/* "u@dom" becomes "u@dom.ROUTE.MAC.again.LABEL.waybill.invalid": a second pass
 * is to find the route there. mac: one label, see again.c. Otherwise as
 * above. */
const char *wb_suffix_for_again(const struct wb_conf *conf, struct wb_pool *p,
                                const struct wb_address *a,
                                const struct wb_route *route, const char *mac);

/* What a suffix says. */
struct wb_suffix {
    const struct wb_route *route; /* NULL: a hook, or a route that is gone */
    const struct wb_webhook *webhook; /* NULL: no hook */
    const char *filter;
    const char *original; /* of a hook: the recipient, in lower case; of a
                           * second pass: as it was put in */
    const char *mac;      /* of a second pass, not judged yet; NULL: none */
};

/* Read a suffix that waybill made: mail that the MTA requeues comes back with
 * it. Lives in p.
 * Returns EX_OK; EX_DATAERR when it is not ours (an unknown label, a hook's
 * wrong MAC, or no suffix at all); EX_OSERR when out of memory. Without a
 * secret (explain) any label is ours. */
int wb_suffix_parse(const struct wb_conf *conf, struct wb_pool *p,
                    const struct wb_address *a, struct wb_suffix *out);

#endif
