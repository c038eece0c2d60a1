#include "plan/plan.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/actions.h"
#include "plan/inbound.h"
#include "plan/return_path.h"
#include "plan/suffix.h"

enum { REPLY_MAX_OCTETS = 400 }; /* RFC 5321, 4.5.3.1.5 allows 512 a line */

#define NO_MATCH         "no inbound rule matches this mail"
#define NOT_FROM_OUTSIDE WB_SUFFIX_DOMAIN " is not for addresses from outside"

#define BOUNCES "bounces" /* the filter of mail to a bounce domain */

/* The making of one plan. */
struct making {
    const struct wb_conf *conf;
    const struct wb_envelope *env;
    struct wb_pool *p;
    struct wb_matcher matcher;
    bool want_losses;
    bool is_own_client;
    struct wb_plan *plan;
    struct wb_err *err;
};

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
    for (size_t i = 0; i < conf->wanted_headers.count; i++)
        if (strcasecmp(conf->wanted_headers.items[i], name) == 0)
            return true;
    return false;
}

/* Set a reply: "<about>: text", or text alone. Both may quote what a client
 * sent. */
static int reply(struct wb_reply *out, struct wb_pool *p, const char *code,
                 const char *enhanced, const char *about, const char *text)
{
    struct wb_err line;
    char *copy;

    if (about != NULL)
        wb_err_set(&line, EX_OK, "<%s>: %s", about, text);
    else
        wb_err_set(&line, EX_OK, "%s", text);
    copy = wb_pool_strndup(p, line.text, REPLY_MAX_OCTETS);
    if (copy == NULL)
        return EX_OSERR;
    /* libmilter takes the text as a format, and a reply is ASCII. */
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '%' || (unsigned char)*c >= 0x7f)
            *c = '?';
    *out = (struct wb_reply){code, enhanced, copy};
    return EX_OK;
}

static int decide(struct making *m, enum wb_decision decision, const char *code,
                  const char *enhanced, const char *about, const char *text)
{
    /* The first recipient that cannot be accepted speaks for the message. */
    if (m->plan->decision != WB_ACCEPT)
        return EX_OK;
    m->plan->decision = decision;
    return reply(&m->plan->reply, m->p, code, enhanced, about, text);
}

static int cannot_tell(struct making *m, const char *why)
{
    return decide(m, WB_TEMPFAIL, "451", "4.3.0", NULL, why);
}

static bool is_loopback(const struct wb_envelope *env)
{
    return env->listener != NULL &&
           strcmp(env->listener, WB_LOOPBACK_LISTENER) == 0;
}

/* Authenticated, in our networks, on this host, or through a listener that is
 * said to be outbound. An inbound listener trusts no network. */
static bool is_own_client(const struct wb_conf *conf,
                          const struct wb_envelope *env)
{
    const struct wb_listener *listener = NULL;

    if (is_loopback(env) || (env->login != NULL && *env->login != '\0'))
        return true;
    if (env->listener != NULL)
        listener = wb_conf_listener(conf, env->listener);
    if (listener != NULL)
        return listener->class == WB_LISTENER_OUTBOUND;
    return env->client == NULL ||
           wb_networks_hold(conf->networks, conf->network_count, env->client);
}

/* Does the MTA's own transport table choose the nexthop? By default it is the
 * recipient's domain or one of relayhosts. */
static bool mta_has_own_route(const struct wb_conf *conf,
                              const struct wb_recipient *r)
{
    if (r->host == NULL || *r->host == '\0' ||
        strcasecmp(r->host, r->address.domain) == 0)
        return false;
    return !wb_strings_hold(&conf->relayhosts, r->host);
}

static bool is_local_mailer(const char *mailer)
{
    static const char *const local[] = {"local", "virtual", "lmtp"};

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        if (strcasecmp(mailer, local[i]) == 0)
            return true;
    return false;
}

static int choose_rule(struct making *m, struct wb_recipient_plan *r)
{
    const struct wb_rule_query query = {
        .matcher = &m->matcher,
        .recipient = r->recipient,
        .mta_has_own_route = mta_has_own_route(m->conf, r->recipient),
    };
    struct wb_err why = {""};
    int rc;

    if (m->want_losses) {
        r->losses =
            wb_pool_array(m->p, m->conf->rules.count + 1, sizeof r->losses[0]);
        if (r->losses == NULL)
            return EX_OSERR;
    }
    rc = wb_rules_find(&m->conf->rules, &query, &r->rule, r->losses,
                       &r->loss_count, &why);
    r->route = r->rule != NULL ? r->rule->route : &m->conf->routes[0];
    return rc == EX_TEMPFAIL ? cannot_tell(m, why.text) : rc;
}

