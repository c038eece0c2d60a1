/* The clock is the test's, the file a real one. */
#include "unit.h"

#include <stdlib.h>

#include "tool/rotate.c"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
#define C "cccccccccccccccccccccccccccccccc\n"
#define D "dddddddddddddddddddddddddddddddd\n"

#define TODAY "2026-11-23"
#define NEXT  "# next, made " TODAY "\n"

enum { NOON_S = 1795435200 /* 2026-11-23 12:00 UTC */, KEEP_DAYS = 60 };

static char folder[] = "/tmp/waybill-rotate-XXXXXX";
static char path[64];

static void write_secret(const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fputs(text, out) < 0, 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, 0640), 0);
}

static char *read_secret(char out[WB_SECRET_MAX_OCTETS + 1])
{
    FILE *in = fopen(path, "r");

    assert_non_null(in);
    out[fread(out, 1, WB_SECRET_MAX_OCTETS, in)] = '\0';
    fclose(in);
    return out;
}

/* wanted, and then a key that nobody could know. */
static bool is_then_fresh(const char *text, const char *wanted)
{
    size_t octets = strlen(wanted);
    const char *key = text + octets;

    return strncmp(text, wanted, octets) == 0 &&
           strspn(key, "abcdefghijklmnopqrstuvwxyz234567") == 52 &&
           strcmp(key + 52, "\n") == 0;
}

static const struct {
    const char *why, *before, *after;
    const char *made;
    size_t dropped;
} rows[] = {
    {"the first rotate only prepares", A, A NEXT, "", 0},
    {"the second makes it sign", A "# next, made 2026-11-01\n" B,
     "# signs since " TODAY "\n" B "# signed until " TODAY "\n" A NEXT,
     "2026-11-01", 0},
    {"the third",
     "# signs since 2026-11-01\n" A "# signed until 2026-11-01\n" B
     "# next, made 2026-11-01\n" C,
     "# signs since " TODAY "\n" C "# signed until " TODAY "\n" A
     "# signed until 2026-11-01\n" B NEXT,
     "2026-11-01", 0},
    {"60 days after it signed, a key is kept",
     A "# signed until 2026-09-24\n" B, A "# signed until 2026-09-24\n" B NEXT,
     "", 0},
    {"61 days after, it goes", A "# signed until 2026-09-23\n" B C, A C NEXT,
     "", 1},
    {"several go",
     A "# signed until 2026-01-31\n" B "# signed until 2020-02-29\n" C
       "# next, made 2026-11-01\n" D,
     "# signs since " TODAY "\n" D "# signed until " TODAY "\n" A NEXT,
     "2026-11-01", 2},
    {"the first key never goes", "# signed until 2020-01-01\n" A B,
     "# signed until 2020-01-01\n" A B NEXT, "", 0},
    {"a key from the future is kept", A "# signed until 2027-11-23\n" B,
     A "# signed until 2027-11-23\n" B NEXT, "", 0},
    {"keys without a date stay, comments and blank lines too",
     "# ours\n\n# Bob made this\n" A "\n#\n\n  " B "# the end\n",
     "# ours\n\n# Bob made this\n" A "\n#\n\n  " B "# the end\n" NEXT, "", 0},
    {"comments stay with the key that signed",
     "# ours\n\n# Bob made this\n" A "# Eve's\n# next, made 2026-11-01\n" B,
     "# ours\n\n# signs since " TODAY "\n" B "# Bob made this\n"
     "# signed until " TODAY "\n" A "# Eve's\n" NEXT,
     "2026-11-01", 0},
    {"a blank line parts a mark from its key",
     A "# signed until 2020-01-01\n\n" B,
     A "# signed until 2020-01-01\n\n" B NEXT, "", 0},
    {"the nearest mark counts",
     A "# signed until 2020-01-01\n# signs since 2026-11-01\n" B,
     A "# signed until 2020-01-01\n# signs since 2026-11-01\n" B NEXT, "", 0},
    {"no dates: words, months, days, forms",
     A "# signed until then\n" B "# signed until 2020-13-01\n" C
       "# signed until 2019-02-29\n" D "# signed until 2020-1-1\n"
       "eeeeeeeeeeeeeeee\n",
     A "# signed until then\n" B "# signed until 2020-13-01\n" C
       "# signed until 2019-02-29\n" D "# signed until 2020-1-1\n"
       "eeeeeeeeeeeeeeee\n" NEXT,
     "", 0},
    {"blanks and CRLF are nothing", A "  #signed until 2020-01-01 \r\n" B,
     A NEXT, "", 1},
    {"no line feed at the end", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", A NEXT, "",
     0},
    {"of two that are prepared the older line",
     A "# next, made 2026-11-02\n" B "# next, made 2026-11-01\n" C,
     "# signs since " TODAY "\n" B "# signed until " TODAY "\n" A
     "# next, made 2026-11-01\n" C NEXT,
     "2026-11-02", 0},
    {"a prepared key that was moved to the front signs already",
     "# next, made 2026-11-01\n" A B, "# next, made 2026-11-01\n" A B NEXT, "",
     0},
};

