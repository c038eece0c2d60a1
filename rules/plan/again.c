/* The second pass. Recipients of one message that need different senders come
 * back to the MTA's listener for that, one by one, each as a message of its
 * own. There is no state but the mark that the first pass put on them:
 *
 *     u@dom.ROUTE.MAC.again.LABEL.waybill.invalid
 *
 * The MAC covers the route, the return path, the recipient, the sender and the
 * day. The last is not written, nor is the return path, which a login or a
 * listener may have chosen that only the first pass knew: those that come into
 * question are tried. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "plan/actions.h"
#include "plan/making.h"
#include "plan/return_path.h"
#include "plan/suffix.h"

enum {
    DAY_S = 86400,
    GOOD_DAYS = 30, /* longer than MTAs keep mail */
    SKEW_DAYS = 1,  /* the clock of the first pass may be ahead */
};

/* What the MAC covers. */
enum part { PURPOSE, ROUTE, RETURN_PATH, RECIPIENT, SENDER, DAY, PARTS };

struct claim {
    const char *parts[PARTS];
    char day[24];
};

/* Between the passes the MTA completes the sender, and drops quotes that are
 * not needed: so it is taken as the MTA reads it. */
static const char *sender_as_read(const struct wb_making *m)
{
    struct wb_address a = m->env->sender;
    int rc = EX_OK;

    if (m->env->sender_resolved != NULL)
        rc = wb_address_parse(m->p, m->env->sender_resolved, &a, NULL);
    return rc == EX_OSERR ? NULL : wb_address_format(m->p, a.local, a.domain);
}

/* All but the return path and the day. */
static int begin_claim(const struct wb_making *m, const struct wb_route *route,
                       const struct wb_address *recipient, struct claim *out)
{
    const char *to =
        wb_address_format(m->p, recipient->local, recipient->domain);

    out->parts[PURPOSE] = "again";
    out->parts[ROUTE] = route->name;
    out->parts[RECIPIENT] = to == NULL ? NULL : wb_pool_strlower(m->p, to);
    out->parts[SENDER] = sender_as_read(m);
    out->parts[DAY] = out->day;
    return out->parts[RECIPIENT] != NULL && out->parts[SENDER] != NULL
               ? EX_OK
               : EX_OSERR;
}

static void set_day(struct claim *claim, int64_t now_s, int days_ago)
{
    snprintf(claim->day, sizeof claim->day, "%" PRId64,
             now_s / DAY_S - days_ago);
}

static int sign(const struct wb_making *m, const struct wb_recipient_plan *r,
                char mac[WB_MAC_OCTETS + 1])
{
    struct claim claim;
    int rc = begin_claim(m, r->route, &r->recipient->address, &claim);

    if (rc != EX_OK)
        return rc;
    if (m->conf->secret.count == 0) {
        strcpy(mac, WB_NO_SECRET);
        return EX_OK;
    }
    claim.parts[RETURN_PATH] = r->return_path->name;
    set_day(&claim, m->env->now_s, 0);
    return wb_secret_mac(&m->conf->secret.keys[0], claim.parts, PARTS, mac,
                         NULL);
}

int wb_making_again(struct wb_making *m, struct wb_recipient_plan *r)
{
    char mac[WB_MAC_OCTETS + 1];
    int rc = wb_making_check_form(m, r, true);

    if (rc == EX_OK)
        rc = sign(m, r, mac);
    if (rc != EX_OK)
        return rc;
    r->is_again = true;
    return wb_making_rewrite(m, r,
                             wb_suffix_for_again(m->conf, m->p,
                                                 &r->recipient->address,
                                                 r->route, mac),
                             r->recipient);
}

/* The return paths that may have been chosen, the likely ones first. */
struct candidates {
    const struct wb_return_path **items;
    size_t count;
};

/* Returns EX_OK, EX_TEMPFAIL (a pattern limit) or EX_OSERR. */
static int find_candidates(struct wb_making *m, const struct wb_route *route,
                           struct candidates *out)
{
    const struct wb_conf *conf = m->conf;

    out->count = 0;
    out->items =
        wb_pool_array(m->p, conf->return_path_count + 1, sizeof out->items[0]);
    if (out->items == NULL)
        return EX_OSERR;
    if (route->return_path != NULL)
        out->items[out->count++] = route->return_path;
    for (size_t i = conf->return_path_count; i-- > 0;) {
        const struct wb_return_path *rp = &conf->return_paths[i];
        enum wb_specificity named;
        enum wb_verdict v = wb_addrlist_names(&rp->senders, &m->env->sender,
                                              &m->matcher.budget, &named, NULL);

        if (v == WB_RETRY)
            return EX_TEMPFAIL;
        if (v == WB_YES && rp != route->return_path)
            out->items[out->count++] = rp;
    }
    return EX_OK;
}

/* Days in the outer loop: mail that does not wait costs a MAC or two. */
static const struct wb_return_path *try_all(const struct wb_making *m,
                                            struct claim *claim,
                                            const struct candidates *from,
                                            const char *mac)
{
    for (int ago = 0; ago <= GOOD_DAYS + SKEW_DAYS; ago++) {
        set_day(claim, m->env->now_s, ago <= GOOD_DAYS ? ago : GOOD_DAYS - ago);
        for (size_t i = 0; i < from->count; i++) {
            claim->parts[RETURN_PATH] = from->items[i]->name;
            if (wb_secret_verify(&m->conf->secret, claim->parts, PARTS, mac))
                return from->items[i];
        }
    }
    return NULL;
}

