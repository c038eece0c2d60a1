#include "plan/plan.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/actions.h"
#include "plan/inbound.h"
#include "plan/making.h"
#include "plan/suffix.h"

#define NO_MATCH         "no inbound rule matches this mail"
#define NOT_FROM_OUTSIDE WB_SUFFIX_DOMAIN " is not for addresses from outside"

const char *wb_class_name(enum wb_class class)
{
    static const char *const names[] = {
        [WB_CLASS_OUTBOUND] = "outbound", [WB_CLASS_INBOUND] = "inbound",
        [WB_CLASS_BOUNCE] = "bounce",     [WB_CLASS_LOCAL] = "local",
        [WB_CLASS_OTHER] = "other",
    };

    return names[class];
}

bool wb_plan_wants_header(const struct wb_conf *conf, const char *name)
{
    if (wb_actions_owns_header(conf, name))
        return true;
    return wb_strings_hold_sorted(&conf->wanted_headers, name);
}

/* Authenticated, in our networks, on this host, or through a listener that is
 * said to be outbound. An inbound listener trusts no network, and a generated
 * one no account: what it takes, and from whom, is asked elsewhere. */
static bool is_own_client(const struct wb_conf *conf,
                          const struct wb_envelope *env)
{
    const struct wb_listener *listener = NULL;

    if (env->listener != NULL)
        listener = wb_conf_listener(conf, env->listener);
    if (listener != NULL && listener->is_generated)
        return listener->class == WB_LISTENER_OUTBOUND;
    if (wb_making_is_loopback(env) ||
        (env->login != NULL && *env->login != '\0'))
        return true;
    if (listener != NULL)
        return listener->class == WB_LISTENER_OUTBOUND;
    return env->client == NULL ||
           wb_networks_hold(conf->networks, conf->network_count, env->client);
}

static bool is_local_mailer(const char *mailer)
{
    static const char *const local[] = {"local", "virtual", "lmtp"};

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        if (strcasecmp(mailer, local[i]) == 0)
            return true;
    return false;
}

static int refuse_unmatched(struct wb_making *m, const struct wb_recipient *r)
{
    return wb_making_decide(m, WB_REJECT, "550", "5.1.1", r->address.text,
                            NO_MATCH);
}

static int plan_inbound(struct wb_making *m, struct wb_recipient_plan *r)
{
    const struct wb_inbound *in;
    enum wb_verdict v =
        wb_inbound_find(m->conf, &m->matcher, &r->recipient->address, &in);

    r->class = WB_CLASS_INBOUND;
    if (v == WB_RETRY)
        return wb_making_cannot_tell(m, m->matcher.budget.cause);
    if (v == WB_YES)
        return wb_making_mark(m, r, in->webhook, in->name);
    if (m->conf->inbound_unmatched == WB_UNMATCHED_DELIVER)
        return EX_OK;
    return refuse_unmatched(m, r->recipient);
}

/* What the MTA itself would do with it. */
static int plan_by_mailer(struct wb_making *m, struct wb_recipient_plan *r)
{
    const char *mailer = r->recipient->mailer;
    bool is_known = mailer != NULL && *mailer != '\0';

    r->class =
        is_known && is_local_mailer(mailer) ? WB_CLASS_LOCAL : WB_CLASS_OTHER;
    if (!m->is_own_client || m->place != WB_PLACE_WHOLE)
        return EX_OK;
    if (!is_known)
        return wb_making_decide(m, WB_TEMPFAIL, "451", "4.3.5",
                                r->recipient->address.text,
                                "the MTA did not say how it would deliver this "
                                "({rcpt_mailer} is missing)");
    if (!wb_strings_hold(&m->conf->outbound_mailers, mailer))
        return EX_OK;
    return wb_making_outbound(m, r);
}

/* A recipient below waybill.invalid. From outside it is forged. The MTA's own
 * loopback listener sees requeued mail once more, whose recipients carry what
 * was decided: that stands, a route that is gone since (the MTA's tables then
 * defer) included. */
