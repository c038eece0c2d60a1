/* The header From of a route, and return paths that are an address: reading
 * the mailbox, writing it, and what it does to a message. */
#include "unit.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/header.h"
#include "mail/mailbox.h"
#include "plan/plan.h"

/* ---- what a person writes ---- */

static const struct parse_row {
    const char *why, *text;
    const char *name, *address; /* address NULL: refused, */
    const char *says;           /* with these words */
} parse_rows[] = {
    {"bare address", "shop@docomo.ne.jp", NULL, "shop@docomo.ne.jp", NULL},
    {"in angles", " <shop@docomo.ne.jp> ", NULL, "shop@docomo.ne.jp", NULL},
    {"name", "Shop <shop@docomo.ne.jp>", "Shop", "shop@docomo.ne.jp", NULL},
    {"no blank", "Shop<a@b.test>", "Shop", "a@b.test", NULL},
    {"blanks around", "\t My  Shop \t<a@b.test>", "My  Shop", "a@b.test", NULL},
    {"UTF-8", "ショップ <a@b.test>", "ショップ", "a@b.test", NULL},
    {"comma and dot as they stand", "Shop, Inc. <a@b.test>", "Shop, Inc.",
     "a@b.test", NULL},
    {"colon", "Re: Shop <a@b.test>", "Re: Shop", "a@b.test", NULL},
    {"quotes are taken off", "\"Shop, Inc.\" <a@b.test>", "Shop, Inc.",
     "a@b.test", NULL},
    {"quotes within", "\"a \\\"b\\\" \\\\c\" <a@b.test>", "a \"b\" \\c",
     "a@b.test", NULL},
    {"angles within quotes", "\"a <b>\" <a@b.test>", "a <b>", "a@b.test", NULL},
    {"empty name", "\"\" <a@b.test>", NULL, "a@b.test", NULL},
    {"backslash", "A\\B <a@b.test>", "A\\B", "a@b.test", NULL},
    {"an address as name", "\"a@b.test\" <a@b.test>", "a@b.test", "a@b.test",
     NULL},
    {"quoted local part", "X <\"a <b\"@c.test>", "X", "\"a <b\"@c.test", NULL},
    {"dots off the RFC", "a..b@docomo.ne.jp", NULL, "a..b@docomo.ne.jp", NULL},
    {"literal", "a@[192.0.2.1]", NULL, "a@[192.0.2.1]", NULL},

    {"nothing", "", NULL, NULL, "no address in"},
    {"null sender", "<>", NULL, NULL, "no address in"},
    {"name alone", "My Shop", NULL, NULL, "no address in \"My Shop\""},
    {"local part alone", "Shop <shop>", NULL, NULL, "no address in \"<shop>\""},
    {"an at sign in quotes", "\"a@b\"", NULL, NULL, "no address in"},
    {"bad domain", "a@b..c", NULL, NULL, "bad domain"},
    {"two addresses", "a@b.test, c@d.test", NULL, NULL, "more than one"},
    {"two, the last with a name", "a@b.test, C <c@d.test>", NULL, NULL,
     "more than one"},
    {"two angles", "A <a@b.test> <c@d.test>", NULL, NULL, "more than one"},
    {"group", "Us: a@b.test, c@d.test;", NULL, NULL, "more than one"},
    {"angle in the name", "a <b> <c@d.test>", NULL, NULL, "angle bracket"},
    {"quote in the name", "5\" <c@d.test>", NULL, NULL, "a quote or angle"},
    {"quote around a part", "\"A\" B <c@d.test>", NULL, NULL,
     "around the whole name"},
    {"quote left open", "\"A <c@d.test>", NULL, NULL, "or not at all"},
    {"after the address", "A <c@d.test> B", NULL, NULL, "do not match"},
    {"encoded already", "=?utf-8?B?5bqX?= <a@b.test>", NULL, NULL,
     "write it as it is read, \"店\""},
    {"line break", "A\nB <a@b.test>", NULL, NULL, "control character"},
    {"escape", "A\033B <a@b.test>", NULL, NULL, "control character"},
    {"C1",
     "A\xc2\x9b"
     "B <a@b.test>",
     NULL, NULL, "control character"},
    {"not UTF-8", "A\xff <a@b.test>", NULL, NULL, "not UTF-8"},
    {"address not ASCII", "店 <店@b.test>", NULL, NULL, "is not ASCII"},
    {"domain not ASCII", "a@例え.test", NULL, NULL, "xn--"},
};

