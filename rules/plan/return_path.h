/* The return path: what the envelope sender becomes, so that bounces come
 * back where they are handled. */
#ifndef WB_PLAN_RETURN_PATH_H
#define WB_PLAN_RETURN_PATH_H

#include "conf/conf.h"
#include "match/rule.h"
#include "plan/token.h"

/* The return path for the matcher's sender over route: the route's own where
 * it names this sender, else the section whose senders name it most closely
 * (then file order), else "keep". Never NULL with WB_YES; WB_RETRY: a pattern
 * hit its limit. */
enum wb_verdict wb_return_path_choose(const struct wb_conf *conf,
                                      struct wb_matcher *m,
                                      const struct wb_route *route,
                                      const struct wb_return_path **out);

/* What env's sender becomes on the way to recipient. The null sender stays
 * null. But for WB_RETURN_ADDRESS, a sender without a domain and one that is
 * in a return or bounce domain already stay as they are, and with overflow =
 * plain one whose signed address would be too long. Without a secret (explain)
 * the word SECRET stands for what is signed.
 * out: lives in p, or is the sender's own text or conf's.
 * Returns EX_OK, EX_DATAERR when the result would pass the limits of RFC 5321
 * (4.5.3.1), or EX_OSERR, with *err. */
int wb_return_path_apply(const struct wb_conf *conf,
                         const struct wb_return_path *rp,
                         const struct wb_envelope *env,
                         const struct wb_address *recipient, struct wb_pool *p,
                         const char **out, struct wb_err *err);

/* Read a return address that came back to a bounce domain.
 * out->sender: of batv and of unsigned addresses, the sender in the domain
 *      that the configuration implies; text is NULL where it does not.
 * What is not signed by us is VALID (kind is WB_TOKEN_NONE) where a
 * return_path of mode domain makes such addresses, or where no return_path
 * leads to this domain at all; where all that do sign, it is FOREIGN or
 * FORGED. postmaster is always VALID (RFC 5321, 4.5.1).
 * Returns EX_OK with out->verdict; EX_CONFIG (no key) or EX_OSERR: no verdict.
 */
int wb_return_path_read(const struct wb_conf *conf,
                        const struct wb_address *address, int64_t now_s,
                        struct wb_pool *p, struct wb_token *out,
                        struct wb_err *err);

/* Is it the postmaster of a return domain? Not a return address, then, or not
 * for sure. address has a local part. */
bool wb_return_path_is_postmaster(const struct wb_address *address);

/* "domain", "batv", ... as in the configuration, or "address". */
const char *wb_return_mode_name(enum wb_return_mode mode);

#endif
