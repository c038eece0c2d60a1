#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "mail/header.h"
#include "tool/explain.h"
#include "tool/message_file.h"
#include "tool/tool.h"

/* What the command line says of the message. */
struct message {
    const char *config;
    const char *sender;
    const char *mailer;
    const char *host;
    const char *file;     /* with the message; NULL: none */
    const char *queue_id; /* NULL: a message is described */
    const char *log;
    bool as_json;
    bool has_size;
    const char **recipients;
    size_t recipient_count;
    const char **headers;
    size_t header_count;
    struct wb_envelope env;
};

const char *wb_explain_verdict(enum wb_decision decision)
{
    static const char *const names[] = {[WB_ACCEPT] = "accept",
                                        [WB_TEMPFAIL] = "tempfail",
                                        [WB_REJECT] = "reject"};

    return names[decision];
}

static void help(void)
{
    puts(
        "usage: waybill explain [-c FILE] --sender A --recipient B ...\n"
        "       waybill explain [-c FILE] --message FILE --recipient B ...\n"
        "       waybill explain [-c FILE] --queue-id ID [--log LOG]\n"
        "\n"
        "Shows what the milter would do with a message, and why; or what it\n"
        "did with one, by the mail log, and what became of it.\n"
        "\n"
        "  -c FILE            the configuration\n"
        "  --sender A         envelope sender; \"<>\" is the null sender\n"
        "  --recipient B      envelope recipient; may be given again\n"
        "  --header 'N: V'    a header; may be given again\n"
        "  --message FILE     read the header and the size from a message;\n"
        "                     without --sender, its Return-Path is the sender\n"
        "  --login L          the client is authenticated as L\n"
        "  --client IP        the client's address (127.0.0.1)\n"
        "  --listener NAME    the listener's name, {daemon_name}\n"
        "  --mailer M         how the MTA would deliver, {rcpt_mailer} (smtp)\n"
        "  --host H           and where to, {rcpt_host}\n"
        "  --size OCTETS      how large the message is (0)\n"
        "  --queue-id ID      look a message up in the log\n"
        "  --log LOG          which: a file, - or a file of the journal's;\n"
        "                     without it /var/log/mail.log or the journal\n"
        "  --json             for programs");
}

enum option_key {
    SENDER = 256,
    RECIPIENT,
    HEADER,
    LOGIN,
    CLIENT,
    LISTENER,
    MAILER,
    HOST,
    SIZE,
    MESSAGE,
    QUEUE_ID,
    LOG,
    JSON,
    HELP
};

