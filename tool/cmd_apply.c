/* waybill apply: install the tables into Postfix, or take them out again. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/mta.h"
#include "tool/tool.h"

struct arguments {
    const char *path;
    struct wb_apply_request request;
};

static void help(void)
{
    fputs(
        "usage: waybill apply [-c FILE] [--mta-config DIR] [--no-reload]\n"
        "                     [--dry-run | --print]\n"
        "       waybill apply [-c FILE] [--mta-config DIR] [--no-reload]\n"
        "                     --undo [--keep-edits] [--wait SECONDS] "
        "[--dry-run]\n"
        "\n"
        "Install the routes of FILE (" WB_DEFAULT_CONFIG ") into Postfix:\n"
        "show a diff, prove every route by looking it up, then put all in "
        "place\n"
        "or nothing, and reload Postfix if it runs.\n"
        "\n"
        "  --mta-config DIR  Postfix's directory (mta_config of FILE)\n"
        "  --dry-run         show and prove only\n"
        "  --print           the same edits as postconf commands, for ansible\n"
        "  --no-reload       leave the reload to you\n"
        "  --undo            detach waybill, wait until no queued mail needs "
        "its\n"
        "                    tables, and restore main.cf and master.cf; "
        "refused if\n"
        "                    they were edited since\n"
        "  --keep-edits      keep those edits and remove only what is "
        "waybill's\n"
        "  --wait SECONDS    how long to wait for the queue (60)\n"
        "\n"
        "Exit status: 0 done, 64 usage, 69 Postfix's tools failed, 73 a file\n"
        "could not be written, 75 another apply is at work or mail is left in\n"
        "the queue, 78 the configuration or an edit is in the way.\n",
        stdout);
}

static int read_wait(const char *text, unsigned *out)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || seconds > 86400)
        return wb_tool_usage("apply", "--wait %s: 0 to 86400 is right", text);
    *out = (unsigned)seconds;
    return EX_OK;
}

enum {
    OPT_CONFIG = 256,
    OPT_DRY,
    OPT_PRINT,
    OPT_UNDO,
    OPT_STILL,
    OPT_KEEP,
    OPT_WAIT
};

static int take_option(int c, struct arguments *a, char **argv)
{
    switch (c) {
    case 'c':
        a->path = optarg;
        break;
    case OPT_CONFIG:
        a->request.config = optarg;
        break;
    case OPT_DRY:
        a->request.dry_run = true;
        break;
    case OPT_PRINT:
        a->request.print = true;
        break;
    case OPT_UNDO:
        a->request.undo = true;
        break;
    case OPT_STILL:
        a->request.no_reload = true;
        break;
    case OPT_KEEP:
        a->request.keep_edits = true;
        break;
    case OPT_WAIT:
        return read_wait(optarg, &a->request.wait_s);
    case 'h':
        help();
        return -1;
    case ':':
        return wb_tool_usage("apply", "a value is missing after \"%s\"",
                             argv[optind - 1]);
    default:
        return wb_tool_usage("apply", "no such option: \"%s\"",
                             argv[optind - 1]);
    }
    return EX_OK;
}

/* Returns EX_OK to go on, -1 when done, or EX_USAGE. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"mta-config", required_argument, NULL, OPT_CONFIG},
        {"dry-run", no_argument, NULL, OPT_DRY},
        {"print", no_argument, NULL, OPT_PRINT},
        {"undo", no_argument, NULL, OPT_UNDO},
        {"no-reload", no_argument, NULL, OPT_STILL},
        {"keep-edits", no_argument, NULL, OPT_KEEP},
        {"wait", required_argument, NULL, OPT_WAIT},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "+:c:h", longs, NULL)) != -1) {
        int code = take_option(c, a, argv);

        if (code != EX_OK)
            return code;
    }
    if (optind < argc)
        return wb_tool_usage("apply", "\"%s\" is not expected", argv[optind]);
    if (a->request.print && (a->request.undo || a->request.dry_run))
        return wb_tool_usage("apply", "--print stands alone");
    if (a->request.keep_edits && !a->request.undo)
        return wb_tool_usage("apply", "--keep-edits goes with --undo");
    return EX_OK;
}

int wb_cmd_apply(int argc, char **argv)
{
    struct arguments a = {.path = WB_DEFAULT_CONFIG, .request.wait_s = 60};
    struct wb_conf *conf = NULL;
    struct wb_pool *pool;
    struct wb_err err = {""};
    int code = read_arguments(argc, argv, &a);

    if (code != EX_OK)
        return code == -1 ? EX_OK : code;
    code = wb_tool_load(a.path, WB_USE_CHECK, &conf);
    if (code != EX_OK)
        return code;
    pool = wb_must(wb_pool_new(0));
    code = wb_mta_tools(conf)->apply(conf, pool, &a.request, &err);
    if (code != EX_OK)
        fprintf(stderr, "waybill apply: %s\n", err.text);
    wb_pool_free(pool);
    wb_conf_unref(conf);
    return code;
}
