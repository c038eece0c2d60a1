/* Patterns that are tried on header fields. */
#ifndef WB_MATCH_HEADERS_H
#define WB_MATCH_HEADERS_H

#include "match/matcher.h"

/* Does pattern match a header named name? On each decoded, unfolded value:
 * somewhere; on each address in it: the whole. slot is the criterion's own: it
 * is asked once a message, however many recipients there are. WB_RETRY: a
 * limit was hit, the value is longer than header_max_octets, or out of
 * memory. */
enum wb_verdict wb_headers_match(struct wb_matcher *m, uint32_t slot,
                                 const char *name,
                                 const struct wb_pattern *pattern);

/* Index a criterion of this kind: add its entries. */
void wb_headers_describe(struct wb_terms *terms, const char *name,
                         const struct wb_pattern *pattern);

/* Look up what such criteria may match in this message. A header that cannot be
 * read leads to all of them that ask for it: they will tell. Returns false when
 * out of memory. */
bool wb_headers_look_up(struct wb_matcher *m, struct wb_hits *hits);

#endif
