#include "milter/base/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0755 };

/* Is fd still what path names? Another daemon may just have removed it. */
static bool is_same(int fd, const char *path)
{
    struct stat ours;
    struct stat there;

    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* The directory may be the daemon's user's: nothing that it could have put
 * there may make root write elsewhere. */
static bool is_plain(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink <= 1;
}

static int lock(const char *path, int *fd, struct wb_err *err)
{
    do {
        *fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                   0644);
        if (*fd < 0 || !is_plain(*fd))
            return wb_err_set(err, EX_CANTCREAT, "%s: %s", path,
                              *fd < 0 ? strerror(errno)
                                      : "not a plain file of its own");
        if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
            return wb_err_set(err, EX_UNAVAILABLE,
                              "%s: already running: another daemon has it "
                              "locked",
                              path);
        if (is_same(*fd, path))
            return EX_OK;
        close(*fd);
        *fd = -1;
    } while (true);
}

static int write_pid(int fd, const char *path, struct wb_err *err)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)length) != length)
        return wb_err_set(err, EX_CANTCREAT, "%s: cannot be written: %s", path,
                          strerror(errno));
    return EX_OK;
}

int wb_pidfile_open(const char *path, const struct wb_owner *owner,
                    struct wb_pidfile *out, struct wb_err *err)
{
    int code;

    out->path = NULL;
    out->fd = -1;
    if (path == NULL || *path == '\0')
        return EX_OK;
    code =
        wb_owner_make_directory(owner, path, owner->gid, DIRECTORY_MODE, err);
    if (code == EX_OK)
        code = lock(path, &out->fd, err);
    if (code == EX_OK)
        code = write_pid(out->fd, path, err);
    if (code == EX_OK && (out->path = strdup(path)) == NULL)
        code = wb_err_set(err, EX_OSERR, "out of memory");
    if (code != EX_OK && out->fd >= 0)
        close(out->fd);
    return code;
}

void wb_pidfile_close(struct wb_pidfile *file)
{
    if (file->path == NULL)
        return;
    if (unlink(file->path) != 0 && ftruncate(file->fd, 0) != 0)
        errno = 0; /* stale and unlocked: the next daemon overwrites it */
    close(file->fd);
    free(file->path);
    file->path = NULL;
}