static void mailboxes_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(parse_rows); i++) {
        const struct parse_row *row = &parse_rows[i];
        struct wb_pool *p = wb_pool_new(0);
        struct wb_mailbox m = {.name = "untouched"};
        struct wb_err err = {""};
        int rc = wb_mailbox_parse(p, row->text, &m, &err);

        ROW_TRUE(row, rc == (row->address != NULL ? EX_OK : EX_DATAERR));
        if (rc == EX_OK) {
            ROW_TRUE(row, strcmp(m.address.text, row->address) == 0);
            ROW_TRUE(row, row->name == NULL ? m.name == NULL
                                            : strcmp(m.name, row->name) == 0);
        } else {
            ROW_TRUE(row, strcmp(m.name, "untouched") == 0);
            ROW_TRUE(row, strstr(err.text, row->says) != NULL);
        }
        wb_pool_free(p);
    }
}

static void a_name_has_a_bound(void **state)
{
    char text[WB_NAME_MAX_OCTETS + 20];
    struct wb_pool *p = wb_pool_new(0);
    struct wb_mailbox m;
    struct wb_err err;

    (void)state;
    memset(text, 'x', sizeof text);
    strcpy(text + WB_NAME_MAX_OCTETS, " <a@b.test>");
    assert_int_equal(wb_mailbox_parse(p, text, &m, &err), EX_OK);
    memset(text, 'x', sizeof text);
    strcpy(text + WB_NAME_MAX_OCTETS + 1, " <a@b.test>");
    assert_int_equal(wb_mailbox_parse(p, text, &m, &err), EX_DATAERR);
    assert_non_null(strstr(err.text, "250 octets"));
    wb_pool_free(p);
}

/* ---- what goes into the header ---- */

#define B64_42 "44GC44GC44GC44GC44GC44GC44GC44GC44GC44GC44GC44GC44GC44GC"
#define A14    "ああああああああああああああ"

static const struct format_row {
    const char *why, *text, *value;
} format_rows[] = {
    {"bare", "a@b.test", "a@b.test"},
    {"atoms", "My Shop <a@b.test>", "My Shop <a@b.test>"},
    {"domain in lower case", "a@B.Test", "a@b.test"},
    {"a dot is quoted", "Shop Inc. <a@b.test>", "\"Shop Inc.\" <a@b.test>"},
    {"two blanks are quoted", "a  b <a@b.test>", "\"a  b\" <a@b.test>"},
    {"a quote is quoted", "\"a \\\"b\\\" \\\\\" <a@b.test>",
     "\"a \\\"b\\\" \\\\\" <a@b.test>"},
    {"local part quoted where the RFC wants it", "a..b@docomo.ne.jp",
     "\"a..b\"@docomo.ne.jp"},
    {"UTF-8 in an encoded word", "店 <a@b.test>",
     "=?UTF-8?B?5bqX?= <a@b.test>"},
    {"42 octets are one word", A14 " <a@b.test>",
     "=?UTF-8?B?" B64_42 "?=\n <a@b.test>"},
    {"no character is cut", "x" A14 " <a@b.test>",
     "=?UTF-8?B?eOOBguOBguOBguOBguOBguOBguOBguOBguOBguOBguOBguOBguOBgg==?=\n"
     " =?UTF-8?B?44GC?= <a@b.test>"},
    {"long atoms are folded",
     "The quick brown fox jumps over the lazy dog and the other dog, too "
     "<a@b.test>",
     "\"The quick brown fox jumps over the lazy dog and the other dog, too\"\n"
     " <a@b.test>"},
};

