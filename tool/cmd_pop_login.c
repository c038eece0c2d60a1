/* waybill pop-login: POP before SMTP, for the routes that need it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/password.h"
#include "tool/test/report.h"
#include "tool/test/source.h"
#include "tool/tool.h"
#include "tool/watch/down.h"
#include "tool/watch/notice.h"
#include "tool/watch/pop.h"

enum { DEFAULT_TIMEOUT_S = 20, MOST_TIMEOUT_S = 300 };

struct arguments {
    const char *path, *dir;
    char *const *names; /* of routes */
    size_t name_count;
    bool quiet;
    unsigned timeout_s;
};

/* One run of the command. */
struct run {
    const struct arguments *a;
    const struct wb_conf *conf;
    struct wb_pool *pool;
    const char *dir;
    int64_t now_s;
    struct wb_watch watch;
    const struct wb_route **routes; /* to log in for */
    struct wb_dialogue *dialogues;
    size_t count;
};

static void help(void)
{
    fputs("usage: waybill pop-login [-c FILE] [--mta-config DIR] [--quiet]\n"
          "                         [--timeout SECONDS] [ROUTE ...]\n"
          "\n"
          "Log in at the POP server of each route of FILE\n"
          "(" WB_DEFAULT_CONFIG ") that has pop_before_smtp and whose login\n"
          "is due, or of each ROUTE at once. Postfix is told which routes may "
          "be\n"
          "used. A timer runs this.\n"
          "\n"
          "  --mta-config DIR   Postfix's directory (mta_config of FILE)\n"
          "  --quiet            tell only what changes\n"
          "  --timeout SECONDS  how long to wait for each answer (20)\n"
          "\n"
          "Exit status: 0, or as of `waybill test` for the first login that\n"
          "failed; 64 usage, 72 not applied yet, 75 an apply is at work, 78\n"
          "configuration.\n",
          stdout);
}

enum { OPT_MTA = 256, OPT_QUIET, OPT_TIMEOUT };

/* Returns EX_OK to go on, -1 when done, or EX_USAGE. */
static int take_option(int c, struct arguments *a, char **argv)
{
    switch (c) {
    case 'c':
        a->path = optarg;
        return EX_OK;
    case OPT_MTA:
        a->dir = optarg;
        return EX_OK;
    case OPT_QUIET:
        a->quiet = true;
        return EX_OK;
    case OPT_TIMEOUT:
        return wb_tool_number("pop-login", "--timeout", optarg, 1,
                              MOST_TIMEOUT_S, &a->timeout_s);
    case 'h':
        help();
        return -1;
    case ':':
        return wb_tool_usage("pop-login", "a value is missing after \"%s\"",
                             argv[optind - 1]);
    default:
        return wb_tool_usage("pop-login", "no such option: \"%s\"",
                             argv[optind - 1]);
    }
}

static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"mta-config", required_argument, NULL, OPT_MTA},
        {"quiet", no_argument, NULL, OPT_QUIET},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
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
    return EX_OK;
}

/* ---- which ones ------------------------------------------------------------
 */

static int choose_named(struct run *r)
{
    for (size_t i = 0; i < r->a->name_count; i++) {
        const struct wb_route *route = wb_conf_route(r->conf, r->a->names[i]);

        if (route == NULL)
            return wb_tool_usage("pop-login", "there is no route \"%s\" in %s",
                                 r->a->names[i], r->conf->path);
        if (route->pop.host == NULL)
            return wb_tool_usage("pop-login", "route %s has no pop_before_smtp",
                                 route->name);
        r->routes[r->count++] = route;
    }
    return EX_OK;
}

static int choose_due(struct run *r)
{
    for (size_t i = 0; i < r->conf->route_count; i++) {
        const struct wb_route *route = &r->conf->routes[i];

        if (route->pop.host != NULL &&
            wb_pop_is_due(&r->watch, route, r->now_s))
            r->routes[r->count++] = route;
    }
    return EX_OK;
}

static int choose(struct run *r)
{
    size_t room = r->conf->route_count + r->a->name_count;

    r->routes = wb_must(wb_pool_array(r->pool, room, sizeof *r->routes));
    return r->a->name_count > 0 ? choose_named(r) : choose_due(r);
}

/* ---- logging in ------------------------------------------------------------
 */

static int log_in(struct run *r, struct wb_err *err)
{
    struct wb_dialogue **list =
        wb_must(wb_pool_array(r->pool, r->count + 1, sizeof *list));
    struct wb_source source;

    r->dialogues =
        wb_must(wb_pool_array(r->pool, r->count + 1, sizeof *r->dialogues));
    if (wb_source_read(r->pool, r->dir, &source, NULL) != EX_OK)
        wb_source_read(r->pool, NULL, &source, NULL);
    for (size_t i = 0; i < r->count; i++) {
        const char *password;
        int code = wb_password_read(r->pool, r->routes[i]->pop.password_file,
                                    &password, err);

        if (code != EX_OK)
            return code;
        r->dialogues[i] =
            wb_pop_dialogue(r->routes[i], password, &source, r->a->timeout_s);
        list[i] = &r->dialogues[i];
    }
    wb_dialogues_run(r->pool, list, r->count);
    return EX_OK;
}