static void content_is_as_it_should_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_rotation r;
        struct wb_err err = {""};
        char text[WB_SECRET_MAX_OCTETS + 1];
        int rc;

        write_secret(rows[i].before);
        rc = wb_rotation_begin(path, false, NOON_S, KEEP_DAYS, p, &r, &err);
        ROW_TRUE(&rows[i], rc == EX_OK);
        ROW_TRUE(&rows[i], strcmp(read_secret(text), rows[i].before) == 0);
        ROW_TRUE(&rows[i], strcmp(r.made, rows[i].made) == 0);
        ROW_TRUE(&rows[i], r.dropped == rows[i].dropped);
        ROW_TRUE(&rows[i], wb_rotation_write(&r, &err) == EX_OK);
        ROW_TRUE(&rows[i], is_then_fresh(read_secret(text), rows[i].after));
        wb_rotation_end(&r);
        wb_pool_free(p);
    }
}

/* Begin only. */
static int begin(struct wb_pool *p, bool is_looking, struct wb_rotation *r,
                 struct wb_err *err)
{
    err->text[0] = '\0';
    return wb_rotation_begin(path, is_looking, NOON_S, KEEP_DAYS, p, r, err);
}

static void whole(const char *text)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_rotation r;
    struct wb_err err;

    if (text != NULL)
        write_secret(text);
    assert_int_equal(begin(p, false, &r, &err), EX_OK);
    assert_int_equal(wb_rotation_write(&r, &err), EX_OK);
    wb_rotation_end(&r);
    wb_pool_free(p);
}

static void owner_and_mode_stay(void **state)
{
    const struct {
        const char *why;
        mode_t mode;
    } modes[] = {{"640", 0640}, {"600", 0600}, {"440", 0440}, {"400", 0400}};
    struct stat was, now;
    bool is_root = geteuid() == 0;

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        write_secret(A);
        assert_int_equal(
            chown(path, is_root ? 1 : geteuid(), is_root ? 2 : getegid()), 0);
        assert_int_equal(chmod(path, modes[i].mode), 0);
        assert_int_equal(stat(path, &was), 0);
        whole(NULL);
        assert_int_equal(stat(path, &now), 0);
        ROW_TRUE(&modes[i], now.st_mode == was.st_mode);
        ROW_TRUE(&modes[i], now.st_uid == was.st_uid);
        ROW_TRUE(&modes[i], now.st_gid == was.st_gid);
        ROW_TRUE(&modes[i], now.st_ino != was.st_ino);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_symbolic_link_stays_one(void **state)
{
    char target[80], text[WB_SECRET_MAX_OCTETS + 1];
    struct stat st;

    (void)state;
    snprintf(target, sizeof target, "%s.target", path);
    write_secret(A);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    whole(NULL);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_true(is_then_fresh(read_secret(text), A NEXT));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(target), 0);
}

