/* What an own client sends out: by which route, from which sender. */
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/actions.h"
#include "plan/from.h"
#include "plan/making.h"
#include "plan/return_path.h"
#include "plan/suffix.h"

/* Is host the name? Sendmail writes names with the dot of the root. */
static bool is_host(const char *host, const char *name)
{
    size_t octets = strlen(name);

    return strncasecmp(host, name, octets) == 0 &&
           (host[octets] == '\0' || strcmp(host + octets, ".") == 0);
}

/* Is host that of the nexthop? Sendmail does not tell the port. */
static bool is_host_of(const char *host, const char *nexthop)
{
    const char *port = strrchr(nexthop, ':');
    size_t octets = port == NULL ? 0 : (size_t)(port - nexthop);

    return octets > 0 && strncasecmp(host, nexthop, octets) == 0 &&
           (host[octets] == '\0' || strcmp(host + octets, ".") == 0);
}

/* Does the MTA's own transport table choose the nexthop? By default it is the
 * recipient's domain or one of relayhosts. */
static bool mta_has_own_route(const struct wb_conf *conf,
                              const struct wb_recipient *r)
{
    if (r->host == NULL || *r->host == '\0' ||
        is_host(r->host, r->address.domain))
        return false;
    for (size_t i = 0; i < conf->relayhosts.count; i++)
        if (is_host(r->host, conf->relayhosts.items[i]) ||
            (conf->mta == WB_MTA_SENDMAIL &&
             is_host_of(r->host, conf->relayhosts.items[i])))
            return false;
    return true;
}

static int choose_rule(struct wb_making *m, struct wb_recipient_plan *r)
{
    const struct wb_rule_query query = {
        .matcher = &m->matcher,
        .recipient = r->recipient,
        .mta_has_own_route = mta_has_own_route(m->conf, r->recipient),
    };
    struct wb_err why = {""};
    int rc;

    rc = wb_rules_find(&m->conf->rules, &query, &r->rule, &why);
    if (m->want_losses) {
        r->losses =
            wb_pool_array(m->p, m->conf->rules.count + 1, sizeof r->losses[0]);
        if (r->losses == NULL)
            return EX_OSERR;
        r->loss_count =
            wb_rules_explain(&m->conf->rules, &query, r->rule, r->losses);
    }
    r->route = r->rule != NULL ? r->rule->route : &m->conf->routes[0];
    return rc == EX_TEMPFAIL ? wb_making_cannot_tell(m, why.text) : rc;
}

int wb_making_sender(struct wb_making *m, struct wb_recipient_plan *r,
                     const struct wb_address *recipient)
{
    struct wb_err why = {""};
    int rc;

    /* verp alone has the recipient in it */
    if (r->return_path == m->sender_by &&
        r->return_path->mode != WB_RETURN_VERP) {
        r->sender = m->sender;
        return EX_OK;
    }
    rc = wb_return_path_apply(m->conf, r->return_path, m->env, recipient, m->p,
                              &r->sender, &why);
    if (rc == EX_DATAERR)
        return wb_making_decide(m, WB_REJECT, "553", "5.1.7",
                                m->env->sender.text, why.text);
    if (rc == EX_OK) {
        m->sender = r->sender;
        m->sender_by = r->return_path;
    }
    return rc;
}

static int choose_sender(struct wb_making *m, struct wb_recipient_plan *r)
{
    if (wb_return_path_choose(m->conf, &m->matcher, r->route,
                              &r->return_path) == WB_RETRY)
        return wb_making_cannot_tell(m, m->matcher.budget.cause);
    return wb_making_sender(m, r, &r->recipient->address);
}

/* No MTA has a limit by route, so it is kept here, before the queue. */
static int check_size(struct wb_making *m, const struct wb_recipient_plan *r)
{
    const char *text;

    if (r->route->max_octets == 0)
        return EX_OK;
    if (!m->env->is_size_known)
        return wb_making_cannot_tell(m, "the size of the message is not known");
    if (m->env->octets <= r->route->max_octets)
        return EX_OK;
    text = wb_pool_printf(m->p, "larger than the %zu KB that route %s takes",
                          r->route->max_octets / 1024, r->route->name);
    return text == NULL ? EX_OSERR
                        : wb_making_decide(m, WB_REJECT, "552", "5.3.4",
                                           r->recipient->address.text, text);
}

int wb_making_outbound(struct wb_making *m, struct wb_recipient_plan *r)
{
    const struct wb_address *to = &r->recipient->address;
    int rc = choose_rule(m, r);

    r->class = WB_CLASS_OUTBOUND;
    if (rc == EX_OK)
        rc = check_size(m, r);
    if (rc == EX_OK)
        rc = choose_sender(m, r);
    if (rc == EX_OK && !r->route->is_direct)
        rc = wb_making_check_form(m, r, false);
    if (rc != EX_OK || r->route->is_direct)
        return rc;
    return wb_making_rewrite(
        m, r, wb_suffix_for_route(m->conf, m->p, to, r->route), r->recipient);
}

static const struct wb_recipient_plan *first_outbound(const struct wb_making *m)
{
    for (size_t i = 0; i < m->env->recipient_count; i++)
        if (m->plan->recipients[i].sender != NULL)
            return &m->plan->recipients[i];
    return NULL;
}

/* Was it decided in this pass? What the MTA requeued was before, and stands. */
static bool is_new(const struct wb_recipient_plan *r)
{
    return r->return_path != NULL;
}

/* Can r share a message with first? Who is not sent out asks for no sender,
 * but must not see a From that is meant for a relay. */
static bool agrees(const struct wb_recipient_plan *r,
                   const struct wb_recipient_plan *first)
{
    if (r->sender == NULL)
        return first->route->from == NULL || !is_new(first);
    return strcmp(r->sender, first->sender) == 0 &&
           wb_from_is_same(r->route, first->route);
}

static unsigned count_passes(const struct wb_making *m,
                             const struct wb_recipient_plan *first)
{
    for (size_t i = 0; i < m->env->recipient_count; i++) {
        const struct wb_recipient_plan *r = &m->plan->recipients[i];

        if (r->is_again || (first != NULL && !agrees(r, first)))
            return 2;
    }
    return 1;
}

/* Those that are sent out are left to the second pass. */
static int split(struct wb_making *m)
{
    int rc = EX_OK;

    if (m->env->has_xverp)
        return wb_making_decide(m, WB_TEMPFAIL, "452", "4.5.3", NULL,
                                "with XVERP recipients cannot have different "
                                "senders or From headers; send to each apart");
    for (size_t i = 0; rc == EX_OK && i < m->env->recipient_count; i++)
        if (is_new(&m->plan->recipients[i]))
            rc = wb_making_again(m, &m->plan->recipients[i]);
    return rc;
}

int wb_making_agree(struct wb_making *m)
{
    const struct wb_recipient_plan *first = first_outbound(m);

    m->plan->passes = count_passes(m, first);
    if (m->plan->decision != WB_ACCEPT)
        return EX_OK;
    if (m->plan->passes > 1)
        return split(m);
    if (first == NULL || !is_new(first))
        return EX_OK;
    if (first->route->from != NULL)
        m->plan->from_of = first->route;
    if (strcmp(first->sender, m->env->sender.text) != 0) {
        m->plan->sender_to = first->sender;
        m->plan->return_path = first->return_path;
    }
    return EX_OK;
}
