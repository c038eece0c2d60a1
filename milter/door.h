/* The listeners that waybill generates, as connections come in by them: how
 * many are in, and when the next message may come. What is kept of a listener
 * outlives a reload, which may change its limits, and is found by its name. */
#ifndef WB_MILTER_DOOR_H
#define WB_MILTER_DOOR_H

#include "milter/base/pace.h"
#include "plan/plan.h"

struct wb_door;

/* One connection. Zeroed, it came in by no such listener. Used by one thread
 * at a time. */
struct wb_visit {
    struct wb_door *door;
    const struct wb_reply *refusal; /* it did not get in */
    struct wb_turn turn;            /* of the message, with a door only */
};

/* A connection comes in by this listener (NULL: not known); visit is zeroed or
 * ended. Returns NULL, or the reply that refuses it. */
const struct wb_reply *wb_visit_begin(struct wb_visit *visit,
                                      const struct wb_conf *conf,
                                      const char *listener);

/* A message is about to come: wait until it may, at most the listener's
 * max_wait_s. Asked again for the same message, it answers at once.
 * Returns NULL, or the reply that refuses it. */
const struct wb_reply *wb_visit_wait(struct wb_visit *visit,
                                     const struct wb_conf *conf,
                                     const char *listener);

/* The message has come, or will not come any more. */
void wb_visit_message_came(struct wb_visit *visit);
void wb_visit_message_lost(struct wb_visit *visit);

/* The connection ends. */
void wb_visit_end(struct wb_visit *visit);

#endif
