/* waybill deliver-test: post a message to a webhook, once, and show it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "mail/address.h"
#include "tool/deliver_test.h"
#include "tool/tool.h"

enum { CHUNK_OCTETS = 16384 };

struct request {
    const char *config, *file, *webhook;
    const char *from, *to, *filter;
    bool is_json;
};

static void help(void)
{
    puts("usage: waybill deliver-test [-c FILE] --webhook NAME [option ...] "
         "MESSAGE\n\n"
         "Post MESSAGE (a file, or - for the standard input) to a webhook, as\n"
         "waybill-lmtp would, and show the request, the answer, and what the\n"
         "MTA would be told. Nothing is tried again.\n\n"
         "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
         "  --webhook NAME     the webhook; needed\n"
         "  --from ADDRESS     the envelope sender; sender@example.com\n"
         "  --to ADDRESS       the recipient; recipient@example.com\n"
         "  --filter NAME      the inbound section's name; test\n"
         "  --json             print JSON\n"
         "  -h, --help         print this\n\n"
         "Exit status: 0 posted; 75 the MTA would try again; 69 the mail would "
         "be\nreturned to its sender; 65 an address is none; 66 MESSAGE cannot "
         "be read;\n78 the configuration is wrong, or has no such webhook.");
}

/* Returns EX_OK, EX_USAGE, or -1 when help was asked for. */
static int parse_options(struct request *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"webhook", required_argument, NULL, 'w'},
        {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},
        {"filter", required_argument, NULL, 'i'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int key;

    opterr = 0;
    while ((key = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
        switch (key) {
        case 'c':
            r->config = optarg;
            break;
        case 'w':
            r->webhook = optarg;
            break;
        case 'f':
            r->from = optarg;
            break;
        case 't':
            r->to = optarg;
            break;
        case 'i':
            r->filter = optarg;
            break;
        case 'j':
            r->is_json = true;
            break;
        case 'h':
            return -1;
        default:
            return wb_tool_usage("deliver-test", "\"%s\" is not understood",
                                 argv[optind - 1]);
        }
    if (r->webhook == NULL || argc - optind != 1)
        return wb_tool_usage("deliver-test",
                             "--webhook NAME and one MESSAGE are needed");
    r->file = argv[optind];
    return EX_OK;
}

static int fail(int code, const char *what, const char *why)
{
    fprintf(stderr, "waybill deliver-test: %s: %s\n", what, why);
    return code;
}

/* As LMTP would bring it: every line ends with CRLF. */
static void add_lines(struct wb_spool *spool, const char *octets, size_t count,
                      char *before)
{
    size_t begin = 0;

    for (size_t i = 0; i < count; i++) {
        if (octets[i] == '\n' && *before != '\r') {
            wb_spool_add(spool, octets + begin, i - begin);
            wb_spool_add(spool, "\r", 1);
            begin = i;
        }
        *before = octets[i];
    }
    wb_spool_add(spool, octets + begin, count - begin);
}

static int read_message(const char *file, struct wb_spool *spool)
{
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO
                                    : open(file, O_RDONLY | O_CLOEXEC);
    char chunk[CHUNK_OCTETS], before = '\0';
    ssize_t n = -1;

    while (fd >= 0 && (n = read(fd, chunk, sizeof chunk)) > 0)
        add_lines(spool, chunk, (size_t)n, &before);
    if (n < 0)
        return fail(EX_NOINPUT, file, strerror(errno));
    if (fd != STDIN_FILENO)
        close(fd);
    return wb_spool_end(spool) == EX_OK
               ? EX_OK
               : fail(spool->code, "spool", spool->err.text);
}

static int parse_address(struct wb_pool *p, const char *text, const char **out)
{
    struct wb_address address;
    struct wb_err err = {""};
    int rc = wb_address_parse(p, *text != '\0' ? text : "<>", &address, &err);

    if (rc != EX_OK)
        return fail(rc, text, err.text);
    *out = address.text;
    return EX_OK;
}

static int show(const struct request *r, const struct wb_delivery *delivery,
                const struct wb_delivered *delivered)
{
    int rc = EX_OK;

    if (r->is_json)
        rc = wb_deliver_test_json(delivery, delivered);
    else
        wb_deliver_test_text(delivery, delivered);
    if (rc != EX_OK || wb_answer_is_done(&delivered->answer))
        return rc;
    return wb_answer_is_temporary(&delivered->answer) ? EX_TEMPFAIL
                                                      : EX_UNAVAILABLE;
}

static int post(const struct request *r, struct wb_delivery *delivery,
                struct wb_pool *p)
{
    struct wb_trace *trace = wb_pool_alloc(p, sizeof *trace);
    struct wb_poster *poster = NULL;
    struct wb_delivered delivered;
    struct wb_err err = {""};
    int rc = trace == NULL ? wb_err_set(&err, EX_OSERR, "out of memory")
                           : wb_poster_new(&poster, &err);

    if (rc == EX_OK) {
        delivery->trace = trace;
        wb_deliver(poster, delivery, p, &delivered);
        rc = show(r, delivery, &delivered);
    } else {
        fail(rc, "cannot post", err.text);
    }
    wb_poster_free(poster);
    return rc;
}

static int run(const struct request *r, const struct wb_conf *conf,
               struct wb_pool *p)
{
    struct wb_spool spool = {0};
    struct wb_delivery delivery = {
        .webhook = wb_conf_webhook(conf, r->webhook),
        .filter = r->filter,
        .message = &spool,
        .spool_directory = conf->spool_directory,
        .now_s = (int64_t)time(NULL),
    };
    int rc = EX_OK;

    if (delivery.webhook == NULL)
        return fail(EX_CONFIG, r->webhook, "there is no such webhook");
    rc = parse_address(p, r->from, &delivery.sender);
    if (rc == EX_OK)
        rc = parse_address(p, r->to, &delivery.recipient);
    if (rc != EX_OK)
        return rc;
    wb_spool_begin(&spool, conf->spool_directory);
    rc = read_message(r->file, &spool);
    if (rc == EX_OK)
        rc = post(r, &delivery, p);
    wb_spool_close(&spool);
    return rc;
}

int wb_cmd_deliver_test(int argc, char **argv)
{
    struct request r = {.config = WB_DEFAULT_CONFIG,
                        .file = "",
                        .from = "sender@example.com",
                        .to = "recipient@example.com",
                        .filter = "test"};
    struct wb_conf *conf = NULL;
    struct wb_pool *p;
    int rc = parse_options(&r, argc, argv);

    if (rc == -1)
        help();
    if (rc != EX_OK)
        return rc == -1 ? EX_OK : rc;
    rc = wb_tool_load(r.config, WB_USE_LMTP, &conf);
    if (rc != EX_OK)
        return rc;
    p = wb_pool_new(0);
    rc = p == NULL ? EX_OSERR : run(&r, conf, p);
    wb_pool_free(p);
    wb_conf_unref(conf);
    return rc;
}