static const struct option options[] = {
    {"sender", required_argument, NULL, SENDER},
    {"recipient", required_argument, NULL, RECIPIENT},
    {"header", required_argument, NULL, HEADER},
    {"login", required_argument, NULL, LOGIN},
    {"client", required_argument, NULL, CLIENT},
    {"listener", required_argument, NULL, LISTENER},
    {"mailer", required_argument, NULL, MAILER},
    {"host", required_argument, NULL, HOST},
    {"size", required_argument, NULL, SIZE},
    {"message", required_argument, NULL, MESSAGE},
    {"queue-id", required_argument, NULL, QUEUE_ID},
    {"log", required_argument, NULL, LOG},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static int take_size(struct message *m, const char *text)
{
    char *end;

    m->env.octets = strtoul(text, &end, 10);
    m->has_size = true;
    return *text >= '0' && *text <= '9' && *end == '\0' ? EX_OK : EX_USAGE;
}

/* Returns EX_OK, EX_USAGE, or -1 when help was asked for. */
static int take(struct message *m, int key)
{
    switch (key) {
    case 'c':
        m->config = optarg;
        return EX_OK;
    case SENDER:
        m->sender = optarg;
        return EX_OK;
    case RECIPIENT:
        m->recipients[m->recipient_count++] = optarg;
        return EX_OK;
    case HEADER:
        m->headers[m->header_count++] = optarg;
        return EX_OK;
    case LOGIN:
        m->env.login = optarg;
        return EX_OK;
    case CLIENT:
        m->env.client = optarg;
        return EX_OK;
    case LISTENER:
        m->env.listener = optarg;
        return EX_OK;
    case MAILER:
        m->mailer = optarg;
        return EX_OK;
    case HOST:
        m->host = optarg;
        return EX_OK;
    case SIZE:
        return take_size(m, optarg);
    case MESSAGE:
        m->file = optarg;
        return EX_OK;
    case QUEUE_ID:
        m->queue_id = optarg;
        return EX_OK;
    case LOG:
        m->log = optarg;
        return EX_OK;
    case JSON:
        m->as_json = true;
        return EX_OK;
    case 'h':
    case HELP:
        return -1;
    default:
        return EX_USAGE;
    }
}

static int parse_options(struct message *m, int argc, char **argv)
{
    struct wb_network ignored;
    struct wb_err err;
    int rc = EX_OK, key;

    optind = 1;
    opterr = 0;
    while (rc == EX_OK &&
           (key = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
        rc = take(m, key);
    if (rc == EX_USAGE)
        return wb_tool_usage("explain",
                             "\"%s\" is not an option, or lacks its value",
                             argv[optind - 1]);
    if (rc != EX_OK)
        return rc;
    if (optind < argc)
        return wb_tool_usage("explain", "\"%s\" is not expected", argv[optind]);
    if (m->queue_id != NULL)
        return m->sender == NULL && m->recipient_count == 0 && m->file == NULL
                   ? EX_OK
                   : wb_tool_usage("explain", "--queue-id stands for a whole "
                                              "message; only --log goes with "
                                              "it");
    if (m->log != NULL)
        return wb_tool_usage("explain", "--log goes with --queue-id");
    if ((m->sender == NULL && m->file == NULL) || m->recipient_count == 0)
        return wb_tool_usage("explain", "--sender and --recipient are needed");
    if (wb_network_parse(m->env.client, &ignored, &err) != EX_OK ||
        strpbrk(m->env.client, "/[") != NULL)
        return wb_tool_usage("explain", "--client: \"%s\" is not an IP address",
                             m->env.client);
    return EX_OK;
}

static int read_recipients(struct message *m, struct wb_pool *p,
                           struct wb_err *err)
{
    struct wb_recipient *list =
        wb_pool_array(p, m->recipient_count, sizeof list[0]);
    int rc = list == NULL ? EX_OSERR : EX_OK;

    for (size_t i = 0; rc == EX_OK && i < m->recipient_count; i++) {
        list[i].given = m->recipients[i];
        list[i].mailer = m->mailer;
        list[i].host = m->host;
        rc = wb_plan_read_recipient(&m->env, p, m->recipients[i],
                                    &list[i].address, err);
        if (rc == EX_OK && wb_address_is_null(&list[i].address))
            rc = wb_err_set(err, EX_DATAERR, "a recipient cannot be empty");
    }
    m->env.recipients = list;
    m->env.recipient_count = m->recipient_count;
    return rc;
}

static int read_headers(struct message *m, struct wb_pool *p,
                        struct wb_err *err)
{
    size_t before = m->env.header_count;
    struct wb_header *list =
        wb_pool_array(p, before + m->header_count, sizeof list[0]);

    if (list != NULL && before > 0)
        memcpy(list, m->env.headers, before * sizeof list[0]);
    for (size_t i = 0; list != NULL && i < m->header_count; i++) {
        const char *colon = strchr(m->headers[i], ':');
        char *name = colon == NULL
                         ? NULL
                         : wb_pool_strndup(p, m->headers[i],
                                           (size_t)(colon - m->headers[i]));

        if (name == NULL || !wb_header_name_is_valid(name))
            return wb_err_set(err, EX_DATAERR,
                              "\"%s\" is not a header; 'Name: value' is right",
                              m->headers[i]);
        list[before + i].name = name;
        list[before + i].value = colon + 1 + strspn(colon + 1, " \t");
    }
    m->env.headers = list;
    m->env.header_count = before + m->header_count;
    return list == NULL ? wb_err_set(err, EX_OSERR, "out of memory") : EX_OK;
}

/* What the command line says outranks what the file says. */
static int read_file(struct message *m, struct wb_pool *p, struct wb_err *err)
{
    const char *sender;
    size_t octets = m->env.octets;
    int rc = wb_message_file_read(m->file, p, &m->env, &sender, err);

    if (m->has_size)
        m->env.octets = octets;
    if (m->sender == NULL)
        m->sender = sender;
    if (rc == EX_OK && m->sender == NULL)
        rc = wb_err_set(err, EX_DATAERR,
                        "%s: has no Return-Path; --sender is needed", m->file);
    return rc;
}

static int explain(struct message *m, const struct wb_conf *conf,
                   struct wb_pool *p, struct wb_err *err)
{
    struct wb_plan plan;
    int rc = m->file != NULL ? read_file(m, p, err) : EX_OK;

    if (rc != EX_OK)
        return rc;
    assert(m->sender != NULL); /* parse_options or read_file saw to it */
    /* behind the queue the other listeners decide but a part */
    if (conf->attach == WB_AFTER_QUEUE && m->env.listener == NULL)
        m->env.listener = WB_LOOPBACK_LISTENER;
    rc = wb_address_parse(p, *m->sender == '\0' ? "<>" : m->sender,
                          &m->env.sender, err);
    if (rc == EX_OK)
        rc = read_recipients(m, p, err);
    if (rc == EX_OK)
        rc = read_headers(m, p, err);
    if (rc == EX_OK)
        rc = wb_plan_make(conf, &m->env, p, true, &plan, err);
    if (rc != EX_OK)
        return rc;
    if (m->as_json)
        return wb_explain_json(stdout, &m->env, &plan);
    wb_explain_text(stdout, &m->env, &plan);
    return EX_OK;
}

static int run(struct message *m, int argc, char **argv)
{
    struct wb_err err = {""};
    struct wb_conf *conf = NULL;
    struct wb_pool *p = wb_pool_new(0);
    int rc = parse_options(m, argc, argv);

    if (rc == -1)
        help();
    if (rc == EX_OK)
        rc = wb_tool_load(m->config, WB_USE_EXPLAIN, &conf);
    if (rc == EX_OK && conf != NULL) {
        rc = p == NULL             ? EX_OSERR
             : m->queue_id != NULL ? wb_explain_trail(conf, m->log, m->queue_id,
                                                      m->as_json, p, &err)
                                   : explain(m, conf, p, &err);
        if (rc != EX_OK)
            fprintf(stderr, "waybill explain: %s\n", err.text);
    }
    wb_pool_free(p);
    if (conf != NULL)
        wb_conf_unref(conf);
    return rc == -1 ? EX_OK : rc;
}

int wb_cmd_explain(int argc, char **argv)
{
    /* argc bounds how often an option can be given. */
    size_t room = argc > 0 ? (size_t)argc : 1;
    struct message m = {
        .env.now_s = (int64_t)time(NULL),
        .config = WB_DEFAULT_CONFIG,
        .mailer = "smtp",
        .recipients = calloc(room, sizeof m.recipients[0]),
        .headers = calloc(room, sizeof m.headers[0]),
        .env.client = "127.0.0.1",
        .env.is_size_known = true,
    };
    int rc = m.recipients == NULL || m.headers == NULL ? EX_OSERR
                                                       : run(&m, argc, argv);

    free(m.headers);
    free(m.recipients);
    return rc;
}
