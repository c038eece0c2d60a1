#include "milter/base/owner.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

static int find_user(struct wb_owner *out, struct wb_err *err)
{
    const char *name = out->user;
    const struct passwd *pw = getpwnam(name);

    if (pw == NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s: there is no user \"%s\"; one that exists "
                          "(useradd --system %s) is right",
                          out->option, name, name);
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    if (!out->is_root && out->uid != geteuid())
        return wb_err_set(err, EX_NOPERM,
                          "%s: only root can become \"%s\"; started as "
                          "uid %lu",
                          out->option, name, (unsigned long)geteuid());
    return EX_OK;
}

static int find_group(const char *name, gid_t *out, struct wb_err *err)
{
    const struct group *gr = getgrnam(name);

    if (gr == NULL)
        return wb_err_set(err, EX_CONFIG,
                          "socket_group: there is no group \"%s\"; the MTA's "
                          "(postfix) is right",
                          name);
    *out = gr->gr_gid;
    return EX_OK;
}

int wb_owner_find(const char *option, const char *user,
                  const char *socket_group, struct wb_owner *out,
                  struct wb_err *err)
{
    int code = EX_OK;

    out->is_root = geteuid() == 0;
    out->option = option;
    out->user = user;
    out->uid = geteuid();
    out->gid = getegid();
    if (out->user != NULL)
        code = find_user(out, err);
    out->socket_gid = out->gid;
    if (code == EX_OK && socket_group != NULL)
        code = find_group(socket_group, &out->socket_gid, err);
    return code;
}

static bool is_become(const struct wb_owner *owner)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    if (getresuid(&ruid, &euid, &suid) != 0 ||
        getresgid(&rgid, &egid, &sgid) != 0)
        return false;
    return ruid == owner->uid && euid == owner->uid && suid == owner->uid &&
           rgid == owner->gid && egid == owner->gid && sgid == owner->gid &&
           (owner->uid == 0 || setuid(0) != 0);
}

/* Of an unprivileged user these are gone already, unless somebody gave it
 * some; root without them is the owner of root's files, and no more. */
static int drop_capabilities(struct wb_err *err)
{
    struct __user_cap_header_struct header = {.version =
                                                  _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capset, &header, none) != 0)
        return wb_err_set(err, EX_OSERR, "capabilities: %s", strerror(errno));
    return EX_OK;
}

int wb_owner_become(const struct wb_owner *owner, struct wb_err *err)
{
    if (owner->is_root && owner->user != NULL) {
        if (initgroups(owner->user, owner->gid) != 0 ||
            setgid(owner->gid) != 0 || setuid(owner->uid) != 0)
            return wb_err_set(err, EX_OSERR, "%s: cannot become \"%s\": %s",
                              owner->option, owner->user, strerror(errno));
        if (!is_become(owner))
            return wb_err_set(err, EX_OSERR,
                              "%s: still not \"%s\" after becoming it",
                              owner->option, owner->user);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return wb_err_set(err, EX_OSERR, "no_new_privs: %s", strerror(errno));
    return drop_capabilities(err);
}

static int make(const struct wb_owner *owner, const char *directory, gid_t gid,
                mode_t mode, struct wb_err *err)
{
    if (mkdir(directory, 0700) != 0)
        return wb_err_set(err, EX_CANTCREAT, "%s: cannot be made: %s",
                          directory, strerror(errno));
    /* mkdir heeds the umask, so the mode is set last. */
    if ((owner->is_root && lchown(directory, owner->uid, gid) != 0) ||
        chmod(directory, mode) != 0)
        return wb_err_set(err, EX_CANTCREAT, "%s: cannot be handed over: %s",
                          directory, strerror(errno));
    return EX_OK;
}

static int check(const char *directory, const struct stat *st,
                 struct wb_err *err)
{
    if (S_ISLNK(st->st_mode) || !S_ISDIR(st->st_mode))
        return wb_err_set(err, EX_NOPERM,
                          "%s: not a directory; a directory that is no "
                          "symbolic link is right",
                          directory);
    if ((st->st_mode & S_IWOTH) != 0)
        return wb_err_set(err, EX_NOPERM,
                          "%s: others may write to it; chmod o-w is right",
                          directory);
    return EX_OK;
}

int wb_owner_make_directory(const struct wb_owner *owner, const char *path,
                            gid_t gid, mode_t mode, struct wb_err *err)
{
    const char *slash = strrchr(path, '/');
    char *directory;
    struct stat st;
    int code;

    if (slash == NULL || slash == path)
        return EX_OK; /* the current directory, or the root */
    directory = strndup(path, (size_t)(slash - path));
    if (directory == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (lstat(directory, &st) == 0)
        code = check(directory, &st, err);
    else if (errno == ENOENT)
        code = make(owner, directory, gid, mode, err);
    else
        code = wb_err_set(err, EX_NOPERM, "%s: %s", directory, strerror(errno));
    free(directory);
    return code;
}
