#include "plan/inbound.h"

#include "conf/inbound_index.h"
#include "match/headers.h"

bool wb_inbound_has_domain(const struct wb_conf *conf, const char *domain)
{
    return wb_conf_inbound_domain(conf, domain) != NULL;
}

/* The slots behind those of the rules are the inbound sections'. */
static enum wb_verdict by_header(const struct wb_conf *conf, size_t i,
                                 struct wb_matcher *m)
{
    const struct wb_inbound *in = &conf->inbounds[i];

    if (in->match_on == WB_ON_ENVELOPE)
        return WB_NO;
    return wb_headers_match(m, (uint32_t)(conf->rules.count + i),
                            in->header_name, in->pattern);
}

enum wb_verdict wb_inbound_find(const struct wb_conf *conf,
                                struct wb_matcher *m,
                                const struct wb_address *recipient,
                                const struct wb_inbound **out)
{
    size_t i;

    *out = NULL;
    if (!wb_inbounds_walk(conf, m, recipient, true))
        return wb_budget_retry(&m->budget, "out of memory");
    while (wb_walk_next(&m->walk, &i)) {
        const struct wb_inbound *in = &conf->inbounds[i];
        enum wb_verdict header, envelope;

        if (!wb_strings_hold(&in->domains, recipient->domain))
            continue;
        header = by_header(conf, i, m);
        envelope = wb_pattern_search(in->pattern, recipient->text, &m->budget);
        if (header == WB_RETRY || envelope == WB_RETRY)
            return WB_RETRY;
        if (in->match_on != WB_ON_HEADER && envelope == WB_YES)
            header = WB_YES;
        if (header == WB_YES && (*out == NULL || envelope == WB_YES))
            *out = in;
        if (header == WB_YES && envelope == WB_YES)
            return WB_YES;
    }
    if (m->walk.is_stopped)
        return WB_RETRY;
    return *out != NULL ? WB_YES : WB_NO;
}

enum wb_verdict wb_inbound_find_early(const struct wb_conf *conf,
                                      struct wb_matcher *m,
                                      const struct wb_address *recipient)
{
    const struct wb_inbound_domain *domain =
        wb_conf_inbound_domain(conf, recipient->domain);
    size_t i;

    if (domain == NULL)
        return WB_NO;
    if (domain->reads_headers)
        return WB_YES;
    if (!wb_inbounds_walk(conf, m, recipient, false))
        return wb_budget_retry(&m->budget, "out of memory");
    while (wb_walk_next(&m->walk, &i)) {
        const struct wb_inbound *in = &conf->inbounds[i];
        enum wb_verdict v;

        if (!wb_strings_hold(&in->domains, recipient->domain))
            continue;
        v = wb_pattern_search(in->pattern, recipient->text, &m->budget);
        if (v != WB_NO)
            return v;
    }
    return m->walk.is_stopped ? WB_RETRY : WB_NO;
}
