/* Write a directory of generated files. */
#ifndef WB_MAPS_PUBLISH_H
#define WB_MAPS_PUBLISH_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/err.h"
#include "tool/maps/files.h"

enum wb_change { WB_SAME, WB_NEW, WB_CHANGED, WB_STALE };

/* What publishing would do to one file. */
struct wb_file_change {
    const char *name;
    enum wb_change change;
};

/* Compare dir with files. Stale are generated files that are no longer
 * wanted. changes lives in pool; *count of them, unchanged ones included.
 * Returns EX_OK or EX_NOINPUT with *err. */
int wb_publish_compare(struct wb_pool *pool, const char *dir,
                       const struct wb_files *files,
                       struct wb_file_change **changes, size_t *count,
                       struct wb_err *err);

/* Make dir (0700) if it is missing, and open it: a directory of ours that
 * nobody else may write to, and no symbolic link. Who has *fd can work in
 * /proc/self/fd/N, which stays this directory whatever its name leads to later.
 * The caller closes *fd; it is -1 with an error.
 * Returns EX_OK, EX_CANTCREAT or EX_NOPERM with *err. */
int wb_folder_open(struct wb_pool *pool, const char *dir, int *fd,
                   struct wb_err *err);

/* The same, not left open. */
int wb_folder_make(struct wb_pool *pool, const char *dir, struct wb_err *err);

/* Write every file that differs into dir, which wb_folder_open has approved.
 * Stale files stay, see wb_publish_tidy.
 * Returns EX_OK or as wb_file_place. */
int wb_publish(struct wb_pool *pool, const char *dir,
               const struct wb_files *files, struct wb_err *err);

/* Remove the stale files. */
int wb_publish_tidy(struct wb_pool *pool, const char *dir,
                    const struct wb_files *files, struct wb_err *err);

/* One line for each change: "new      transport.pcre". */
void wb_publish_print(const struct wb_file_change *changes, size_t count,
                      FILE *out);

/* The whole of path as text in pool; *out is NULL when there is no such file.
 * Returns EX_OK, EX_NOINPUT or EX_DATAERR (holds NUL) with *err. */
int wb_file_read(struct wb_pool *pool, const char *path, char **out,
                 struct wb_err *err);

/* Replace path by rename, after fsync. A symbolic link is followed. Mode and
 * owner stay; a new file gets mode.
 * Returns EX_OK or EX_CANTCREAT with *err. */
int wb_file_write(struct wb_pool *pool, const char *path, const char *text,
                  mode_t mode, struct wb_err *err);

/* The same for a file of ours alone: a symbolic link is replaced, not followed,
 * and owner and mode (0600) are ours, whatever was there. */
int wb_file_place(struct wb_pool *pool, const char *path, const char *text,
                  struct wb_err *err);

#endif
