#include "match/matcher.h"

bool wb_matcher_begin(struct wb_matcher *m, const struct wb_envelope *envelope,
                      const struct wb_budget *budget, size_t header_max_octets,
                      struct wb_pool *pool)
{
    *m = (struct wb_matcher){
        .envelope = envelope,
        .budget = *budget,
        .header_max_octets = header_max_octets,
        .pool = pool,
        .read = wb_pool_array(pool, envelope->header_count, sizeof m->read[0]),
        .known.pool = pool,
        .rule_hits.lists.pool = pool,
        .inbound_hits.lists.pool = pool,
        .recipient_hits.lists.pool = pool,
        .walk.pool = pool,
    };
    m->walk.budget = &m->budget;
    return m->read != NULL;
}