/* A link in the temporary file's place is not followed. */
static void what_a_killed_rotation_left_goes(void **state)
{
    char temporary[80], victim[80];
    struct stat st;

    (void)state;
    snprintf(temporary, sizeof temporary, "%s/.secret.rotate", folder);
    snprintf(victim, sizeof victim, "%s/victim", folder);
    write_secret(A);
    assert_int_equal(symlink(victim, temporary), 0);
    whole(NULL);
    assert_int_not_equal(lstat(temporary, &st), 0);
    assert_int_not_equal(lstat(victim, &st), 0);
}

static void only_one_rotates_at_a_time(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_rotation first, second;
    struct wb_err err;

    (void)state;
    write_secret(A);
    assert_int_equal(begin(p, false, &first, &err), EX_OK);
    assert_int_equal(begin(p, false, &second, &err), EX_TEMPFAIL);
    assert_non_null(strstr(err.text, "try again"));
    wb_rotation_end(&second);
    assert_int_equal(begin(p, true, &second, &err), EX_OK);
    wb_rotation_end(&second);
    wb_rotation_end(&first);
    assert_int_equal(begin(p, false, &second, &err), EX_OK);
    wb_rotation_end(&second);
    wb_pool_free(p);
}

static void an_edit_meanwhile_is_not_lost(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_rotation r;
    struct wb_err err;
    char text[WB_SECRET_MAX_OCTETS + 1], temporary[80];

    (void)state;
    snprintf(temporary, sizeof temporary, "%s/.secret.rotate", folder);
    write_secret(A);
    assert_int_equal(begin(p, false, &r, &err), EX_OK);
    write_secret(A B);
    assert_int_equal(wb_rotation_write(&r, &err), EX_TEMPFAIL);
    assert_non_null(strstr(err.text, "changed meanwhile"));
    wb_rotation_end(&r);
    assert_string_equal(read_secret(text), A B);
    assert_int_not_equal(access(temporary, F_OK), 0);
    wb_pool_free(p);
}

