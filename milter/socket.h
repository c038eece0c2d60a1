/* The socket that the MTA connects to. */
#ifndef WB_MILTER_SOCKET_H
#define WB_MILTER_SOCKET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "conf/conf.h"
#include "milter/base/socket_file.h"

struct wb_socket {
    struct wb_socket_file file;      /* none for inet: and inet6: */
    struct sockaddr_storage address; /* where it listens */
    socklen_t address_octets;
    in_port_t port; /* 0: a unix socket */
    int wake_fd;    /* -1: a unix socket */
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

/* Remove a unix socket, if it is still the one that was opened. libmilter
 * closes what it listens on. */
void wb_socket_close(struct wb_socket *s);

#endif