static void mailboxes_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(format_rows); i++) {
        const struct format_row *row = &format_rows[i];
        struct wb_pool *p = wb_pool_new(0);
        struct wb_mailbox m;
        struct wb_err err;
        const char *value;

        ROW_TRUE(row, wb_mailbox_parse(p, row->text, &m, &err) == EX_OK);
        value = wb_mailbox_format(p, &m);
        assert_non_null(value);
        if (strcmp(value, row->value) != 0)
            print_error("%s\n", value);
        ROW_TRUE(row, strcmp(value, row->value) == 0);
        wb_pool_free(p);
    }
}

/* Numbers that are the same at each run (xorshift). */
static uint32_t dice(uint32_t sides)
{
    static uint32_t x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x % sides;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* A character of the kinds that are hard in headers, none of them a control
 * character or a surrogate. */
static uint32_t any_character(void)
{
    static const char hard[] = " =?\"\\<>(),;:@[]._-B";

    switch (dice(5)) {
    case 0:
        return (unsigned char)hard[dice(sizeof hard - 1)];
    case 1:
        return ' ' + dice(95);
    case 2:
        return 0xa0 + dice(0x700);
    case 3:
        return 0x3000 + dice(0xa000);
    default:
        return 0x10000 + dice(0x100000);
    }
}

static void make_name(char *out, size_t octets)
{
    /* each third one is ASCII only */
    bool is_ascii = dice(3) == 0;
    size_t used = 0;

    while (used + 4 < octets) {
        uint32_t c = is_ascii ? ' ' + dice(95) : any_character();

        used += put_utf8(out + used, c);
    }
    out[used] = '\0';
}

/* The name in a value that ends in " <address>", as a reader has it. */
static const char *name_in(struct wb_pool *p, const char *value)
{
    char *text = wb_header_unfold(p, value, strlen(value));
    char *name = wb_pool_strdup(p, ""), *out = name;

    *strrchr(text, '<') = '\0';
    if (text[0] != '"')
        return wb_header_decode(p, text, strlen(text));
    name = out = wb_pool_alloc(p, strlen(text) + 1);
    for (const char *in = text + 1; *in != '"'; in++) {
        if (*in == '\\')
            in++;
        *out++ = *in;
    }
    return name;
}

/* RFC 5322, 2.2.3 and 2.1.1; RFC 2047, 2. */
static void check_lines(const char *value)
{
    size_t before = strlen("From: ");

    assert_null(strchr(value, '\r'));
    for (const char *line = value;; before = 0) {
        size_t octets = strcspn(line, "\n");
        const char *inner = line + strspn(line, " \t");

        assert_true(inner < line + octets); /* more than white space */
        for (const char *s = line; s < line + octets; s++) {
            assert_true(*s >= ' ' && *s <= '~');
            if (strncmp(s, "=?UTF-8?B?", 10) == 0) {
                assert_true(before + octets <= 76);
                assert_true(strstr(s + 10, "?=") + 2 - s <= 75);
            }
        }
        assert_true(before + octets <= 998);
        if (line[octets] == '\0')
            return;
        line += octets + 1;
        assert_true(*line == ' ');
    }
}

static void any_name_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        char name[WB_NAME_MAX_OCTETS + 1];
        struct wb_pool *p = wb_pool_new(0);
        struct wb_mailbox m = {.name = name};
        const char *value, *const *found;
        size_t count;

        make_name(name, 6 + dice(WB_NAME_MAX_OCTETS - 6));
        wb_address_parse(p, "shop@docomo.ne.jp", &m.address, NULL);
        value = wb_mailbox_format(p, &m);
        assert_non_null(value);
        check_lines(value);
        assert_string_equal(name_in(p, value), name);
        assert_int_equal(wb_header_addresses(p, value, 9, &found, &count),
                         EX_OK);
        assert_int_equal(count, 1);
        assert_string_equal(found[0], "shop@docomo.ne.jp");
        wb_pool_free(p);
    }
}

