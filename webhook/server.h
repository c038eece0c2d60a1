/* What all connections of the MTA share, and the threads that serve them. */
#ifndef WB_WEBHOOK_SERVER_H
#define WB_WEBHOOK_SERVER_H

#include <pthread.h>

#include "conf/conf.h"
#include "webhook/gate.h"
#include "webhook/post.h"

/* A connection and its thread. */
struct wb_connection {
    struct wb_server *server;
    struct wb_connection *next, **at; /* in the server's list */
    int fd;
};

struct wb_server {
    char host[256]; /* the name that it greets with */
    struct wb_poster *poster;
    struct wb_gate *gate;
    unsigned max_connections;

    pthread_mutex_t lock;       /* of what follows */
    pthread_cond_t is_alone;    /* the last connection has ended */
    const struct wb_conf *conf; /* in force */
    struct wb_connection *connections;
    unsigned connection_count;
};

/* Takes over the reference to conf.
 * Returns EX_OK, EX_OSERR or EX_UNAVAILABLE with *err; wb_server_free is due
 * in any case. */
int wb_server_init(struct wb_server *server, const struct wb_conf *conf,
                   struct wb_err *err);
void wb_server_free(struct wb_server *server);

/* A reference to the configuration in force. */
const struct wb_conf *wb_server_conf(struct wb_server *server);

/* From the next message on, conf is in force. Takes over the reference. */
void wb_server_set_conf(struct wb_server *server, const struct wb_conf *conf);

/* Take one connection that waits at listen_fd, and serve it in a thread of its
 * own. Too many, or no memory: it is told 421. */
void wb_server_accept(struct wb_server *server, int listen_fd);

/* Take no more from the connections, let what is being posted come to its
 * end, but wait at most wait_s for that. Returns how many connections are
 * left; if there are any, nothing may be freed. */
unsigned wb_server_stop(struct wb_server *server, unsigned wait_s);

/* session.c: serve c until it ends. */
void wb_session_run(struct wb_connection *c);

#endif
