/* The rules in an index, and what of a message finds them there. */
#ifndef WB_MATCH_RULE_INDEX_H
#define WB_MATCH_RULE_INDEX_H

#include "match/matcher.h"
#include "match/rule.h"

/* Index rules, which must be sorted; wb_rules_index_free frees it.
 * Returns false when out of memory. */
bool wb_rules_index(struct wb_rules *rules);
void wb_rules_index_free(struct wb_rules *rules);

/* Walk over the rules that may match: all of them without an index. Returns
 * false when out of memory. */
bool wb_rules_walk(const struct wb_rules *rules, const struct wb_rule_query *q,
                   struct wb_walk *walk);

/* For other indexes: look up an address, whose kind is WB_TERM_RECIPIENT or
 * WB_TERM_SENDER, or only what patterns may match in it. */
bool wb_address_look_up(const struct wb_address *a, unsigned kind,
                        struct wb_hits *hits);

#endif
