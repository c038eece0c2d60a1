#include "unit.h"

#include <unistd.h>

#include "webhook/sign.h"

#define BODY "From: a\r\n\r\nText\r\n"

/* Made by another implementation (Python's hmac and hashlib). */
#define FIRST "efa943650ba98217f285a7475b19776a44a4ff24538a8e0af5f07dd3c0c2c08f"
#define SECOND                                                                 \
    "1642d9180336b2e444c08b0b3864f5411fc64b118b289039520467b911ed4926"
#define ID "bee4wjv2sc2ou7yy2lg3jjy55goxnv5r"

static void spool(struct wb_spool *s, const char *pieces[])
{
    wb_spool_begin(s, "/tmp");
    for (; *pieces != NULL; pieces++)
        wb_spool_add(s, *pieces, strlen(*pieces));
    assert_int_equal(wb_spool_end(s), EX_OK);
}

static void a_body_is_signed(void **state)
{
    static const struct {
        const char *why;
        const char *keys[3];
        const char *value;
    } rows[] = {
        {"one key", {"the first key of it"}, "t=1700000000,v1=" FIRST},
        {"two keys",
         {"the first key of it", "the second key of it"},
         "t=1700000000,v1=" FIRST ",v1=" SECOND},
    };
    const char *pieces[] = {BODY, NULL};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_spool s;

    (void)state;
    spool(&s, pieces);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *value;

        ROW_TRUE(&rows[i], wb_sign_body(rows[i].keys, 1700000000, s.fd, p,
                                        &value, NULL) == EX_OK);
        ROW_TRUE(&rows[i], strcmp(value, rows[i].value) == 0);
    }
    wb_spool_close(&s);
    wb_pool_free(p);
}

static const struct {
    const char *why;
    const char *parts[5];
    const char *pieces[4];
    bool is_same;
} ids[] = {
    {"as Python makes it",
     {"crm", "mailform", "a@b.test", "c@d.test"},
     {BODY},
     true},
    {"in pieces",
     {"crm", "mailform", "a@b.test", "c@d.test"},
     {"From", ": a\r\n\r\nT", "ext\r\n"},
     true},
    {"another recipient",
     {"crm", "mailform", "a@b.test", "x@d.test"},
     {BODY},
     false},
    {"parts do not run together",
     {"crmm", "ailform", "a@b.test", "c@d.test"},
     {BODY},
     false},
    {"another message",
     {"crm", "mailform", "a@b.test", "c@d.test"},
     {BODY, "x"},
     false},
};

static void an_id_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        char id[WB_ID_OCTETS + 1];
        const char *pieces[COUNT(ids[i].pieces)];
        struct wb_spool s;

        memcpy(pieces, ids[i].pieces, sizeof pieces);
        spool(&s, pieces);
        ROW_TRUE(&ids[i],
                 wb_sign_id(s.digest, ids[i].parts, id, NULL) == EX_OK);
        ROW_TRUE(&ids[i], strlen(id) == WB_ID_OCTETS);
        ROW_TRUE(&ids[i], (strcmp(id, ID) == 0) == ids[i].is_same);
        wb_spool_close(&s);
    }
}

static void a_spool_keeps_its_first_fault(void **state)
{
    struct wb_spool s;

    (void)state;
    wb_spool_begin(&s, "/no/such/folder");
    wb_spool_add(&s, "x", 1);
    assert_int_equal(wb_spool_end(&s), EX_IOERR);
    assert_non_null(strstr(s.err.text, "/no/such/folder"));
    wb_spool_close(&s);
    wb_spool_close(&s);
}

static void a_file_is_copied(void **state)
{
    static char large[100000], back[100001];
    const char *pieces[] = {large, BODY, NULL};
    struct wb_spool s;
    int fd;

    (void)state;
    memset(large, 'x', sizeof large - 1);
    spool(&s, pieces);
    assert_int_equal(wb_spool_file_open("/tmp", &fd, NULL), EX_OK);
    assert_int_equal(wb_spool_file_copy(s.fd, fd, NULL), EX_OK);
    assert_int_equal(wb_spool_file_read(fd, 0, back, sizeof back, NULL),
                     sizeof back);
    assert_memory_equal(back, large, sizeof large - 1);
    assert_int_equal(
        wb_spool_file_read(fd, sizeof large - 1, back, sizeof back, NULL),
        strlen(BODY));
    close(fd);
    wb_spool_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_signed),
        cmocka_unit_test(an_id_stays),
        cmocka_unit_test(a_spool_keeps_its_first_fault),
        cmocka_unit_test(a_file_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
