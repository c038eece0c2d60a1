/* Names of the DNS: who they belong to, and how they are written. */
#include <idn2.h>
#include <libpsl.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

int wb_dns_open(struct wb_dns *dns, struct wb_err *err)
{
    /* The system's list, where it is newer than the one that is built in. */
    dns->suffixes = psl_latest(NULL);
    if (dns->suffixes != NULL)
        return EX_OK;
    return wb_err_set(err, EX_UNAVAILABLE,
                      "libpsl has no public suffix list; install the "
                      "package publicsuffix");
}

void wb_dns_close(struct wb_dns *dns)
{
    psl_free((psl_ctx_t *)dns->suffixes);
    dns->suffixes = NULL;
}

const char *wb_dns_organization(const struct wb_dns *dns, const char *domain)
{
    const char *lower = wb_must(wb_pool_strlower(dns->pool, domain));
    const char *found = psl_registrable_domain(dns->suffixes, lower);

    return found == NULL ? lower : found;
}

const char *wb_dns_ascii(const struct wb_dns *dns, const char *name)
{
    const char *lower = wb_must(wb_pool_strlower(dns->pool, name));
    const unsigned char *c = (const unsigned char *)lower;
    const char *copy;
    char *ascii;

    while (*c != '\0' && *c < 0x80)
        c++;
    if (*c == '\0')
        return lower;
    if (idn2_to_ascii_8z(lower, &ascii,
                         IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    copy = wb_must(wb_pool_strdup(dns->pool, ascii));
    idn2_free(ascii);
    return copy;
}