static int choose_sender(struct making *m, struct wb_recipient_plan *r)
{
    const struct wb_address *sender = &m->env->sender;
    struct wb_err why = {""};
    int rc;

    if (wb_return_path_choose(m->conf, &m->matcher, r->route,
                              &r->return_path) == WB_RETRY)
        return cannot_tell(m, "a pattern in a return_path hit its limit");
    rc = wb_return_path_apply(m->conf, r->return_path, m->env,
                              &r->recipient->address, m->p, &r->sender, &why);
    if (rc == EX_DATAERR)
        return decide(m, WB_REJECT, "553", "5.1.7", sender->text, why.text);
    return rc;
}

static int plan_outbound(struct making *m, struct wb_recipient_plan *r)
{
    const struct wb_address *to = &r->recipient->address;
    int rc = choose_rule(m, r);

    r->class = WB_CLASS_OUTBOUND;
    if (rc == EX_OK)
        rc = choose_sender(m, r);
    if (rc != EX_OK || r->route->is_direct)
        return rc;
    r->rewritten = wb_suffix_for_route(m->conf, m->p, to, r->route);
    r->esmtp = wb_actions_esmtp(m->p, r->recipient);
    return r->rewritten != NULL && r->esmtp != NULL ? EX_OK : EX_OSERR;
}

static int mark_for_webhook(struct making *m, struct wb_recipient_plan *r,
                            const struct wb_webhook *webhook,
                            const char *filter)
{
    r->webhook = webhook;
    r->filter = filter;
    r->rewritten = wb_suffix_for_hook(m->conf, m->p, &r->recipient->address,
                                      webhook, filter);
    r->esmtp = wb_actions_esmtp(m->p, r->recipient);
    return r->rewritten != NULL && r->esmtp != NULL ? EX_OK : EX_OSERR;
}

static const char *const refusals[] = {
    [WB_TOKEN_IS_FOREIGN] = "return addresses of this domain are signed",
    [WB_TOKEN_IS_FORGED] = "this return address is not one of ours",
    [WB_TOKEN_IS_EXPIRED] = "this return address has expired",
};

/* "sender=<a@b>; recipient=<c@d>; age=3", as far as the address tells. */
static const char *bounce_mark(struct wb_pool *p, const struct wb_token *t)
{
    const char *mark = wb_pool_printf(p, "sender=<%s>", t->sender.text);

    if (mark != NULL && t->recipient.text != NULL)
        mark = wb_pool_printf(p, "%s; recipient=<%s>", mark, t->recipient.text);
    if (mark != NULL && t->age_days != WB_TOKEN_AGE_UNKNOWN)
        mark = wb_pool_printf(p, "%s; age=%d", mark, t->age_days);
    return mark;
}

static int plan_bounce(struct making *m, struct wb_recipient_plan *r)
{
    const struct wb_address *to = &r->recipient->address;
    struct wb_token token;
    struct wb_err why = {""};
    int rc =
        wb_return_path_read(m->conf, to, m->env->now_s, m->p, &token, &why);

    r->class = WB_CLASS_BOUNCE;
    /* explain without the secret cannot judge a token: it shows the way */
    if (rc != EX_OK && m->conf->secret.count > 0)
        return cannot_tell(m, why.text);
    if (rc == EX_OK && token.verdict != WB_TOKEN_IS_VALID)
        return decide(m, WB_REJECT, "550", "5.7.1", to->text,
                      refusals[token.verdict]);
    if (rc == EX_OK && token.sender.text != NULL) {
        r->bounce = bounce_mark(m->p, &token);
        if (r->bounce == NULL)
            return EX_OSERR;
    }
    return mark_for_webhook(m, r, m->conf->bounces.webhook, BOUNCES);
}

static int refuse_unmatched(struct making *m, const struct wb_recipient *r)
{
    return decide(m, WB_REJECT, "550", "5.1.1", r->address.text, NO_MATCH);
}

static int plan_inbound(struct making *m, struct wb_recipient_plan *r)
{
    const struct wb_inbound *in;
    enum wb_verdict v =
        wb_inbound_find(m->conf, &m->matcher, &r->recipient->address, &in);

    r->class = WB_CLASS_INBOUND;
    if (v == WB_RETRY)
        return cannot_tell(m, "an inbound pattern hit its limit");
    if (v == WB_YES)
        return mark_for_webhook(m, r, in->webhook, in->name);
    if (m->conf->inbound_unmatched == WB_UNMATCHED_DELIVER)
        return EX_OK;
    return refuse_unmatched(m, r->recipient);
}

