#include "milter/control.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "milter/base/log.h"
#include "milter/current.h"
#include "milter/reload.h"
#include "milter/status.h"

enum {
    PEER_LIMIT_MS = 10000, /* for a question, and again for an answer */
    QUESTION_MAX_OCTETS = 64,
    DIRECTORY_MODE = 0755,
    SOCKET_MODE = 0600,
    GROUP_SOCKET_MODE = 0660,
    BACKLOG = 8,
    SWEEP_MS = 1000,
};

/* ---- one connection ---- */

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until fd is ready for events. Returns false at the deadline, or when
 * the daemon stops. */
static bool wait_for(const struct wb_control *c, int fd, short events,
                     long deadline_ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = events},
                           {.fd = c->stop_fd, .events = POLLIN}};
    long left_ms = deadline_ms - now_ms();

    return left_ms > 0 && poll(fds, 2, (int)left_ms) > 0 && fds[1].revents == 0;
}

/* The line without its end. Returns false when none came. */
static bool read_question(const struct wb_control *c, int fd, char *line)
{
    long deadline_ms = now_ms() + PEER_LIMIT_MS;
    size_t used = 0;

    while (used < QUESTION_MAX_OCTETS && wait_for(c, fd, POLLIN, deadline_ms)) {
        ssize_t n = read(fd, line + used, QUESTION_MAX_OCTETS - used);
        char *end;

        if (n <= 0)
            return false;
        end = memchr(line + used, '\n', (size_t)n);
        used += (size_t)n;
        if (end != NULL) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

static void write_answer(const struct wb_control *c, int fd, const char *text,
                         size_t octets)
{
    long deadline_ms = now_ms() + PEER_LIMIT_MS;

    while (octets > 0 && wait_for(c, fd, POLLOUT, deadline_ms)) {
        ssize_t n = send(fd, text, octets, MSG_NOSIGNAL);

        if (n < 0)
            return;
        text += n;
        octets -= (size_t)n;
    }
}

/* The daemon's own user, or root; the group may only look. */
static bool may_command(int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t octets = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &octets) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void answer(const struct wb_control *c, int fd, const char *question,
                   FILE *out)
{
    if (strcmp(question, "reload") == 0 && !may_command(fd))
        fputs("error\nreload: only root and the milter's user may\n", out);
    else if (strcmp(question, "reload") == 0)
        wb_reload(c->config_path, out);
    else if (strcmp(question, "status") == 0)
        wb_status_json(out);
    else if (strcmp(question, "metrics") == 0)
        wb_status_metrics(out);
    else if (strcmp(question, "ping") == 0)
        fprintf(out, "ok %ld %s\n", (long)getpid(), WB_VERSION);
    else
        fputs("error\nunknown command; \"reload\", \"status\", \"metrics\" or "
              "\"ping\" is right\n",
              out);
}

static void serve(const struct wb_control *c, int fd)
{
    char question[QUESTION_MAX_OCTETS];
    char *text = NULL;
    size_t octets = 0;
    FILE *out;

    if (!read_question(c, fd, question))
        return;
    out = open_memstream(&text, &octets);
    if (out == NULL)
        return;
    answer(c, fd, question, out);
    if (fclose(out) == 0)
        write_answer(c, fd, text, octets);
    free(text);
}

/* ---- the thread ---- */

static void *run(void *argument)
{
    const struct wb_control *c = argument;
    struct pollfd fds[] = {{.fd = c->listen_fd, .events = POLLIN},
                           {.fd = c->stop_fd, .events = POLLIN}};

    for (;;) {
        /* what a reload left behind ends with its last message */
        int timeout_ms = wb_current_sweep() ? SWEEP_MS : -1;
        int ready = poll(fds, 2, timeout_ms);
        int fd;

        if ((ready < 0 && errno != EINTR) || fds[1].revents != 0)
            return NULL;
        if (ready <= 0)
            continue;
        fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            serve(c, fd);
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            (void)poll(fds + 1, 1, 1000); /* until a session ends */
        }
    }
}

static int find_group(const char *name, gid_t *out, struct wb_err *err)
{
    const struct group *found = getgrnam(name);

    if (found == NULL)
        return wb_err_set(err, EX_CONFIG,
                          "control_group: there is no group \"%s\"; one that "
                          "exists is right",
                          name);
    *out = found->gr_gid;
    return EX_OK;
}

static int listen_at(struct wb_control *c, mode_t mode, struct wb_err *err)
{
    c->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (c->stop_fd < 0)
        return wb_err_set(err, EX_OSERR, "%s: cannot be opened: %s",
                          c->file.path, strerror(errno));
    return wb_socket_file_listen(&c->file, mode, BACKLOG, &c->listen_fd, err);
}

int wb_control_open(const struct wb_conf *conf, const struct wb_owner *owner,
                    const char *config_path, struct wb_control *out,
                    struct wb_err *err)
{
    const char *path = conf->control_socket;
    bool has_group =
        conf->control_group != NULL && *conf->control_group != '\0';
    gid_t gid = owner->gid;
    int code = EX_OK;

    memset(out, 0, sizeof *out);
    out->config_path = config_path;
    out->listen_fd = -1;
    out->stop_fd = -1;
    if (path == NULL || *path == '\0')
        return EX_OK;
    if (has_group)
        code = find_group(conf->control_group, &gid, err);
    if (code == EX_OK)
        code = wb_owner_make_directory(owner, path, owner->gid, DIRECTORY_MODE,
                                       err);
    if (code == EX_OK)
        code = wb_socket_file_claim(&out->file, path, err);
    if (code == EX_OK)
        code = listen_at(out, has_group ? GROUP_SOCKET_MODE : SOCKET_MODE, err);
    if (code == EX_OK)
        code = wb_socket_file_own(&out->file, owner, gid, err);
    return code;
}

int wb_control_start(struct wb_control *control, struct wb_err *err)
{
    sigset_t all;
    sigset_t old;
    int error;

    if (control->listen_fd < 0)
        return EX_OK;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&control->thread, NULL, run, control);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    control->is_running = error == 0;
    return error == 0 ? EX_OK
                      : wb_err_set(err, EX_OSERR, "control_socket: %s",
                                   strerror(error));
}

void wb_control_close(struct wb_control *control)
{
    if (control->is_running) {
        (void)eventfd_write(control->stop_fd, 1);
        pthread_join(control->thread, NULL);
        control->is_running = false;
    }
    wb_socket_file_remove(&control->file);
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->stop_fd >= 0)
        close(control->stop_fd);
    control->listen_fd = -1;
    control->stop_fd = -1;
}
