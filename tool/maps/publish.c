#include "tool/maps/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"

#define TEMPORARY ".waybill-"

/* A FIFO must not hold us. *out is NULL when there is no such file. */
static int open_file(const char *path, FILE **out, struct wb_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    *out = NULL;
    if (fd < 0)
        return errno == ENOENT ? EX_OK
                               : wb_err_set(err, EX_NOINPUT, "%s: %s", path,
                                            strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return wb_err_set(err, EX_NOINPUT, "%s: not a regular file", path);
    }
    *out = fdopen(fd, "r");
    if (*out != NULL)
        return EX_OK;
    close(fd);
    return wb_err_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
}

int wb_file_read(struct wb_pool *pool, const char *path, char **out,
                 struct wb_err *err)
{
    struct wb_text t;
    size_t got;
    char octets[16384];
    bool is_broken, has_nul = false;
    FILE *f;
    int code = open_file(path, &f, err);

    *out = NULL;
    if (f == NULL)
        return code;
    wb_text_open(&t);
    while ((got = fread(octets, 1, sizeof octets, f)) > 0) {
        has_nul |= memchr(octets, '\0', got) != NULL;
        fwrite(octets, 1, got, t.file);
    }
    is_broken = ferror(f) != 0;
    fclose(f);
    *out = wb_text_close(&t, pool);
    if (is_broken)
        return wb_err_set(err, EX_NOINPUT, "%s: cannot be read", path);
    if (has_nul)
        return wb_err_set(err, EX_DATAERR, "%s: holds a NUL octet", path);
    return EX_OK;
}

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t put = write(fd, text, left);

        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            text += put;
            left -= (size_t)put;
        }
    }
    return true;
}

static void sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Owner and mode as before, or mode for a new file. */
static bool dress(int fd, const char *path, mode_t mode)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno == ENOENT && fchmod(fd, mode) == 0;
    return fchown(fd, st.st_uid, st.st_gid) == 0 &&
           fchmod(fd, st.st_mode & 07777) == 0;
}

static bool fill(int fd, const char *text)
{
    bool is_good = write_all(fd, text) && fsync(fd) == 0;

    return close(fd) == 0 && is_good;
}

static int replace(struct wb_pool *pool, const char *to, const char *text,
                   mode_t mode, bool keeps_looks, struct wb_err *err)
{
    const char *slash = strrchr(to, '/');
    char *dir = slash == NULL ? wb_say(pool, ".")
                              : wb_slice(pool, to, 0, (size_t)(slash - to) + 1);
    char *temporary = wb_say(pool, "%s/" TEMPORARY "XXXXXX", dir);
    int fd = mkostemp(temporary, O_CLOEXEC);

    bool is_dressed;

    if (fd < 0)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", temporary,
                          strerror(errno));
    is_dressed = keeps_looks ? dress(fd, to, mode) : fchmod(fd, mode) == 0;
    if (!fill(fd, text) || !is_dressed || rename(temporary, to) != 0) {
        int why = errno;

        unlink(temporary);
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", to, strerror(why));
    }
    sync_folder(dir);
    return EX_OK;
}

int wb_file_write(struct wb_pool *pool, const char *path, const char *text,
                  mode_t mode, struct wb_err *err)
{
    char *target = realpath(path, NULL);
    const char *to =
        target == NULL ? path : wb_must(wb_pool_strdup(pool, target));

    free(target);
    return replace(pool, to, text, mode, true, err);
}

int wb_file_place(struct wb_pool *pool, const char *path, const char *text,
                  struct wb_err *err)
{
    return replace(pool, path, text, 0600, false, err);
}

static const struct wb_file *find(const struct wb_files *files,
                                  const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].name, name) == 0)
            return &files->items[i];
    }
    return NULL;
}

/* Made by an earlier run and wanted no more? */
static bool is_stale(struct wb_pool *pool, const char *dir, const char *name,
                     const struct wb_files *files)
{
    char *text = NULL;

    if (strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0)
        return true;
    if (name[0] == '.' || find(files, name) != NULL)
        return false;
    if (strncmp(name, "sasl-", 5) != 0 && strstr(name, ".pcre") == NULL &&
        strcmp(name, "master.cf.add") != 0)
        return false;
    return wb_file_read(pool, wb_say(pool, "%s/%s", dir, name), &text, NULL) ==
               EX_OK &&
           text != NULL &&
           strncmp(text, WB_FILE_MARK, strlen(WB_FILE_MARK)) == 0;
}

