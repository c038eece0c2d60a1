/* The socket that the MTA connects to, and what unix sockets have in common. */
#ifndef WB_MILTER_SOCKET_H
#define WB_MILTER_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "milter/owner.h"

/* A unix socket in the file system. */
struct wb_socket_file {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": none */
    dev_t device;
    ino_t inode;
};

struct wb_socket {
    struct wb_socket_file file;      /* none for inet: and inet6: */
    struct sockaddr_storage address; /* where it listens */
    socklen_t address_octets;
};

/* Open the socket that conf says by smfi_opensocket: the directory made, a
 * socket that nobody answers on removed, owner, group and mode set, and
 * TCP_NODELAY, without which each change of a message costs 44 ms.
 * Call after smfi_register, before there is a second descriptor that listens.
 * Returns EX_OK, or EX_UNAVAILABLE (somebody answers there), EX_NOPERM,
 * EX_CANTCREAT, EX_CONFIG or EX_OSERR with *err. */
int wb_socket_open(const struct wb_conf *conf, const struct wb_owner *owner,
                   struct wb_socket *out, struct wb_err *err);

/* Make libmilter look up from its poll, by a connection that says nothing. */
void wb_socket_wake(const struct wb_socket *s);

/* Take a path for a new unix socket: bounds, and a stale socket removed.
 * Returns as wb_socket_open. */
int wb_socket_file_claim(struct wb_socket_file *file, const char *path,
                         struct wb_err *err);

/* The socket at file->path exists now: give it away, and remember which it
 * is. Returns EX_OK or EX_OSERR with *err. */
int wb_socket_file_own(struct wb_socket_file *file,
                       const struct wb_owner *owner, gid_t gid,
                       struct wb_err *err);

/* Remove it if it is still the one that was opened. */
void wb_socket_file_remove(const struct wb_socket_file *file);

#endif