/* What the MTA itself would do with it. */
static int plan_by_mailer(struct making *m, struct wb_recipient_plan *r)
{
    const char *mailer = r->recipient->mailer;
    bool is_known = mailer != NULL && *mailer != '\0';

    r->class =
        is_known && is_local_mailer(mailer) ? WB_CLASS_LOCAL : WB_CLASS_OTHER;
    if (!m->is_own_client)
        return EX_OK;
    if (!is_known)
        return decide(m, WB_TEMPFAIL, "451", "4.3.5",
                      r->recipient->address.text,
                      "the MTA did not say how it would deliver this "
                      "({rcpt_mailer} is missing)");
    if (!wb_strings_hold(&m->conf->outbound_mailers, mailer))
        return EX_OK;
    return plan_outbound(m, r);
}

/* A requeued bounce was judged when it came; only its mark is made anew. */
static int mark_again(struct making *m, struct wb_recipient_plan *r,
                      const char *original)
{
    struct wb_address to;
    struct wb_token token;
    int rc = wb_address_parse(m->p, original, &to, NULL);

    if (rc == EX_OK && to.domain != NULL)
        rc = wb_return_path_read(m->conf, &to, m->env->now_s, m->p, &token,
                                 NULL);
    if (rc != EX_OK || to.domain == NULL || token.sender.text == NULL)
        return rc == EX_OSERR ? rc : EX_OK;
    r->bounce = bounce_mark(m->p, &token);
    return r->bounce != NULL ? EX_OK : EX_OSERR;
}

/* A recipient below waybill.invalid. From outside it is forged. The MTA's own
 * loopback listener sees requeued mail once more, whose recipients carry what
 * was decided: that stands, a route that is gone since (the MTA's tables then
 * defer) included. */
static int plan_suffixed(struct making *m, struct wb_recipient_plan *r)
{
    struct wb_suffix suffix;
    int rc =
        is_loopback(m->env)
            ? wb_suffix_parse(m->conf, m->p, &r->recipient->address, &suffix)
            : EX_DATAERR;

    r->class = WB_CLASS_OTHER;
    if (rc == EX_DATAERR)
        return decide(m, WB_REJECT, "550", "5.1.2", NULL, NOT_FROM_OUTSIDE);
    if (rc != EX_OK)
        return rc;
    r->route = suffix.route;
    r->webhook = suffix.webhook;
    r->filter = suffix.filter;
    if (r->route != NULL)
        r->class = WB_CLASS_OUTBOUND;
    else if (r->webhook != NULL)
        r->class = strcmp(r->filter, BOUNCES) == 0 ? WB_CLASS_BOUNCE
                                                   : WB_CLASS_INBOUND;
    return r->class == WB_CLASS_BOUNCE ? mark_again(m, r, suffix.original)
                                       : EX_OK;
}

static int plan_recipient(struct making *m, struct wb_recipient_plan *r)
{
    const char *domain = r->recipient->address.domain;

    if (wb_suffix_is_in(&r->recipient->address, r->recipient->resolved))
        return plan_suffixed(m, r);
    if (domain == NULL) { /* "postmaster": this host's own */
        r->class = WB_CLASS_LOCAL;
        return EX_OK;
    }
    if (wb_strings_hold(&m->conf->bounces.domains, domain))
        return plan_bounce(m, r);
    if (wb_inbound_has_domain(m->conf, domain))
        return plan_inbound(m, r);
    return plan_by_mailer(m, r);
}

/* Append ">, <a" while there is room; the reply names whom it can. */
static void name_recipient(struct wb_err *names, const char *address)
{
    size_t used = strlen(names->text);
    size_t room = REPLY_MAX_OCTETS - 100;

    if (used + strlen(address) + 4 > room)
        return;
    strcat(names->text, used > 0 ? ">, <" : "");
    strcat(names->text, address);
}

/* One message has one sender: all outbound recipients must agree on it. */
static int agree_on_sender(struct making *m)
{
    const struct wb_recipient_plan *first = NULL;
    struct wb_err names = {""};

    m->plan->passes = 1;
    for (size_t i = 0; i < m->env->recipient_count; i++) {
        const struct wb_recipient_plan *r = &m->plan->recipients[i];

        if (r->sender == NULL)
            continue;
        if (first == NULL)
            first = r;
        if (strcmp(r->sender, first->sender) == 0)
            continue;
        if (m->plan->passes == 1)
            name_recipient(&names, first->recipient->address.text);
        m->plan->passes = 2;
        name_recipient(&names, r->recipient->address.text);
    }
    if (m->plan->passes > 1)
        return decide(m, WB_TEMPFAIL, "452", "4.5.3", names.text,
                      "need different return paths; send to each apart");
    if (first != NULL && strcmp(first->sender, m->env->sender.text) != 0) {
        m->plan->sender_to = first->sender;
        m->plan->return_path = first->return_path;
    }
    return EX_OK;
}

