/* The inbound sections in an index, and what of a message finds them there. */
#ifndef WB_CONF_INBOUND_INDEX_H
#define WB_CONF_INBOUND_INDEX_H

#include "conf/conf.h"
#include "match/matcher.h"

/* Index conf->inbounds and their domains; freed with conf. Returns false when
 * out of memory. */
bool wb_inbounds_index(struct wb_conf *conf);

/* Walk over the sections that may be recipient's. has_headers: the message's
 * headers are known; without them, only what the envelope finds is walked
 * over. Returns false when out of memory. */
bool wb_inbounds_walk(const struct wb_conf *conf, struct wb_matcher *m,
                      const struct wb_address *recipient, bool has_headers);

#endif
