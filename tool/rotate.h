/* Rotating the keys of a secret file.
 *
 * A key must be known to the tables and milters of every host before any of
 * them signs with it. So each rotation does three things at once:
 *
 *   - the key that the one before prepared becomes the first, which signs;
 *   - a new key is prepared: the last, which verifies only;
 *   - keys that have not signed for keep_days are dropped.
 *
 * What a key is for stands in a comment in front of it, in UTC:
 *
 *     # signs since 2026-11-23
 *     # signed until 2026-11-23
 *     # next, made 2026-11-23
 *
 * The last such comment between a key and the blank line or key before it is
 * the key's. A key without one is never dropped; the first key never is. Every
 * other line stays as it is, and where it is. */
#ifndef WB_TOOL_ROTATE_H
#define WB_TOOL_ROTATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/pool.h"
#include "conf/secret.h"

struct wb_rotation {
    const char *path; /* of the file itself, no symbolic link */
    int folder;       /* locked; -1: not open */
    struct stat was;
    char *text; /* what the file will hold */
    /* the prepared key that will sign; made is "" when there was none, and the
     * key that signs stays */
    char made[sizeof "2026-11-23"];
    char label[WB_LABEL_OCTETS + 1];
    size_t dropped; /* how many keys */
};

/* Read the secret file at path and think of its next content. Nothing is
 * written.
 * is_looking: take no lock; then wb_rotation_write is not allowed.
 * now_s:      seconds since 1970-01-01 00:00 UTC.
 * keep_days:  for how long a key that does not sign any more is kept.
 * out:        to be given to wb_rotation_end, whatever is returned.
 * Returns EX_OK; what wb_secret_read does; EX_TEMPFAIL: another rotation is at
 * work; EX_CONFIG: the file would hold too much; EX_OSERR; with *err. */
int wb_rotation_begin(const char *path, bool is_looking, int64_t now_s,
                      unsigned keep_days, struct wb_pool *p,
                      struct wb_rotation *out, struct wb_err *err);

/* Put the new content in place of the old: by rename, with the owner, group
 * and mode that the file has, and on the disk when it returns.
 * Returns EX_OK; EX_TEMPFAIL: the file was changed meanwhile; EX_CANTCREAT;
 * with *err, and the file as it was. Or EX_IOERR: it is new, but the disk may
 * not know yet. */
int wb_rotation_write(const struct wb_rotation *r, struct wb_err *err);

/* Drop the lock and wipe the text. */
void wb_rotation_end(struct wb_rotation *r);

#endif
