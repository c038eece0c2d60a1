#include "plan/inbound.h"

bool wb_inbound_has_domain(const struct wb_conf *conf, const char *domain)
{
    for (size_t i = 0; i < conf->inbound_count; i++)
        if (wb_strings_hold(&conf->inbounds[i].domains, domain))
            return true;
    return false;
}

/* The slots behind those of the rules are the inbound sections'. */
static enum wb_verdict by_header(const struct wb_conf *conf, size_t i,
                                 struct wb_matcher *m)
{
    const struct wb_inbound *in = &conf->inbounds[i];

    if (in->match_on == WB_ON_ENVELOPE)
        return WB_NO;
    return wb_headers_match(m, conf->rules.count + i, in->header_name,
                            in->pattern);
}

enum wb_verdict wb_inbound_find(const struct wb_conf *conf,
                                struct wb_matcher *m,
                                const struct wb_address *recipient,
                                const struct wb_inbound **out)
{
    *out = NULL;
    for (size_t i = 0; i < conf->inbound_count; i++) {
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
    return *out != NULL ? WB_YES : WB_NO;
}

enum wb_verdict wb_inbound_find_early(const struct wb_conf *conf,
                                      struct wb_budget *budget,
                                      const struct wb_address *recipient)
{
    for (size_t i = 0; i < conf->inbound_count; i++) {
        const struct wb_inbound *in = &conf->inbounds[i];
        enum wb_verdict v;

        if (!wb_strings_hold(&in->domains, recipient->domain))
            continue;
        if (in->match_on != WB_ON_ENVELOPE)
            return WB_YES;
        v = wb_pattern_search(in->pattern, recipient->text, budget);
        if (v != WB_NO)
            return v;
    }
    return WB_NO;
}
