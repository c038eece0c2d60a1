/* waybill test: send a test mail by a route, step by step. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "mail/address.h"
#include "tool/maps/memory.h"
#include "tool/test/report.h"
#include "tool/tool.h"
#include "tool/watch/notice.h"

enum { DEFAULT_TIMEOUT_S = 30, MOST_TIMEOUT_S = 300 };

struct arguments {
    const char *path, *dir, *from, *to;
    char *const *names; /* of routes */
    size_t name_count;
    bool all, json, quiet, without_tables, notify;
    unsigned timeout_s;
};

static void help(void)
{
    fputs("usage: waybill test [-c FILE] [--to ADDRESS] [--from ADDRESS]\n"
          "                    [--mta-config DIR] [--no-tables] [--timeout "
          "SECONDS]\n"
          "                    [--json | --quiet] ROUTE ... | --all\n"
          "\n"
          "Send a test mail by each ROUTE of FILE (" WB_DEFAULT_CONFIG "),\n"
          "with the route's own host, TLS, account and sender, step by step,\n"
          "and see whether Postfix would do the same. A failure is told in "
          "the\n"
          "server's own words, with a hint.\n"
          "\n"
          "  --all              every route\n"
          "  --to ADDRESS       who gets the test mail (the first of notify)\n"
          "  --from ADDRESS     the sender; without it the address in the "
          "route's from,\n"
          "                     its username, where that is an address, or the "
          "first\n"
          "                     of notify\n"
          "  --notify           tell the addresses of notify what changed\n"
          "  --mta-config DIR   Postfix's directory (mta_config of FILE)\n"
          "  --no-tables        do not ask Postfix\n"
          "  --timeout SECONDS  how long to wait for each answer (30)\n"
          "  --quiet            tell failures only\n"
          "  --json             an array for programs\n"
          "\n"
          "Exit status: 0 when all is well, 64 usage, 65 sender or message\n"
          "refused, 67 recipient refused, 68 unknown host, 69 not to be "
          "reached\n"
          "or blocked, 70 Postfix would do something else, 72 not applied "
          "yet,\n"
          "75 temporary, 76 TLS or certificate, 77 login, 78 configuration; "
          "of\n"
          "the first route that fails.\n",
          stdout);
}

enum {
    OPT_TO = 256,
    OPT_FROM,
    OPT_ALL,
    OPT_MTA,
    OPT_NO_TABLES,
    OPT_TIMEOUT,
    OPT_QUIET,
    OPT_JSON,
    OPT_NOTIFY
};

static int take_option(int c, struct arguments *a, char **argv)
{
    switch (c) {
    case 'c':
        a->path = optarg;
        break;
    case OPT_TO:
        a->to = optarg;
        break;
    case OPT_FROM:
        a->from = optarg;
        break;
    case OPT_ALL:
        a->all = true;
        break;
    case OPT_MTA:
        a->dir = optarg;
        break;
    case OPT_NO_TABLES:
        a->without_tables = true;
        break;
    case OPT_TIMEOUT:
        return wb_tool_number("test", "--timeout", optarg, 1, MOST_TIMEOUT_S,
                              &a->timeout_s);
    case OPT_QUIET:
        a->quiet = true;
        break;
    case OPT_JSON:
        a->json = true;
        break;
    case OPT_NOTIFY:
        a->notify = true;
        break;
    case 'h':
        help();
        return -1;
    case ':':
        return wb_tool_usage("test", "a value is missing after \"%s\"",
                             argv[optind - 1]);
    default:
        return wb_tool_usage("test", "no such option: \"%s\"",
                             argv[optind - 1]);
    }
    return EX_OK;
}

static int check_arguments(const struct arguments *a)
{
    if (a->all && a->name_count > 0)
        return wb_tool_usage("test", "--all and a ROUTE contradict each other");
    if (!a->all && a->name_count == 0)
        return wb_tool_usage("test", "a ROUTE, or --all, is needed");
    if (a->json && a->quiet)
        return wb_tool_usage("test", "--json and --quiet contradict each "
                                     "other");
    return EX_OK;
}

/* Returns EX_OK to go on, -1 when done, or EX_USAGE. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"to", required_argument, NULL, OPT_TO},
        {"from", required_argument, NULL, OPT_FROM},
        {"all", no_argument, NULL, OPT_ALL},
        {"mta-config", required_argument, NULL, OPT_MTA},
        {"no-tables", no_argument, NULL, OPT_NO_TABLES},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"quiet", no_argument, NULL, OPT_QUIET},
        {"json", no_argument, NULL, OPT_JSON},
        {"notify", no_argument, NULL, OPT_NOTIFY},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1) {
        int code = take_option(c, a, argv);

        if (code != EX_OK)
            return code;
    }
    a->names = argv + optind;
    a->name_count = (size_t)(argc - optind);
    return check_arguments(a);
}

static int choose_all(const struct wb_conf *conf, const struct wb_route **out,
                      size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < conf->route_count; i++)
        if (!conf->routes[i].is_direct)
            out[(*count)++] = &conf->routes[i];
    return EX_OK;
}

static int choose_named(const struct wb_conf *conf, const struct arguments *a,
                        const struct wb_route **out)
{
    for (size_t i = 0; i < a->name_count; i++) {
        out[i] = wb_conf_route(conf, a->names[i]);
        if (out[i] == NULL)
            return wb_tool_usage("test", "there is no route \"%s\" in %s",
                                 a->names[i], conf->path);
        if (out[i]->is_direct)
            return wb_tool_usage("test",
                                 "\"direct\" is what Postfix does by itself");
    }
    return EX_OK;
}

/* One route is told as it goes on; several go on at once. */
static void begin_live(struct wb_route_test *t)
{
    wb_report_head(stdout, t);
    fflush(stdout);
}

