/* Whose the daemon's files are, and how it stops being root. */
#ifndef WB_MILTER_OWNER_H
#define WB_MILTER_OWNER_H

#include "conf/conf.h"

struct wb_owner {
    bool is_root;     /* started as root, so that the rest can be had */
    const char *user; /* NULL: stay as started */
    uid_t uid;
    gid_t gid;
    gid_t socket_gid; /* of the milter socket */
};

/* Who conf says. out->user points into conf.
 * Returns EX_OK, EX_CONFIG (no such user or group) or EX_NOPERM (a user is
 * configured but only root could become it), with *err. */
int wb_owner_find(const struct wb_conf *conf, struct wb_owner *out,
                  struct wb_err *err);

/* Become owner->user for good: groups, gid, uid, no new privileges; and prove
 * that there is no way back. Call while there is one thread only.
 * Returns EX_OK or EX_OSERR with *err. */
int wb_owner_become(const struct wb_owner *owner, struct wb_err *err);

/* Make the directory that path lies in, if it is missing, with this owner
 * and mode. One that exists is refused when it is a symbolic link, or when
 * others may write to it.
 * Returns EX_OK, EX_NOPERM or EX_CANTCREAT with *err. */
int wb_owner_make_directory(const struct wb_owner *owner, const char *path,
                            gid_t gid, mode_t mode, struct wb_err *err);

#endif