/* Whatever a person writes: refused, or one address that is read again. */
static void what_is_accepted_is_one_mailbox(void **state)
{
    static const char *const pieces[] = {
        "a@b.test", "<",  ">",    "\"", " ",    ",",  ";",
        ":",        "(",  ")",    "\\", "Name", "店", "=?utf-8?q?x?=",
        "@",        "\t", "\xff", "\n", "a",    ".",  "[1]"};
    size_t accepted = 0;

    (void)state;
    for (size_t i = 0; i < 50000; i++) {
        struct wb_pool *p = wb_pool_new(0);
        const char *text = "", *value, *const * found, *own;
        struct wb_mailbox m;
        struct wb_err err;
        size_t count;

        for (size_t n = dice(10); n > 0; n--)
            text = wb_pool_printf(p, "%s%s", text, pieces[dice(COUNT(pieces))]);
        if (dice(2) == 0)
            text = wb_pool_printf(p, "%s<c@d.test>", text);
        if (wb_mailbox_parse(p, text, &m, &err) == EX_OK) {
            accepted++;
            value = wb_mailbox_format(p, &m);
            check_lines(value);
            own = wb_pool_printf(p, "%s@%s", m.address.local, m.address.domain);
            wb_header_addresses(p, value, 9, &found, &count);
            assert_int_equal(count, 1);
            assert_string_equal(found[0], own);
        }
        wb_pool_free(p);
    }
    assert_true(accepted > 1000);
}

static void folding_only_adds_folds(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        char value[400];
        size_t octets = dice(sizeof value);
        struct wb_pool *p = wb_pool_new(0);
        const char *folded, *plain;

        for (size_t k = 0; k < octets; k++)
            value[k] = "a \tb\"\\,"[dice(7)];
        value[octets] = '\0';
        plain = wb_header_unfold(p, value, octets);
        folded = wb_header_fold(p, "Reply-To", plain);
        assert_string_equal(wb_header_unfold(p, folded, 2 * sizeof value),
                            plain);
        for (const char *s = strchr(folded, '\n'); s; s = strchr(s + 1, '\n')) {
            assert_true(s[1] == ' ' || s[1] == '\t');
            assert_true(strcspn(s + 1, "\n") > strspn(s + 1, " \t"));
        }
        wb_pool_free(p);
    }
}

/* ---- what becomes of a message ---- */

static const char configuration[] =
    "secret_file = \"secret\"\n"
    "route docomo { host = \"smtp.docomo.test\""
    "  from = \"ショップ <shop@docomo.ne.jp>\" }\n"
    "route twin { host = \"smtp.twin.test\""
    "  from = \"ショップ <shop@docomo.ne.jp>\" }\n"
    "route shy { host = \"smtp.shy.test\"  reply_to = keep"
    "  from = \"ショップ <shop@docomo.ne.jp>\" }\n"
    "route au { host = \"smtp.au.test\"  return_path = main"
    "  from = \"Shop <shop@ezweb.ne.jp>\" }\n"
    "route gmail { host = \"smtp.gmail.test\"  username = \"me@gmail.test\""
    "  password_file = \"none\"  return_path = account }\n"
    "route softbank { host = \"smtp.softbank.test\""
    "  return_path = \"shop@softbank.jp\" }\n"
    "route kept { host = \"smtp.kept.test\"  return_path = keep"
    "  from = \"shop@kept.test\" }\n"
    "route bulk { host = \"smtp.bulk.test\"  return_path = keep }\n"
    "rule docomo { recipients = { \"docomo.ne.jp\" }  route = docomo }\n"
    "rule twin { recipients = { \"twin.test\" }  route = twin }\n"
    "rule shy { recipients = { \"shy.test\" }  route = shy }\n"
    "rule au { recipients = { \"ezweb.ne.jp\" }  route = au }\n"
    "rule gmail { recipients = { \"gmail.test\" }  route = gmail }\n"
    "rule softbank { recipients = { \"softbank.jp\" }  route = softbank }\n"
    "rule kept { recipients = { \"kept.test\" }  route = kept }\n"
    "rule bulk { recipients = { \"bulk.test\" }  route = bulk }\n"
    "return_path main { senders = { \"example.com\" }"
    "  domain = \"return.example.com\" }\n"
    "webhook crm { url = \"https://app.example.com/hook\" }\n"
    "inbound form { domains = { \"form.example.com\" }  match = '.'"
    "  match_on = envelope  webhook = crm }\n"
    "bounces { domains = { \"return.example.com\" }  webhook = crm }\n";

