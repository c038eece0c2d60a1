/* waybill bounce: what is read from a bounce, and what would be posted. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tool/tool.h"
#include "webhook/format/event.h"
#include "webhook/format/json.h"
#include "webhook/spool.h"

static void help(void)
{
    puts("usage: waybill bounce [--json] FILE\n"
         "\n"
         "Shows what waybill-lmtp reads from a message that came back to a\n"
         "return path, in FILE, or in standard input where that is \"-\".\n"
         "\n"
         "  --json      as one JSON object\n"
         "  -h, --help  print this\n"
         "\n"
         "Exit status: 0; 66 when FILE cannot be read.");
}

/* ---- showing ------------------------------------------------------------ */

/* Control characters of a message are not for a terminal. */
static void show(const char *name, const char *value)
{
    if (*value == '\0')
        return;
    printf("  %-13s ", name);
    for (; *value != '\0'; value++)
        putchar((unsigned char)*value < 0x20 || *value == 0x7f ? '?' : *value);
    putchar('\n');
}

static void show_report(const struct wb_bounce_report *r)
{
    char age[16] = "";

    if (r->age_days >= 0)
        snprintf(age, sizeof age, "%d days", r->age_days);
    printf("%s\n", wb_bounce_kind_name(r->kind));
    show("form", r->form);
    show("sender", r->sender);
    show("recipient", r->recipient);
    show("age", age);
    show("reporting-mta", r->reporting_mta);
    show("from", r->from);
    show("subject", r->subject);
    show("message-id", r->message_id);
    for (size_t i = 0; i < r->count; i++) {
        const struct wb_bounce *b = &r->items[i];

        printf("%s <%s>\n", wb_bounce_kind_name(b->kind), b->recipient);
        if (strcmp(b->recipient, b->final_recipient) != 0)
            show("final", b->final_recipient);
        show("code", b->code);
        show("reason", b->reason);
        show("remote-mta", b->remote_mta);
    }
}

static void show_json(const struct wb_bounce_report *r)
{
    const struct wb_payload_facts facts = {.id = "", .envelope_to = ""};

    putchar('{');
    wb_json_member(stdout, true, "kind", wb_bounce_kind_name(r->kind));
    wb_json_member(stdout, false, "form", r->form);
    wb_json_member(stdout, false, "sender", r->sender);
    wb_json_member(stdout, false, "recipient", r->recipient);
    printf(",\"age\":%d", r->age_days);
    wb_json_member(stdout, false, "reportingMta", r->reporting_mta);
    fputs(",\"bounces\":[", stdout);
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            putchar(',');
        wb_event_write(stdout, &facts, r, &r->items[i]);
    }
    puts("]}");
}

/* ---- reading ------------------------------------------------------------ */

static int tell(int code, const char *name, const char *why)
{
    fprintf(stderr, "waybill bounce: %s: %s\n", name, why);
    return code;
}

static int copy_input(int from, int to, struct wb_err *err)
{
    char chunk[16384];
    ssize_t n;

    while ((n = read(from, chunk, sizeof chunk)) > 0)
        if (wb_spool_file_write(to, chunk, (size_t)n, err) != EX_OK)
            return EX_IOERR;
    return n == 0 ? EX_OK
                  : wb_err_set(err, EX_NOINPUT, "%s", strerrordesc_np(errno));
}

/* What is read must be a file that can be read again. */
static int open_input(const char *name, int *fd, struct wb_err *err)
{
    int from = strcmp(name, "-") == 0 ? STDIN_FILENO
                                      : open(name, O_RDONLY | O_CLOEXEC);
    int rc;

    *fd = -1;
    if (from < 0)
        return wb_err_set(err, EX_NOINPUT, "%s", strerrordesc_np(errno));
    rc = wb_spool_file_open("/tmp", fd, err);
    if (rc == EX_OK)
        rc = copy_input(from, *fd, err);
    if (from != STDIN_FILENO)
        close(from);
    return rc;
}

static int read_and_show(int fd, bool is_json, struct wb_err *err)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_bounce_report report;
    struct wb_mime *m = NULL;
    int rc = p == NULL ? wb_err_set(err, EX_OSERR, "out of memory")
                       : wb_mime_open(fd, &m, err);

    if (rc == EX_OK)
        rc = wb_bounce_read(m, NULL, (int64_t)time(NULL), p, &report, err);
    if (rc == EX_OK && is_json)
        show_json(&report);
    else if (rc == EX_OK)
        show_report(&report);
    wb_mime_free(m);
    wb_pool_free(p);
    return rc;
}

int wb_cmd_bounce(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct wb_err err = {""};
    bool is_json = false;
    int key, fd, rc;

    opterr = 0;
    while ((key = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (key == 'h') {
            help();
            return EX_OK;
        }
        if (key != 'j')
            return wb_tool_usage("bounce", "\"%s\" is not understood",
                                 argv[optind - 1]);
        is_json = true;
    }
    if (argc - optind != 1)
        return wb_tool_usage("bounce", "one FILE is needed");
    rc = open_input(argv[optind], &fd, &err);
    if (rc == EX_OK)
        rc = read_and_show(fd, is_json, &err);
    if (fd >= 0)
        close(fd);
    return rc == EX_OK ? rc : tell(rc, argv[optind], err.text);
}
