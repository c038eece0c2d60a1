/* Can Postfix have waybill's listeners? Its master dies of an address that
 * it cannot have, and all mail stops. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/site.h"

static const char *port_of(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon == NULL ? name : colon + 1;
}

/* "smtp" is 25; 0: no such service. */
static unsigned number_of(const char *port)
{
    const struct servent *known;

    if (*port >= '0' && *port <= '9')
        return (unsigned)strtoul(port, NULL, 10);
    known = getservbyname(port, "tcp");
    return known != NULL ? ntohs((uint16_t)known->s_port) : 0;
}

/* With whatever port: everywhere, on all of a family, or who knows where. */
static bool is_wide(const char *name)
{
    static const char *const everywhere[] = {"localhost:", "0.0.0.0:", "[::]:"};

    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++) {
        if (strncasecmp(name, everywhere[i], strlen(everywhere[i])) == 0)
            return true;
    }
    return port_of(name) == name;
}

/* Both are addresses, of different families. */
static bool are_apart(const char *a, const char *b)
{
    return port_of(a) != a && port_of(b) != b &&
           (a[0] == '[') != (b[0] == '[') &&
           strncasecmp(a, "localhost:", 10) != 0 &&
           strncasecmp(b, "localhost:", 10) != 0;
}

bool wb_listener_is_taken_by(const char *ours, const char *name)
{
    if (number_of(port_of(name)) != number_of(port_of(ours)) ||
        are_apart(ours, name))
        return false;
    return is_wide(name) || is_wide(ours) || strcmp(name, ours) == 0;
}

/* 0, or why not. */
static int try_bind(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, why = 0;

    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0)
        why = errno;
    close(fd);
    return why;
}

/* What was stopped just now may still be letting go of it. */
static int try_for_a_while(const struct addrinfo *address)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    int why = try_bind(address);

    for (int i = 0; i < 20 && why == EADDRINUSE; i++) {
        nanosleep(&pause, NULL);
        why = try_bind(address);
    }
    return why == EACCES ? 0 : why; /* not root: Postfix will be */
}

static bool is_installed(const struct wb_site *site, const char *listener)
{
    struct wb_cf cf;

    wb_cf_parse(site->pool, WB_MASTER_CF, site->master, &cf);
    return wb_cf_find(&cf, wb_say(site->pool, "%s/inet", listener)) != NULL;
}

static int find_fault(const struct wb_site *site, const char *listener)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    int why;

    if (getaddrinfo(wb_postfix_listener_host(site->pool, listener),
                    port_of(listener), &hints, &address) != 0)
        return EADDRNOTAVAIL;
    why = try_for_a_while(address);
    freeaddrinfo(address);
    return why;
}

static void check(const struct wb_site *site, const char *file,
                  const char *option, const char *listener,
                  struct wb_problems *problems)
{
    const char *protocols = wb_site_value(site, "inet_protocols");
    const char *family = listener[0] == '[' ? "ipv6" : "ipv4";
    int why;

    if (strstr(protocols, "all") == NULL && strstr(protocols, family) == NULL) {
        wb_problem_add(problems, WB_ERROR, file, 0, option,
                       "is %s, but main.cf has inet_protocols = %s; an "
                       "address of that kind is right",
                       listener, protocols);
        return;
    }
    if (is_installed(site, listener))
        return;
    why = find_fault(site, listener);
    if (why != 0)
        wb_problem_add(problems, WB_ERROR, file, 0, option,
                       "Postfix cannot listen on %s: %s; an address and port "
                       "that nothing else has is right",
                       listener, strerror(why));
}

/* Without an address it is inet_interfaces that Postfix goes by, each of which
 * it has already: another program may still have the port. */
static void check_intake(const struct wb_site *site,
                         const struct wb_listener *l,
                         struct wb_problems *problems)
{
    const char *name = wb_intake_name(site->pool, l);
    int why;

    if (l->address != NULL) {
        check(site, l->origin.file, "listener", name, problems);
        return;
    }
    why = is_installed(site, name)
              ? 0
              : find_fault(site, wb_say(site->pool, "127.0.0.1:%u", l->port));
    if (why == EADDRINUSE)
        wb_problem_add(problems, WB_ERROR, l->origin.file, l->origin.line,
                       "listener",
                       "%s: another program has port %u of this host; another "
                       "port is right",
                       l->name, l->port);
}

static void tell_name(const struct wb_listener *l, const char *where,
                      const char *file, struct wb_problems *problems)
{
    wb_problem_add(problems, WB_ERROR, l->origin.file, l->origin.line,
                   "listener",
                   "%s is the milter_macro_daemon_name of %s in %s, too, and "
                   "the milter would take the one for the other; another name "
                   "is right",
                   l->name, where, file);
}

/* The milter knows by that name alone where a client is, and would hold the
 * site's own service to the listener's limits. */
static void check_name(const struct wb_site *site, const struct wb_cf *master,
                       const struct wb_listener *l,
                       struct wb_problems *problems)
{
    if (strcmp(wb_site_value(site, "milter_macro_daemon_name"), l->name) == 0)
        tell_name(l, "all services (without it, $myhostname is)", site->main_cf,
                  problems);
    for (size_t i = 0; i < master->count; i++) {
        const struct wb_cf_entry *entry = &master->entries[i];
        const char *its = wb_master_option(site->pool, master, entry,
                                           "milter_macro_daemon_name");

        if (its != NULL && strcmp(its, l->name) == 0)
            tell_name(l, entry->key, site->master_cf, problems);
    }
}

void wb_listener_check(const struct wb_site *site, const struct wb_conf *conf,
                       struct wb_problems *problems)
{
    struct wb_cf master; /* without waybill */

    wb_cf_parse(site->pool, WB_MASTER_CF, site->base_master, &master);
    for (size_t i = 0; i < conf->listener_count; i++) {
        if (!conf->listeners[i].is_generated)
            continue;
        check_name(site, &master, &conf->listeners[i], problems);
        check_intake(site, &conf->listeners[i], problems);
    }
    check(site, conf->path, "loopback_listener", conf->loopback_listener,
          problems);
    check(site, conf->path, "again_listener", conf->again_listener, problems);
}
