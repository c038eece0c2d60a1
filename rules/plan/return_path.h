/* The return path: what the envelope sender becomes, so that bounces come
 * back where they are handled. */
#ifndef WB_PLAN_RETURN_PATH_H
#define WB_PLAN_RETURN_PATH_H

#include "conf/conf.h"
#include "match/rule.h"

/* The return path for the matcher's sender over route: the route's own where
 * it names this sender, else the section whose senders name it most closely
 * (then file order), else "keep". Never NULL with WB_YES; WB_RETRY: a pattern
 * hit its limit. */
enum wb_verdict wb_return_path_choose(const struct wb_conf *conf,
                                      struct wb_matcher *m,
                                      const struct wb_route *route,
                                      const struct wb_return_path **out);

/* What sender becomes. The null sender, a sender without a domain, and one
 * that is in a return or bounce domain already stay as they are.
 * out: lives in p, or is sender->text itself.
 * Returns EX_OK, EX_DATAERR when the result would pass the limits of RFC 5321
 * (4.5.3.1), or EX_OSERR, with *err. */
int wb_return_path_apply(const struct wb_conf *conf,
                         const struct wb_return_path *rp,
                         const struct wb_address *sender, struct wb_pool *p,
                         const char **out, struct wb_err *err);

#endif
