/* The SPF record of a domain (RFC 7208): who sends with it as return path. */
#include <string.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

enum { MOST_LOOKUPS = 10 /* 4.6.4 */, MOST_MECHANISMS = 100 };

static bool is_same_host(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The place of host, or a new one; NULL when there are too many. */
static struct wb_dns_mechanism *find(struct wb_dns *dns, struct wb_dns_spf *spf,
                                     const char *host)
{
    for (size_t i = 0; i < spf->count; i++)
        if (is_same_host(spf->mechanisms[i].host, host))
            return &spf->mechanisms[i];
    if (spf->count == MOST_MECHANISMS) {
        spf->has_more = true;
        return NULL;
    }
    spf->mechanisms = wb_dns_push(dns->pool, spf->mechanisms, &spf->count,
                                  sizeof *spf->mechanisms);
    spf->mechanisms[spf->count - 1] = (struct wb_dns_mechanism){.host = host};
    return &spf->mechanisms[spf->count - 1];
}

static void add(struct wb_dns *dns, struct wb_dns_name *name,
                const struct wb_dns_meeting *meeting, const char *host)
{
    struct wb_dns_mechanism *m = find(dns, &name->spf, host);

    if (m == NULL)
        return;
    if (m->route_count == 0 && host == NULL)
        m->text =
            wb_dns_needs_mx(name) ? "mx" : wb_say(dns->pool, "a:%s", dns->host);
    else if (m->route_count == 0)
        m->text = wb_dns_sends(dns, host);
    m->is_foreign |=
        !wb_dns_is_own(dns, meeting->route, host, meeting->sender->sample);
    if (m->route_count > 0 && m->routes[m->route_count - 1] == meeting->route)
        return;
    m->routes =
        wb_dns_push(dns->pool, m->routes, &m->route_count, sizeof *m->routes);
    m->routes[m->route_count - 1] = meeting->route;
}

static void write(struct wb_dns *dns, struct wb_dns_name *name)
{
    struct wb_dns_spf *spf = &name->spf;
    size_t lookups = 0;
    struct wb_text t;

    spf->is_strict = !name->is_sender && !name->is_kept;
    wb_text_open(&t);
    fputs("v=spf1", t.file);
    for (size_t i = 0; i < spf->count; i++) {
        struct wb_dns_mechanism *m = &spf->mechanisms[i];

        if (m->text != NULL && strncmp(m->text, "ip", 2) != 0)
            m->is_left_out = ++lookups > MOST_LOOKUPS;
        spf->left_out += m->is_left_out;
        spf->is_strict &= !m->is_foreign && m->text != NULL;
        if (m->text != NULL && !m->is_left_out)
            fprintf(t.file, " %s", m->text);
    }
    spf->is_strict &= spf->left_out == 0 && !spf->has_more;
    fputs(spf->is_strict ? " -all" : " ~all", t.file);
    spf->text = wb_text_close(&t, dns->pool);
    if (spf->left_out > 0 || spf->has_more)
        wb_dns_warn(dns,
                    "%s: %zu%s hosts that send do not stand in the SPF "
                    "record, which may cost %d look-ups (RFC 7208, 4.6.4); "
                    "write their addresses, as ip4: and ip6:, into it",
                    name->domain, spf->left_out,
                    spf->has_more ? " or more" : "", MOST_LOOKUPS);
}

void wb_dns_find_spf(struct wb_dns *dns, struct wb_dns_name *name,
                     const struct wb_dns_meeting *const *meetings, size_t count)
{
    const char **hosts = wb_must(
        wb_pool_array(dns->pool, wb_dns_hosts_most(dns), sizeof *hosts));

    for (size_t i = 0; i < count; i++) {
        size_t host_count = wb_dns_hosts(dns, meetings[i]->route, hosts);

        for (size_t h = 0; h < host_count; h++)
            add(dns, name, meetings[i], hosts[h]);
    }
    if (count > 0)
        write(dns, name);
}
