/* waybill dns: the DNS records that the configuration needs. */
#include <arpa/inet.h>
#include <getopt.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"
#include "tool/tool.h"

struct arguments {
    const char *config, *host;
    bool as_json;
};

static void help(void)
{
    puts("usage: waybill dns [-c FILE] [--host NAME] [--json]\n"
         "\n"
         "Print the MX, SPF and DMARC records that the configuration needs, "
         "to be\n"
         "pasted into a zone, and, as comments, what receivers will make of "
         "the mail\n"
         "by each route.\n"
         "\n"
         "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
         "  --host NAME        where mail comes in, instead of this host's "
         "name\n"
         "  --json             for programs\n"
         "  -h, --help         print this\n"
         "\n"
         "Exit status: 0, 64 when NAME is no name that the world can look up, "
         "78\n"
         "when there is an error in the configuration.");
}

void wb_dns_warn(struct wb_dns *dns, const char *format, ...)
{
    struct wb_text t;
    va_list args;

    wb_text_open(&t);
    va_start(args, format);
    vfprintf(t.file, format, args);
    va_end(args);
    dns->warnings = wb_dns_push(dns->pool, dns->warnings, &dns->warning_count,
                                sizeof *dns->warnings);
    dns->warnings[dns->warning_count - 1] = wb_text_close(&t, dns->pool);
}

/* ---- the host ----------------------------------------------------------- */

static bool is_address(const char *text)
{
    struct in6_addr octets;

    return inet_pton(AF_INET, text, &octets) == 1 ||
           inet_pton(AF_INET6, text, &octets) == 1;
}

static bool ends_in(const char *name, const char *end)
{
    size_t octets = strlen(name), tail = strlen(end);

    return octets >= tail && strcasecmp(name + octets - tail, end) == 0;
}

/* Returns what is wrong with it as a clause, or NULL. */
static const char *host_fault(const char *name)
{
    if (is_address(name) || *name == '[')
        return "is an address, and an MX record needs a name (RFC 1035, 3.3.9)";
    if (!wb_domain_is_valid(name))
        return "is not a host name";
    if (strchr(name, '.') == NULL)
        return "has no dot, so nobody else can look it up";
    if (ends_in(name, ".localdomain") || ends_in(name, ".local"))
        return "is known to this network alone";
    return NULL;
}

/* The name that this host has, with its domain if anything knows that. */
static const char *own_name(struct wb_pool *pool)
{
    const struct addrinfo hints = {.ai_flags = AI_CANONNAME,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char name[HOST_NAME_MAX + 1] = "";
    const char *full = NULL;

    gethostname(name, sizeof name - 1);
    if (strchr(name, '.') == NULL &&
        getaddrinfo(name, NULL, &hints, &found) == 0 &&
        found->ai_canonname != NULL && strchr(found->ai_canonname, '.') != NULL)
        full = wb_say(pool, "%s", found->ai_canonname);
    if (found != NULL)
        freeaddrinfo(found);
    return full != NULL ? full : wb_say(pool, "%s", name);
}

static int choose_host(struct wb_dns *dns, const char *given)
{
    char *name =
        wb_say(dns->pool, "%s", given != NULL ? given : own_name(dns->pool));
    size_t octets = strlen(name);
    const char *fault;

    if (octets > 0 && name[octets - 1] == '.')
        name[octets - 1] = '\0';
    fault = host_fault(name);
    if (fault == NULL && (dns->host = wb_dns_ascii(dns, name)) == NULL)
        fault = "has no form in the DNS";
    if (fault != NULL)
        return wb_tool_usage("dns",
                             "%s\"%s\" %s; --host mx.example.com, the name at "
                             "which mail comes in, is right",
                             given != NULL ? "--host " : "this host's name ",
                             name, fault);
    dns->is_host_given = given != NULL;
    return EX_OK;
}

/* ---- the command -------------------------------------------------------- */

static int answer(struct wb_dns *dns, const struct arguments *a)
{
    struct wb_err err = {""};
    int rc = choose_host(dns, a->host);

    if (rc != EX_OK)
        return rc;
    rc = wb_dns_open(dns, &err);
    if (rc != EX_OK) {
        fprintf(stderr, "waybill dns: %s\n", err.text);
        return rc;
    }
    wb_dns_find_senders(dns);
    wb_dns_find_meetings(dns);
    wb_dns_find_names(dns);
    for (size_t i = 0; i < dns->warning_count; i++)
        fprintf(stderr, "waybill dns: warning: %s\n", dns->warnings[i]);
    if (a->as_json)
        rc = wb_dns_json(dns, stdout);
    else
        wb_dns_zone(dns, stdout);
    wb_dns_close(dns);
    return rc;
}

/* Returns EX_OK to go on, -1 when done, or EX_USAGE. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"host", required_argument, NULL, 'H'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "+:c:h", longs, NULL)) != -1) {
        if (c == 'c')
            a->config = optarg;
        else if (c == 'H')
            a->host = optarg;
        else if (c == 'j')
            a->as_json = true;
        else if (c == 'h')
            return help(), -1;
        else
            return wb_tool_usage("dns", "%s \"%s\"",
                                 c == ':' ? "a value is missing after"
                                          : "no such option:",
                                 argv[optind - 1]);
    }
    if (optind < argc)
        return wb_tool_usage("dns", "\"%s\" is not expected", argv[optind]);
    return EX_OK;
}

int wb_cmd_dns(int argc, char **argv)
{
    struct arguments a = {.config = WB_DEFAULT_CONFIG};
    struct wb_conf *conf = NULL;
    struct wb_dns dns = {0};
    int rc = read_arguments(argc, argv, &a);

    if (rc != EX_OK)
        return rc == -1 ? EX_OK : rc;
    rc = wb_tool_load(a.config, WB_USE_EXPLAIN, &conf);
    if (rc != EX_OK)
        return rc;
    dns.conf = conf;
    dns.pool = wb_must(wb_pool_new(0));
    rc = answer(&dns, &a);
    wb_pool_free(dns.pool);
    wb_conf_unref(conf);
    return rc;
}
