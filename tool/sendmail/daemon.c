/* The daemon that runs by the site's sendmail.cf, and its queue. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/publish.h"
#include "tool/sendmail/site.h"

int wb_sm_daemon(struct wb_sm_site *site)
{
    const char *path = wb_sm_cf_option(site->pool, site->cf, "PidFile");
    char *text = NULL;
    long pid;

    if (path == NULL || wb_file_read(site->pool, path, &text, NULL) != EX_OK ||
        text == NULL)
        return 0;
    pid = strtol(text, NULL, 10);
    return pid > 1 && kill((pid_t)pid, 0) == 0 ? (int)pid : 0;
}

/* Connect to a listener of the configuration. Returns -1 when nobody is
 * there. */
static int reach(struct wb_pool *pool, const char *listener)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *place = NULL;
    int fd;

    if (getaddrinfo(wb_postfix_listener_host(pool, listener),
                    strrchr(listener, ':') + 1, &hints, &place) != 0)
        return -1;
    fd = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, place->ai_addr, place->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(place);
    return fd;
}

/* The greeting must come: a socket of the old daemon may be closing, and
 * another program at that place may say nothing. */
static bool listens(struct wb_pool *pool, const char *listener)
{
    const struct timeval patience = {.tv_sec = 5};
    int fd = reach(pool, listener);
    char octet;
    bool is_there = fd >= 0 &&
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
                               sizeof patience) == 0 &&
                    recv(fd, &octet, 1, 0) == 1 && octet == '2';

    if (fd >= 0)
        close(fd);
    return is_there;
}

bool wb_sm_is_taken(struct wb_sm_site *site, const char *listener)
{
    const char *ours = wb_say(site->pool, "Addr=%s, Port=%s,",
                              wb_postfix_listener_host(site->pool, listener),
                              strrchr(listener, ':') + 1);
    int fd;

    if (site->m4_text != NULL && strstr(site->m4_text, ours) != NULL)
        return false;
    fd = reach(site->pool, listener);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

enum { START_SECONDS = 30 };

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

int wb_sm_daemon_restart(struct wb_sm_site *site, const char *listener,
                         struct wb_err *err)
{
    const struct timespec pause = {.tv_nsec = 250000000};
    const time_t end = now() + START_SECONDS;
    int pid = wb_sm_daemon(site);

    if (pid == 0)
        return EX_OK;
    if (kill(pid, SIGHUP) != 0)
        return wb_err_set(err, EX_UNAVAILABLE, "sendmail, process %d: %s", pid,
                          strerror(errno));
    while (listener != NULL && now() < end) {
        nanosleep(&pause, NULL);
        if (listens(site->pool, listener))
            return EX_OK;
        if (kill(pid, 0) != 0)
            return wb_err_set(err, EX_UNAVAILABLE,
                              "sendmail ended when it was to start anew");
    }
    return listener == NULL
               ? EX_OK
               : wb_err_set(err, EX_UNAVAILABLE,
                            "sendmail does not answer at %s; is that port "
                            "taken?",
                            listener);
}

/* Does one control file ("qf...", also below qf/) hold text? */
static bool holds(struct wb_sm_site *site, const char *path, const char *text)
{
    char *all = NULL;

    return wb_file_read(site->pool, path, &all, NULL) == EX_OK && all != NULL &&
           strstr(all, text) != NULL;
}

static size_t count_in(struct wb_sm_site *site, const char *folder,
                       const char *text)
{
    DIR *d = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    if (d == NULL)
        return 0;
    while ((entry = readdir(d)) != NULL) {
        const char *path = wb_say(site->pool, "%s/%s", folder, entry->d_name);

        /* queue groups, and the parts of a queue */
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR)
            count += count_in(site, path, text);
        else if ((entry->d_name[0] == 'q' || entry->d_name[0] == 'h') &&
                 entry->d_name[1] == 'f')
            count += holds(site, path, text);
    }
    closedir(d);
    return count;
}

/* "/var/spool/mqueue/q*": all of its folder. */
size_t wb_sm_queue_count(struct wb_sm_site *site, const char *text)
{
    const char *folder =
        wb_sm_cf_option(site->pool, site->cf, "QueueDirectory");
    const char *star = folder == NULL ? NULL : strchr(folder, '*');

    if (folder == NULL)
        folder = "/var/spool/mqueue";
    if (star != NULL) {
        char *cut = wb_slice(site->pool, folder, 0, (size_t)(star - folder));

        *strrchr(cut, '/') = '\0';
        folder = cut;
    }
    return count_in(site, folder, text);
}
