#include "tool/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { ANSWER_LIMIT_S = 120 }; /* 100,000 rules load in 3 s */

/* Returns a connection to the daemon, or -1 with errno. */
static int reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = ANSWER_LIMIT_S};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int tell_unreached(const char *command, const char *path)
{
    if (errno == EACCES) {
        fprintf(stderr,
                "waybill: %s: %s: %s; root, the milter's user and, to look, "
                "the members of control_group may\n",
                command, path, strerror(errno));
        return EX_NOPERM;
    }
    fprintf(stderr,
            "waybill: %s: no daemon answers at %s: %s; is "
            "waybill-milter running, and with this control_socket?\n",
            command, path, strerror(errno));
    return EX_UNAVAILABLE;
}

int wb_ask(const char *command, const char *path, const char *question,
           FILE **answer)
{
    int fd;

    if (path == NULL || *path == '\0') {
        fprintf(stderr, "waybill: %s: control_socket is not set\n", command);
        return EX_CONFIG;
    }
    fd = reach(path);
    if (fd < 0)
        return tell_unreached(command, path);
    *answer = fdopen(fd, "r");
    if (*answer == NULL) {
        close(fd);
        return EX_OSERR;
    }
    if (send(fd, question, strlen(question), MSG_NOSIGNAL) < 0 ||
        send(fd, "\n", 1, MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "waybill: %s: %s: %s\n", command, path,
                strerror(errno));
        fclose(*answer);
        return EX_UNAVAILABLE;
    }
    return EX_OK;
}
