#include "tool/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/base32.h"

enum {
    DAY_S = 86400,
    DATE_OCTETS = sizeof "2026-11-23",
    KEY_OCTETS = 32,
    KEY_TEXT_OCTETS = (KEY_OCTETS * 8 + 4) / 5 + 1,
    NOWHERE = -1,
};

enum mark { MARK_NONE, MARK_SIGNS, MARK_SIGNED, MARK_NEXT };

static const char *const marks[] = {[MARK_SIGNS] = "signs since ",
                                    [MARK_SIGNED] = "signed until ",
                                    [MARK_NEXT] = "next, made "};

struct line {
    struct wb_secret_line is;
    const char *whole; /* blanks and line feed included */
    size_t octets;
    const char *before; /* to be written in front of it; NULL: nothing */
    bool is_gone;
};

/* Places are those of lines. */
struct key {
    int line, mark_line, first_comment; /* NOWHERE: there is none */
    enum mark mark;
    int64_t day; /* that mark tells */
};

struct page {
    struct wb_pool *pool;
    struct line *lines;
    int line_count;
    struct key keys[WB_KEYS_MAX];
    int key_count;
    char today_text[DATE_OCTETS];
    int64_t today;
};

/* ---- days ---------------------------------------------------------------- */

static void write_date(int64_t day, char out[DATE_OCTETS])
{
    time_t s = (time_t)(day * DAY_S);
    struct tm tm = {0};

    gmtime_r(&s, &tm);
    strftime(out, DATE_OCTETS, "%Y-%m-%d", &tm);
}

