/* waybill apply: install the tables into Postfix, or take them out again. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/tool.h"
#include "tool/watch/pop.h"

struct arguments {
    const char *path, *dir;
    bool dry_run, print, undo, no_reload, keep_edits;
    unsigned wait_s;
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
        a->dir = optarg;
        break;
    case OPT_DRY:
        a->dry_run = true;
        break;
    case OPT_PRINT:
        a->print = true;
        break;
    case OPT_UNDO:
        a->undo = true;
        break;
    case OPT_STILL:
        a->no_reload = true;
        break;
    case OPT_KEEP:
        a->keep_edits = true;
        break;
    case OPT_WAIT:
        return read_wait(optarg, &a->wait_s);
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
    if (a->print && (a->undo || a->dry_run))
        return wb_tool_usage("apply", "--print stands alone");
    if (a->keep_edits && !a->undo)
        return wb_tool_usage("apply", "--keep-edits goes with --undo");
    return EX_OK;
}

/* Signals wait: an install must be whole, and the stage, which has labels,
 * must go. wb_apply_is_interrupted asks for them. */
static void hold_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Is everything as it would be written? Then only the state may be behind. */
static bool is_nothing_to_do(const struct wb_site *site,
                             const struct wb_edit *edit,
                             const struct wb_file_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].change != WB_SAME)
            return false;
    }
    return strcmp(site->main, edit->main) == 0 &&
           strcmp(site->master, edit->master) == 0;
}

static int keep_state(struct wb_site *site, const struct wb_edit *edit,
                      struct wb_err *err)
{
    struct wb_pool *p = site->pool;
    struct wb_undo_state state = {
        .main_before = wb_say(p, "%s", site->base_main),
        .master_before = wb_say(p, "%s", site->base_master),
        .main_wrote = wb_say(p, "%s", edit->main),
        .master_wrote = wb_say(p, "%s", edit->master)};
    struct wb_undo_state was = {0};
    int code = wb_state_write(site, &state, err);

    if (code == EX_OK)
        code = wb_state_read(site, &was, err);
    if (code == EX_OK && was.is_pending)
        code = wb_state_set_pending(site, false, err);
    return code;
}

static int apply(struct wb_site *site, const struct wb_entries *entries,
                 const struct arguments *a, struct wb_problems *problems,
                 struct wb_err *err)
{
    struct wb_edit edit;
    struct wb_files files;
    struct wb_file_change *changes;
    size_t count;
    int code = wb_site_edit(site, entries, problems, &edit, err);

    wb_problems_print(problems, stderr);
    if (code != EX_OK)
        return code;
    wb_postfix_files(entries, site->pool, &edit.relay_domains, false, &files);
    code = wb_apply_prove(site, entries, &edit, &files, err);
    if (code == EX_OK && a->print)
        return wb_apply_print(site, &edit, &files, stdout), EX_OK;
    if (code == EX_OK)
        code = wb_publish_compare(site->pool, site->maps, &files, &changes,
                                  &count, err);
    if (code == EX_OK)
        code = wb_apply_diff(site, edit.main, edit.master, stdout, err);
    if (code != EX_OK)
        return code;
    wb_publish_print(changes, count, stdout);
    fflush(stdout);
    code = wb_queue_check_labels(site, entries->conf, err);
    if (code != EX_OK || a->dry_run)
        return code;
    if (wb_apply_is_interrupted())
        return wb_err_set(err, EX_TEMPFAIL, "interrupted; nothing was changed");
    if (is_nothing_to_do(site, &edit, changes, count))
        return keep_state(site, &edit, err);
    return wb_apply_install(site, &edit, &files, !a->no_reload, err);
}

static int run(struct wb_site *site, struct wb_pool *pool,
               const struct wb_conf *conf, const struct arguments *a,
               struct wb_err *err)
{
    const struct wb_undo_options undo = {a->keep_edits, !a->no_reload,
                                         a->dry_run, a->wait_s,
                                         wb_postfix_hop(pool, conf)};
    struct wb_problems problems = {0};
    struct wb_entries entries;
    const char *dir = a->dir != NULL ? a->dir : conf->mta_config;
    int code = wb_site_open(pool, dir, site, err);

    if (code == EX_OK)
        code = wb_state_lock(site, a->dry_run || a->print, err);
    hold_signals();
    if (code == EX_OK)
        code = wb_site_stage(site, err);
    if (code == EX_OK && a->undo)
        return wb_apply_undo(site, &undo, err);
    if (code == EX_OK)
        code = wb_entries_make(conf, pool, site->maps, &entries, err);
    if (code == EX_OK)
        wb_pop_mark_now(pool, &entries);
    if (code == EX_OK)
        code = apply(site, &entries, a, &problems, err);
    wb_problems_free(&problems);
    return code;
}

int wb_cmd_apply(int argc, char **argv)
{
    struct arguments a = {.path = WB_DEFAULT_CONFIG, .wait_s = 60};
    struct wb_conf *conf = NULL;
    struct wb_site site = {0};
    struct wb_pool *pool;
    struct wb_err err = {""};
    int code = read_arguments(argc, argv, &a);

    if (code != EX_OK)
        return code == -1 ? EX_OK : code;
    code = wb_tool_load(a.path, WB_USE_CHECK, &conf);
    if (code != EX_OK)
        return code;
    pool = wb_must(wb_pool_new(0));
    code = run(&site, pool, conf, &a, &err);
    if (code != EX_OK)
        fprintf(stderr, "waybill apply: %s\n", err.text);
    wb_site_close(&site);
    wb_state_unlock(&site);
    wb_pool_free(pool);
    wb_conf_unref(conf);
    return code;
}
