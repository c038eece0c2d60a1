#include "match/headers.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/header.h"

enum { HEADER_MAX_ADDRESSES = 1000 };

static bool fail(struct wb_matcher *m, const char *cause)
{
    (void)wb_budget_retry(&m->budget, cause);
    return false;
}

/* Decode a header on its first use. False: longer than the bound, where a
 * "no" could pick the wrong route, or out of memory. */
static bool read_header(struct wb_matcher *m, size_t i)
{
    const char *value = m->envelope->headers[i].value;
    struct wb_read_header *h = &m->read[i];

    if (h->text != NULL)
        return true;
    if (strlen(value) > m->header_max_octets)
        return fail(m, "a header is too long to be judged");
    if (wb_header_addresses(m->pool, value, HEADER_MAX_ADDRESSES, &h->addresses,
                            &h->address_count) != EX_OK)
        return fail(m, "out of memory");
    h->text = wb_header_decode(m->pool, value, m->header_max_octets);
    return h->text != NULL || fail(m, "out of memory");
}

static enum wb_verdict header_matches(const struct wb_read_header *h,
                                      const struct wb_pattern *pattern,
                                      struct wb_budget *budget)
{
    enum wb_verdict v = wb_pattern_search(pattern, h->text, budget);

    for (size_t i = 0; v == WB_NO && i < h->address_count; i++)
        v = wb_pattern_is_whole(pattern, h->addresses[i], budget);
    return v;
}

static enum wb_verdict search_headers(struct wb_matcher *m, const char *name,
                                      const struct wb_pattern *pattern)
{
    enum wb_verdict v = WB_NO;

    for (size_t i = 0; v == WB_NO && i < m->envelope->header_count; i++) {
        if (strcasecmp(m->envelope->headers[i].name, name) != 0)
            continue;
        if (!read_header(m, i))
            return WB_RETRY;
        v = header_matches(&m->read[i], pattern, &m->budget);
    }
    return v;
}

enum wb_verdict wb_headers_match(struct wb_matcher *m, uint32_t slot,
                                 const char *name,
                                 const struct wb_pattern *pattern)
{
    const uint32_t *known = wb_map_find(&m->known, slot);
    enum wb_verdict v;

    if (known != NULL)
        return (enum wb_verdict) * known;
    v = search_headers(m, name, pattern);
    return wb_map_put(&m->known, slot, v)
               ? v
               : wb_budget_retry(&m->budget, "out of memory");
}

void wb_headers_describe(struct wb_terms *terms, const char *name,
                         const struct wb_pattern *pattern)
{
    wb_terms_add_pattern(terms, wb_term_of(WB_TERM_HEADER_TEXT, name),
                         wb_pattern_source(pattern));
    wb_terms_also(terms, wb_term_of(WB_TERM_HEADER_NAME, name));
}

static bool look_up(const struct wb_read_header *h, struct wb_term field,
                    struct wb_hits *hits)
{
    bool done = wb_hits_add_text(hits, field, h->text);

    for (size_t i = 0; done && i < h->address_count; i++)
        done = wb_hits_add_text(hits, field, h->addresses[i]);
    return done;
}

bool wb_headers_look_up(struct wb_matcher *m, struct wb_hits *hits)
{
    bool done = true;

    for (size_t i = 0; done && i < m->envelope->header_count; i++) {
        const char *name = m->envelope->headers[i].name;
        struct wb_term all = wb_term_of(WB_TERM_HEADER_NAME, name);

        if (wb_index_find(hits->index, all) == WB_NOT_FOUND)
            continue;
        if (read_header(m, i))
            done = look_up(&m->read[i], wb_term_of(WB_TERM_HEADER_TEXT, name),
                           hits);
        else
            done = wb_hits_add(hits, all);
    }
    return done;
}