/* What wb_secret_read refuses is refused, with its words. */
static void a_file_that_is_wrong_is_left_alone(void **state)
{
    static const struct {
        const char *why, *text;
        mode_t mode;
        int rc;
        const char *says;
    } wrong[] = {
        {"others may read", A, 0644, EX_NOPERM, "chmod 640"},
        {"group may write", A, 0660, EX_NOPERM, "chmod 640"},
        {"no key", "# nothing\n", 0640, EX_CONFIG, "holds no key"},
        {"a short key", A "0123456789abcde\n", 0640, EX_CONFIG, "secret:2: "},
    };
    struct wb_pool *p = wb_pool_new(0);
    struct wb_rotation r;
    struct wb_err err;
    char text[WB_SECRET_MAX_OCTETS + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        write_secret(wrong[i].text);
        assert_int_equal(chmod(path, wrong[i].mode), 0);
        ROW_TRUE(&wrong[i], begin(p, false, &r, &err) == wrong[i].rc);
        ROW_TRUE(&wrong[i], strstr(err.text, wrong[i].says) != NULL);
        ROW_TRUE(&wrong[i], strstr(err.text, "0123") == NULL);
        ROW_TRUE(&wrong[i], r.text == NULL);
        wb_rotation_end(&r);
        ROW_TRUE(&wrong[i], strcmp(read_secret(text), wrong[i].text) == 0);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(begin(p, false, &r, &err), EX_NOINPUT);
    wb_rotation_end(&r);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(begin(p, false, &r, &err), EX_CONFIG);
    assert_non_null(strstr(err.text, "not a regular file"));
    wb_rotation_end(&r);
    assert_int_equal(unlink(path), 0);
    wb_pool_free(p);
}

static void a_seventeenth_key_is_refused(void **state)
{
    static const char mark[] = "# signed until 2026-10-01\n";
    char text[4096] = "";
    struct wb_pool *p = wb_pool_new(0);
    struct wb_rotation r;
    struct wb_err err;

    (void)state;
    for (char c = 'a'; c < 'a' + WB_KEYS_MAX - 1; c++)
        snprintf(text + strlen(text), 64, "%c%s", c, A);
    write_secret(text);
    whole(NULL); /* the sixteenth */
    assert_int_equal(begin(p, false, &r, &err), EX_CONFIG);
    assert_non_null(strstr(err.text, "remove one that nobody needs, or write "
                                     "\"# signed until DATE\""));
    wb_rotation_end(&r);
    snprintf(text + strlen(text), 64, "%s%s", mark, B);
    write_secret(text);
    assert_int_equal(begin(p, false, &r, &err), EX_CONFIG);
    assert_non_null(strstr(err.text, "rotate from 2026-12-01 on, when the key "
                                     "of line 17 is old enough to go"));
    wb_rotation_end(&r);
    wb_pool_free(p);
}

static void a_file_that_would_grow_too_long_is_refused(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_rotation r;
    struct wb_err err;
    char text[WB_SECRET_MAX_OCTETS + 1] = A "#";
    size_t rest = strlen(text);
    /* mark and key */
    const size_t grows = strlen(NEXT) + 53;

    (void)state;
    memset(text + rest, 'x', sizeof text - rest - 1);
    text[WB_SECRET_MAX_OCTETS - grows - 1] = '\n';
    text[WB_SECRET_MAX_OCTETS - grows] = '\0';
    write_secret(text);
    assert_int_equal(begin(p, true, &r, &err), EX_OK);
    assert_int_equal(strlen(r.text), WB_SECRET_MAX_OCTETS);
    wb_rotation_end(&r);
    text[WB_SECRET_MAX_OCTETS - grows - 1] = 'x'; /* so a line feed is added */
    write_secret(text);
    assert_int_equal(begin(p, true, &r, &err), EX_CONFIG);
    assert_non_null(strstr(err.text, "would have more than 32767 octets"));
    wb_rotation_end(&r);
    wb_pool_free(p);
}

/* A year of monthly rotations: what signs was always known a rotation before,
 * and is known for as long as it must. */
static void a_year_of_rotations(void **state)
{
    enum { ROTATIONS = 12, EVERY_DAYS = 31, MOST = 2 + KEEP_DAYS / EVERY_DAYS };
    char signed_by[ROTATIONS][WB_LABEL_OCTETS + 1];
    struct wb_secret before = {0};

    (void)state;
    write_secret(A);
    for (int i = 0; i < ROTATIONS; i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_secret now;
        struct wb_rotation r;
        struct wb_err err;
        unsigned line;
        bool was_known = i == 0;

        assert_int_equal(wb_rotation_begin(path, false,
                                           NOON_S + i * EVERY_DAYS * DAY_S,
                                           KEEP_DAYS, p, &r, &err),
                         EX_OK);
        assert_int_equal(wb_rotation_write(&r, &err), EX_OK);
        wb_rotation_end(&r);
        assert_int_equal(wb_secret_read(p, path, &now, &line, &err), EX_OK);
        assert_in_range(now.count, 2, MOST + 1);
        for (size_t k = 0; k < before.count; k++)
            was_known |= strcmp(before.keys[k].label, now.keys[0].label) == 0;
        assert_true(was_known);
        strcpy(signed_by[i], now.keys[0].label);
        /* what signed at the rotation before this one still verifies */
        for (size_t k = 0; i > 0 && k <= now.count; k++) {
            assert_int_not_equal(k, now.count);
            if (strcmp(now.keys[k].label, signed_by[i - 1]) == 0)
                break;
        }
        before = now;
        wb_pool_free(p);
    }
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/secret", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_as_it_should_be),
        cmocka_unit_test(owner_and_mode_stay),
        cmocka_unit_test(a_symbolic_link_stays_one),
        cmocka_unit_test(what_a_killed_rotation_left_goes),
        cmocka_unit_test(only_one_rotates_at_a_time),
        cmocka_unit_test(an_edit_meanwhile_is_not_lost),
        cmocka_unit_test(a_file_that_is_wrong_is_left_alone),
        cmocka_unit_test(a_seventeenth_key_is_refused),
        cmocka_unit_test(a_file_that_would_grow_too_long_is_refused),
        cmocka_unit_test(a_year_of_rotations),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
