/* Listeners: what may stand together in one, and how they go together with
 * each other and with the domains of inbound and bounces. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "conf/check.h"

/* ---- one of them --------------------------------------------------------- */

/* Anything but its class makes it one that is generated. */
static bool is_generated(const struct wb_raw_section *raw)
{
    for (size_t i = 0; i < raw->option_count; i++)
        if (strcmp(raw->options[i].name, "class") != 0)
            return true;
    return false;
}

static void tell(struct wb_checker *c, const struct wb_raw_section *raw,
                 const char *option, const char *text)
{
    const struct wb_raw_option *o = option ? wb_raw_find(raw, option) : NULL;
    const char *label =
        wb_pool_printf(c->scratch, "%s %s", raw->kind, raw->title);

    if (o)
        wb_option_tell(c, o, "%s", text);
    else if (!label)
        c->is_out_of_memory = true;
    else
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, label, "%s",
                       text);
}

/* "[::1]" and "::1" are both understood. */
static void take_address(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_listener *l)
{
    size_t octets = l->address ? strlen(l->address) : 0;
    const char *bare = l->address;

    if (octets > 2 && bare[0] == '[' && bare[octets - 1] == ']')
        bare = wb_pool_strndup(c->pool, bare + 1, octets - 2);
    if (l->address && !bare)
        c->is_out_of_memory = true;
    else if (bare && !wb_host_is_bare_address(bare))
        wb_option_tell(c, wb_raw_find(raw, "address"),
                       "\"%s\" is not an address; \"192.0.2.1\", \"0.0.0.0\" "
                       "(any of IPv4) or \"::\" (any of IPv6) is right",
                       l->address);
    l->address = bare;
}

/* Without these lists it takes all; with an empty one, nothing of that kind. */
static void take_domains(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_listener *l)
{
    static const char *const names[] = {"bounce_domains", "inbound_domains"};

    l->has_bounce_domains = wb_raw_find(raw, names[0]) != NULL;
    l->has_inbound_domains = wb_raw_find(raw, names[1]) != NULL;
    for (size_t i = 0; i < 2 && l->class == WB_LISTENER_OUTBOUND; i++)
        if (wb_raw_find(raw, names[i]))
            tell(c, raw, names[i],
                 "is for class = inbound; own clients send everywhere");
}

/* Given, but as nothing; what is there and wrong is told already. */
static bool is_emptied(const struct wb_checker *c,
                       const struct wb_raw_section *raw, const char *name)
{
    const struct wb_raw_option *option = wb_raw_find(raw, name);

    return option && !c->is_broken &&
           (option->count == 0 || !*option->values[0].text);
}

/* Its clients may send everywhere: who they are must be certain. */
static void check_outbound(struct wb_checker *c,
                           const struct wb_raw_section *raw,
                           const struct wb_listener *l)
{
    if (wb_networks_hold_all(l->networks, l->network_count))
        tell(c, raw, "networks",
             "holds every address, which makes an open relay; your own "
             "networks are right");
    if (l->network_count > 0 && l->takes_proxy)
        tell(c, raw, "proxy_protocol",
             "whoever reaches this port could say that he is in networks, "
             "which makes an open relay; login = yes in place of networks is "
             "right");
    if (!wb_raw_find(raw, "networks") && !l->takes_logins && !c->is_broken)
        tell(c, raw, NULL,
             "its clients send everywhere, so it has to know them; networks "
             "= { ... } or login = yes is needed");
    else if (is_emptied(c, raw, "networks") && !l->takes_logins)
        tell(c, raw, "networks",
             "is empty, so nobody could send; your own networks are right");
}

static void check_inbound(struct wb_checker *c,
                          const struct wb_raw_section *raw,
                          const struct wb_listener *l)
{
    if (l->takes_logins)
        tell(c, raw, "login",
             "is for class = outbound; strangers have no account here");
    if (is_emptied(c, raw, "networks"))
        tell(c, raw, "networks",
             "is empty, so nobody could send; leave it out to take mail from "
             "everywhere");
}

void wb_listener_check_section(struct wb_checker *c,
                               const struct wb_raw_section *raw,
                               struct wb_listener *l)
{
    const char *fault = wb_label_fault(raw->title ? raw->title : "");

    l->is_generated = is_generated(raw);
    if (l->is_generated && c->conf->mta == WB_MTA_SENDMAIL)
        tell(c, raw, NULL,
             "is not generated for Sendmail; class alone, for a "
             "DAEMON_OPTIONS of that Name in your .mc, is right");
    if (!l->is_generated)
        return;
    /* files and services are called by it */
    if (fault)
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "\"%s\" %s", raw->title ? raw->title : "", fault);
    if (wb_raw_find(raw, "address") && !l->address)
        tell(c, raw, "address",
             "is empty; leave it out to listen wherever the MTA does");
    if (wb_raw_find(raw, "max_wait_s") && !wb_raw_find(raw, "interval_ms"))
        tell(c, raw, "max_wait_s",
             "there is nothing to wait for; interval_ms is needed");
    take_address(c, raw, l);
    take_domains(c, raw, l);
    if (l->class == WB_LISTENER_OUTBOUND)
        check_outbound(c, raw, l);
    else
        check_inbound(c, raw, l);
}

/* ---- all of them --------------------------------------------------------- */

static bool is_v6(const char *address)
{
    return strchr(address, ':') != NULL;
}

