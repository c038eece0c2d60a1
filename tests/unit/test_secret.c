#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/secret.h"

static char path[] = "/tmp/waybill-secret-XXXXXX";

static void write_file(const char *octets, size_t count, mode_t mode)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(octets, 1, count, out), count);
    fclose(out);
    assert_int_equal(chmod(path, mode), 0);
}

#define LONG64                                                                 \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG512 LONG64 LONG64 LONG64 LONG64 LONG64 LONG64 LONG64 LONG64

static const struct {
    const char *why;
    const char *text;
    size_t octets; /* 0: strlen */
    mode_t mode;
    int rc;
    size_t keys;
    unsigned line;
} rows[] = {
    {"one key", "0123456789abcdef\n", 0, 0640, EX_OK, 1, 0},
    {"no newline at the end", "0123456789abcdef", 0, 0600, EX_OK, 1, 0},
    {"two keys, comment, blank",
     "# new\n0123456789abcdef\n\n  fedcba9876543210 \r\n", 0, 0600, EX_OK, 2,
     0},
    {"longest key", LONG512 LONG512 "\n", 0, 0600, EX_OK, 1, 0},
    {"too long", LONG512 LONG512 "x\n", 0, 0600, EX_CONFIG, 0, 1},
    {"far too long", LONG512 LONG512 LONG512 LONG512 LONG512 "\n", 0, 0600,
     EX_CONFIG, 0, 1},
    {"15 octets", "0123456789abcdef\n0123456789abcde\n", 0, 0600, EX_CONFIG, 1,
     2},
    {"NUL inside", "0123456789abcdef\0 0123456789abcdef\n", 35, 0600, EX_CONFIG,
     0, 0},
    {"empty", "", 0, 0600, EX_CONFIG, 0, 0},
    {"only comments", "# nothing\n", 0, 0600, EX_CONFIG, 0, 0},
    {"others may read", "0123456789abcdef\n", 0, 0644, EX_NOPERM, 0, 0},
    {"group may write", "0123456789abcdef\n", 0, 0660, EX_NOPERM, 0, 0},
};

static void files_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_secret secret;
        struct wb_err err = {""};
        unsigned line = 99;
        size_t octets = rows[i].octets ? rows[i].octets : strlen(rows[i].text);
        int rc;

        write_file(rows[i].text, octets, rows[i].mode);
        rc = wb_secret_read(p, path, &secret, &line, &err);
        ROW_TRUE(&rows[i], rc == rows[i].rc);
        ROW_TRUE(&rows[i], secret.count == rows[i].keys);
        ROW_TRUE(&rows[i], line == rows[i].line);
        ROW_TRUE(&rows[i], (rc == EX_OK) == (*err.text == '\0'));
        ROW_TRUE(&rows[i], strstr(err.text, "0123456") == NULL);
        wb_pool_free(p);
    }
}

static void what_is_no_file_is_refused(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_secret secret;
    struct wb_err err;
    unsigned line;

    (void)state;
    assert_int_equal(wb_secret_read(p, "/tmp", &secret, &line, &err),
                     EX_CONFIG);
    assert_int_equal(wb_secret_read(p, "/nowhere/x", &secret, &line, &err),
                     EX_NOINPUT);
    wb_pool_free(p);
}

static void read_keys(struct wb_pool *p, const char *text,
                      struct wb_secret *out)
{
    struct wb_err err;
    unsigned line;

    write_file(text, strlen(text), 0600);
    assert_int_equal(wb_secret_read(p, path, out, &line, &err), EX_OK);
}

/* Computed apart from this code: HMAC-SHA-256 under the key over "label\0"
 * and "hook\0a\0", then base32. */
static void labels_and_macs_are_what_openssl_says(void **state)
{
    const char *const parts[] = {"hook", "a"};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_secret secret;
    char mac[WB_MAC_OCTETS + 1];

    (void)state;
    read_keys(p, "0123456789abcdef\n", &secret);
    assert_string_equal(secret.keys[0].label, "kzhuwpr3");
    assert_int_equal(wb_secret_mac(&secret.keys[0], parts, 2, mac, NULL),
                     EX_OK);
    assert_string_equal(mac, "nzp27qpnvkmxlstfgzc77xonna");
    wb_pool_free(p);
}

static void any_key_verifies_and_nothing_else_does(void **state)
{
    const char *const parts[] = {"hook", "crm", "u@x.test"};
    const char *const shifted[] = {"hook", "crmu", "@x.test"};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_secret both, old;
    char mac[WB_MAC_OCTETS + 1];

    (void)state;
    read_keys(p, "0123456789abcdef\n", &old);
    assert_int_equal(wb_secret_mac(&old.keys[0], parts, 3, mac, NULL), EX_OK);
    read_keys(p, "another-key-for-today\n0123456789abcdef\n", &both);
    assert_true(wb_secret_verify(&both, parts, 3, mac));
    assert_false(wb_secret_verify(&both, parts, 2, mac));
    assert_false(wb_secret_verify(&both, shifted, 3, mac));
    for (size_t i = 0; i < WB_MAC_OCTETS; i++) {
        char kept = mac[i];

        mac[i] = kept == 'a' ? 'b' : 'a';
        assert_false(wb_secret_verify(&both, parts, 3, mac));
        mac[i] = kept;
    }
    mac[WB_MAC_OCTETS - 1] = '\0';
    assert_false(wb_secret_verify(&both, parts, 3, mac));
    wb_pool_free(p);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_judged),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(labels_and_macs_are_what_openssl_says),
        cmocka_unit_test(any_key_verifies_and_nothing_else_does),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
