/* Password files, which only `maps`, `apply` and `test` read. */
#ifndef WB_MAPS_PASSWORD_H
#define WB_MAPS_PASSWORD_H

#include "base/err.h"
#include "base/pool.h"

enum { WB_PASSWORD_MAX_OCTETS = 255 };

/* Read the first line of path into *out (in pool).
 * Refused: not a regular file, others may read or write it, the group may
 * write it, an empty or overlong line, control characters, blanks at either
 * end (a Postfix table loses them).
 * Returns EX_OK, EX_NOINPUT, EX_NOPERM or EX_CONFIG with *err, which never
 * quotes the password. */
int wb_password_read(struct wb_pool *pool, const char *path, const char **out,
                     struct wb_err *err);

#endif
