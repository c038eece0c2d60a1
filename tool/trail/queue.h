/* What the MTA's queue holds of a message. */
#ifndef WB_TRAIL_QUEUE_H
#define WB_TRAIL_QUEUE_H

#include <jansson.h>

#include "conf/conf.h"

/* A list of objects with queue_id, queue ("deferred", ...) and recipients
 * (recipient, why: null or why it is still there) for those of ids that are
 * queued; NULL with *err when the MTA does not tell, or is not Postfix. The
 * caller drops it with json_decref. */
json_t *wb_queue_look(const struct wb_conf *conf, const char *const *ids,
                      size_t count, struct wb_pool *p, struct wb_err *err);

#endif
