/* The configuration in force. libmilter gives its callbacks no pointer of
 * ours before the first session exists, so this is the one global. */
#ifndef WB_MILTER_CURRENT_H
#define WB_MILTER_CURRENT_H

#include "conf/conf.h"

/* Put conf (NULL: none) into force. Takes over the caller's reference and
 * keeps the one to what was in force before, for wb_current_sweep. Any
 * thread. */
void wb_current_set(const struct wb_conf *conf);

/* Free what was in force and is used by no message any more. Freeing 100,000
 * rules takes its time, which is not to be a message's. Returns whether some
 * is still used. Any thread. */
bool wb_current_sweep(void);

/* A reference to what is in force, for wb_conf_unref; NULL when nothing is.
 * Any thread. */
const struct wb_conf *wb_current_ref(void);

#endif