static int plan_suffixed(struct wb_making *m, struct wb_recipient_plan *r)
{
    struct wb_suffix suffix;
    int rc =
        wb_making_is_loopback(m->env)
            ? wb_suffix_parse(m->conf, m->p, &r->recipient->address, &suffix)
            : EX_DATAERR;

    r->class = WB_CLASS_OTHER;
    if (rc == EX_DATAERR)
        return wb_making_decide(m, WB_REJECT, "550", "5.1.2", NULL,
                                NOT_FROM_OUTSIDE);
    if (rc != EX_OK)
        return rc;
    if (suffix.mac != NULL)
        return wb_making_again_stands(m, r, &suffix);
    r->route = suffix.route;
    r->webhook = suffix.webhook;
    r->filter = suffix.filter;
    if (r->route != NULL) {
        r->class = WB_CLASS_OUTBOUND;
        r->sender = m->env->sender.text;
    } else if (r->webhook != NULL)
        r->class = strcmp(r->filter, WB_BOUNCES_FILTER) == 0 ? WB_CLASS_BOUNCE
                                                             : WB_CLASS_INBOUND;
    return r->class == WB_CLASS_BOUNCE
               ? wb_making_bounce_again(m, r, suffix.original)
               : EX_OK;
}

static int plan_recipient(struct wb_making *m, struct wb_recipient_plan *r)
{
    const char *domain = r->recipient->address.domain, *why_not;

    if (wb_making_is_second_pass(m->env))
        return wb_making_second_pass(m, r);
    if (wb_suffix_is_in(&r->recipient->address, r->recipient->resolved))
        return plan_suffixed(m, r);
    why_not = wb_listener_refusal(m->conf, m->env, &r->recipient->address);
    if (why_not != NULL) {
        r->class = WB_CLASS_OTHER;
        return wb_making_decide(m, WB_REJECT, "550", "5.7.1",
                                r->recipient->address.text, why_not);
    }
    if (domain == NULL) { /* "postmaster": this host's own */
        r->class = WB_CLASS_LOCAL;
        return EX_OK;
    }
    if (wb_strings_hold_sorted(&m->conf->bounces.domains, domain))
        return wb_making_bounce(m, r);
    if (wb_inbound_has_domain(m->conf, domain))
        return plan_inbound(m, r);
    if (wb_making_is_loopback(m->env)) {
        bool is_home;
        int rc = wb_making_came_home(m, r, &is_home);

        if (rc != EX_OK || is_home)
            return rc;
    }
    return plan_by_mailer(m, r);
}

/* Take a refusal back. */
static void leave_alone(struct wb_making *m, struct wb_recipient_plan *r)
{
    *r = (struct wb_recipient_plan){.recipient = r->recipient,
                                    .class = r->class};
    m->plan->decision = WB_ACCEPT;
    m->plan->reply = (struct wb_reply){NULL, NULL, NULL};
}

/* Its bounce would be routed by the suffix. */
static int check_sender(struct wb_making *m)
{
    if (!wb_suffix_is_in(&m->env->sender, m->env->sender_resolved))
        return EX_OK;
    return wb_making_decide(m, WB_REJECT, "553", "5.1.7", NULL,
                            NOT_FROM_OUTSIDE);
}

static bool start_matcher(struct wb_matcher *m, const struct wb_conf *conf,
                          const struct wb_envelope *env, struct wb_pool *p)
{
    const struct wb_budget budget = {
        .match_limit = conf->match_limit,
        .limit_ns = conf->match_budget_ms * UINT64_C(1000000),
        .clock_ns = wb_budget_cpu_clock,
    };

    return wb_matcher_begin(m, env, &budget, conf->header_max_octets, p);
}

