/* Can Postfix have waybill's listeners? Its master dies of an address that
 * it cannot have, and all mail stops. */
#include <errno.h>
#include <netdb.h>
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

bool wb_listener_is_taken_by(const char *ours, const char *name)
{
    static const char *const everywhere[] = {"localhost:", "0.0.0.0:", "[::]:"};
    const char *port = port_of(name);

    if (strcmp(port, port_of(ours)) != 0)
        return false;
    if (port == name || strcmp(name, ours) == 0)
        return true;
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++) {
        if (strncasecmp(name, everywhere[i], strlen(everywhere[i])) == 0)
            return true;
    }
    return false;
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

void wb_listener_check(const struct wb_site *site, const struct wb_conf *conf,
                       struct wb_problems *problems)
{
    check(site, conf->path, "loopback_listener", conf->loopback_listener,
          problems);
    check(site, conf->path, "again_listener", conf->again_listener, problems);
}
