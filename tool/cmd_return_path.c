/* waybill return-path: make a return address, or read one; new keys. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "match/matcher.h"
#include "plan/return_path.h"
#include "tool/tool.h"

struct question {
    const char *config;
    const char *verb;
    const char *recipient;
    const char *address; /* NULL: rotate */
    bool is_dry;
    const struct wb_conf *conf;
    struct wb_pool *p;
};

static void help(void)
{
    puts(
        "usage: waybill return-path [-c FILE] encode ADDRESS [--recipient R]\n"
        "       waybill return-path [-c FILE] decode ADDRESS\n"
        "       waybill return-path [-c FILE] verify ADDRESS\n"
        "       waybill return-path [-c FILE] rotate [--dry-run]\n"
        "\n"
        "encode prints what a sender becomes now, by the return_path sections\n"
        "(and, with mode = verp, on the way to recipient R). decode prints\n"
        "what a return address tells; verify prints nothing. rotate makes the\n"
        "key sign that the rotate before prepared, and prepares the next one.\n"
        "\n"
        "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
        "  -h, --help         print this\n"
        "\n"
        "Exit status: 0; 65 when an address is no address, is not ours, or\n"
        "has expired; 75 when rotate has to wait for something; 78 when there\n"
        "is an error in the configuration.");
}

static int tell(int code, const char *address, const char *what)
{
    fprintf(stderr, "waybill return-path: <%s>: %s\n", address, what);
    return code;
}

static int parse(const struct question *q, const char *text,
                 struct wb_address *out)
{
    struct wb_err err = {""};
    int rc = wb_address_parse(q->p, text, out, &err);

    return rc == EX_OK ? rc : tell(rc, text, err.text);
}

static int choose(const struct question *q, const struct wb_envelope *env,
                  const struct wb_return_path **out)
{
    struct wb_matcher matcher = {
        .envelope = env,
        .budget = {.match_limit = q->conf->match_limit,
                   .limit_ns = q->conf->match_budget_ms * UINT64_C(1000000),
                   .clock_ns = wb_budget_cpu_clock},
        .pool = q->p,
    };

    /* routes[0] is "direct", which has no return path of its own */
    if (wb_return_path_choose(q->conf, &matcher, &q->conf->routes[0], out) ==
        WB_RETRY)
        return tell(EX_TEMPFAIL, env->sender.text, "a pattern hit its limit");
    return EX_OK;
}

static int encode(const struct question *q)
{
    struct wb_envelope env = {.now_s = (int64_t)time(NULL)};
    struct wb_address recipient = {.text = ""};
    const struct wb_return_path *rp;
    struct wb_err err = {""};
    const char *out;
    int rc = parse(q, q->address, &env.sender);

    if (rc == EX_OK && q->recipient != NULL)
        rc = parse(q, q->recipient, &recipient);
    if (rc == EX_OK)
        rc = choose(q, &env, &rp);
    if (rc != EX_OK)
        return rc;
    if (rp->mode == WB_RETURN_VERP && recipient.local == NULL)
        return wb_tool_usage("return-path",
                             "return_path %s has mode = verp: --recipient R is "
                             "needed",
                             rp->name);
    rc = wb_return_path_apply(q->conf, rp, &env, &recipient, q->p, &out, &err);
    if (rc != EX_OK)
        return tell(rc, q->address, err.text);
    puts(out);
    return EX_OK;
}

static void show(const struct wb_token *t)
{
    static const char *const kinds[] = {[WB_TOKEN_NONE] = "none",
                                        [WB_TOKEN_BATV] = "batv",
                                        [WB_TOKEN_SRS] = "srs",
                                        [WB_TOKEN_VERP] = "verp"};

    printf("signature %s\n", kinds[t->kind]);
    if (t->sender.text != NULL)
        printf("sender    %s\n", t->sender.text);
    if (t->recipient.text != NULL)
        printf("recipient %s\n", t->recipient.text);
    if (t->kind != WB_TOKEN_NONE && t->age_days != WB_TOKEN_AGE_UNKNOWN)
        printf("age       %d days\n", t->age_days);
}