/* Days since 1970. Only what write_date would write is taken. */
static bool read_date(const char *text, size_t octets, int64_t *day)
{
    char date[DATE_OCTETS] = "", again[DATE_OCTETS];
    struct tm tm = {0};
    const char *end;

    if (octets != DATE_OCTETS - 1)
        return false;
    memcpy(date, text, octets);
    end = strptime(date, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0')
        return false;
    *day = timegm(&tm) / DAY_S;
    write_date(*day, again);
    return strcmp(date, again) == 0;
}

/* ---- reading ------------------------------------------------------------- */

static enum mark read_mark(const struct wb_secret_line *l, int64_t *day)
{
    const char *text = l->text + 1, *end = l->text + l->octets;

    while (text < end && *text == ' ')
        text++;
    for (enum mark m = MARK_SIGNS; m <= MARK_NEXT; m++) {
        size_t octets = strlen(marks[m]);

        if ((size_t)(end - text) > octets &&
            memcmp(text, marks[m], octets) == 0 &&
            read_date(text + octets, (size_t)(end - text) - octets, day))
            return m;
    }
    return MARK_NONE;
}

static int count_lines(const char *text)
{
    struct wb_secret_line l;
    int count = 0;

    while (wb_secret_next_line(&text, &l))
        count++;
    return count;
}

/* text has been parsed: it holds no more keys than there may be. */
static int read_page(const char *text, struct page *page)
{
    static const struct key unknown = {NOWHERE, NOWHERE, NOWHERE, MARK_NONE, 0};
    struct key next = unknown;

    page->lines = wb_pool_array(page->pool, (size_t)count_lines(text) + 1,
                                sizeof *page->lines);
    if (page->lines == NULL)
        return EX_OSERR;
    for (int i = 0; *text != '\0'; i++) {
        const struct wb_secret_line *l = &page->lines[i].is;
        int64_t day;
        enum mark mark;

        page->line_count = i + 1;
        page->lines[i].whole = text;
        wb_secret_next_line(&text, &page->lines[i].is);
        page->lines[i].octets = (size_t)(text - page->lines[i].whole);
        if (l->kind == WB_SECRET_BLANK) {
            next = unknown;
        } else if (l->kind == WB_SECRET_KEY) {
            next.line = i;
            page->keys[page->key_count++] = next;
            next = unknown;
        } else {
            if (next.first_comment == NOWHERE)
                next.first_comment = i;
            if ((mark = read_mark(l, &day)) == MARK_NONE)
                continue;
            next.mark = mark;
            next.day = day;
            next.mark_line = i;
        }
    }
    return EX_OK;
}

/* ---- changing ------------------------------------------------------------ */

/* Add to what is written in front of line i. */
static int put_before(struct page *page, int i, const char *text)
{
    struct line *l = &page->lines[i];

    if (text != NULL)
        l->before = wb_pool_printf(page->pool, "%s%s",
                                   l->before == NULL ? "" : l->before, text);
    return text != NULL && l->before != NULL ? EX_OK : EX_OSERR;
}

static void unmark(struct page *page, const struct key *key)
{
    if (key->mark_line != NOWHERE)
        page->lines[key->mark_line].is_gone = true;
}

/* The oldest one; a first key that is marked so signs already. */
static const struct key *prepared_key(const struct page *page)
{
    for (int i = 1; i < page->key_count; i++)
        if (page->keys[i].mark == MARK_NEXT)
            return &page->keys[i];
    return NULL;
}

/* Comments in front of the key that signed until now stay with it. */
static int promote(struct page *page, const struct key *key)
{
    const struct key *first = &page->keys[0];
    const struct wb_secret_line *l = &page->lines[key->line].is;
    int rc = put_before(
        page,
        first->first_comment != NOWHERE ? first->first_comment : first->line,
        wb_pool_printf(page->pool, "# %s%s\n%.*s\n", marks[MARK_SIGNS],
                       page->today_text, (int)l->octets, l->text));

    if (rc == EX_OK)
        rc = put_before(page, first->line,
                        wb_pool_printf(page->pool, "# %s%s\n",
                                       marks[MARK_SIGNED], page->today_text));
    unmark(page, first);
    unmark(page, key);
    page->lines[key->line].is_gone = true;
    return rc;
}

static size_t drop_old(struct page *page, unsigned keep_days)
{
    size_t dropped = 0;

    for (int i = 1; i < page->key_count; i++) {
        const struct key *key = &page->keys[i];

        if (key->mark != MARK_SIGNED || page->today - key->day <= keep_days)
            continue;
        unmark(page, key);
        page->lines[key->line].is_gone = true;
        dropped++;
    }
    return dropped;
}

/* "# next, made DATE", a key. NULL without memory or randomness. */
static char *make_key(const struct page *page)
{
    unsigned char octets[KEY_OCTETS];
    char text[KEY_TEXT_OCTETS], *made = NULL;

    if (RAND_bytes(octets, KEY_OCTETS) == 1) {
        wb_base32(octets, KEY_OCTETS, text);
        made = wb_pool_printf(page->pool, "# %s%s\n%s\n", marks[MARK_NEXT],
                              page->today_text, text);
    }
    OPENSSL_cleanse(octets, sizeof octets);
    OPENSSL_cleanse(text, sizeof text);
    return made;
}

static bool add(char *out, const char *text, size_t octets)
{
    size_t used = strlen(out);

    if (octets > WB_SECRET_MAX_OCTETS - used)
        return false;
    memcpy(out + used, text, octets);
    return true;
}

/* Only the last line may lack its line feed. */
static bool add_line(char *out, const struct line *l)
{
    if (l->before != NULL && !add(out, l->before, strlen(l->before)))
        return false;
    if (l->is_gone)
        return true;
    return add(out, l->whole, l->octets) &&
           (l->whole[l->octets - 1] == '\n' || add(out, "\n", 1));
}

/* out: WB_SECRET_MAX_OCTETS + 1, zeroed. Returns false when they do not do. */
static bool write_page(const struct page *page, const char *end, char *out)
{
    for (int i = 0; i < page->line_count; i++)
        if (!add_line(out, &page->lines[i]))
            return false;
    return add(out, end, strlen(end));
}

/* ---- judging ------------------------------------------------------------- */

/* The file is full: when will it not be? */
static int refuse_more(const struct page *page, const char *path,
                       unsigned keep_days, struct wb_err *err)
{
    const struct key *oldest = NULL;
    char date[DATE_OCTETS];

    for (int i = 1; i < page->key_count; i++) {
        const struct key *key = &page->keys[i];

        if (key->mark == MARK_SIGNED &&
            (oldest == NULL || key->day < oldest->day))
            oldest = key;
    }
    if (oldest == NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s has %d keys and can take no more; remove one "
                          "that nobody needs, or write \"# %sDATE\" on the "
                          "line before it",
                          path, WB_KEYS_MAX, marks[MARK_SIGNED]);
    write_date(oldest->day + keep_days + 1, date);
    return wb_err_set(err, EX_CONFIG,
                      "%s has %d keys and can take no more; rotate from %s "
                      "on, when the key of line %d is old enough to go, or "
                      "remove one that nobody needs",
                      path, WB_KEYS_MAX, date, oldest->line + 1);
}

static int no_memory(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "out of memory");
}

