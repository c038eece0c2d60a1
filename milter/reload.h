/* Taking a new configuration while running. */
#ifndef WB_MILTER_RELOAD_H
#define WB_MILTER_RELOAD_H

#include <stdio.h>

#include "conf/conf.h"

/* Load path and put it into force; a faulty one changes nothing. What
 * happened goes to the log and to answer: "ok" and warnings, or "error" and
 * every problem, a line each. */
void wb_reload(const char *path, FILE *answer);

#endif