static char folder[] = "/tmp/waybill-from-XXXXXX";
static struct wb_conf *conf, *conf_without;

static void write_text(const char *name, const char *text)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(chmod(path, 0600), 0);
}

static struct wb_conf *load_one(const char *name, const char *text)
{
    struct wb_problems problems = {0};
    struct wb_conf *made;
    char path[128];

    write_text(name, text);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    wb_conf_load(path, WB_USE_DAEMON, &made, &problems);
    wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    return made;
}

static int load(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    write_text("secret", "0123456789abcdef0123456789abcdef\n");
    conf = load_one("waybill.conf", configuration);
    conf_without =
        load_one("without.conf", "route a { host = \"a.test\" }\n"
                                 "rule a { recipients = { \"a.test\" }  "
                                 "route = a }\n");
    return conf == NULL || conf_without == NULL ? -1 : 0;
}

static int unload(void **state)
{
    static const char *const names[] = {"secret", "waybill.conf",
                                        "without.conf"};
    char path[128];

    (void)state;
    wb_conf_unref(conf);
    wb_conf_unref(conf_without);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

enum { MOST = 8 };

/* A message; without recipients it is one of docomo's, without a sender it is
 * info@example.com's. */
struct message {
    const char *sender;
    const char *recipients[MOST];
    const char *mailer;        /* of all */
    const char *headers[MOST]; /* "Name: value" */
};

static void build(const struct message *m, struct wb_pool *p,
                  struct wb_envelope *env)
{
    struct wb_recipient *to = wb_pool_array(p, MOST, sizeof to[0]);
    struct wb_header *headers = wb_pool_array(p, MOST, sizeof headers[0]);
    size_t n = 0;

    *env = (struct wb_envelope){.now_s = 1700000000,
                                .client = "127.0.0.1",
                                .recipients = to,
                                .headers = headers};
    assert_int_equal(
        wb_address_parse(p, m->sender ? m->sender : "info@example.com",
                         &env->sender, NULL),
        EX_OK);
    do {
        to[n].given =
            m->recipients[n] != NULL ? m->recipients[n] : "a@docomo.ne.jp";
        to[n].mailer = m->mailer != NULL ? m->mailer : "smtp";
        /* "local@..." stands for a recipient on this host */
        if (strncmp(to[n].given, "local@", 6) == 0)
            to[n].mailer = "local";
        assert_int_equal(wb_address_parse(p, to[n].given, &to[n].address, NULL),
                         EX_OK);
        n++;
    } while (n < MOST && m->recipients[n] != NULL);
    env->recipient_count = n;
    for (n = 0; n < MOST && m->headers[n] != NULL; n++) {
        const char *colon = strchr(m->headers[n], ':');

        headers[n].name =
            wb_pool_strndup(p, m->headers[n], (size_t)(colon - m->headers[n]));
        headers[n].value = colon[1] == ' ' ? colon + 2 : colon + 1;
    }
    env->header_count = n;
}

static void plan(const struct message *m, struct wb_pool *p,
                 struct wb_plan *out)
{
    struct wb_envelope *env = wb_pool_alloc(p, sizeof *env);
    struct wb_err err;

    build(m, p, env);
    assert_int_equal(wb_plan_make(conf, env, p, false, out, &err), EX_OK);
}

/* "delete Sender 1; change From 1: x; add Reply-To: y", tag header left out */
static const char *edits(struct wb_pool *p, const struct wb_plan *made)
{
    const char *text = "";

    for (size_t i = 0; i < made->action_count; i++) {
        const struct wb_action *a = &made->actions[i];
        const char *sep = *text == '\0' ? "" : "; ";

        if (a->kind == WB_DELETE_HEADER)
            text = wb_pool_printf(p, "%s%sdelete %s %u", text, sep, a->text,
                                  a->index);
        if (a->kind == WB_CHANGE_HEADER)
            text = wb_pool_printf(p, "%s%schange %s %u: %s", text, sep, a->text,
                                  a->index, a->extra);
        if (a->kind == WB_ADD_HEADER && strcmp(a->text, conf->tag_header) != 0)
            text = wb_pool_printf(p, "%s%sadd %s: %s", text, sep, a->text,
                                  a->extra);
    }
    return text;
}

#define NEW    "=?UTF-8?B?44K344On44OD44OX?= <shop@docomo.ne.jp>"
#define CHANGE "change From 1: " NEW
#define LONG_LIST                                                              \
    "One Person <one@example.com>, Two Persons <two@example.com>,"             \
    " Three Persons <three@example.com>"
#define LONG_FOLDED                                                            \
    "One Person <one@example.com>, Two Persons <two@example.com>, Three\n"     \
    " Persons <three@example.com>"

static const struct edit_row {
    const char *why;
    struct message message;
    const char *edits;
    bool breaks_dkim;
} edit_rows[] = {
    {"From is replaced and moves to Reply-To",
     {.headers = {"From: Info <info@example.com>", "To: x@docomo.ne.jp"}},
     CHANGE "; add Reply-To: Info <info@example.com>",
     false},
    {"without From it is added", {.headers = {NULL}}, "add From: " NEW, false},
    {"a Reply-To stays",
     {.headers = {"From: info@example.com", "reply-to: x@example.com"}},
     CHANGE,
     false},
    {"an empty one as well",
     {.headers = {"Reply-To: ", "From: info@example.com"}},
     CHANGE,
     false},
    {"reply_to = keep adds none",
     {.recipients = {"a@shy.test"}, .headers = {"From: info@example.com"}},
     CHANGE,
     false},
    {"the same address under another name is not moved",
     {.headers = {"From: \"Old, name\" <Shop@DOCOMO.ne.jp>"}},
     CHANGE,
     false},
    {"nothing is done where it is so already",
     {.headers = {"From: " NEW, "DKIM-Signature: v=1"}},
     "",
     false},
    {"folded otherwise is the same",
     {.headers = {"From: =?UTF-8?B?44K344On44OD44OX?=\n <shop@docomo.ne.jp>"}},
     "",
     false},
    {"so already, but Sender names somebody else",
     {.headers = {"From: " NEW, "Sender: x@example.com"}},
     "delete Sender 1; " CHANGE,
     false},
    {"duplicates go, from the last one",
     {.headers = {"From: info@example.com", "FROM: b@example.com", "X-From: x",
                  "from: c@example.com"}},
     "delete from 3; delete FROM 2; " CHANGE "; add Reply-To: info@example.com",
     false},
    {"every Sender goes, Resent ones stay",
     {.headers = {"Sender: a", "Resent-Sender: b", "sender: c",
                  "Resent-From: d@example.com", "From: e@example.com"}},
     "delete sender 2; delete Sender 1; " CHANGE
     "; add Reply-To: e@example.com",
     false},
    {"a signature breaks",
     {.headers = {"From: a@example.com", "dkim-signature: v=1"}},
     CHANGE "; add Reply-To: a@example.com",
     true},
    {"several authors move all",
     {.headers = {"From: a@example.com, Shop <shop@docomo.ne.jp>"}},
     CHANGE "; add Reply-To: a@example.com, Shop <shop@docomo.ne.jp>",
     false},
    {"a long list is folded anew",
     {.headers = {"From: " LONG_LIST}},
     CHANGE "; add Reply-To: " LONG_FOLDED,
     false},
    {"nobody can be answered there",
     {.headers = {"From: root"}},
     CHANGE,
     false},
    {"an empty From", {.headers = {"From:"}}, CHANGE, false},
    {"line ends move no further",
     {.headers = {"From: <a@example.com>\r\nX-Evil: 1\r\n\r\n (b)\n \n"}},
     CHANGE "; add Reply-To: <a@example.com>X-Evil: 1 (b)",
     false},
    {"a bare LF within",
     {.headers = {"From: a\nb <a@example.com>"}},
     CHANGE "; add Reply-To: ab <a@example.com>",
     false},
    {"octets beyond ASCII are kept",
     {.headers = {"From: 店 <店@example.com>"}},
     CHANGE "; add Reply-To: 店 <店@example.com>",
     false},
    {"forged marks go as ever",
     {.headers = {"X-Waybill-Route: x", "From: a@example.com"}},
     "delete X-Waybill-Route 1; " CHANGE "; add Reply-To: a@example.com",
     false},
    {"a route without from changes nothing",
     {.recipients = {"a@softbank.jp"},
      .headers = {"From: a@example.com", "From: b@example.com", "Sender: c",
                  "DKIM-Signature: v=1"}},
     "",
     false},
    {"nor does mail that stays here",
     {.recipients = {"a@docomo.ne.jp"},
      .mailer = "local",
      .headers = {"From: a@example.com"}},
     "",
     false},
    {"the null sender's mail gets it, too",
     {.sender = "<>", .headers = {"From: a@example.com"}},
     CHANGE "; add Reply-To: a@example.com",
     false},
};

static void headers_are_edited(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(edit_rows); i++) {
        const struct edit_row *row = &edit_rows[i];
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan made;
        const char *got;
        bool is_changed = strstr(row->edits, NEW) != NULL;

        plan(&row->message, p, &made);
        ROW_TRUE(row, made.decision == WB_ACCEPT);
        got = edits(p, &made);
        if (strcmp(got, row->edits) != 0)
            print_error("%s\n", got);
        ROW_TRUE(row, strcmp(got, row->edits) == 0);
        ROW_TRUE(row, made.breaks_dkim == row->breaks_dkim);
        ROW_TRUE(row, (made.from_header != NULL) == is_changed);
        ROW_TRUE(row, (made.reply_to != NULL) ==
                          (strstr(row->edits, "Reply-To") != NULL));
        wb_pool_free(p);
    }
}