/* Nothing that wb_secret_read would refuse is written. */
static int check_result(struct wb_rotation *r, struct wb_pool *p,
                        struct wb_err *err)
{
    struct wb_secret secret;
    unsigned line;
    int rc = wb_secret_parse(p, r->text, &secret, &line, err);

    if (rc == EX_OK)
        strcpy(r->label, secret.keys[0].label);
    OPENSSL_cleanse(&secret, sizeof secret);
    return rc;
}

static int rotate(struct wb_rotation *r, struct page *page, unsigned keep_days,
                  struct wb_err *err)
{
    const struct key *key = prepared_key(page);
    const char *fresh = make_key(page);

    if (fresh == NULL)
        return wb_err_set(err, EX_OSERR, "OpenSSL could not make a key");
    r->dropped = drop_old(page, keep_days);
    if (page->key_count - (int)r->dropped == WB_KEYS_MAX)
        return refuse_more(page, r->path, keep_days, err);
    if (key != NULL) {
        write_date(key->day, r->made);
        if (promote(page, key) != EX_OK)
            return no_memory(err);
    }
    r->text = wb_pool_alloc(page->pool, WB_SECRET_MAX_OCTETS + 1);
    if (r->text == NULL)
        return no_memory(err);
    if (!write_page(page, fresh, r->text))
        return wb_err_set(err, EX_CONFIG,
                          "%s would have more than %d octets; remove comments "
                          "or keys that nobody needs",
                          r->path, WB_SECRET_MAX_OCTETS);
    return check_result(r, page->pool, err);
}

/* ---- the file ------------------------------------------------------------ */

static const char *name_of(const struct wb_rotation *r)
{
    return strrchr(r->path, '/') + 1;
}

static int open_folder(struct wb_rotation *r, struct wb_pool *p,
                       bool is_looking, struct wb_err *err)
{
    const char *folder =
        wb_pool_strndup(p, r->path, (size_t)(name_of(r) - r->path));

    if (folder == NULL)
        return no_memory(err);
    r->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->folder < 0)
        return wb_err_set(err, EX_NOPERM, "cannot open %s: %s", folder,
                          strerror(errno));
    if (!is_looking && flock(r->folder, LOCK_EX | LOCK_NB) != 0)
        return wb_err_set(err, EX_TEMPFAIL,
                          "%s: another rotation is at work; try again when it "
                          "is done",
                          r->path);
    return EX_OK;
}

