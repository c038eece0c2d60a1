#include "unit.h"

#include "webhook/lmtp.h"

/* What came out of a session: the content with its marks "[" and "]", and the
 * codes of the replies. */
struct seen {
    char content[400], codes[200];
    uint64_t limit;
    struct wb_lmtp lmtp;
};

static void add(char *text, size_t room, const char *octets, size_t count)
{
    size_t used = strlen(text);

    assert_true(used + count < room);
    memcpy(text + used, octets, count);
    text[used + count] = '\0';
}

static void on_say(void *to, const char *octets, size_t count)
{
    struct seen *s = to;

    assert_true(count > 4);
    if (octets[3] == ' ') {
        add(s->codes, sizeof s->codes, octets, 3);
        add(s->codes, sizeof s->codes, " ", 1);
    }
}

static uint64_t on_max_octets(void *to)
{
    return ((struct seen *)to)->limit;
}

static void on_mail(void *to, const char *path, uint64_t size,
                    struct wb_answer *answer)
{
    (void)to;
    (void)path;
    (void)size;
    wb_answer_set(answer, "250 2.1.0 ok");
}

static void on_rcpt(void *to, const char *path, struct wb_answer *answer)
{
    (void)to;
    wb_answer_set(answer, "%s", path[1] == 'n' ? "550 5.7.1 no" : "250 ok");
}

static void on_begin(void *to)
{
    struct seen *s = to;

    add(s->content, sizeof s->content, "[", 1);
}

static void on_content(void *to, const char *octets, size_t count)
{
    struct seen *s = to;

    add(s->content, sizeof s->content, octets, count);
}

static void on_end(void *to, bool is_too_large)
{
    struct seen *s = to;
    struct wb_answer answer;

    add(s->content, sizeof s->content, is_too_large ? "!]" : "]",
        is_too_large ? 2 : 1);
    wb_answer_set(&answer, "250 2.0.0 posted");
    for (int i = 0; i < 9; i++) /* more than are due */
        wb_lmtp_answer(&s->lmtp, &answer);
}

static void on_forget(void *to)
{
    (void)to;
}

static const struct wb_lmtp_calls calls = {
    .say = on_say,
    .max_octets = on_max_octets,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .begin = on_begin,
    .content = on_content,
    .end = on_end,
    .forget = on_forget,
};

#define BEFORE "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
#define CODES  "220 250 250 250 354 "

static const struct {
    const char *why;
    const char *in, *content, *codes;
} rows[] = {
    {"a message", BEFORE "a\r\n.\r\n", "[a\r\n]", CODES "250 "},
    {"nothing in it", BEFORE ".\r\n", "[]", CODES "250 "},
    {"what follows is a command", BEFORE "a\r\n.\r\nNOOP\r\n", "[a\r\n]",
     CODES "250 250 "},
    {"dots are taken off", BEFORE "..\r\n.x\r\nx.\r\n...\r\n.\r\n",
     "[.\r\nx\r\nx.\r\n..\r\n]", CODES "250 "},
    {"LF alone ends no line", BEFORE "a\n.\n.\r\n.\r\n", "[a\n.\n.\r\n]",
     CODES "250 "},
    {"CR alone ends no line", BEFORE "a\r.\r\r\n.\r\n", "[a\r.\r\r\n]",
     CODES "250 "},
    {"a dot and LF are no end", BEFORE ".\n.\r\n.\r\n", "[\n.\r\n]",
     CODES "250 "},
    {"a dot and CR are no end yet", BEFORE ".\rx\r\n.\r\n", "[\rx\r\n]",
     CODES "250 "},
    {"a dot and two CR", BEFORE ".\r\r\n.\r\n", "[\r\r\n]", CODES "250 "},
    {"no end", BEFORE "a\r\n.", "[a\r\n", CODES},
    {"too large", BEFORE "0123456789012345678901234567890123456789\r\n.\r\n",
     "[0123456789012345678901234567890!]", CODES "250 "},
    {"a reply for each recipient",
     "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<n@d>\r\n"
     "RCPT TO:<e@d>\r\nDATA\r\n.\r\n",
     "[]", "220 250 250 250 550 250 354 250 250 "},
    {"no recipient, no DATA",
     "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<n@d>\r\nDATA\r\nQUIT\r\nNOOP\r\n",
     "", "220 250 250 550 503 221 "},
    {"RSET forgets recipients",
     "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\nDATA\r\n"
     "MAIL FROM:<a@b>\r\nDATA\r\n",
     "", "220 250 250 250 250 503 250 503 "},
    {"SMTP's greeting", "EHLO mx\r\nHELO mx\r\nMAIL FROM:<a@b>\r\n", "",
     "220 500 500 503 "},
};

static void start(struct seen *s, uint64_t limit)
{
    memset(s, 0, sizeof *s);
    s->limit = limit;
    wb_lmtp_start(&s->lmtp, &calls, s, "mx.test");
}

/* Octet by octet, the worst that a network can do. */
static void sessions_come_out_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen s;

        start(&s, 31);
        for (const char *o = rows[i].in; *o != '\0'; o++)
            if (!wb_lmtp_feed(&s.lmtp, o, 1))
                break;
        ROW_TRUE(&rows[i], strcmp(s.content, rows[i].content) == 0);
        ROW_TRUE(&rows[i], strcmp(s.codes, rows[i].codes) == 0);
    }
}

static void sessions_come_out_right_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen s;

        start(&s, 31);
        (void)wb_lmtp_feed(&s.lmtp, rows[i].in, strlen(rows[i].in));
        ROW_TRUE(&rows[i], strcmp(s.content, rows[i].content) == 0);
        ROW_TRUE(&rows[i], strcmp(s.codes, rows[i].codes) == 0);
    }
}

static void the_queue_id_is_taken(void **state)
{
    static const char in[] = "LHLO mx\r\nXFORWARD IDENT=4F2A\r\n";
    static const char odd[] = "XFORWARD IDENT=a\"b\r\n";
    struct seen s;

    (void)state;
    start(&s, 1000);
    assert_true(wb_lmtp_feed(&s.lmtp, in, strlen(in)));
    assert_string_equal(s.lmtp.ident, "4F2A");
    assert_true(wb_lmtp_feed(&s.lmtp, odd, strlen(odd)));
    assert_string_equal(s.lmtp.ident, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_come_out_right),
        cmocka_unit_test(sessions_come_out_right_at_once),
        cmocka_unit_test(the_queue_id_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
