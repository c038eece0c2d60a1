/* `waybill maps` and `waybill apply` for Postfix. */
#include <signal.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/mta.h"
#include "tool/watch/pop.h"

static int files(const struct wb_conf *conf, struct wb_pool *pool,
                 const char *directory, struct wb_files *out,
                 struct wb_err *err)
{
    struct wb_entries *entries = wb_must(wb_pool_alloc(pool, sizeof *entries));
    struct wb_strings domains;
    int code = wb_entries_make(conf, pool, directory, entries, err);

    if (code != EX_OK)
        return code;
    wb_pop_mark_now(pool, entries);
    domains = wb_postfix_domains(entries, pool);
    wb_postfix_files(entries, pool, &domains, true, out);
    return EX_OK;
}

/* Signals wait: an install must be whole, and the stage, which has labels,
 * must go. wb_apply_is_interrupted asks for them. */
void wb_apply_hold_signals(void)
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
                 const struct wb_apply_request *a, struct wb_problems *problems,
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

static int run(struct wb_site *site, const struct wb_conf *conf,
               struct wb_pool *pool, const struct wb_apply_request *a,
               struct wb_err *err)
{
    const struct wb_undo_options undo = {a->keep_edits, !a->no_reload,
                                         a->dry_run, a->wait_s,
                                         wb_postfix_hop(pool, conf)};
    struct wb_problems problems = {0};
    struct wb_entries entries;
    const char *dir = a->config != NULL ? a->config : conf->mta_config;
    int code = wb_site_open(pool, dir, site, err);

    if (code == EX_OK)
        code = wb_state_lock(site, a->dry_run || a->print, err);
    wb_apply_hold_signals();
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

static int run_all(const struct wb_conf *conf, struct wb_pool *pool,
                   const struct wb_apply_request *request, struct wb_err *err)
{
    struct wb_site site = {0};
    int code = run(&site, conf, pool, request, err);

    wb_site_close(&site);
    wb_state_unlock(&site);
    return code;
}

static int knows_label(const struct wb_conf *conf, struct wb_pool *pool,
                       const char *label, bool *is_known, struct wb_err *err)
{
    char *tables;
    int code = wb_file_read(
        pool, wb_say(pool, "%s/waybill/strip.pcre", conf->mta_config), &tables,
        err);

    *is_known =
        code == EX_OK &&
        (tables == NULL ||
         strstr(tables, wb_say(pool, "\\.%s\\.waybill\\.", label)) != NULL);
    return code;
}

const struct wb_mta_tools wb_postfix_tools = {files, run_all, knows_label};
