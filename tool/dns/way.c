/* Which hosts does a route hand mail to, and whose are they? */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

static bool is_within(const char *address, const char *const *networks,
                      size_t count)
{
    struct wb_network network;

    for (size_t i = 0; i < count; i++)
        if (wb_network_parse(networks[i], &network, NULL) == EX_OK &&
            wb_networks_hold(&network, 1, address))
            return true;
    return false;
}

#define WITHIN(address, networks)                                              \
    is_within(address, networks, sizeof(networks) / sizeof *(networks))

/* host without the brackets of an address; NULL for a name. */
static const char *address_of(struct wb_pool *pool, const char *host)
{
    size_t octets = strlen(host);

    return *host == '[' ? wb_slice(pool, host, 1, octets - 1) : NULL;
}

static bool is_this_host(struct wb_pool *pool, const char *host)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    const char *address = address_of(pool, host);

    return address != NULL ? WITHIN(address, loopback)
                           : strcasecmp(host, "localhost") == 0;
}

/* A nexthop as the MTA writes it, "[smtp.example.net]:587", as a route's host:
 * "smtp.example.net", "[192.0.2.1]". */
static const char *host_of(struct wb_pool *pool, const char *nexthop)
{
    const char *bracket = strchr(nexthop, ']');
    struct wb_network address;
    const char *inner;

    if (*nexthop != '[' || bracket == NULL)
        return wb_slice(pool, nexthop, 0, strcspn(nexthop, ":"));
    inner = wb_slice(pool, nexthop, 1, (size_t)(bracket - nexthop));
    return wb_network_parse(inner, &address, NULL) == EX_OK
               ? wb_say(pool, "[%s]", inner)
               : inner;
}

size_t wb_dns_hosts_most(const struct wb_dns *dns)
{
    size_t most = dns->conf->relayhosts.count;

    for (size_t i = 0; i < dns->conf->route_count; i++)
        if (dns->conf->routes[i].fallback_count > most)
            most = dns->conf->routes[i].fallback_count;
    return most + 1;
}

size_t wb_dns_hosts(const struct wb_dns *dns, const struct wb_route *route,
                    const char **out)
{
    size_t count = 1;

    out[0] = route->is_direct || is_this_host(dns->pool, route->host)
                 ? NULL
                 : route->host;
    /* relayhosts may be for some of what is "direct" only. */
    for (size_t i = 0; route->is_direct && i < dns->conf->relayhosts.count;
         i++) {
        const char *host = host_of(dns->pool, dns->conf->relayhosts.items[i]);

        if (!is_this_host(dns->pool, host))
            out[count++] = host;
    }
    for (size_t i = 0; i < route->fallback_count; i++) {
        const char *host = route->fallbacks[i].host;

        out[count++] = is_this_host(dns->pool, host) ? NULL : host;
    }
    return count;
}

bool wb_dns_is_own(const struct wb_dns *dns, const struct wb_route *route,
                   const char *host, const char *domain)
{
    const char *organization;

    if (host == NULL)
        return true;
    /* By address: in our own network, unless there is an account. */
    if (*host == '[')
        return route->username == NULL;
    organization = wb_dns_organization(dns, host);
    return strcmp(organization, wb_dns_organization(dns, dns->host)) == 0 ||
           strcmp(organization, wb_dns_organization(dns, domain)) == 0;
}

enum wb_dns_way wb_dns_way_of(const struct wb_dns *dns,
                              const struct wb_route *route, const char *domain)
{
    const char **hosts = wb_must(
        wb_pool_array(dns->pool, wb_dns_hosts_most(dns), sizeof *hosts));
    size_t count = wb_dns_hosts(dns, route, hosts);
    bool is_ours = true;

    for (size_t i = 0; i < count; i++)
        is_ours &= wb_dns_is_own(dns, route, hosts[i], domain);
    if (is_ours)
        return WB_DNS_OWN;
    return route->username != NULL ? WB_DNS_ACCOUNT : WB_DNS_RELAY;
}

/* What the provider itself says of the host that it is known by. A fallback's
 * host is the host of some other route. */
static const char *told(const struct wb_conf *conf, const char *host)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct wb_preset *preset = conf->routes[i].preset;

        if (preset != NULL && preset->host != NULL && preset->spf != NULL &&
            strcasecmp(host, preset->host) == 0)
            return preset->spf;
    }
    return NULL;
}

const char *wb_dns_sends(const struct wb_dns *dns, const char *host)
{
    static const char *const unseen[] = {
        "10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
        "169.254.0.0/16", "fc00::/7",      "fe80::/10"};
    const char *address = address_of(dns->pool, host);
    const char *name;

    if (told(dns->conf, host) != NULL)
        return told(dns->conf, host);
    if (address == NULL) {
        name = wb_dns_ascii(dns, host);
        return name == NULL ? NULL : wb_say(dns->pool, "a:%s", name);
    }
    if (WITHIN(address, unseen))
        return NULL;
    return wb_say(dns->pool, "%s:%s",
                  strchr(address, ':') == NULL ? "ip4" : "ip6", address);
}
