/* Every domain that the configuration has, and what it needs. */
#include <stdlib.h>
#include <string.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

bool wb_dns_needs_mx(const struct wb_dns_name *name)
{
    return name->is_return || name->is_bounce || name->is_inbound;
}

/* Reports go to the domain itself: to another they would need its consent
 * (RFC 7489, 7.1). */
const char *wb_dns_dmarc(const struct wb_dns *dns, const char *domain)
{
    return wb_say(dns->pool, "v=DMARC1; p=none; rua=mailto:postmaster@%s",
                  domain);
}

static void add(struct wb_dns *dns, const struct wb_dns_name *name)
{
    dns->names = wb_dns_push(dns->pool, dns->names, &dns->name_count,
                             sizeof *dns->names);
    dns->names[dns->name_count - 1] = *name;
}

static void add_senders(struct wb_dns *dns)
{
    for (size_t i = 0; i < dns->sender_count; i++)
        add(dns, &(struct wb_dns_name){.domain = dns->senders[i].shown,
                                       .is_template =
                                           dns->senders[i].kind != WB_DNS_NAMED,
                                       .is_sender = true});
}

/* Does a return path lead to mailboxes that are there anyway: the sender's own,
 * or of an account? */
static bool is_kept(const struct wb_dns *dns, const struct wb_dns_meeting *m)
{
    if (m->return_path->mode == WB_RETURN_ADDRESS)
        return !wb_strings_hold_sorted(&dns->conf->bounces.domains, m->returns);
    return strcmp(m->returns, m->sender->shown) == 0;
}

/* Is a domain the administrator's, or that of a provider's accounts? */
static bool is_ours(const struct wb_dns *dns, const struct wb_dns_meeting *m)
{
    const char *organization;

    if (m->return_path->mode != WB_RETURN_ADDRESS)
        return true;
    organization = wb_dns_organization(dns, m->returns);
    if (strcmp(organization, wb_dns_organization(dns, dns->host)) == 0)
        return true;
    for (size_t i = 0; i < dns->sender_count; i++)
        if (dns->senders[i].kind == WB_DNS_NAMED &&
            strcmp(organization,
                   wb_dns_organization(dns, dns->senders[i].shown)) == 0)
            return true;
    return false;
}

static void add_returns(struct wb_dns *dns)
{
    for (size_t i = 0; i < dns->meeting_count; i++) {
        const struct wb_dns_meeting *m = &dns->meetings[i];
        bool is_many = m->sender->kind != WB_DNS_NAMED;
        struct wb_dns_name name = {
            .domain = m->returns,
            .is_template =
                is_many && strstr(m->returns, m->sender->shown) != NULL,
            .is_kept = is_kept(dns, m)};

        name.is_return = !name.is_kept;
        name.return_path = name.is_return ? m->return_path : NULL;
        if (is_ours(dns, m))
            add(dns, &name);
    }
}

static void add_list(struct wb_dns *dns, const struct wb_strings *domains,
                     struct wb_dns_name as)
{
    for (size_t i = 0; i < domains->count; i++) {
        as.domain = wb_dns_ascii(dns, domains->items[i]);
        if (as.domain == NULL)
            wb_dns_warn(dns, "\"%s\" has no form in the DNS and is left out",
                        domains->items[i]);
        else
            add(dns, &as);
    }
}

static int by_domain(const void *a, const void *b)
{
    const struct wb_dns_name *x = a, *y = b;

    return x->is_template != y->is_template
               ? (int)x->is_template - (int)y->is_template
               : strcmp(x->domain, y->domain);
}

/* The same domain, seen again. */
static void merge(struct wb_dns_name *into, const struct wb_dns_name *name)
{
    into->is_return |= name->is_return;
    into->is_bounce |= name->is_bounce;
    into->is_inbound |= name->is_inbound;
    into->is_sender |= name->is_sender;
    into->is_kept |= name->is_kept;
    if (into->return_path == NULL ||
        (name->return_path != NULL &&
         strcmp(name->return_path->name, into->return_path->name) < 0))
        into->return_path = name->return_path;
}

static void settle(struct wb_dns *dns)
{
    size_t kept = 0;

    if (dns->name_count == 0)
        return;
    qsort(dns->names, dns->name_count, sizeof *dns->names, by_domain);
    for (size_t i = 1; i < dns->name_count; i++) {
        if (by_domain(&dns->names[kept], &dns->names[i]) == 0)
            merge(&dns->names[kept], &dns->names[i]);
        else
            dns->names[++kept] = dns->names[i];
    }
    dns->name_count = kept + 1;
}

static int by_returns(const void *a, const void *b)
{
    const struct wb_dns_meeting *x = *(const struct wb_dns_meeting *const *)a;
    const struct wb_dns_meeting *y = *(const struct wb_dns_meeting *const *)b;
    int order = strcmp(x->returns, y->returns);

    if (order != 0 || x->route == y->route)
        return order;
    return x->route < y->route ? -1 : 1;
}

static void find_spf(struct wb_dns *dns)
{
    const struct wb_dns_meeting **sorted = wb_must(
        wb_pool_array(dns->pool, dns->meeting_count + 1, sizeof *sorted));

    for (size_t i = 0; i < dns->meeting_count; i++)
        sorted[i] = &dns->meetings[i];
    qsort(sorted, dns->meeting_count, sizeof *sorted, by_returns);
    for (size_t i = 0; i < dns->name_count; i++) {
        struct wb_dns_name *name = &dns->names[i];
        size_t first = 0, end = dns->meeting_count, last;

        while (first < end) {
            size_t middle = first + (end - first) / 2;

            if (strcmp(sorted[middle]->returns, name->domain) < 0)
                first = middle + 1;
            else
                end = middle;
        }
        for (last = first; last < dns->meeting_count &&
                           strcmp(sorted[last]->returns, name->domain) == 0;)
            last++;
        wb_dns_find_spf(dns, name, sorted + first, last - first);
    }
}

void wb_dns_find_names(struct wb_dns *dns)
{
    const struct wb_conf *conf = dns->conf;

    add_senders(dns);
    add_returns(dns);
    add_list(dns, &conf->bounces.domains,
             (struct wb_dns_name){.is_bounce = true});
    for (size_t i = 0; i < conf->inbound_count; i++)
        add_list(dns, &conf->inbounds[i].domains,
                 (struct wb_dns_name){.is_inbound = true});
    settle(dns);
    find_spf(dns);
}
