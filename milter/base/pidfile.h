/* The pid file; its lock keeps a second daemon of one configuration away. */
#ifndef WB_MILTER_BASE_PIDFILE_H
#define WB_MILTER_BASE_PIDFILE_H

#include "milter/base/owner.h"

struct wb_pidfile {
    char *path; /* NULL: none */
    int fd;     /* locked as long as the daemon lives */
};

/* Lock path and write our process id; one that is left from a dead daemon is
 * overwritten. path (NULL or "": none is written) is copied, because the
 * configuration that it stands in may go at a reload. wb_pidfile_close must
 * follow EX_OK. Returns EX_OK, EX_UNAVAILABLE (a daemon lives), EX_CANTCREAT or
 * EX_OSERR with *err. */
int wb_pidfile_open(const char *path, const struct wb_owner *owner,
                    struct wb_pidfile *out, struct wb_err *err);

/* Remove it, or empty it where the daemon's user may not. */
void wb_pidfile_close(struct wb_pidfile *file);

#endif