static void step_live(struct wb_route_test *t, const struct wb_dialogue *d)
{
    wb_report_step(stdout, t, d);
    fflush(stdout);
}

static void end_live(struct wb_route_test *t)
{
    wb_report_end(stdout, t);
}

static void end_whole(struct wb_route_test *t)
{
    wb_report_whole(stdout, t);
    fflush(stdout);
}

static void end_quiet(struct wb_route_test *t)
{
    if (t->fault.cause != WB_CAUSE_NONE)
        end_whole(t);
}

static void choose_report(const struct arguments *a, size_t count,
                          struct wb_routes_run *run)
{
    if (a->json)
        return;
    run->on_end = a->quiet ? end_quiet : end_whole;
    if (a->quiet || count != 1)
        return;
    run->on_begin = begin_live;
    run->on_step = step_live;
    run->on_end = end_live;
}

/* That of the first route that failed. */
static int status_of(const struct wb_route_test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tests[i].fault.cause != WB_CAUSE_NONE)
            return wb_failure_status(wb_hint_find(&tests[i].fault)->kind);
    return EX_OK;
}

/* Keep what was found out, and tell people of changes. */
static int settle(const struct wb_routes_run *run,
                  const struct wb_route_test *tests, size_t count,
                  struct wb_err *err)
{
    const char *path = run->conf->state_file;
    struct wb_err why = {""};
    struct wb_watch watch;
    int fd = -1;
    int code = wb_watch_lock(run->pool, path, &fd, err);

    if (code != EX_OK)
        return code;
    if (wb_watch_read(run->pool, path, &watch, &why) != EX_OK)
        fprintf(stderr, "waybill test: %s\n", why.text);
    for (size_t i = 0; i < count; i++) {
        const struct wb_route_test *t = &tests[i];

        wb_condition_note(
            &wb_watch_route(&watch, t->route->name)->test, &t->fault,
            wb_say(run->pool, "%s%s", t->prefix, wb_step_name(t->fault.step)),
            run->now_s);
    }
    code = wb_notice_settle(&watch, run->conf, run->dir, run->now_s, err);
    close(fd);
    return code;
}

/* NULL is one that was not given. */
static int check_address(struct wb_pool *pool, const char *option,
                         const char *text)
{
    struct wb_address address;
    struct wb_err why = {""};

    if (text == NULL)
        return EX_OK;
    if (wb_address_parse(pool, text, &address, &why) != EX_OK)
        return wb_tool_usage("test", "%s \"%s\": %s", option, text, why.text);
    if (address.domain == NULL)
        return wb_tool_usage("test", "%s \"%s\" has no domain", option, text);
    return EX_OK;
}

/* Where to ask Postfix; NULL: there is none. */
static const char *mta_directory(const struct wb_conf *conf,
                                 const struct arguments *a)
{
    if (conf->mta == WB_MTA_SENDMAIL)
        return NULL;
    return a->dir != NULL ? a->dir : conf->mta_config;
}

static int test(const struct wb_conf *conf, const struct arguments *a,
                struct wb_pool *pool, struct wb_err *err)
{
    size_t count = a->name_count;
    size_t room = conf->route_count + count;
    const struct wb_route **routes =
        wb_must(wb_pool_array(pool, room, sizeof *routes));
    struct wb_route_test *tests =
        wb_must(wb_pool_array(pool, room, sizeof *tests));
    struct wb_routes_run run = {.conf = conf,
                                .pool = pool,
                                .from = a->from,
                                .to = a->to,
                                .dir = mta_directory(conf, a),
                                .without_tables = a->without_tables ||
                                                  conf->mta == WB_MTA_SENDMAIL,
                                .timeout_s = a->timeout_s,
                                .now_s = (int64_t)time(NULL)};
    int code = a->all ? choose_all(conf, routes, &count)
                      : choose_named(conf, a, routes);

    if (code != EX_OK)
        return code;
    if (a->notify && conf->notify.count == 0)
        return wb_tool_usage("test", "--notify: %s has no notify", conf->path);
    if (run.to == NULL && conf->notify.count > 0)
        run.to = conf->notify.items[0];
    if (run.to == NULL)
        return wb_tool_usage("test", "--to ADDRESS is needed");
    code = check_address(pool, "--to", run.to);
    if (code == EX_OK)
        code = check_address(pool, "--from", run.from);
    if (code != EX_OK)
        return code;
    choose_report(a, count, &run);
    code = wb_routes_test(&run, routes, count, tests, err);
    if (code != EX_OK)
        return code;
    if (a->json && wb_report_json(stdout, tests, count, run.now_s) != EX_OK)
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (a->notify)
        code = settle(&run, tests, count, err);
    return code == EX_OK ? status_of(tests, count) : code;
}

int wb_cmd_test(int argc, char **argv)
{
    struct arguments a = {.path = WB_DEFAULT_CONFIG,
                          .timeout_s = DEFAULT_TIMEOUT_S};
    struct wb_conf *conf = NULL;
    struct wb_pool *pool;
    struct wb_err err = {""};
    int code = read_arguments(argc, argv, &a);

    if (code != EX_OK)
        return code == -1 ? EX_OK : code;
    code = a.quiet ? wb_tool_load_quietly(a.path, WB_USE_CHECK, &conf)
                   : wb_tool_load(a.path, WB_USE_CHECK, &conf);
    if (code != EX_OK)
        return code;
    pool = wb_must(wb_pool_new(0));
    code = test(conf, &a, pool, &err);
    if (*err.text != '\0')
        fprintf(stderr, "waybill test: %s\n", err.text);
    wb_pool_free(pool);
    wb_conf_unref(conf);
    return code;
}
