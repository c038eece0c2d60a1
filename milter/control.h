/* The control socket: a line asks, the answer follows, the connection ends.
 *     reload   "ok" and warnings, or "error" and the problems, a line each
 *     ping     "ok PID VERSION"
 *     status   a JSON object
 *     metrics  the same for Prometheus, in its text format
 * Who can connect may ask; reload is for root and the daemon's user alone. */
#ifndef WB_MILTER_CONTROL_H
#define WB_MILTER_CONTROL_H

#include <pthread.h>

#include "milter/socket.h"

struct wb_control {
    struct wb_socket_file file;
    const char *config_path; /* what reload reads */
    int listen_fd;           /* -1: there is none */
    int stop_fd;
    pthread_t thread;
    bool is_running;
};

/* Open the socket that conf says: the daemon's user's, mode 0600, or with a
 * control_group that group's, mode 0660. Without one in conf nothing happens.
 * config_path must outlive *out. Returns as wb_socket_open. */
int wb_control_open(const struct wb_conf *conf, const struct wb_owner *owner,
                    const char *config_path, struct wb_control *out,
                    struct wb_err *err);

/* Answer from a thread of its own. *control must stay where it is.
 * Returns EX_OK or EX_OSERR with *err. */
int wb_control_start(struct wb_control *control, struct wb_err *err);

/* End the thread, close and remove the socket. */
void wb_control_close(struct wb_control *control);

#endif
