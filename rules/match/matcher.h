/* The matching of one message. */
#ifndef WB_MATCH_MATCHER_H
#define WB_MATCH_MATCHER_H

#include "base/map.h"
#include "mail/envelope.h"
#include "match/walk.h"

/* A header as the criteria read it, kept because many rules ask for it. */
struct wb_read_header {
    const char *text; /* unfolded, decoded; NULL: not read yet */
    const char *const *addresses;
    size_t address_count;
};

/* The facts of a message, its limits, and what has been read and found out of
 * it so far. Not to be shared by threads. */
struct wb_matcher {
    const struct wb_envelope *envelope;
    struct wb_budget budget;
    size_t header_max_octets;    /* a longer value cannot be judged */
    struct wb_pool *pool;        /* of the message */
    struct wb_read_header *read; /* envelope->header_count of them, zeroed */
    struct wb_map known;         /* slot of a header criterion: what it said */
    struct wb_hits rule_hits;    /* of the message; NULL index: not begun */
    struct wb_hits inbound_hits;
    struct wb_hits recipient_hits; /* of the recipient at hand */
    struct wb_walk walk;
};

/* envelope must stay as it is. Returns false when out of memory. */
bool wb_matcher_begin(struct wb_matcher *m, const struct wb_envelope *envelope,
                      const struct wb_budget *budget, size_t header_max_octets,
                      struct wb_pool *pool);

#endif