static int decode(const struct question *q, bool is_quiet)
{
    struct wb_address address;
    struct wb_token token;
    struct wb_err err = {""};
    int rc = parse(q, q->address, &address);

    if (rc != EX_OK)
        return rc;
    if (address.domain == NULL)
        return tell(EX_DATAERR, address.text, "has no domain");
    rc = wb_return_path_read(q->conf, &address, (int64_t)time(NULL), q->p,
                             &token, &err);
    if (rc != EX_OK)
        return tell(rc, address.text, err.text);
    if (!is_quiet && token.verdict != WB_TOKEN_IS_FOREIGN &&
        token.verdict != WB_TOKEN_IS_FORGED)
        show(&token);
    switch (token.verdict) {
    case WB_TOKEN_IS_VALID:
        return EX_OK;
    case WB_TOKEN_IS_EXPIRED:
        return tell(EX_DATAERR, address.text, "has expired");
    case WB_TOKEN_IS_FORGED:
        return tell(EX_DATAERR, address.text,
                    *err.text != '\0' ? err.text : "is not one of ours");
    case WB_TOKEN_IS_FOREIGN:
        break;
    }
    return tell(EX_DATAERR, address.text, "is not signed");
}

static int answer(const struct question *q)
{
    if (strcmp(q->verb, "encode") == 0)
        return encode(q);
    if (strcmp(q->verb, "decode") == 0)
        return decode(q, false);
    if (strcmp(q->verb, "verify") == 0)
        return decode(q, true);
    if (strcmp(q->verb, "rotate") == 0)
        return wb_cmd_rotate(q->conf, q->p, q->is_dry);
    return wb_tool_usage("return-path",
                         "\"%s\" is not encode, decode, verify or rotate",
                         q->verb);
}

static int check_words(struct question *q, int count, char **words)
{
    bool is_rotate = count > 0 && strcmp(words[0], "rotate") == 0;

    if (is_rotate && (count > 1 || q->recipient != NULL))
        return wb_tool_usage("return-path", "rotate takes no address");
    if (!is_rotate && q->is_dry)
        return wb_tool_usage("return-path", "--dry-run goes with rotate");
    if (!is_rotate && count != 2)
        return wb_tool_usage("return-path",
                             "encode, decode or verify and one ADDRESS are "
                             "needed, or rotate");
    q->verb = words[0];
    q->address = is_rotate ? NULL : words[1];
    return EX_OK;
}

/* Returns EX_OK, EX_USAGE, or -1 when help was asked for. */
static int parse_options(struct question *q, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"recipient", required_argument, NULL, 'r'},
        {"dry-run", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int key;

    opterr = 0;
    while ((key = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (key == 'c')
            q->config = optarg;
        else if (key == 'r')
            q->recipient = optarg;
        else if (key == 'n')
            q->is_dry = true;
        else if (key == 'h')
            return -1;
        else
            return wb_tool_usage("return-path", "\"%s\" is not understood",
                                 argv[optind - 1]);
    }
    return check_words(q, argc - optind, argv + optind);
}

int wb_cmd_return_path(int argc, char **argv)
{
    struct question q = {.config = WB_DEFAULT_CONFIG, .verb = ""};
    struct wb_conf *conf = NULL;
    int rc = parse_options(&q, argc, argv);

    if (rc == -1)
        help();
    if (rc != EX_OK)
        return rc == -1 ? EX_OK : rc;
    rc = wb_tool_load(q.config, WB_USE_DAEMON, &conf);
    if (rc != EX_OK)
        return rc;
    q.conf = conf;
    q.p = wb_pool_new(0);
    rc = q.p == NULL ? EX_OSERR : answer(&q);
    wb_pool_free(q.p);
    wb_conf_unref(conf);
    return rc;
}
