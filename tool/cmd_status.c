/* waybill status: what the running milter says of itself. */
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tool/ask.h"
#include "tool/tool.h"

enum { DIGEST_SHOWN = 8, LINES_SHOWN = 20 };

enum form { TEXT, JSON, PROMETHEUS };

static void help(void)
{
    puts("usage: waybill status [-c FILE | --socket PATH] [--json | "
         "--prometheus]\n"
         "\n"
         "Shows what the running milter has done since it started: messages\n"
         "by verdict, rule, route and webhook, reloads, the last errors.\n"
         "\n"
         "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
         "  --socket PATH      the milter's control_socket: no configuration "
         "is\n"
         "                     read\n"
         "  --json             for programs\n"
         "  --prometheus       for Prometheus, in its text format\n"
         "  -h, --help         print this\n"
         "\n"
         "Exit status: 0; 69 when no milter answers, 77 when this user may "
         "not ask.");
}

/* ---- for people ---- */

static json_int_t number(const json_t *in, const char *key)
{
    return json_integer_value(json_object_get(in, key));
}

static const char *text(const json_t *in, const char *key)
{
    const char *value = json_string_value(json_object_get(in, key));

    return value != NULL ? value : "?";
}

static void show_time(const char *label, json_int_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm tm;
    char shown[64] = "?";

    if (localtime_r(&at, &tm) != NULL)
        strftime(shown, sizeof shown, "%Y-%m-%d %H:%M:%S %z", &tm);
    printf("  %-12s %s\n", label, shown);
}

static void show_uptime(json_int_t s)
{
    printf("  %-12s %lld d %02lld:%02lld:%02lld\n", "up", (long long)s / 86400,
           (long long)s / 3600 % 24, (long long)s / 60 % 60, (long long)s % 60);
}

/* Each number of an object on a line: "accept 12, reject 3". */
static void show_numbers(const char *label, const json_t *in)
{
    const char *key, *separator = "";
    json_t *value;

    printf("  %-12s ", label);
    json_object_foreach((json_t *)in, key, value)
    {
        printf("%s%s %lld", separator, key,
               (long long)json_integer_value(value));
        separator = ", ";
    }
    putchar('\n');
}

static size_t largest(const json_t *list, const char *key, json_int_t below)
{
    size_t found = json_array_size(list);
    json_int_t most = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t n = number(json_array_get(list, i), key);

        if (n > most && n < below) {
            most = n;
            found = i;
        }
    }
    return found;
}

/* Those that were met most, so many of them that they can be read. */
static void show_counts(const char *title, const json_t *list)
{
    size_t count = json_array_size(list), shown = 0, idle = 0;
    json_int_t below = LLONG_MAX;

    if (count == 0)
        return;
    printf("%-24s %12s %12s\n", title, "messages", "recipients");
    while (shown < LINES_SHOWN) {
        size_t first = largest(list, "messages", below);

        if (first == count)
            break;
        below = number(json_array_get(list, first), "messages");
        for (size_t i = first; i < count && shown < LINES_SHOWN; i++) {
            const json_t *item = json_array_get(list, i);

            if (number(item, "messages") != below)
                continue;
            printf("  %-22s %12lld %12lld\n", text(item, "name"),
                   (long long)below, (long long)number(item, "recipients"));
            shown++;
        }
    }
    for (size_t i = 0; i < count; i++)
        idle += number(json_array_get(list, i), "messages") == 0;
    if (count > shown + idle)
        printf("  (%zu more with fewer messages)\n", count - shown - idle);
    if (idle > 0)
        printf("  (%zu with none)\n", idle);
}

static void show_configuration(const json_t *in, const struct wb_conf *conf)
{
    const char *digest = text(in, "digest");

    printf("configuration\n  %-12s %s\n  %-12s %.*s\n", "file",
           text(in, "path"), "digest", DIGEST_SHOWN, digest);
    show_time("loaded", number(in, "loaded"));
    if (conf != NULL && strcmp(digest, conf->digest) != 0)
        printf("  %-12s the files say something else by now (%.*s); "
               "waybill reload takes it\n",
               "changed", DIGEST_SHOWN, conf->digest);
}