static int read_file(struct wb_rotation *r, struct wb_pool *p, char *text,
                     struct wb_err *err)
{
    int fd = openat(r->folder, name_of(r),
                    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct wb_secret secret;
    struct wb_err why = {""};
    unsigned line;
    int rc;

    if (fd < 0 || fstat(fd, &r->was) != 0) {
        rc = wb_err_set(err, EX_NOPERM, "cannot open %s: %s", r->path,
                        strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    rc = wb_secret_text(fd, r->path, text, err);
    close(fd);
    if (rc != EX_OK)
        return rc;
    rc = wb_secret_parse(p, text, &secret, &line, &why);
    OPENSSL_cleanse(&secret, sizeof secret);
    if (rc != EX_OK && line > 0)
        return wb_err_set(err, rc, "%s:%u: %s", r->path, line, why.text);
    return rc == EX_OK ? rc : wb_err_set(err, rc, "%s %s", r->path, why.text);
}

static int resolve(const char *path, struct wb_pool *p, struct wb_rotation *r,
                   struct wb_err *err)
{
    char *real = realpath(path, NULL);

    if (real == NULL)
        return wb_err_set(err, errno == ENOENT ? EX_NOINPUT : EX_NOPERM,
                          "cannot open %s: %s", path, strerror(errno));
    r->path = wb_pool_strdup(p, real);
    free(real);
    return r->path != NULL ? EX_OK : no_memory(err);
}

int wb_rotation_begin(const char *path, bool is_looking, int64_t now_s,
                      unsigned keep_days, struct wb_pool *p,
                      struct wb_rotation *out, struct wb_err *err)
{
    struct page page = {.pool = p, .today = now_s / DAY_S};
    char text[WB_SECRET_MAX_OCTETS + 1];
    int rc;

    text[0] = '\0';
    *out = (struct wb_rotation){.folder = -1};
    write_date(page.today, page.today_text);
    rc = resolve(path, p, out, err);
    if (rc == EX_OK)
        rc = open_folder(out, p, is_looking, err);
    if (rc != EX_OK)
        return rc;
    rc = read_file(out, p, text, err);
    if (rc == EX_OK && read_page(text, &page) != EX_OK)
        rc = no_memory(err);
    if (rc == EX_OK)
        rc = rotate(out, &page, keep_days, err);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

static bool fill(int fd, const struct wb_rotation *r)
{
    const char *text = r->text;
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
    return fchown(fd, r->was.st_uid, r->was.st_gid) == 0 &&
           fchmod(fd, r->was.st_mode & 07777) == 0 && fsync(fd) == 0;
}

/* Somebody's editor may have been quicker. */
static bool is_as_it_was(const struct wb_rotation *r)
{
    struct stat now;

    return fstatat(r->folder, name_of(r), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == r->was.st_dev && now.st_ino == r->was.st_ino &&
           now.st_size == r->was.st_size &&
           now.st_mtim.tv_sec == r->was.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == r->was.st_mtim.tv_nsec;
}

/* With the folder locked, what has the temporary name is what a killed
 * rotation left. */
static int replace(const struct wb_rotation *r, const char *temporary,
                   struct wb_err *err)
{
    int fd;
    bool is_whole;

    unlinkat(r->folder, temporary, 0);
    fd = openat(r->folder, temporary,
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return wb_err_set(err, EX_CANTCREAT, "cannot write beside %s: %s",
                          r->path, strerror(errno));
    is_whole = fill(fd, r);
    if (close(fd) != 0 || !is_whole)
        return wb_err_set(err, EX_CANTCREAT, "cannot write beside %s: %s",
                          r->path, strerror(errno));
    if (!is_as_it_was(r))
        return wb_err_set(err, EX_TEMPFAIL,
                          "%s was changed meanwhile; look at it and rotate "
                          "again",
                          r->path);
    if (renameat(r->folder, temporary, r->folder, name_of(r)) != 0)
        return wb_err_set(err, EX_CANTCREAT, "cannot replace %s: %s", r->path,
                          strerror(errno));
    if (fsync(r->folder) != 0)
        return wb_err_set(err, EX_IOERR,
                          "%s is new, but a crash may undo that: %s", r->path,
                          strerror(errno));
    return EX_OK;
}

int wb_rotation_write(const struct wb_rotation *r, struct wb_err *err)
{
    char temporary[NAME_MAX + 1];
    int rc;

    if (snprintf(temporary, sizeof temporary, ".%s.rotate", name_of(r)) >=
        (int)sizeof temporary)
        return wb_err_set(err, EX_CANTCREAT, "%s: the name is too long",
                          r->path);
    rc = replace(r, temporary, err);
    if (rc != EX_OK)
        unlinkat(r->folder, temporary, 0);
    return rc;
}

void wb_rotation_end(struct wb_rotation *r)
{
    if (r->text != NULL)
        OPENSSL_cleanse(r->text, strlen(r->text));
    if (r->folder >= 0)
        close(r->folder);
    r->text = NULL;
    r->folder = -1;
}
