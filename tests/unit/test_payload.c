/* What is posted. The rows look for octets in the body; test_payload_fields.py
 * decodes it field by field, and has this program write it: test_payload FORMAT
 * FILE API_KEY SIGNING_KEY
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "webhook/payload.h"
#include "webhook/spool.h"

static const struct wb_payload_facts plain_facts = {
    .id = "id",
    .webhook = "crm",
    .filter = "mailform",
    .server_composition = "site",
    .envelope_from = "a@example.com",
    .envelope_to = "b@example.net",
    .now_s = 1700000000,
};

static int open_file(void)
{
    int fd;

    assert_int_equal(wb_spool_file_open("/tmp", &fd, NULL), EX_OK);
    return fd;
}

static char *read_all(int fd, size_t *octets)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)end + 1);

    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)end, 0), end);
    text[end] = '\0';
    *octets = (size_t)end;
    return text;
}

/* The body for a message; the caller frees it. */
static char *payload(enum wb_format format, const char *message, size_t count,
                     size_t *octets)
{
    struct wb_pool *p = wb_pool_new(0);
    int in = open_file(), out = open_file();
    const char *content_type;
    char *body;

    assert_int_equal(wb_spool_file_write(in, message, count, NULL), EX_OK);
    assert_int_equal(
        wb_payload_write(format, &plain_facts, in, out, p, &content_type, NULL),
        EX_OK);
    body = read_all(out, octets);
    close(in);
    close(out);
    wb_pool_free(p);
    return body;
}

/* A message, and what the JSON of it holds. NULs in it do not matter. */
struct row {
    const char *why, *message;
    const char *holds[4];
};

#define MIXED(lines) "Content-Type: multipart/mixed; boundary=b\r\n\r\n" lines