static const struct sender_row {
    const char *why;
    const char *sender, *recipient;
    const char *becomes; /* NULL: stays */
    const char *return_path;
} sender_rows[] = {
    {"from is the default where it is", "info@example.com", "a@docomo.ne.jp",
     "shop@docomo.ne.jp", "from"},
    {"a section named by the route comes first", "info@example.com",
     "a@ezweb.ne.jp", "info@return.example.com", "main"},
    {"keep", "info@example.com", "a@kept.test", NULL, NULL},
    {"the account", "info@example.com", "a@gmail.test", "me@gmail.test",
     "account"},
    {"an address", "info@example.com", "a@softbank.jp", "shop@softbank.jp",
     "shop@softbank.jp"},
    {"it is that already", "shop@softbank.jp", "a@softbank.jp", NULL, NULL},
    {"the null sender stays null", "<>", "a@softbank.jp", NULL, NULL},
    {"a sender in a return domain", "x@return.example.com", "a@softbank.jp",
     "shop@softbank.jp", "shop@softbank.jp"},
    {"a sender without a domain", "root", "a@softbank.jp", "shop@softbank.jp",
     "shop@softbank.jp"},
    {"a literal", "a@[192.0.2.1]", "a@gmail.test", "me@gmail.test", "account"},
};

static void senders_become_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sender_rows); i++) {
        const struct sender_row *row = &sender_rows[i];
        const struct message m = {.sender = row->sender,
                                  .recipients = {row->recipient}};
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan made;

        plan(&m, p, &made);
        ROW_TRUE(row, made.decision == WB_ACCEPT);
        ROW_TRUE(row, (made.sender_to == NULL) == (row->becomes == NULL));
        if (row->becomes != NULL) {
            ROW_TRUE(row, strcmp(made.sender_to, row->becomes) == 0);
            ROW_TRUE(row,
                     strcmp(made.return_path->name, row->return_path) == 0);
        }
        wb_pool_free(p);
    }
}

