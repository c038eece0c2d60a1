/* The services of listener sections: where mail comes in. */
#include <arpa/inet.h>
#include <string.h>

#include "tool/maps/cf.h"
#include "tool/maps/files.h"
#include "tool/maps/memory.h"
#include "tool/maps/service.h"

/* Processes beyond max_connections: they tell the rest to come again. The
 * kernel would let these wait, and no client would know why. */
enum { SPARE_PROCESSES = 20 };

/* Postfix waits so much longer for the milter than the milter does for the
 * interval. */
enum { SPARE_S = 30 };

const char *wb_intake_name(struct wb_pool *pool, const struct wb_listener *l)
{
    if (l->address == NULL)
        return wb_say(pool, "%u", l->port);
    return wb_say(pool, strchr(l->address, ':') ? "[%s]:%u" : "%s:%u",
                  l->address, l->port);
}

/* A parsed network has no host bits, so its octets are its address. */
const char *wb_network_text(struct wb_pool *pool, const struct wb_network *n)
{
    char text[INET6_ADDRSTRLEN];
    bool is_v4 = n->prefix_bits >= 96 &&
                 memcmp(n->octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

    inet_ntop(is_v4 ? AF_INET : AF_INET6, n->octets + (is_v4 ? 12 : 0), text,
              sizeof text);
    return wb_say(pool, "%s/%u", text, n->prefix_bits - (is_v4 ? 96 : 0));
}

/* What holds whoever's mail it is. What the site asks of clients, HELO names
 * and senders stays in force, and so do its milters behind waybill's. */
static const struct setting common[] = {
    {"smtpd_milters", WB_LISTENER_MILTERS},
    {"smtpd_milter_maps", ""},
    {"smtpd_proxy_filter", ""},
    {"smtpd_authorized_xclient_hosts", ""},
    {"smtpd_authorized_xforward_hosts", ""},
    {"smtpd_tls_wrappermode", "no"},
    {"smtpd_client_connection_count_limit", "0"}, /* the milter counts */
    {0}};

/* Nobody is trusted. */
static void inbound_options(FILE *f, struct wb_pool *pool,
                            const struct wb_listener *l)
{
    static const struct setting strangers[] = {
        {"mynetworks", ""},
        {"local_header_rewrite_clients", ""},
        {"smtpd_sasl_auth_enable", "no"},
        {0}};
    const char *clients =
        l->network_count > 0
            ? wb_say(pool,
                     "check_client_access "
                     "cidr:$waybill_directory/listener-%s.cidr, ",
                     l->name)
            : "";

    options(f, strangers);
    option(f, "smtpd_relay_restrictions",
           wb_say(pool,
                  "${waybill_milters?{%scheck_recipient_access "
                  "pcre:$waybill_directory/listener-%s.pcre, "
                  "reject_unauth_destination}:{defer}}",
                  clients, l->name));
}

/* A password never crosses the network in clear. */
static void outbound_options(FILE *f, struct wb_pool *pool,
                             const struct wb_listener *l)
{
    option(
        f, "mynetworks",
        l->network_count > 0
            ? wb_say(pool, "cidr:$waybill_directory/listener-%s.cidr", l->name)
            : "");
    option(f, "smtpd_sasl_auth_enable", l->takes_logins ? "yes" : "no");
    if (l->takes_logins)
        option(f, "smtpd_tls_auth_only", "yes");
    option(f, "smtpd_relay_restrictions",
           wb_say(pool,
                  "${waybill_milters?{permit_mynetworks, "
                  "%sreject}:{defer}}",
                  l->takes_logins ? "permit_sasl_authenticated, " : ""));
}

static void limit_options(FILE *f, struct wb_pool *pool,
                          const struct wb_listener *l)
{
    if (l->interval_ms > 0)
        option(f, "milter_command_timeout",
               wb_say(pool, "%us", l->max_wait_s + SPARE_S));
    if (l->max_octets == 0)
        return;
    option(f, "message_size_limit", wb_say(pool, "%zu", l->max_octets));
    option(f, "cleanup_service_name", "waybill-cleanup-in");
}

static struct wb_master_service intake(struct wb_pool *pool,
                                       const struct wb_listener *l)
{
    const char *name = wb_intake_name(pool, l);
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "%s inet n - n - %u smtpd\n", name,
            l->max_connections + SPARE_PROCESSES);
    option(t.file, "syslog_name", wb_say(pool, "postfix/%s", l->name));
    option(t.file, "milter_macro_daemon_name", l->name);
    option(t.file, "smtpd_upstream_proxy_protocol",
           l->takes_proxy ? "haproxy" : "");
    options(t.file, common);
    limit_options(t.file, pool, l);
    if (l->class == WB_LISTENER_INBOUND)
        inbound_options(t.file, pool, l);
    else
        outbound_options(t.file, pool, l);
    return entry(pool, name, "inet", &t);
}

/* smtpd has kept the listener's limit; main.cf's may be smaller, and cleanup
 * would count what Postfix adds. */
static struct wb_master_service cleanup(struct wb_pool *pool)
{
    static const struct setting own[] = {
        {"syslog_name", "postfix/waybill-cleanup-in"},
        {"message_size_limit", "0"},
        {0}};
    struct wb_text t;

    wb_text_open(&t);
    fputs("waybill-cleanup-in unix n - n - 0 cleanup\n", t.file);
    options(t.file, own);
    return entry(pool, "waybill-cleanup-in", "unix", &t);
}

size_t wb_intake_services(const struct wb_entries *entries,
                          struct wb_pool *pool, struct wb_master_service *out)
{
    const struct wb_conf *conf = entries->conf;
    bool has_limit = false;
    size_t n = 0;

    for (size_t i = 0; i < conf->listener_count; i++) {
        if (!conf->listeners[i].is_generated)
            continue;
        out[n++] = intake(pool, &conf->listeners[i]);
        has_limit |= conf->listeners[i].max_octets > 0;
    }
    if (has_limit)
        out[n++] = cleanup(pool);
    return n;
}