static const struct row rows[] = {
    {"nothing at all",
     "",
     {"\"subject\":\"\"", "\"text\":\"\"", "\"headers\":[]"}},
    {"no header", "\r\nhello\r\n", {"\"text\":\"hello\\n\""}},
    {"no header, no empty line",
     "hello world\r\nyou: there\r\n",
     {"\"text\":\"hello world\\nyou: there\\n\"", "\"headers\":[]"}},
    {"no empty line",
     "Subject: a\r\nhello\r\n",
     {"\"subject\":\"a\"", "\"text\":\"hello\\n\""}},
    {"only a header", "Subject: a\r\n", {"\"subject\":\"a\"", "\"text\":\"\""}},
    {"mailbox line",
     "From a@b Mon Jan 1\nSubject: a\n\nb\n",
     {"\"subject\":\"a\"", "\"text\":\"b\\n\""}},
    {"line ends",
     "\r\na\r\nb\nc\rd\r\r\n",
     {"\"text\":\"a\\nb\\nc\\u000dd\\u000d\\n\""}},
    {"folded, white space before the colon",
     "Subject : a\r\n b\r\n\tc \r\n\r\n",
     {"{\"name\":\"Subject\",\"value\":\"a b\\tc\"}"}},
    {"message order, repeated names",
     "B: 1\r\nA: 2\r\nB: 3\r\n\r\n",
     {"[{\"name\":\"B\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"2\"},"
      "{\"name\":\"B\",\"value\":\"3\"}]"}},
    {"quotes and backslashes",
     "Subject: \"\\\r\n\r\n\"\\\t\x01",
     {"\"subject\":\"\\\"\\\\\"", "\"text\":\"\\\"\\\\\\t\\u0001\""}},
    {"raw UTF-8 subject",
     "Subject: \xc3\xa4\r\n\r\n",
     {"\"subject\":\"\xc3\xa4\""}},
    {"raw ISO-2022-JP subject",
     "Subject: \033$B$\"\033(B\r\n\r\n",
     {"\"subject\":\"\xe3\x81\x82\""}},
    {"raw Shift_JIS subject",
     "Subject: \x93\xfa\x96{\r\n\r\n",
     {"\"subject\":\"\xe6\x97\xa5\xe6\x9c\xac\""}},
    {"raw EUC-JP subject",
     "Subject: \xc6\xfc\xcb\xdc\r\n\r\n",
     {"\"subject\":\"\xe6\x97\xa5\xe6\x9c\xac\""}},
    {"raw Latin-1 subject",
     "Subject: M\xfcller\r\n\r\n",
     {"\"subject\":\"M\xc3\xbcller\""}},
    {"base64 cut off",
     "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8gd29ybG",
     {"\"text\":\"hello worl\"", "\"attachments\":0"}},
    {"base64 padded in the middle",
     "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\nd29ybGQ=\r\n",
     {"\"text\":\"helloworld\""}},
    {"not base64 at all",
     "Content-Transfer-Encoding: BASE64\r\n\r\nhello, world!\r\n",
     {"\"text\":\"hello, world!\\n\""}},
    {"quoted-printable",
     "Content-Transfer-Encoding: Quoted-Printable\r\n\r\n"
     "a=3db=\r\nc \t\r\nd=3X=\t \r\ne = f=C3=A4=",
     {"\"text\":\"a=bc\\nd=3Xe = f\xc3\xa4\""}},
    {"a transfer encoding that is none",
     "Content-Transfer-Encoding: magic\r\n\r\na=20b",
     {"\"text\":\"a=20b\""}},
    {"half a character",
     "Content-Type: text/plain; charset=utf-8\r\n\r\n"
     "\xe3\x81\x82\xe3\x81\x82\xe3\x81",
     {"\"text\":\"\xe3\x81\x82\xe3\x81\x82\xef\xbf\xbd\xef\xbf\xbd\"",
      "\"attachments\":1"}},
    {"Shift_JIS that says UTF-8",
     "Content-Type: text/plain; charset=utf-8\r\n\r\n\x93\xfa\x96{ abc",
     {"\"text\":\"\xe6\x97\xa5\xe6\x9c\xac abc\"", "\"attachments\":1"}},
    {"Latin-1 that says UTF-8",
     "Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xfc\xdf"
     "e",
     {"\"text\":\"Gr\xc3\xbc\xc3\x9f"
      "e\"",
      "\"attachments\":1"}},
    {"an unknown charset",
     "Content-Type: text/plain; charset=klingon\r\n\r\nabc",
     {"\"text\":\"abc\"", "\"attachments\":1"}},
    {"iconv's own words are no charset",
     "Content-Type: text/plain; charset=\"UTF-16//IGNORE\"\r\n\r\nabc",
     {"\"text\":\"abc\"", "\"attachments\":1"}},
    {"circled digit in ISO-2022-JP",
     "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\033$B-!\033(B",
     {"\"text\":\"\xe2\x91\xa0\"", "\"attachments\":0"}},
    {"8 bits in ISO-2022-JP: it is UTF-8",
     "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\xe3\x81\x82",
     {"\"text\":\"\xe3\x81\x82\"", "\"attachments\":1"}},
    {"no charset, Shift_JIS",
     "\r\n\x93\xfa\x96{\x8c\xea",
     {"\"text\":\"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\"",
      "\"attachments\":1"}},
    {"past U+10FFFF is no UTF-8",
     "\r\n\xf4\x90\x80\x80",
     {"\"attachments\":1"}},
    {"two texts do not share a line",
     MIXED("--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"),
     {"\"text\":\"one\\ntwo\"", "\"attachments\":0"}},
    {"text, HTML, a file in line, an attached text",
     MIXED("--b\r\n\r\na\r\n--b\r\nContent-Type: text/HTML\r\n\r\n<b>\r\n"
           "--b\r\nContent-Disposition: inline; filename=x.txt\r\n\r\nc\r\n"
           "--b\r\nContent-Disposition: Attachment\r\n\r\nd\r\n--b--\r\n"),
     {"\"text\":\"a\"", "\"html\":\"<b>\"", "\"attachments\":2"}},
    {"the empty line of a part is missing",
     MIXED("--b\r\nhello\r\n--b--\r\n"),
     {"\"text\":\"hello\""}},
    {"no last delimiter", MIXED("--b\r\n\r\nhello"), {"\"text\":\"hello\""}},
    {"no delimiter at all",
     MIXED("hello\r\n"),
     {"\"text\":\"hello\\n\"", "\"attachments\":0"}},
    {"only the last delimiter",
     MIXED("hello\r\n--b--\r\n"),
     {"\"text\":\"hello\\n--b--\\n\""}},
    {"no boundary",
     "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\na\r\n--b--",
     {"\"text\":\"--b\\n\\na\\n--b--\""}},
    {"a boundary that begins like another",
     MIXED("--bb\r\n--b\r\n\r\nx\r\n--bb\r\n--b--"),
     {"\"text\":\"x\\n--bb\""}},
    {"white space behind a boundary",
     MIXED("--b \t\r\n\r\nx\r\n--b--  \r\n"),
     {"\"text\":\"x\"", "\"attachments\":0"}},
    {"a boundary that ends in a blank",
     "Content-Type: multipart/mixed; boundary=\"b \"\r\n\r\n--b \r\n\r\nx\r\n"
     "--b --\r\n--b--\r\n",
     {"\"text\":\"x\\n--b --\""}},
    {"the same by RFC 2231",
     "Content-Type: multipart/mixed; boundary*=us-ascii''b%20%09\r\n\r\n"
     "--b\r\n\r\nx\r\n--b--\r\n",
     {"\"text\":\"x\"", "\"attachments\":0"}},
    {"the text before the parts is not for people",
     MIXED("use a MIME reader\r\n--b\r\n\r\nx\r\n--b--\r\n \r\n"),
     {"\"text\":\"x\"", "\"attachments\":0"}},
    {"text behind the parts is not lost",
     MIXED("--b\r\n\r\nx\r\n--b--\r\nfooter\r\n"),
     {"\"text\":\"x\"", "\"attachments\":1"}},
    {"one boundary for two levels",
     MIXED("--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
           "--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\ny\r\n"
           "--b--\r\n--b\r\n\r\nz\r\n--b--\r\n"),
     {"\"text\":\"x\\nz\"", "\"html\":\"y\"", "\"attachments\":0"}},
    {"the outer delimiter ends the inner multipart",
     MIXED("--b\r\nContent-Type: multipart/alternative; boundary=\"i\"\r\n\r\n"
           "--i\r\n\r\nx\r\n--b\r\n\r\nz\r\n--b--\r\n"),
     {"\"text\":\"x\\nz\""}},
    {"parts that are nothing",
     MIXED("--b\r\n--b\r\n--b\r\n--b--\r\n"),
     {"\"attachments\":0"}},
    {"a part that is only a header",
     MIXED("--b\r\nContent-Type: image/png\r\n--b--\r\n"),
     {"\"attachments\":1"}},
    {"a multipart that is only a header",
     MIXED("--b\r\nContent-Type: multipart/x; boundary=c\r\n--b--\r\n"),
     {"\"attachments\":0"}},
    {"a type that is none is text",
     "Content-Type: text\r\n\r\nx",
     {"\"text\":\"x\""}},
    {"the message is a message",
     "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny",
     {"\"attachments\":1", "\"subject\":\"\""}},
    {"a digest's parts are messages",
     "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
     "Subject: x\r\n\r\ny\r\n--b--",
     {"\"attachments\":1"}},
    {"envelope",
     "\r\n",
     {"\"server_composition\":\"site\"", "\"filter\":\"mailform\"",
      "\"envelope-from\":\"a@example.com\"",
      "\"envelope-to\":\"b@example.net\""}},
};