static int make(struct wb_making *m)
{
    int rc = check_sender(m);

    for (size_t i = 0; rc == EX_OK && i < m->env->recipient_count; i++) {
        m->plan->recipients[i].recipient = &m->env->recipients[i];
        rc = plan_recipient(m, &m->plan->recipients[i]);
        if (m->plan->decision == WB_REJECT && m->place == WB_PLACE_OWN_BOUNCE)
            leave_alone(m, &m->plan->recipients[i]);
    }
    if (rc == EX_OK)
        rc = wb_making_agree(m);
    if (rc == EX_OK && m->plan->decision == WB_ACCEPT)
        rc = wb_actions_make(m->conf, m->env, m->p, m->plan, m->err);
    return rc;
}

int wb_plan_make(const struct wb_conf *conf, const struct wb_envelope *env,
                 struct wb_pool *p, bool want_losses, struct wb_plan *out,
                 struct wb_err *err)
{
    struct wb_making m = {
        .conf = conf,
        .env = env,
        .p = p,
        .want_losses = want_losses,
        .is_own_client = is_own_client(conf, env),
        .place = wb_making_place(conf, env),
        .plan = out,
        .err = err,
    };

    memset(out, 0, sizeof *out);
    out->is_partial = m.place != WB_PLACE_WHOLE;
    out->recipients =
        wb_pool_array(p, env->recipient_count, sizeof out->recipients[0]);
    if (out->recipients == NULL || !start_matcher(&m.matcher, conf, env, p) ||
        make(&m) != EX_OK)
        return wb_err_set(err, EX_OSERR, "out of memory");
    return EX_OK;
}

int wb_plan_read_recipient(const struct wb_envelope *env, struct wb_pool *p,
                           const char *path, struct wb_address *out,
                           struct wb_err *err)
{
    return wb_making_is_loopback(env) || wb_making_is_second_pass(env)
               ? wb_address_parse_marked(p, path, out, err)
               : wb_address_parse(p, path, out, err);
}

bool wb_plan_may_reject_early(const struct wb_conf *conf)
{
    for (size_t i = 0; i < conf->listener_count; i++)
        if (conf->listeners[i].is_generated)
            return true;
    return conf->inbound_count > 0 || conf->bounces.domains.count > 0;
}

int wb_plan_recipient_early(const struct wb_conf *conf,
                            const struct wb_envelope *env,
                            const struct wb_recipient *recipient,
                            struct wb_pool *p, enum wb_decision *decision,
                            struct wb_reply *out, struct wb_err *err)
{
    const char *domain = recipient->address.domain;
    bool is_ours = wb_suffix_is_in(&recipient->address, recipient->resolved);
    const char *why_not = wb_listener_refusal(conf, env, &recipient->address);
    struct wb_matcher m;
    int rc = EX_OK;

    *decision = WB_ACCEPT;
    if (!start_matcher(&m, conf, env, p))
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (wb_plan_is_own_bounce(env))
        return EX_OK;
    if (wb_making_is_second_pass(env)) {
        rc =
            wb_making_second_pass_early(conf, env, recipient, p, decision, out);
    } else if (is_ours && !wb_making_is_loopback(env)) {
        *decision = WB_REJECT;
        rc = wb_making_reply(out, p, "550", "5.1.2", NULL, NOT_FROM_OUTSIDE);
    } else if (why_not != NULL) {
        *decision = WB_REJECT;
        rc = wb_making_reply(out, p, "550", "5.7.1", recipient->address.text,
                             why_not);
    } else if (domain != NULL &&
               wb_strings_hold_sorted(&conf->bounces.domains, domain)) {
        rc = wb_making_bounce_early(conf, env, recipient, p, decision, out);
    } else if (domain != NULL &&
               conf->inbound_unmatched == WB_UNMATCHED_REJECT &&
               wb_inbound_has_domain(conf, domain) &&
               wb_inbound_find_early(conf, &m, &recipient->address) == WB_NO) {
        *decision = WB_REJECT;
        rc = wb_making_reply(out, p, "550", "5.1.1", recipient->address.text,
                             NO_MATCH);
    }
    return rc == EX_OK ? EX_OK : wb_err_set(err, EX_OSERR, "out of memory");
}
