#include "conf/inbound_index.h"

#include <stdlib.h>
#include <string.h>

#include "match/headers.h"

/* By its domains, or by what its pattern needs where it is tried. */
static void describe(const void *inbounds, size_t i, struct wb_terms *terms)
{
    const struct wb_inbound *in = &((const struct wb_inbound *)inbounds)[i];

    wb_terms_criterion(terms);
    for (size_t d = 0; d < in->domains.count; d++)
        wb_terms_add(terms, wb_term_of(WB_TERM_DOMAIN, in->domains.items[d]));
    wb_terms_criterion(terms);
    if (in->match_on != WB_ON_HEADER)
        wb_terms_add_pattern(terms,
                             wb_term_of(WB_TERM_RECIPIENT + WB_TERM_TEXT, ""),
                             wb_pattern_source(in->pattern));
    if (in->match_on != WB_ON_ENVELOPE)
        wb_headers_describe(terms, in->header_name, in->pattern);
}

static int by_name(const void *left, const void *right)
{
    const struct wb_inbound_domain *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : b->reads_headers - a->reads_headers;
}

static bool collect_domains(struct wb_conf *conf)
{
    struct wb_inbound_domain *all;
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < conf->inbound_count; i++)
        count += conf->inbounds[i].domains.count;
    conf->inbound_domains = all = calloc(count + 1, sizeof *all);
    if (all == NULL)
        return false;
    count = 0;
    for (size_t i = 0; i < conf->inbound_count; i++)
        for (size_t d = 0; d < conf->inbounds[i].domains.count; d++)
            all[count++] = (struct wb_inbound_domain){
                conf->inbounds[i].domains.items[d],
                conf->inbounds[i].match_on != WB_ON_ENVELOPE};
    qsort(all, count, sizeof *all, by_name);
    /* of equal ones the first, which says yes if any does */
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(all[i].name, all[kept - 1].name) != 0)
            all[kept++] = all[i];
    conf->inbound_domain_count = kept;
    return true;
}

bool wb_inbounds_index(struct wb_conf *conf)
{
    conf->inbound_index =
        wb_index_new(conf->inbounds, conf->inbound_count, describe);
    return conf->inbound_index != NULL && collect_domains(conf);
}

bool wb_inbounds_walk(const struct wb_conf *conf, struct wb_matcher *m,
                      const struct wb_address *recipient, bool has_headers)
{
    struct wb_hits *hits = &m->inbound_hits, *more = &m->recipient_hits;

    if (conf->inbound_index == NULL) {
        wb_walk_all(&m->walk, conf->inbound_count);
        return true;
    }
    if (hits->index == NULL) {
        wb_hits_begin(hits, conf->inbound_index);
        if (has_headers && !wb_headers_look_up(m, hits)) {
            hits->index = NULL;
            return false;
        }
    }
    wb_hits_begin(more, conf->inbound_index);
    return wb_hits_add(more, wb_term_of(WB_TERM_DOMAIN, recipient->domain)) &&
           wb_hits_add_text(more,
                            wb_term_of(WB_TERM_RECIPIENT + WB_TERM_TEXT, ""),
                            recipient->text) &&
           wb_walk_hits(&m->walk, hits, more);
}