static void fields_of_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        size_t octets;
        char *body = payload(WB_FORMAT_CMC_JSON, r->message, strlen(r->message),
                             &octets);

        for (size_t k = 0; k < COUNT(r->holds) && r->holds[k] != NULL; k++)
            if (strstr(body, r->holds[k]) == NULL)
                fail_msg("row \"%s\": no %s in %s", r->why, r->holds[k], body);
        free(body);
    }
}

static void raw_is_as_it_came(void **state)
{
    static const char message[] = "Subject: \xff\r\n\r\n\0\n.\r\n";
    size_t octets;
    char *body = payload(WB_FORMAT_RAW, message, sizeof message - 1, &octets);

    (void)state;
    assert_int_equal(octets, sizeof message - 1);
    assert_memory_equal(body, message, octets);
    free(body);
}

/* They would fill more than all levels have room for. */
static void blanks_behind_a_boundary_fill_nothing(void **state)
{
    enum { BLANKS = 100000 };
    static const char head[] =
        "Content-Type: multipart/mixed; boundary*=us-ascii''b";
    static const char body[] = "\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n";
    size_t room = sizeof head + strlen("%20") * BLANKS + sizeof body, octets;
    char *message = malloc(room), *end, *json;

    (void)state;
    assert_non_null(message);
    end = stpcpy(message, head);
    for (size_t i = 0; i < BLANKS; i++)
        end = stpcpy(end, "%20");
    end = stpcpy(end, body);
    json =
        payload(WB_FORMAT_CMC_JSON, message, (size_t)(end - message), &octets);
    assert_non_null(strstr(json, "\"text\":\"x\""));
    free(json);
    free(message);
}