/* The return path that the first pass chose.
 * Returns EX_OK, EX_DATAERR (the MAC fits none), EX_TEMPFAIL (a pattern limit)
 * or EX_OSERR. */
static int verify(struct wb_making *m, const struct wb_suffix *suffix,
                  const struct wb_address *recipient,
                  const struct wb_return_path **out)
{
    struct candidates candidates;
    struct claim claim;
    int rc = begin_claim(m, suffix->route, recipient, &claim);

    /* explain without the secret cannot judge: it shows the way */
    if (rc == EX_OK && m->conf->secret.count == 0)
        return wb_return_path_choose(m->conf, &m->matcher, suffix->route,
                                     out) == WB_RETRY
                   ? EX_TEMPFAIL
                   : EX_OK;
    if (rc == EX_OK)
        rc = find_candidates(m, suffix->route, &candidates);
    if (rc != EX_OK)
        return rc;
    *out = try_all(m, &claim, &candidates, suffix->mac);
    return *out != NULL ? EX_OK : EX_DATAERR;
}

/* What the return path of a mark is, or the refusal of one that does not fit:
 * it was ours all the same, so the mail waits for somebody to look. */
static int judge(struct wb_making *m, const struct wb_suffix *suffix,
                 struct wb_address *recipient,
                 const struct wb_return_path **out)
{
    int rc = wb_address_parse(m->p, suffix->original, recipient, NULL);

    if (rc == EX_OK)
        rc = verify(m, suffix, recipient, out);
    if (rc == EX_TEMPFAIL)
        return wb_making_cannot_tell(m, m->matcher.budget.cause);
    if (rc == EX_DATAERR)
        return wb_making_decide(
            m, WB_TEMPFAIL, "451", "4.3.0", suffix->original,
            "the mark of its first pass does not fit: the return path is gone, "
            "the MTA changed the sender, or it is older than 30 days");
    return rc;
}

int wb_making_again_stands(struct wb_making *m, struct wb_recipient_plan *r,
                           const struct wb_suffix *suffix)
{
    const struct wb_return_path *ignored;
    struct wb_address recipient;

    r->is_again = true;
    if (suffix->route == NULL) /* the second pass will say so */
        return EX_OK;
    r->class = WB_CLASS_OUTBOUND;
    r->route = suffix->route;
    r->sender = m->env->sender.text;
    return judge(m, suffix, &recipient, &ignored);
}

/* Returns EX_OK, EX_DATAERR (nothing of a first pass) or EX_OSERR. */
static int read_mark(const struct wb_conf *conf, struct wb_pool *p,
                     const struct wb_address *a, struct wb_suffix *out)
{
    int rc = wb_suffix_parse(conf, p, a, out);

    return rc == EX_OK && out->mac == NULL ? EX_DATAERR : rc;
}

#define NOT_MARKED "only second passes come this way"
#define NOT_ALONE  "a second pass has one recipient"

/* As if it had come alone, but route and return path are decided. */
static int send_on(struct wb_making *m, struct wb_recipient_plan *r,
                   const struct wb_address *to)
{
    struct wb_recipient plain = *r->recipient;
    int rc = wb_making_sender(m, r, to);

    if (rc != EX_OK)
        return rc;
    plain.address = *to;
    return wb_making_rewrite(
        m, r,
        r->route->is_direct ? to->text
                            : wb_suffix_for_route(m->conf, m->p, to, r->route),
        &plain);
}

int wb_making_second_pass(struct wb_making *m, struct wb_recipient_plan *r)
{
    struct wb_suffix suffix;
    struct wb_address to;
    int rc = read_mark(m->conf, m->p, &r->recipient->address, &suffix);

    r->class = WB_CLASS_OTHER;
    if (m->env->recipient_count > 1)
        return wb_making_decide(m, WB_TEMPFAIL, "452", "4.5.3", NULL,
                                NOT_ALONE);
    if (rc == EX_DATAERR)
        return wb_making_decide(m, WB_REJECT, "550", "5.1.2", NULL, NOT_MARKED);
    if (rc != EX_OK)
        return rc;
    r->original = suffix.original;
    if (suffix.route == NULL)
        return wb_making_decide(m, WB_TEMPFAIL, "451", "4.3.5", r->original,
                                "its route is not configured any more");
    r->class = WB_CLASS_OUTBOUND;
    r->route = suffix.route;
    rc = judge(m, &suffix, &to, &r->return_path);
    if (rc != EX_OK || r->return_path == NULL)
        return rc;
    return send_on(m, r, &to);
}

int wb_making_second_pass_early(const struct wb_conf *conf,
                                const struct wb_envelope *env,
                                const struct wb_recipient *recipient,
                                struct wb_pool *p, enum wb_decision *decision,
                                struct wb_reply *out)
{
    struct wb_suffix suffix;
    int rc = read_mark(conf, p, &recipient->address, &suffix);

    if (env->recipient_count > 0) {
        *decision = WB_TEMPFAIL;
        return wb_making_reply(out, p, "452", "4.5.3", NULL, NOT_ALONE);
    }
    if (rc != EX_DATAERR)
        return rc;
    *decision = WB_REJECT;
    return wb_making_reply(out, p, "550", "5.1.2", NULL, NOT_MARKED);
}
