/* What libmilter calls. */
#ifndef WB_MILTER_CALLBACKS_H
#define WB_MILTER_CALLBACKS_H

#include <stdbool.h>

/* Register them. Returns whether libmilter took them. */
bool wb_callbacks_register(void);

#endif
