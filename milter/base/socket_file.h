/* A unix socket in the file system, on which a daemon listens. */
#ifndef WB_MILTER_BASE_SOCKET_FILE_H
#define WB_MILTER_BASE_SOCKET_FILE_H

#include <sys/un.h>

#include "milter/base/owner.h"

struct wb_socket_file {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": none */
    dev_t device;
    ino_t inode;
};

/* Take a path for a new unix socket: bounds, and a stale socket removed.
 * Returns EX_OK, or EX_UNAVAILABLE (a process answers there), EX_NOPERM,
 * EX_CANTCREAT (something else is there) or EX_CONFIG with *err. */
int wb_socket_file_claim(struct wb_socket_file *file, const char *path,
                         struct wb_err *err);

/* Listen at file->path, claimed before, with this mode. *out does not block;
 * the caller closes it, with EX_OSERR as well if it is not negative.
 * Returns EX_OK or EX_OSERR with *err. */
int wb_socket_file_listen(const struct wb_socket_file *file, mode_t mode,
                          int backlog, int *out, struct wb_err *err);

/* The socket at file->path exists now: give it away, and remember which it
 * is. Returns EX_OK or EX_OSERR with *err. */
int wb_socket_file_own(struct wb_socket_file *file,
                       const struct wb_owner *owner, gid_t gid,
                       struct wb_err *err);

/* Remove it if it is still the one that was opened. */
void wb_socket_file_remove(const struct wb_socket_file *file);

#endif
