#include "tool/maps/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tool/maps/memory.h"

/* The parent's ends of the child's three streams. */
struct streams {
    int fd[3];
    struct wb_text text[3]; /* [1] and [2] are used */
    size_t got;
    const char *input;
};

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Postfix's tools live in sbin, which a user's PATH may lack. */
static char *const *environment(struct wb_pool *pool)
{
    const char *path = getenv("PATH");
    char **env = wb_must(wb_pool_array(pool, 3, sizeof *env));

    env[0] =
        wb_say(pool, "PATH=%s%s/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
               path == NULL ? "" : path, path == NULL ? "" : ":");
    env[1] = wb_say(pool, "LC_ALL=C");
    return env;
}

static int spawn(struct wb_pool *pool, const struct wb_run *run,
                 const int child[3], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    char *const *env = environment(pool);
    char **argv = (char **)(uintptr_t)run->argv;
    int why;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, child[i], i);
    why = posix_spawnp(pid, argv[0], &actions, &attributes, argv, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return why;
}

/* Pipes for the three streams, parent's ends non-blocking. */
static bool open_pipes(int parent[3], int child[3])
{
    for (int i = 0; i < 3; i++) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        parent[i] = ends[i == 0 ? 1 : 0];
        child[i] = ends[i == 0 ? 0 : 1];
        fcntl(parent[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

static void feed(struct streams *s)
{
    size_t left = s->input == NULL ? 0 : strlen(s->input);
    ssize_t put = left == 0 ? 0 : write(s->fd[0], s->input, left);

    if (put > 0)
        s->input += put;
    if (left == 0 || (size_t)(put > 0 ? put : 0) == left ||
        (put < 0 && errno != EAGAIN && errno != EINTR))
        shut(&s->fd[0]);
}

static void drink(struct streams *s, int which)
{
    char octets[65536];
    ssize_t got = read(s->fd[which], octets, sizeof octets);

    if (got > 0) {
        fwrite(octets, 1, (size_t)got, s->text[which].file);
        s->got += (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        shut(&s->fd[which]);
    }
}

static long left_ms(const struct timespec *deadline)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (deadline->tv_sec - now.tv_sec) * 1000 +
           (deadline->tv_nsec - now.tv_nsec) / 1000000;
}

/* Returns false when the deadline or the bound of octets is passed. */
static bool talk(struct streams *s)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += WB_RUN_TIMEOUT_S;
    while (s->fd[1] >= 0 || s->fd[2] >= 0) {
        struct pollfd p[3] = {{s->fd[0], POLLOUT, 0},
                              {s->fd[1], POLLIN, 0},
                              {s->fd[2], POLLIN, 0}};
        long left = left_ms(&deadline);

        if (left <= 0 || s->got > WB_RUN_MAX_OCTETS)
            return false;
        if (poll(p, 3, (int)left) < 0)
            continue;
        if (p[0].revents != 0)
            feed(s);
        for (int i = 1; i < 3; i++) {
            if (p[i].revents != 0)
                drink(s, i);
        }
    }
    return true;
}

static int reap(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wb_run(struct wb_pool *pool, struct wb_run *run, struct wb_err *err)
{
    struct streams s = {.fd = {-1, -1, -1}, .input = run->input};
    int child[3] = {-1, -1, -1};
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    bool is_whole = false;
    pid_t pid = -1;
    int why = open_pipes(s.fd, child) ? 0 : errno;

    wb_text_open(&s.text[1]);
    wb_text_open(&s.text[2]);
    if (why == 0)
        why = spawn(pool, run, child, &pid);
    for (int i = 0; i < 3; i++)
        shut(&child[i]);
    if (why == 0) {
        is_whole = talk(&s);
        if (!is_whole)
            kill(pid, SIGKILL);
        run->status = reap(pid);
    }
    for (int i = 0; i < 3; i++)
        shut(&s.fd[i]);
    run->out = wb_text_close(&s.text[1], pool);
    run->errors = wb_text_close(&s.text[2], pool);
    signal(SIGPIPE, old);
    if (why != 0)
        return wb_err_set(err, EX_UNAVAILABLE, "%s: %s", run->argv[0],
                          strerror(why));
    if (!is_whole)
        return wb_err_set(err, EX_UNAVAILABLE,
                          "%s: took longer than %d s, or said too much",
                          run->argv[0], WB_RUN_TIMEOUT_S);
    return EX_OK;
}

const char *wb_run_errors(struct wb_pool *pool, const struct wb_run *run)
{
    size_t octets = strlen(run->errors);

    while (octets > 0 && run->errors[octets - 1] == '\n')
        octets--;
    if (octets == 0)
        return wb_say(pool, "exit status %d", run->status);
    return wb_substitute(pool, wb_slice(pool, run->errors, 0, octets), "\n",
                         "; ");
}
