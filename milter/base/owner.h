/* Whose a daemon's files are, and how it stops being root. */
#ifndef WB_MILTER_BASE_OWNER_H
#define WB_MILTER_BASE_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct wb_owner {
    bool is_root;       /* started as root, so that the rest can be had */
    const char *option; /* by which the user is configured */
    const char *user;   /* NULL: stay as started */
    uid_t uid;
    gid_t gid;
    gid_t socket_gid; /* of the MTA's way in */
};

/* Look up user, which is configured as option (for the messages), and the
 * group of its socket; NULL: as started. *out keeps option and user.
 * Returns EX_OK, EX_CONFIG (no such user or group) or EX_NOPERM (a user is
 * configured but only root could become it), with *err. */
int wb_owner_find(const char *option, const char *user,
                  const char *socket_group, struct wb_owner *out,
                  struct wb_err *err);

/* Become owner->user for good: groups, gid, uid, no capabilities, no new
 * privileges; and prove that there is no way back. Without a user it stays who
 * it is, root as well, but without capabilities. Call while there is one thread
 * only. Returns EX_OK or EX_OSERR with *err. */
int wb_owner_become(const struct wb_owner *owner, struct wb_err *err);

/* Make the directory that path lies in, if it is missing, with this owner
 * and mode. One that exists is refused when it is a symbolic link, or when
 * others may write to it.
 * Returns EX_OK, EX_NOPERM or EX_CANTCREAT with *err. */
int wb_owner_make_directory(const struct wb_owner *owner, const char *path,
                            gid_t gid, mode_t mode, struct wb_err *err);

#endif