static void show_errors(const json_t *root)
{
    const json_t *list = json_object_get(root, "errors");

    printf("errors         %lld\n", (long long)number(root, "error_count"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);

        show_time("at", number(e, "at"));
        printf("  %-12s %s\n", "", text(e, "text"));
    }
}

static void show(const json_t *root, const struct wb_conf *conf)
{
    const json_t *reloads = json_object_get(root, "reloads");

    printf("waybill-milter %s, process %lld\n", text(root, "version"),
           (long long)number(root, "pid"));
    show_time("started", number(root, "started"));
    show_uptime(number(root, "uptime_s"));
    show_configuration(json_object_get(root, "configuration"), conf);
    printf("  %-12s taken %lld, refused %lld\n", "reloads",
           (long long)number(reloads, "taken"),
           (long long)number(reloads, "refused"));
    puts("mail");
    show_numbers("connections", json_object_get(root, "connections"));
    show_numbers("messages", json_object_get(root, "messages"));
    show_numbers("recipients", json_object_get(root, "recipients"));
    show_counts("rules", json_object_get(root, "rules"));
    show_counts("routes", json_object_get(root, "routes"));
    show_counts("webhooks", json_object_get(root, "webhooks"));
    show_errors(root);
}

/* ---- the command ---- */

/* "error" and a reason come from a milter that does not know the question. */
static int take_json(FILE *in, const struct wb_conf *conf, enum form form)
{
    json_error_t why;
    json_t *root = json_loadf(in, 0, &why);
    int rc = EX_OK;

    if (root == NULL) {
        fprintf(stderr, "waybill: status: the milter gave no status; one of "
                        "this version does\n");
        return EX_UNAVAILABLE;
    }
    if (form == TEXT)
        show(root, conf);
    else if (json_dumpf(root, stdout, JSON_INDENT(2)) != 0)
        rc = EX_OSERR;
    else
        putchar('\n');
    json_decref(root);
    return rc;
}

static int pass_on(FILE *in)
{
    char octets[8192];
    bool is_empty = true;
    size_t n;

    while ((n = fread(octets, 1, sizeof octets, in)) > 0) {
        if (is_empty && octets[0] != '#')
            break;
        is_empty = false;
        fwrite(octets, 1, n, stdout);
    }
    if (!is_empty)
        return EX_OK;
    fprintf(stderr, "waybill: status: the milter gave no metrics; one of this "
                    "version does\n");
    return EX_UNAVAILABLE;
}

/* socket: NULL: the one that the configuration has. */
static int status(const char *config, const char *socket, enum form form)
{
    struct wb_conf *conf = NULL;
    int rc =
        socket == NULL ? wb_tool_load(config, WB_USE_EXPLAIN, &conf) : EX_OK;
    FILE *answer;

    if (rc != EX_OK)
        return rc;
    rc = wb_ask("status", socket != NULL ? socket : conf->control_socket,
                form == PROMETHEUS ? "metrics" : "status", &answer);
    if (rc == EX_OK) {
        rc = form == PROMETHEUS ? pass_on(answer)
                                : take_json(answer, conf, form);
        fclose(answer);
    }
    wb_conf_unref(conf);
    return rc;
}

int wb_cmd_status(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"prometheus", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    const char *config = WB_DEFAULT_CONFIG, *socket = NULL;
    enum form form = TEXT;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 's':
            socket = optarg;
            break;
        case 'j':
            form = JSON;
            break;
        case 'p':
            form = PROMETHEUS;
            break;
        case 'h':
            help();
            return EX_OK;
        default:
            return wb_tool_usage("status", "\"%s\" is not understood",
                                 argv[optind - 1]);
        }
    }
    if (optind < argc)
        return wb_tool_usage("status", "\"%s\" is too much", argv[optind]);
    return status(config, socket, form);
}