static size_t add_stale(struct wb_pool *pool, const char *dir,
                        const struct wb_files *files,
                        struct wb_file_change *changes, size_t count,
                        size_t most)
{
    struct dirent **names = NULL;
    int found = scandir(dir, &names, NULL, alphasort);

    for (int i = 0; i < found; i++) {
        if (count < most && is_stale(pool, dir, names[i]->d_name, files))
            changes[count++] = (struct wb_file_change){
                wb_must(wb_pool_strdup(pool, names[i]->d_name)), WB_STALE};
        free(names[i]);
    }
    free(names);
    return count;
}

enum { STALE_MOST = 4096 };

int wb_publish_compare(struct wb_pool *pool, const char *dir,
                       const struct wb_files *files,
                       struct wb_file_change **changes, size_t *count,
                       struct wb_err *err)
{
    size_t most = files->count + STALE_MOST;
    struct wb_file_change *list =
        wb_must(wb_pool_array(pool, most, sizeof *list));

    for (size_t i = 0; i < files->count; i++) {
        const struct wb_file *file = &files->items[i];
        const char *path = wb_say(pool, "%s/%s", dir, file->name);
        char *text;
        int code = wb_file_read(pool, path, &text, err);

        if (code != EX_OK && code != EX_DATAERR)
            return code;
        list[i].name = file->name;
        if (text == NULL)
            list[i].change = WB_NEW;
        else
            list[i].change =
                strcmp(text, file->text) == 0 ? WB_SAME : WB_CHANGED;
    }
    *changes = list;
    *count = add_stale(pool, dir, files, list, files->count, most);
    return EX_OK;
}

static int check_folder(int fd, const char *dir, struct wb_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", dir, strerror(errno));
    if (st.st_uid != geteuid())
        return wb_err_set(err, EX_NOPERM,
                          "%s: belongs to uid %lu; a directory of one's own, "
                          "or none there, is right",
                          dir, (unsigned long)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return wb_err_set(err, EX_NOPERM,
                          "%s: others can write there; mode 0700 is right",
                          dir);
    return EX_OK;
}

int wb_folder_open(struct wb_pool *pool, const char *dir, int *fd,
                   struct wb_err *err)
{
    size_t octets = strlen(dir);
    char *path;
    int code;

    *fd = -1;
    while (octets > 1 && dir[octets - 1] == '/')
        octets--; /* with a slash behind it, a link would be followed */
    path = wb_slice(pool, dir, 0, octets);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", dir, strerror(errno));
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return wb_err_set(err, EX_CANTCREAT,
                          "%s: %s; a directory that is no symbolic link, or "
                          "none there, is right",
                          dir, strerror(errno));
    code = check_folder(*fd, dir, err);
    if (code != EX_OK) {
        close(*fd);
        *fd = -1;
    }
    return code;
}

int wb_folder_make(struct wb_pool *pool, const char *dir, struct wb_err *err)
{
    int fd;
    int code = wb_folder_open(pool, dir, &fd, err);

    if (fd >= 0)
        close(fd);
    return code;
}

int wb_publish(struct wb_pool *pool, const char *dir,
               const struct wb_files *files, struct wb_err *err)
{
    struct wb_file_change *changes = NULL;
    size_t count;
    int code = wb_publish_compare(pool, dir, files, &changes, &count, err);

    for (size_t i = 0; code == EX_OK && i < files->count; i++) {
        const struct wb_file *file = &files->items[i];

        if (changes[i].change != WB_SAME)
            code = wb_file_place(pool, wb_say(pool, "%s/%s", dir, file->name),
                                 file->text, err);
    }
    return code;
}

int wb_publish_tidy(struct wb_pool *pool, const char *dir,
                    const struct wb_files *files, struct wb_err *err)
{
    struct wb_file_change *changes;
    size_t count;
    int code = wb_publish_compare(pool, dir, files, &changes, &count, err);

    for (size_t i = files->count; code == EX_OK && i < count; i++) {
        const char *path = wb_say(pool, "%s/%s", dir, changes[i].name);

        if (unlink(path) != 0 && errno != ENOENT)
            code =
                wb_err_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    }
    return code;
}

void wb_publish_print(const struct wb_file_change *changes, size_t count,
                      FILE *out)
{
    static const char *const words[] = {
        [WB_NEW] = "new", [WB_CHANGED] = "changed", [WB_STALE] = "removed"};

    for (size_t i = 0; i < count; i++) {
        if (changes[i].change != WB_SAME)
            fprintf(out, "%-8s %s\n", words[changes[i].change],
                    changes[i].name);
    }
}
