/* What undo needs to know. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"

static const char *in_undo(const struct wb_site *site, const char *name)
{
    return wb_say(site->pool, "%s/%s", site->undo, name);
}

int wb_state_read(struct wb_site *site, struct wb_undo_state *out,
                  struct wb_err *err)
{
    const struct {
        const char *name;
        char **text;
    } files[] = {{"main.cf.before", &out->main_before},
                 {"master.cf.before", &out->master_before},
                 {"main.cf.wrote", &out->main_wrote},
                 {"master.cf.wrote", &out->master_wrote}};
    bool is_whole = true;

    *out = (struct wb_undo_state){0};
    for (size_t i = 0; i < 4; i++) {
        int code = wb_file_read(site->pool, in_undo(site, files[i].name),
                                files[i].text, err);

        if (code != EX_OK)
            return code;
        is_whole &= *files[i].text != NULL;
    }
    if (!is_whole)
        *out = (struct wb_undo_state){0};
    out->is_pending = access(in_undo(site, "pending"), F_OK) == 0;
    return EX_OK;
}

/* Only what differs is written. */
static int keep(struct wb_site *site, const char *name, const char *text,
                struct wb_err *err)
{
    const char *path = in_undo(site, name);
    char *old = NULL;
    int code = wb_file_read(site->pool, path, &old, err);

    if (code != EX_OK || (old != NULL && strcmp(old, text) == 0))
        return code;
    return wb_file_place(site->pool, path, text, err);
}

int wb_state_write(struct wb_site *site, const struct wb_undo_state *state,
                   struct wb_err *err)
{
    int code = wb_folder_make(site->pool, site->maps, err);

    if (code == EX_OK)
        code = wb_folder_make(site->pool, site->undo, err);
    if (code == EX_OK)
        code = keep(site, "main.cf.before", state->main_before, err);
    if (code == EX_OK)
        code = keep(site, "master.cf.before", state->master_before, err);
    if (code == EX_OK)
        code = keep(site, "main.cf.wrote", state->main_wrote, err);
    if (code == EX_OK)
        code = keep(site, "master.cf.wrote", state->master_wrote, err);
    return code;
}

int wb_state_set_pending(struct wb_site *site, bool is_pending,
                         struct wb_err *err)
{
    const char *path = in_undo(site, "pending");
    int code;

    if (!is_pending) {
        unlink(path);
        return EX_OK;
    }
    code = wb_folder_make(site->pool, site->maps, err);
    if (code == EX_OK)
        code = wb_folder_make(site->pool, site->undo, err);
    if (code == EX_OK)
        code = wb_file_place(site->pool, path, "", err);
    return code;
}

static int remove_folder(struct wb_pool *pool, const char *path,
                         struct wb_err *err)
{
    DIR *d = opendir(path);
    const struct dirent *entry;

    if (d == NULL)
        return errno == ENOENT ? EX_OK
                               : wb_err_set(err, EX_CANTCREAT, "%s: %s", path,
                                            strerror(errno));
    while ((entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(wb_say(pool, "%s/%s", path, entry->d_name));
    }
    closedir(d);
    if (rmdir(path) != 0 && errno != ENOENT)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    return EX_OK;
}

int wb_state_remove(struct wb_site *site, struct wb_err *err)
{
    int code = remove_folder(site->pool, site->undo, err);

    return code == EX_OK ? remove_folder(site->pool, site->maps, err) : code;
}

static int refuse_lock(struct wb_site *site, struct wb_err *err)
{
    return wb_err_set(err, EX_TEMPFAIL,
                      "%s: another waybill apply is at work; try again when "
                      "it is done",
                      site->dir);
}

/* Is it the map directory that is open, and not one that was removed since? */
static bool is_current(const struct wb_site *site, int fd)
{
    struct stat now, then;

    return fstat(fd, &then) == 0 && stat(site->maps, &now) == 0 &&
           now.st_dev == then.st_dev && now.st_ino == then.st_ino;
}

int wb_state_lock(struct wb_site *site, bool is_looking, struct wb_err *err)
{
    int fd,
        code = is_looking ? EX_OK : wb_folder_make(site->pool, site->maps, err);

    if (code != EX_OK)
        return code;
    fd = open(site->maps, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && is_looking)
        return EX_OK; /* nothing of waybill's to look at */
    if (fd < 0)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", site->maps,
                          strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_current(site, fd)) {
        close(fd);
        return refuse_lock(site, err);
    }
    return EX_OK; /* the lock goes with the program */
}

void wb_state_unlock(struct wb_site *site)
{
    if (site->maps != NULL)
        rmdir(site->maps); /* fails when anything is in it */
}
