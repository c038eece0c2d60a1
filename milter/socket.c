#include "milter/socket.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    DIRECTORY_MODE = 0750,
    DESCRIPTORS_SO_FAR = 256, /* at start-up there are but a few */
};

static bool listens(int fd)
{
    int yes = 0;
    socklen_t octets = sizeof yes;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &octets) == 0 &&
           yes != 0;
}

/* libmilter does not tell which descriptor it opened. */
static int find_listener(void)
{
    for (int fd = 0; fd < DESCRIPTORS_SO_FAR; fd++)
        if (listens(fd))
            return fd;
    return -1;
}

/* Later there is no opening one: the sandbox refuses. */
static int open_wake(struct wb_socket *s, struct wb_err *err)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    if (s->address_octets == 0 || s->address.ss_family == AF_UNIX)
        return EX_OK;
    memcpy(&in, &s->address, sizeof in);
    memcpy(&in6, &s->address, sizeof in6);
    s->port = ntohs(in.sin_family == AF_INET ? in.sin_port : in6.sin6_port);
    s->wake_fd = socket(s->address.ss_family,
                        SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return s->wake_fd >= 0
               ? EX_OK
               : wb_err_set(err, EX_OSERR, "socket: %s", strerror(errno));
}

static void tune(struct wb_socket *s)
{
    int fd = find_listener();
    int yes = 1;

    s->address_octets = sizeof s->address;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&s->address,
                              &s->address_octets) != 0) {
        s->address_octets = 0;
        return;
    }
    /* Accepted connections inherit it. */
    if (s->address.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/* Make spec what smfi_setconn wants, in p, and ready the place. */
static int prepare(const struct wb_conf *conf, const struct wb_owner *owner,
                   struct wb_pool *p, struct wb_socket_file *file, char **spec,
                   struct wb_err *err)
{
    const char *path;
    int code;

    if (strncmp(conf->socket, "unix:", 5) != 0) {
        *spec = wb_pool_strdup(p, conf->socket);
        return *spec != NULL ? EX_OK
                             : wb_err_set(err, EX_OSERR, "out of memory");
    }
    path = wb_conf_queue_path(conf, p, conf->socket + 5);
    *spec = path != NULL ? wb_pool_printf(p, "unix:%s", path) : NULL;
    if (*spec == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    code = wb_owner_make_directory(owner, path, owner->socket_gid,
                                   DIRECTORY_MODE, err);
    if (code == EX_OK)
        code = wb_socket_file_claim(file, path, err);
    return code;
}

static int open_by_libmilter(char *spec, mode_t mode, struct wb_err *err)
{
    mode_t old = umask(0777 & ~mode); /* so it is never open to more */
    int error;
    bool ok;

    errno = 0;
    ok = smfi_setbacklog(BACKLOG) == MI_SUCCESS &&
         smfi_setconn(spec) == MI_SUCCESS &&
         smfi_opensocket(false) == MI_SUCCESS;
    error = errno;
    umask(old);
    if (ok)
        return EX_OK;
    return wb_err_set(err, error == EADDRINUSE ? EX_UNAVAILABLE : EX_OSERR,
                      "%s: cannot be opened: %s", spec,
                      error != 0 ? strerror(error) : "see the mail log");
}

int wb_socket_open(const struct wb_conf *conf, const struct wb_owner *owner,
                   struct wb_socket *out, struct wb_err *err)
{
    struct wb_pool *p = wb_pool_new(0);
    char *spec = NULL;
    int code;

    memset(out, 0, sizeof *out);
    out->wake_fd = -1;
    if (p == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    code = prepare(conf, owner, p, &out->file, &spec, err);
    if (code == EX_OK)
        code = open_by_libmilter(spec, conf->socket_mode, err);
    if (code == EX_OK && out->file.path[0] != '\0')
        code = wb_socket_file_own(&out->file, owner, owner->socket_gid, err);
    if (code == EX_OK) {
        tune(out);
        code = open_wake(out, err);
    }
    wb_pool_free(p);
    return code;
}

static void wake_unix(const struct wb_socket *s)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    (void)connect(fd, (const struct sockaddr *)&s->address, s->address_octets);
    close(fd);
}

void wb_socket_wake(const struct wb_socket *s)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    if (s->address_octets == 0)
        return;
    if (s->wake_fd < 0) {
        wake_unix(s);
        return;
    }
    /* Once connected, it must leave before it can come again. */
    (void)connect(s->wake_fd, &nobody, sizeof nobody);
    (void)connect(s->wake_fd, (const struct sockaddr *)&s->address,
                  s->address_octets);
}

void wb_socket_close(struct wb_socket *s)
{
    wb_socket_file_remove(&s->file);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    s->wake_fd = -1;
}
