#include "webhook/server.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "milter/base/log.h"

enum {
    STACK_OCTETS = 1024 * 1024, /* room, not memory, until it is used */
    NO_DESCRIPTOR_WAIT_MS = 100,
};

int wb_server_init(struct wb_server *s, const struct wb_conf *conf,
                   struct wb_err *err)
{
    pthread_condattr_t clock;

    memset(s, 0, sizeof *s);
    s->conf = conf;
    s->max_connections = conf->lmtp_max_connections;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&s->is_alone, &clock);
    pthread_condattr_destroy(&clock);
    if (gethostname(s->host, sizeof s->host - 1) != 0)
        strcpy(s->host, "localhost");
    s->gate = wb_gate_new(s->max_connections);
    if (s->gate == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    return wb_poster_new(&s->poster, err);
}

void wb_server_free(struct wb_server *s)
{
    wb_poster_free(s->poster);
    wb_gate_free(s->gate);
    wb_conf_unref(s->conf);
    pthread_cond_destroy(&s->is_alone);
    pthread_mutex_destroy(&s->lock);
}

const struct wb_conf *wb_server_conf(struct wb_server *s)
{
    const struct wb_conf *conf;

    pthread_mutex_lock(&s->lock);
    conf = wb_conf_ref(s->conf);
    pthread_mutex_unlock(&s->lock);
    return conf;
}

void wb_server_set_conf(struct wb_server *s, const struct wb_conf *conf)
{
    const struct wb_conf *old;

    pthread_mutex_lock(&s->lock);
    old = s->conf;
    s->conf = conf;
    pthread_mutex_unlock(&s->lock);
    /* Kept connections know their webhook by its place in memory. */
    wb_poster_forget(s->poster);
    wb_conf_unref(old);
}

/* ---- connections -------------------------------------------------------- */

/* Returns false when there are too many. */
static bool join(struct wb_connection *c)
{
    struct wb_server *s = c->server;
    bool has_room;

    pthread_mutex_lock(&s->lock);
    has_room = s->connection_count < s->max_connections;
    if (has_room) {
        c->next = s->connections;
        c->at = &s->connections;
        if (c->next != NULL)
            c->next->at = &c->next;
        s->connections = c;
        s->connection_count++;
    }
    pthread_mutex_unlock(&s->lock);
    return has_room;
}

static void leave(struct wb_connection *c)
{
    struct wb_server *s = c->server;

    pthread_mutex_lock(&s->lock);
    *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
    close(c->fd); /* no other thread may find its number taken again */
    if (--s->connection_count == 0)
        pthread_cond_broadcast(&s->is_alone);
    pthread_mutex_unlock(&s->lock);
    free(c);
}

static void *run(void *argument)
{
    wb_session_run(argument);
    OPENSSL_thread_stop(); /* before the last one says that it is gone */
    leave(argument);
    return NULL;
}

static bool start_thread(struct wb_connection *c)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool ok;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    ok = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) ==
             0 &&
         pthread_attr_setstacksize(&attributes, STACK_OCTETS) == 0 &&
         pthread_create(&thread, &attributes, run, c) == 0;
    pthread_attr_destroy(&attributes);
    return ok;
}

static void send_away(int fd)
{
    static const char reply[] = "421 4.3.2 too many connections\r\n";

    (void)send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

void wb_server_accept(struct wb_server *s, int listen_fd)
{
    struct wb_connection *c;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            (void)poll(NULL, 0, NO_DESCRIPTOR_WAIT_MS);
        return;
    }
    c = calloc(1, sizeof *c);
    if (c != NULL)
        *c = (struct wb_connection){.server = s, .fd = fd};
    if (c == NULL || !join(c)) {
        wb_log(LOG_WARNING, "more than %u connections: one is sent away",
               s->max_connections);
        send_away(fd);
        free(c);
    } else if (!start_thread(c)) {
        wb_log(LOG_ERR, "no thread for a connection");
        leave(c);
    }
}

/* ---- the end ------------------------------------------------------------ */

static struct timespec after_s(unsigned seconds)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)seconds;
    return t;
}

unsigned wb_server_stop(struct wb_server *s, unsigned wait_s)
{
    struct timespec until = after_s(wait_s);
    unsigned left;
    int late = 0;

    pthread_mutex_lock(&s->lock);
    /* They read the end of their input; what they write still goes out. */
    for (const struct wb_connection *c = s->connections; c != NULL; c = c->next)
        (void)shutdown(c->fd, SHUT_RD);
    while (s->connection_count > 0 && late == 0)
        late = pthread_cond_timedwait(&s->is_alone, &s->lock, &until);
    left = s->connection_count;
    pthread_mutex_unlock(&s->lock);
    return left;
}
