/* What a listener takes, and from whom. */
#include <strings.h>

#include "plan/inbound.h"
#include "plan/making.h"

#define NOT_FOR_THIS  "this listener takes no mail for this address"
#define NOT_FROM_THAT "this listener takes no mail from your address"
#define NOT_AT_THIS   "mail to return addresses is taken at another port"

static bool holds_client(const struct wb_listener *l,
                         const struct wb_envelope *env)
{
    if (l->network_count > 0 &&
        wb_networks_hold(l->networks, l->network_count, env->client))
        return true;
    if (l->takes_logins && env->login != NULL && *env->login != '\0')
        return true;
    return l->class == WB_LISTENER_INBOUND && l->network_count == 0;
}

/* A postmaster without a domain is this host's own (RFC 5321, 4.5.1). */
static bool takes_recipient(const struct wb_conf *conf,
                            const struct wb_listener *l,
                            const struct wb_address *to)
{
    if (l->class == WB_LISTENER_OUTBOUND)
        return true;
    if (to->domain == NULL)
        return strcasecmp(to->text, "postmaster") == 0;
    if (wb_strings_hold(&conf->bounces.domains, to->domain))
        return !l->has_bounce_domains ||
               wb_strings_hold(&l->bounce_domains, to->domain);
    return wb_inbound_has_domain(conf, to->domain) &&
           (!l->has_inbound_domains ||
            wb_strings_hold(&l->inbound_domains, to->domain));
}

/* A local process and the MTA itself come by no port. */
static bool is_elsewhere(const struct wb_conf *conf,
                         const struct wb_envelope *env,
                         const struct wb_listener *l,
                         const struct wb_address *to)
{
    return !conf->bounces.port_25 && to->domain != NULL &&
           wb_strings_hold(&conf->bounces.domains, to->domain) &&
           (l == NULL || l->class != WB_LISTENER_INBOUND) &&
           env->client != NULL;
}

const char *wb_listener_refusal(const struct wb_conf *conf,
                                const struct wb_envelope *env,
                                const struct wb_address *to)
{
    const struct wb_listener *l =
        env->listener != NULL ? wb_conf_listener(conf, env->listener) : NULL;

    if (wb_making_is_loopback(env) || wb_making_is_second_pass(env) ||
        wb_plan_is_own_bounce(env))
        return NULL;
    if (is_elsewhere(conf, env, l, to))
        return NOT_AT_THIS;
    if (l == NULL || !l->is_generated)
        return NULL;
    if (!holds_client(l, env))
        return NOT_FROM_THAT;
    return takes_recipient(conf, l, to) ? NULL : NOT_FOR_THIS;
}