/* Its bounce would be routed by the suffix. */
static int check_sender(struct making *m)
{
    if (!wb_suffix_is_in(&m->env->sender, m->env->sender_resolved))
        return EX_OK;
    return decide(m, WB_REJECT, "553", "5.1.7", NULL, NOT_FROM_OUTSIDE);
}

static void start_matcher(struct wb_matcher *m, const struct wb_conf *conf,
                          const struct wb_envelope *env, struct wb_pool *p)
{
    *m = (struct wb_matcher){
        .envelope = env,
        .budget = {.match_limit = conf->match_limit,
                   .limit_ns = conf->match_budget_ms * UINT64_C(1000000),
                   .clock_ns = wb_budget_cpu_clock},
        .header_max_octets = conf->header_max_octets,
        .pool = p,
        .read = wb_pool_array(p, env->header_count, sizeof m->read[0]),
        .slot_count = conf->rules.count + conf->inbound_count,
    };
}

static int make(struct making *m)
{
    int rc = check_sender(m);

    for (size_t i = 0; rc == EX_OK && i < m->env->recipient_count; i++) {
        m->plan->recipients[i].recipient = &m->env->recipients[i];
        rc = plan_recipient(m, &m->plan->recipients[i]);
    }
    if (rc == EX_OK)
        rc = agree_on_sender(m);
    if (rc == EX_OK && m->plan->decision == WB_ACCEPT)
        rc = wb_actions_make(m->conf, m->env, m->p, m->plan, m->err);
    return rc;
}

int wb_plan_make(const struct wb_conf *conf, const struct wb_envelope *env,
                 struct wb_pool *p, bool want_losses, struct wb_plan *out,
                 struct wb_err *err)
{
    struct making m = {
        .conf = conf,
        .env = env,
        .p = p,
        .want_losses = want_losses,
        .is_own_client = is_own_client(conf, env),
        .plan = out,
        .err = err,
    };

    memset(out, 0, sizeof *out);
    start_matcher(&m.matcher, conf, env, p);
    out->recipients =
        wb_pool_array(p, env->recipient_count, sizeof out->recipients[0]);
    if (m.matcher.read == NULL || out->recipients == NULL || make(&m) != EX_OK)
        return wb_err_set(err, EX_OSERR, "out of memory");
    return EX_OK;
}

bool wb_plan_may_reject_early(const struct wb_conf *conf)
{
    return conf->inbound_count > 0 || conf->bounces.domains.count > 0;
}

/* A forged or expired return address is refused before the message comes. */
static int judge_bounce_early(const struct wb_conf *conf,
                              const struct wb_envelope *env,
                              const struct wb_recipient *recipient,
                              struct wb_pool *p, enum wb_decision *decision,
                              struct wb_reply *out)
{
    struct wb_token token;

    /* What cannot be told now is told at the end of the message. */
    if (wb_return_path_read(conf, &recipient->address, env->now_s, p, &token,
                            NULL) != EX_OK ||
        token.verdict == WB_TOKEN_IS_VALID)
        return EX_OK;
    *decision = WB_REJECT;
    return reply(out, p, "550", "5.7.1", recipient->address.text,
                 refusals[token.verdict]);
}

int wb_plan_recipient_early(const struct wb_conf *conf,
                            const struct wb_envelope *env,
                            const struct wb_recipient *recipient,
                            struct wb_pool *p, enum wb_decision *decision,
                            struct wb_reply *out, struct wb_err *err)
{
    const char *domain = recipient->address.domain;
    bool is_ours = wb_suffix_is_in(&recipient->address, recipient->resolved);
    struct wb_matcher m;
    int rc = EX_OK;

    *decision = WB_ACCEPT;
    start_matcher(&m, conf, env, p);
    if (is_ours && !is_loopback(env)) {
        *decision = WB_REJECT;
        rc = reply(out, p, "550", "5.1.2", NULL, NOT_FROM_OUTSIDE);
    } else if (domain != NULL &&
               wb_strings_hold(&conf->bounces.domains, domain)) {
        rc = judge_bounce_early(conf, env, recipient, p, decision, out);
    } else if (domain != NULL &&
               conf->inbound_unmatched == WB_UNMATCHED_REJECT &&
               wb_inbound_has_domain(conf, domain) &&
               wb_inbound_find_early(conf, &m.budget, &recipient->address) ==
                   WB_NO) {
        *decision = WB_REJECT;
        rc = reply(out, p, "550", "5.1.1", recipient->address.text, NO_MATCH);
    }
    return rc == EX_OK ? EX_OK : wb_err_set(err, EX_OSERR, "out of memory");
}