static bool is_any(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* Can two services not listen on both? NULL: wherever the MTA does. */
static bool meet(const char *a, const char *b)
{
    unsigned char x[16] = {0}, y[16] = {0};

    if (!a || !b)
        return true;
    if (is_v6(a) != is_v6(b))
        return false;
    if (is_any(a) || is_any(b))
        return true;
    return inet_pton(is_v6(a) ? AF_INET6 : AF_INET, a, x) == 1 &&
           inet_pton(is_v6(b) ? AF_INET6 : AF_INET, b, y) == 1 &&
           memcmp(x, y, sizeof x) == 0;
}

/* "127.0.0.1:10028" or "[::1]:10028" */
static bool meets_hop(struct wb_checker *c, const struct wb_listener *l,
                      const char *hop)
{
    const char *colon = hop ? strrchr(hop, ':') : NULL;
    size_t bracket = hop && hop[0] == '[';
    const char *host;

    if (!colon || colon - hop < 3 || strtoul(colon + 1, NULL, 10) != l->port)
        return false;
    host = wb_pool_strndup(c->scratch, hop + bracket,
                           (size_t)(colon - hop) - 2 * bracket);
    if (!host)
        c->is_out_of_memory = true;
    return host && meet(l->address, host);
}

static void check_place(struct wb_checker *c, const struct wb_raw_section *raw,
                        const struct wb_listener *l)
{
    const struct wb_conf *conf = c->conf;
    const char *text = NULL;

    if (meets_hop(c, l, conf->loopback_listener))
        text = wb_pool_printf(c->scratch,
                              "%u is loopback_listener's; another "
                              "port is right",
                              l->port);
    else if (meets_hop(c, l, conf->again_listener))
        text = wb_pool_printf(c->scratch,
                              "%u is again_listener's; another "
                              "port is right",
                              l->port);
    for (size_t i = 0; &conf->listeners[i] != l && l->port && !text; i++) {
        const struct wb_listener *other = &conf->listeners[i];

        if (other->is_generated && other->port == l->port &&
            meet(other->address, l->address))
            text = wb_pool_printf(c->scratch,
                                  "%u is taken by listener %s (%s:%u); another "
                                  "port or address is right",
                                  l->port, other->name, other->origin.file,
                                  other->origin.line);
    }
    if (text)
        tell(c, raw, wb_raw_find(raw, "port") ? "port" : NULL, text);
}

static void check_domains(struct wb_checker *c,
                          const struct wb_raw_section *raw, const char *name,
                          bool is_known(const struct wb_conf *, const char *),
                          const char *where)
{
    const struct wb_raw_option *option = wb_raw_find(raw, name);

    for (size_t i = 0; option && i < option->count; i++) {
        const char *domain =
            wb_pool_strlower(c->scratch, option->values[i].text);

        if (!domain)
            c->is_out_of_memory = true;
        else if (*domain && !is_known(c->conf, domain))
            wb_problem_add(c->problems, WB_ERROR, option->file,
                           option->values[i].line, name,
                           "\"%s\" is not in the domains of %s; add it there, "
                           "or leave it out here",
                           domain, where);
    }
}

static bool is_bounce_domain(const struct wb_conf *conf, const char *domain)
{
    return wb_strings_hold(&conf->bounces.domains, domain);
}

static bool is_inbound_domain(const struct wb_conf *conf, const char *domain)
{
    for (size_t i = 0; i < conf->inbound_count; i++)
        if (wb_strings_hold(&conf->inbounds[i].domains, domain))
            return true;
    return false;
}

static bool takes_anything(const struct wb_conf *conf,
                           const struct wb_listener *l)
{
    return (l->has_bounce_domains ? l->bounce_domains.count
                                  : conf->bounces.domains.count) > 0 ||
           (l->has_inbound_domains ? l->inbound_domains.count
                                   : conf->inbound_count) > 0;
}

static void check_together(struct wb_checker *c,
                           const struct wb_raw_section *raw,
                           const struct wb_listener *l)
{
    check_place(c, raw, l);
    if (l->class != WB_LISTENER_INBOUND || c->lacks_sections)
        return;
    check_domains(c, raw, "bounce_domains", is_bounce_domain, "bounces");
    check_domains(c, raw, "inbound_domains", is_inbound_domain,
                  "an inbound section");
    if (!takes_anything(c->conf, l))
        tell(c, raw, NULL,
             "takes mail for no domain; domains of bounces or of an inbound "
             "section are needed");
}

static bool is_taken(const struct wb_conf *conf, const char *domain)
{
    for (size_t i = 0; i < conf->listener_count; i++) {
        const struct wb_listener *l = &conf->listeners[i];

        if (l->class == WB_LISTENER_INBOUND &&
            (!l->has_bounce_domains ||
             wb_strings_hold(&l->bounce_domains, domain)))
            return true;
    }
    return false;
}

/* Bounces must come in somewhere. */
static void check_port_25(struct wb_checker *c)
{
    const struct wb_bounces *b = &c->conf->bounces;

    if (!c->bounces || b->port_25 || c->lacks_sections)
        return;
    for (size_t i = 0; i < b->domains.count; i++)
        if (!is_taken(c->conf, b->domains.items[i]))
            wb_option_tell(c, wb_raw_find(c->bounces, "port_25"),
                           "no, and no inbound listener takes %s: its bounces "
                           "would be refused everywhere; a listener for it, or "
                           "yes, is right",
                           b->domains.items[i]);
}

void wb_listeners_check(struct wb_checker *c, const struct wb_raw *raw)
{
    size_t i = 0;

    for (const struct wb_raw_section *s = raw->first; s; s = s->next) {
        if (strcmp(s->kind, "listener") != 0 || i == c->conf->listener_count)
            continue;
        if (c->conf->listeners[i].is_generated)
            check_together(c, s, &c->conf->listeners[i]);
        i++;
        wb_pool_reset(c->scratch);
    }
    check_port_25(c);
}