/* One message has one From, and those who are not sent out see the original. */
static const struct pass_row {
    const char *why;
    const char *recipients[MOST];
    unsigned passes;
} pass_rows[] = {
    {"one route", {"a@docomo.ne.jp", "b@docomo.ne.jp"}, 1},
    {"two routes, the same From", {"a@docomo.ne.jp", "b@twin.test"}, 1},
    {"the same From, another Reply-To", {"a@docomo.ne.jp", "b@shy.test"}, 2},
    {"one with, one without; the same sender",
     {"a@kept.test", "b@bulk.test"},
     2},
    {"without first", {"b@bulk.test", "a@kept.test"}, 2},
    {"with and direct", {"a@kept.test", "b@other.test"}, 2},
    {"with and on this host", {"a@docomo.ne.jp", "local@here.test"}, 2},
    {"on this host first", {"local@here.test", "a@docomo.ne.jp"}, 2},
    {"with and for a webhook", {"a@docomo.ne.jp", "x@form.example.com"}, 2},
    {"with and a bounce", {"a@docomo.ne.jp", "x@return.example.com"}, 2},
    {"without and on this host", {"a@bulk.test", "local@here.test"}, 1},
    {"on this host alone", {"local@here.test", "local@there.test"}, 1},
};

static void one_message_has_one_from(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pass_rows); i++) {
        const struct pass_row *row = &pass_rows[i];
        struct message m = {.headers = {"From: a@example.com"}};
        struct wb_pool *p = wb_pool_new(0);
        struct wb_plan made;

        memcpy(m.recipients, row->recipients, sizeof m.recipients);
        plan(&m, p, &made);
        ROW_TRUE(row, made.decision != WB_TEMPFAIL);
        ROW_TRUE(row, made.passes == row->passes);
        /* two passes: the first one leaves From alone */
        if (row->passes == 2)
            ROW_TRUE(row, made.from_header == NULL && made.reply_to == NULL &&
                              strstr(edits(p, &made), "From") == NULL);
        wb_pool_free(p);
    }
}

