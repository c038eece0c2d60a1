/* How Postfix's smtp(8) introduces itself, so that a test does the same. */
#ifndef WB_TEST_SOURCE_H
#define WB_TEST_SOURCE_H

#include "base/err.h"
#include "tool/test/dialogue.h"

/* Ask the Postfix whose configuration is in dir. NULL: there is none; then
 * this host's name and any address. Lives in pool.
 * Returns EX_OK, or EX_UNAVAILABLE or EX_CONFIG with *err and *out as without
 * a Postfix. */
int wb_source_read(struct wb_pool *pool, const char *dir, struct wb_source *out,
                   struct wb_err *err);

#endif
