#include "milter/base/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Does a process answer on the socket? *error is connect's errno if not. */
static bool answers(const char *path, int *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes;

    strcpy(address.sun_path, path);
    /* EAGAIN: it listens, but its backlog is full. */
    yes = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
          errno == EAGAIN;
    *error = errno;
    if (fd >= 0)
        close(fd);
    return yes;
}

static int remove_stale(const char *path, struct wb_err *err)
{
    int error;

    if (answers(path, &error))
        return wb_err_set(err, EX_UNAVAILABLE,
                          "%s: already running: a process answers there", path);
    if (error != ECONNREFUSED)
        return wb_err_set(err, EX_NOPERM, "%s: cannot tell if it is in use: %s",
                          path, strerror(error));
    if (unlink(path) != 0)
        return wb_err_set(err, EX_NOPERM, "%s: cannot be removed: %s", path,
                          strerror(errno));
    return EX_OK;
}

int wb_socket_file_claim(struct wb_socket_file *file, const char *path,
                         struct wb_err *err)
{
    struct stat st;

    if (strlen(path) >= sizeof file->path)
        return wb_err_set(err, EX_CONFIG,
                          "%s: too long for a socket; at most %zu octets are "
                          "right",
                          path, sizeof file->path - 1);
    strcpy(file->path, path);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? EX_OK
                               : wb_err_set(err, EX_NOPERM, "%s: %s", path,
                                            strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return wb_err_set(err, EX_CANTCREAT,
                          "%s: exists and is no socket; another path, or "
                          "none there, is right",
                          path);
    return remove_stale(path, err);
}

int wb_socket_file_listen(const struct wb_socket_file *file, mode_t mode,
                          int backlog, int *out, struct wb_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t old = umask(0777 & ~mode); /* so it is never open to more */
    int error = 0;

    strcpy(address.sun_path, file->path);
    *out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*out < 0 ||
        bind(*out, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(*out, backlog) != 0)
        error = errno;
    umask(old);
    if (error == 0)
        return EX_OK;
    return wb_err_set(err, EX_OSERR, "%s: cannot be opened: %s", file->path,
                      strerror(error));
}

/* Who may write to the directory could put something else there meanwhile; what
 * is open stays what it is. */
static int open_socket(const char *path, struct stat *st)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, st) == 0 && S_ISSOCK(st->st_mode))
        return fd;
    if (fd >= 0) {
        close(fd);
        errno = ENOTSOCK;
    }
    return -1;
}

int wb_socket_file_own(struct wb_socket_file *file,
                       const struct wb_owner *owner, gid_t gid,
                       struct wb_err *err)
{
    const uid_t uid = owner->is_root ? owner->uid : (uid_t)-1;
    const bool is_given = owner->is_root || gid != owner->gid;
    struct stat st = {.st_ino = 0};
    int fd = open_socket(file->path, &st);
    int rc =
        fd >= 0 && is_given ? fchownat(fd, "", uid, gid, AT_EMPTY_PATH) : 0;

    if (fd < 0 || rc != 0)
        rc = wb_err_set(err, EX_OSERR, "%s: cannot be handed over: %s",
                        file->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (rc != EX_OK)
        return rc;
    file->device = st.st_dev;
    file->inode = st.st_ino;
    return EX_OK;
}

void wb_socket_file_remove(const struct wb_socket_file *file)
{
    struct stat st;

    if (file->path[0] != '\0' && lstat(file->path, &st) == 0 &&
        st.st_dev == file->device && st.st_ino == file->inode)
        (void)unlink(file->path);
}