/* To the mail log, and to whoever runs this. */
static void tell_change(const struct run *r, const struct wb_route *route,
                        const struct wb_condition *now)
{
    const char *line =
        now->failures == 0
            ? wb_say(r->pool, "route %s: logged in at %s; its mail goes out",
                     route->name, route->pop.host)
            : wb_say(r->pool,
                     "route %s: POP login at %s failed (%s): %s; its mail "
                     "waits",
                     route->name, route->pop.host, now->kind,
                     wb_substitute(r->pool, now->words, "\n", " / "));

    syslog(now->failures == 0 ? LOG_INFO : LOG_WARNING, "%s", line);
    if (r->a->quiet)
        puts(line);
}

static void tell(const struct run *r, size_t i)
{
    const struct wb_route *route = r->routes[i];
    const struct wb_fault *fault = &r->dialogues[i].fault;

    if (r->a->quiet)
        return;
    if (fault->cause == WB_CAUSE_NONE)
        printf("route %s: logged in at %s, good for %u minutes\n", route->name,
               route->pop.host, route->pop.interval_s / 60);
    else
        wb_report_fault(stdout, route->name, "pop:", fault);
}

static void note(struct run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct wb_route *route = r->routes[i];
        struct wb_route_state *s = wb_watch_route(&r->watch, route->name);
        const char *account = wb_pop_account(r->pool, route);
        bool is_new = strcmp(s->account, account) != 0;
        bool was_failing = s->pop.failures > 0;

        if (is_new)
            s->pop.last_s = s->pop.failures = 0;
        s->account = account;
        wb_condition_note(
            &s->pop, &r->dialogues[i].fault,
            wb_say(r->pool, "pop:%s", wb_step_name(r->dialogues[i].fault.step)),
            r->now_s);
        tell(r, i);
        if (is_new || was_failing != (s->pop.failures > 0))
            tell_change(r, route, &s->pop);
    }
}

/* Tell Postfix, and keep what was found out. Where it cannot be kept, Postfix
 * still learns of failures, but nobody is notified: every run would do that
 * anew. */
static int settle(struct run *r, struct wb_err *err)
{
    struct wb_err why = {""};
    int fd = -1;
    int kept = wb_watch_lock(r->pool, r->conf->state_file, &fd, &why);
    int code;

    if (kept == EX_OK) /* another run may have written since */
        wb_watch_read(r->pool, r->conf->state_file, &r->watch, NULL);
    note(r);
    code = wb_down_publish(&r->watch, r->conf, r->dir, r->now_s, err);
    if (kept == EX_OK)
        kept = wb_notice_settle(&r->watch, r->conf, r->dir, r->now_s, &why);
    if (fd >= 0)
        close(fd);
    if (kept != EX_OK)
        fprintf(stderr, "waybill pop-login: %s\n", why.text);
    return code == EX_OK && kept == EX_CANTCREAT ? kept : code;
}

static int status_of(const struct run *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->dialogues[i].fault.cause != WB_CAUSE_NONE)
            return wb_failure_status(
                wb_hint_find(&r->dialogues[i].fault)->kind);
    return EX_OK;
}

static int pop_login(struct run *r, struct wb_err *err)
{
    struct wb_err why = {""};
    int code;

    if (wb_watch_read(r->pool, r->conf->state_file, &r->watch, &why) != EX_OK)
        fprintf(stderr, "waybill pop-login: %s\n", why.text);
    code = choose(r);
    if (code != EX_OK || (r->count == 0 && !r->watch.must_reload))
        return code;
    code = log_in(r, err);
    if (code == EX_OK)
        code = settle(r, err);
    return code == EX_OK ? status_of(r) : code;
}

int wb_cmd_pop_login(int argc, char **argv)
{
    struct arguments a = {.path = WB_DEFAULT_CONFIG,
                          .timeout_s = DEFAULT_TIMEOUT_S};
    struct run r = {.a = &a, .now_s = (int64_t)time(NULL)};
    struct wb_conf *conf = NULL;
    struct wb_err err = {""};
    int code = read_arguments(argc, argv, &a);

    if (code != EX_OK)
        return code == -1 ? EX_OK : code;
    code = wb_tool_load_quietly(a.path, WB_USE_CHECK, &conf);
    if (code != EX_OK)
        return code;
    openlog("waybill", LOG_PID, LOG_MAIL);
    r.conf = conf;
    r.dir = a.dir != NULL ? a.dir : conf->mta_config;
    r.pool = wb_must(wb_pool_new(0));
    code = pop_login(&r, &err);
    if (*err.text != '\0')
        fprintf(stderr, "waybill pop-login: %s\n", err.text);
    wb_pool_free(r.pool);
    wb_conf_unref(conf);
    return code;
}