static void headers_are_asked_for_when_needed(void **state)
{
    static const char *const names[] = {"From", "sender", "REPLY-TO",
                                        "DKIM-Signature"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(wb_plan_wants_header(conf, names[i]));
        assert_false(wb_plan_wants_header(conf_without, names[i]));
    }
    assert_false(wb_plan_wants_header(conf, "Resent-From"));
}

static void memory_bound_is_an_error(void **state)
{
    const struct message m = {
        .headers = {"From: " LONG_LIST, "From: x", "Sender: y"}};
    struct wb_pool *facts = wb_pool_new(0);
    struct wb_envelope env;
    int last = EX_OSERR;

    (void)state;
    build(&m, facts, &env);
    for (size_t bound = 64; bound < 20000; bound += 8) {
        struct wb_pool *p = wb_pool_new(bound);
        struct wb_mailbox mailbox;
        struct wb_plan made;
        struct wb_err err;

        last = wb_plan_make(conf, &env, p, false, &made, &err);
        assert_true(last == EX_OK || last == EX_OSERR);
        if (last == EX_OK)
            assert_non_null(made.reply_to);
        wb_pool_reset(p);
        last =
            wb_mailbox_parse(p, "店 \xe5\xba\x97 <a@b.test>", &mailbox, &err);
        assert_true(last == EX_OK || last == EX_OSERR);
        if (last == EX_OK)
            (void)wb_mailbox_format(p, &mailbox);
        wb_pool_free(p);
    }
    assert_int_equal(last, EX_OK);
    wb_pool_free(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_read),
        cmocka_unit_test(a_name_has_a_bound),
        cmocka_unit_test(mailboxes_are_written),
        cmocka_unit_test(any_name_comes_back),
        cmocka_unit_test(what_is_accepted_is_one_mailbox),
        cmocka_unit_test(folding_only_adds_folds),
        cmocka_unit_test(headers_are_edited),
        cmocka_unit_test(senders_become_addresses),
        cmocka_unit_test(one_message_has_one_from),
        cmocka_unit_test(headers_are_asked_for_when_needed),
        cmocka_unit_test(memory_bound_is_an_error),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
