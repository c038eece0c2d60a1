#include "milter/base/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

pid_t wb_ready_fork(int *fd)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    close(ends[pid == 0 ? 0 : 1]);
    *fd = ends[pid == 0 ? 1 : 0];
    if (pid == 0) {
        (void)setsid();
        if (chdir("/") != 0)
            errno = 0; /* all paths are absolute; only a mount stays busy */
    }
    return pid;
}

int wb_ready_wait(int fd)
{
    unsigned char code = EX_SOFTWARE;
    ssize_t n;

    do {
        n = read(fd, &code, 1);
    } while (n < 0 && errno == EINTR);
    close(fd);
    return n == 1 ? code : EX_SOFTWARE;
}

void wb_ready_report(int fd, int code)
{
    unsigned char octet = (unsigned char)code;
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nowhere >= 0) {
        for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
            (void)dup2(nowhere, i);
        if (nowhere > STDERR_FILENO)
            close(nowhere);
    }
    if (write(fd, &octet, 1) != 1)
        errno = 0; /* the parent is gone; the daemon goes on */
    close(fd);
}

void wb_ready_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path != NULL ? strlen(path) : 0;
    socklen_t octets;
    int fd;

    if (length < 2 || length >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') /* Linux's abstract namespace */
        address.sun_path[0] = '\0';
    octets = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                 (const struct sockaddr *)&address, octets);
    close(fd);
}
