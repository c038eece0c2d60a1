#include "tool/test/source.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/cf.h"
#include "tool/maps/memory.h"
#include "tool/maps/postconf.h"

static const char *host_name(struct wb_pool *pool)
{
    char name[256] = "";

    if (gethostname(name, sizeof name - 1) != 0 || *name == '\0')
        return "localhost";
    return wb_say(pool, "%s", name);
}

static const char *or_null(const char *value)
{
    return *value != '\0' ? value : NULL;
}

/* Postfix's list has each key before its certificates, or all in one file;
 * the first is taken. */
static void take_certificate(struct wb_pool *pool, const char *chain_files,
                             const char *cert_file, const char *key_file,
                             struct wb_source *out)
{
    struct wb_strings files = wb_cf_list(pool, chain_files);

    if (files.count > 0) {
        out->key_file = files.items[0];
        out->cert_file = files.items[files.count > 1 ? 1 : 0];
    } else if (*cert_file != '\0') {
        out->cert_file = cert_file;
        out->key_file = *key_file != '\0' ? key_file : cert_file;
    }
}

int wb_source_read(struct wb_pool *pool, const char *dir, struct wb_source *out,
                   struct wb_err *err)
{
    static const char *const names[] = {
        "smtp_helo_name",         "inet_protocols",       "smtp_bind_address",
        "smtp_bind_address6",     "smtp_host_lookup",     "disable_dns_lookups",
        "smtp_dns_support_level", "smtp_tls_chain_files", "smtp_tls_cert_file",
        "smtp_tls_key_file"};
    const char *values[sizeof names / sizeof *names];
    int code;

    *out = (struct wb_source){.helo = host_name(pool)};
    if (dir == NULL)
        return EX_OK;
    code = wb_postconf_values(pool, dir, names, sizeof names / sizeof *names,
                              values, err);
    if (code != EX_OK)
        return code;
    if (*values[0] != '\0')
        out->helo = values[0];
    if (*values[1] != '\0' && strcmp(values[1], "all") != 0) {
        out->no_ipv4 = strstr(values[1], "ipv4") == NULL;
        out->no_ipv6 = strstr(values[1], "ipv6") == NULL;
    }
    take_certificate(pool, values[7], values[8], values[9], out);
    out->bind_ipv4 = or_null(values[2]);
    out->bind_ipv6 = or_null(values[3]);
    out->asks_dns_alone = strstr(values[4], "native") == NULL &&
                          strcmp(values[5], "yes") != 0 &&
                          strcmp(values[6], "disabled") != 0;
    return EX_OK;
}
