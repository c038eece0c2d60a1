/* The configuration in force. libmilter gives its callbacks no pointer of
 * ours before the first session exists, so this is the one global. */
#ifndef WB_MILTER_CURRENT_H
#define WB_MILTER_CURRENT_H

#include "conf/conf.h"

/* Put conf (NULL: none) into force. Takes over the caller's reference and
 * drops the one to what was in force before. Any thread. */
void wb_current_set(const struct wb_conf *conf);

/* A reference to what is in force, for wb_conf_unref; NULL when nothing is.
 * Any thread. */
const struct wb_conf *wb_current_ref(void);

#endif