static void nul_octets_do_not_end_anything(void **state)
{
    static const char message[] = "Sub\0ject: a\r\nSubject: a\0b\r\n\r\nc\0d";
    static const char in_header[] = "Subject: a\0b\r\n\r\nc\0d";
    size_t octets;
    char *body =
        payload(WB_FORMAT_CMC_JSON, in_header, sizeof in_header - 1, &octets);

    (void)state;
    assert_non_null(strstr(body, "\"subject\":\"ab\""));
    assert_non_null(strstr(body, "\"text\":\"c\\u0000d\""));
    free(body);
    body = payload(WB_FORMAT_CMC, message, sizeof message - 1, &octets);
    assert_non_null(memmem(body, octets, "c\0d", 3));
    free(body);
}

/* A sink that is full is told, not ignored. */
static void full_disk(void **state)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_err err = {""};
    int in = open_file(), full = open("/dev/full", O_RDWR);
    const char *content_type;

    (void)state;
    assert_int_equal(wb_spool_file_write(in, "\r\nhello", 7, NULL), EX_OK);
    for (int f = WB_FORMAT_CMC; f <= WB_FORMAT_MAILGUN; f++)
        assert_int_equal(wb_payload_write((enum wb_format)f, &plain_facts, in,
                                          full, p, &content_type, &err),
                         EX_IOERR);
    assert_string_not_equal(err.text, "");
    close(in);
    close(full);
    wb_pool_free(p);
}

/* ---- large messages ----------------------------------------------------- */

enum {
    SMALL_OCTETS = 3 * 1024 * 1024,
    LARGE_OCTETS = 25 * 1024 * 1024,
    MOST_GROWTH_KIB = 4096,
};

/* With the address sanitizer, what was freed shall not stay for long. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1";
}

/* A beginning, and what is repeated behind it. */
static const struct heavy {
    const char *why, *start, *again;
} heavies[] = {
    {"attachment",
     MIXED("--b\r\nContent-Type: application/zip\r\n"
           "Content-Transfer-Encoding: base64\r\n\r\n"),
     "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5\r"
     "\n"},
    {"text", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n",
     "\033$B$\"$\"$\"\033(B\r\n"},
    {"one line", "\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"parts", MIXED(""), "--b\r\n\r\nx\r\n"},
    {"delimiters", MIXED(""), "--b\r\n"},
    {"header", "", "a:b\r\n"},
    {"one field", "Subject: ", "=?utf-8?Q?=C3=A4?= =?iso-2022-jp?Q?a?=\r\n "},
    {"parameters", "Content-Type: text/plain", ";a=\"b\""},
};

static int heavy_message(const struct heavy *h, size_t octets)
{
    static char chunk[64 * 1024];
    size_t n = strlen(h->again), count = sizeof chunk / n * n;
    int fd = open_file();

    for (size_t at = 0; at < count; at += n)
        memcpy(chunk + at, h->again, n);
    assert_int_equal(wb_spool_file_write(fd, h->start, strlen(h->start), NULL),
                     EX_OK);
    for (size_t at = 0; at < octets; at += count)
        assert_int_equal(wb_spool_file_write(fd, chunk, count, NULL), EX_OK);
    return fd;
}

/* The most memory that there was until now. */
static long peak_kib(const struct heavy *h, enum wb_format format,
                     size_t octets)
{
    struct wb_pool *p = wb_pool_new(0);
    int in = heavy_message(h, octets), out = open_file();
    const char *content_type;
    struct rusage usage;

    assert_int_equal(
        wb_payload_write(format, &plain_facts, in, out, p, &content_type, NULL),
        EX_OK);
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    close(in);
    close(out);
    wb_pool_free(p);
    return usage.ru_maxrss;
}

static void memory_does_not_grow_with_the_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heavies); i++)
        for (int f = WB_FORMAT_CMC; f <= WB_FORMAT_MAILGUN; f++) {
            const struct heavy *h = &heavies[i];
            long small = 0, large;

            /* malloc keeps other pieces in a second round than in the first */
            for (int round = 0; round < 3; round++)
                small = peak_kib(h, (enum wb_format)f, SMALL_OCTETS);
            large = peak_kib(h, (enum wb_format)f, LARGE_OCTETS);
            if (large - small > MOST_GROWTH_KIB)
                fail_msg("%s: %ld KiB, then %ld", h->why, small, large);
        }
}

/* ---- for test_payload_fields.py
 * ------------------------------------------------ */

static enum wb_format format_of(const char *name)
{
    return strcmp(name, "cmc") == 0        ? WB_FORMAT_CMC
           : strcmp(name, "cmc-json") == 0 ? WB_FORMAT_CMC_JSON
           : strcmp(name, "mailgun") == 0  ? WB_FORMAT_MAILGUN
                                           : WB_FORMAT_RAW;
}

static int write_payload(char **argv)
{
    struct wb_payload_facts facts = plain_facts;
    struct wb_pool *p = wb_pool_new(0);
    struct wb_err err = {""};
    int in = open(argv[2], O_RDONLY), out = open_file(), rc;
    const char *content_type;
    size_t octets;
    char *body;

    facts.api_key = *argv[3] != '\0' ? argv[3] : NULL;
    facts.signing_key = *argv[4] != '\0' ? argv[4] : NULL;
    facts.filter = argv[5];
    rc = wb_payload_write(format_of(argv[1]), &facts, in, out, p, &content_type,
                          &err);
    if (rc != EX_OK) {
        fprintf(stderr, "%s\n", err.text);
        return rc;
    }
    body = read_all(out, &octets);
    printf("%s\n", content_type);
    fwrite(body, 1, octets, stdout);
    free(body);
    close(in);
    close(out);
    wb_pool_free(p);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_json),
        cmocka_unit_test(raw_is_as_it_came),
        cmocka_unit_test(blanks_behind_a_boundary_fill_nothing),
        cmocka_unit_test(nul_octets_do_not_end_anything),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(memory_does_not_grow_with_the_message),
    };

    if (argc == 6)
        return write_payload(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
