/* `waybill maps` and `waybill apply` for Sendmail. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/mta.h"
#include "tool/maps/run.h"
#include "tool/sendmail/site.h"

static int files(const struct wb_conf *conf, struct wb_pool *pool,
                 const char *directory, struct wb_files *out,
                 struct wb_err *err)
{
    struct wb_sendmail s;
    int code = wb_sendmail_make(
        conf, pool, wb_say(pool, "%s/waybill", conf->mta_config), &s, err);

    (void)directory;
    if (code == EX_OK)
        wb_sendmail_files(&s, pool, false, out);
    return code;
}

/* One apply or undo under way. */
struct work {
    const struct wb_conf *conf;
    const struct wb_apply_request *request;
    struct wb_sm_site site;
    struct wb_sendmail next; /* with the tables in their new folder */
    struct wb_files files;
    bool is_restarted; /* the daemon was told of what is installed */
    bool is_put_back;  /* the site's files are as they were */
};

static int make(struct work *w, const char *where, bool is_leaving,
                struct wb_err *err)
{
    int code = wb_sendmail_make(w->conf, w->site.pool, where, &w->next, err);

    if (code == EX_OK)
        wb_sendmail_files(&w->next, w->site.pool, is_leaving, &w->files);
    return code;
}

static const char *new_m4(const struct work *w)
{
    return w->files.items[0].text;
}

/* Build and test all of it in a folder of its own: nothing is installed. */
static int rehearse(struct work *w, struct wb_err *err)
{
    struct wb_sm_site *site = &w->site;
    struct wb_sendmail staged;
    const char *cf_path;
    char *cf, *unused;
    int code = wb_sm_site_compile(site, "", &unused, err);

    if (code == EX_OK)
        code = make(w, site->stage, false, err);
    staged = w->next;
    if (code == EX_OK)
        code = wb_sm_site_compile(site, new_m4(w), &cf, err);
    if (code != EX_OK)
        return code;
    cf_path = wb_say(site->pool, "%s/sendmail.cf", site->stage);
    code = wb_file_write(site->pool, cf_path, cf, 0600, err);
    if (code == EX_OK)
        code = wb_sm_site_tables(site, site->stage, cf_path, &w->files, err);
    if (code == EX_OK)
        code = wb_sm_prove(site, cf_path, &staged, err);
    return code;
}

/* The certificates that the routes' relays are verified by are the site's. */
static int check_trust(struct work *w, const char *cf, struct wb_err *err)
{
    const char *site_ca = wb_sm_cf_option(w->site.pool, cf, "CACertFile");

    for (size_t i = 0; i < w->next.way_count; i++) {
        const struct wb_route *r = w->next.ways[i].route;

        if (r->tls != WB_TLS_STARTTLS || r->ca_file == NULL ||
            (site_ca != NULL && strcmp(site_ca, r->ca_file) == 0))
            continue;
        return wb_err_set(err, EX_CONFIG,
                          "%s:%u: route %s: ca_file: is not the confCACERT of "
                          "%s, which is %s, and Sendmail has one; the same "
                          "file in both places is right",
                          r->origin.file, r->origin.line, r->name,
                          w->site.mc_path,
                          site_ca == NULL ? "not set" : site_ca);
    }
    return EX_OK;
}

static int check_listener(struct work *w, const char *option,
                          const char *listener, struct wb_err *err)
{
    return wb_sm_is_taken(&w->site, listener)
               ? wb_err_set(err, EX_CONFIG,
                            "%s: another program listens at %s; a free port "
                            "is right",
                            option, listener)
               : EX_OK;
}

static int check(struct work *w, struct wb_err *err)
{
    int code = wb_sm_site_check_include(&w->site, err);
    char *cf = NULL;

    if (code == EX_OK)
        code = wb_sm_site_check_cf(&w->site, err);
    if (code == EX_OK)
        code = check_listener(w, "loopback_listener",
                              w->conf->loopback_listener, err);
    if (code == EX_OK)
        code =
            check_listener(w, "again_listener", w->conf->again_listener, err);
    if (code == EX_OK)
        code = rehearse(w, err);
    if (code == EX_OK)
        code = wb_file_read(
            w->site.pool, wb_say(w->site.pool, "%s/sendmail.cf", w->site.stage),
            &cf, err);
    return code == EX_OK ? check_trust(w, cf, err) : code;
}

/* A diff of the include file, which holds no secret. */
static int show_diff(struct work *w, struct wb_err *err)
{
    struct wb_pool *p = w->site.pool;
    const char *copy = wb_say(p, "%s/new", w->site.stage);
    const char *const argv[] = {"diff",
                                "-u",
                                "-N",
                                "--label",
                                wb_say(p, "%s (installed)", w->site.m4),
                                "--label",
                                wb_say(p, "%s (new)", w->site.m4),
                                "--",
                                w->site.m4,
                                copy,
                                NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_file_write(p, copy, new_m4(w), 0600, err);

    if (code == EX_OK)
        code = wb_run(p, &run, err);
    if (code != EX_OK)
        return code;
    if (run.status > 1)
        return wb_err_set(err, EX_UNAVAILABLE, "diff: %s",
                          wb_run_errors(p, &run));
    fputs(run.out, stdout);
    return EX_OK;
}

/* Are file and tables as they would be written? */
static int compare(struct work *w, bool *is_same, struct wb_err *err)
{
    struct wb_files tables;
    struct wb_file_change *changes;
    size_t count;
    int code = EX_OK;

    *is_same = w->site.tables != NULL && w->site.m4_text != NULL;
    code = make(w, *is_same ? w->site.tables : wb_sm_site_other(&w->site),
                false, err);
    if (code != EX_OK)
        return code;
    tables = (struct wb_files){w->files.items + 1, w->files.count - 1};
    code = wb_publish_compare(
        w->site.pool, *is_same ? w->site.tables : wb_sm_site_other(&w->site),
        &tables, &changes, &count, err);
    if (code != EX_OK)
        return code;
    wb_publish_print(changes, count, stdout);
    for (size_t i = 0; i < count; i++)
        *is_same &= changes[i].change == WB_SAME;
    *is_same = *is_same && strcmp(w->site.m4_text, new_m4(w)) == 0;
    return EX_OK;
}

/* Put the site's two files back as they were, and no more. */
static int roll_back(struct work *w, int why, struct wb_err *err)
{
    struct wb_sm_site *site = &w->site;
    struct wb_err second = {""};
    int code = EX_OK;

    if (site->m4_text == NULL)
        unlink(site->m4);
    else
        code =
            wb_file_write(site->pool, site->m4, site->m4_text, 0644, &second);
    if (code == EX_OK && site->cf != NULL)
        code =
            wb_file_write(site->pool, site->cf_path, site->cf, 0644, &second);
    w->is_put_back = code == EX_OK;
    if (code == EX_OK && w->is_restarted)
        code = wb_sm_daemon_restart(site, NULL, &second);
    return wb_err_set(err, why,
                      code == EX_OK
                          ? "%s; everything was put back%s"
                          : "%s; and what was there could not be put back: %s",
                      wb_say(site->pool, "%s", err->text), second.text);
}

/* Have the site build its .cf by waybill.m4 as it is now, and the daemon take
 * it up. */
static int build(struct work *w, const struct wb_sendmail *proof,
                 const char *listener, struct wb_err *err)
{
    int code = wb_sm_site_build(&w->site, err);

    if (code == EX_OK)
        code = wb_sm_prove(&w->site, w->site.cf_path, proof, err);
    w->is_restarted = code == EX_OK && !w->request->no_reload;
    if (w->is_restarted)
        code = wb_sm_daemon_restart(&w->site, listener, err);
    return code;
}

static int install(struct work *w, struct wb_err *err)
{
    struct wb_sm_site *site = &w->site;
    const char *folder = wb_sm_site_other(site);
    int code;

    wb_sm_site_remove(site, folder);
    code = wb_sm_site_tables(site, folder,
                             wb_say(site->pool, "%s/sendmail.cf", site->stage),
                             &w->files, err);
    if (code == EX_OK)
        code = wb_file_write(site->pool, site->m4, new_m4(w), 0644, err);
    if (code == EX_OK)
        code = build(w, &w->next, w->conf->loopback_listener, err);
    if (code == EX_OK)
        return EX_OK;
    code = roll_back(w, code, err);
    /* It holds logins. Where a daemon took it up, what it began goes on. */
    if (w->is_put_back && !w->is_restarted)
        wb_sm_site_remove(site, folder);
    return code;
}

static int read_mailertable(const struct wb_sm_site *site, char **out,
                            struct wb_err *err)
{
    *out = NULL;
    return site->tables == NULL
               ? EX_OK
               : wb_file_read(
                     site->pool,
                     wb_say(site->pool, "%s/mailertable", site->tables), out,
                     err);
}

/* Each label has a row for itself. */
static bool is_label_in(const struct wb_sm_site *site, const char *tables,
                        const char *label)
{
    return strstr(tables, wb_say(site->pool, "\n.%s." WB_SUFFIX_DOMAIN "\t",
                                 label)) != NULL;
}

/* Refuse to retire a label that queued mail still bears: it would bounce. */
static int check_labels(struct work *w, struct wb_err *err)
{
    static const char row[] = "." WB_SUFFIX_DOMAIN "\tgone\n";
    struct wb_sm_site *site = &w->site;
    char *was;
    int code = read_mailertable(site, &was, err);

    for (const char *at = was;
         code == EX_OK && at != NULL && (at = strstr(at, row)) != NULL; at++) {
        size_t end = (size_t)(at - was);
        const char *label =
                       wb_slice(site->pool, was, end - WB_LABEL_OCTETS, end),
                   *mark;
        size_t count;

        if (is_label_in(site, w->files.items[1].text, label))
            continue;
        mark = wb_say(site->pool, ".%s." WB_SUFFIX_DOMAIN, label);
        count = wb_sm_queue_count(site, mark);
        if (count > 0)
            code = wb_err_set(err, EX_TEMPFAIL,
                              "%zu queued message%s marked under a key that "
                              "secret_file no longer has, and would bounce; "
                              "keep that key as a later line until the queue "
                              "has drained",
                              count, count == 1 ? " is" : "s are");
    }
    return code;
}

static void print(const struct work *w)
{
    const struct wb_sm_site *site = &w->site;

    printf("# waybill " WB_VERSION
           ": what `waybill apply` would do to %s, as commands.\n"
           "# First the files, all 0600 in a 0700 directory (waybill maps "
           "--out writes them):\n",
           site->dir);
    for (size_t i = 0; i < w->files.count; i++)
        printf("#   %s/%s\n", site->maps, w->files.items[i].name);
    for (size_t i = 0; wb_sendmail_tables[i] != NULL; i++)
        printf("makemap hash %s/%s <%s/%s\n", site->maps, wb_sendmail_tables[i],
               site->maps, wb_sendmail_tables[i]);
    printf("# as the last line of %s:\n#   sinclude(`%s')dnl\n"
           "make -C %s -W sendmail.mc\n"
           "kill -HUP \"$(head -n 1 %s)\"\n",
           site->mc_path, site->m4, site->dir,
           wb_sm_cf_option(site->pool, site->cf, "PidFile"));
}

static int apply(struct work *w, struct wb_err *err)
{
    bool is_same;
    int code = check(w, err);

    if (code == EX_OK && w->request->print) {
        code = make(w, w->site.maps, false, err);
        if (code == EX_OK)
            print(w);
        return code;
    }
    if (code == EX_OK)
        code = compare(w, &is_same, err);
    if (code == EX_OK && !is_same)
        code = make(w, wb_sm_site_other(&w->site), false, err);
    if (code == EX_OK && !is_same)
        code = show_diff(w, err);
    fflush(stdout);
    if (code == EX_OK)
        code = check_labels(w, err);
    if (code != EX_OK || w->request->dry_run || is_same)
        return code;
    if (wb_apply_is_interrupted())
        return wb_err_set(err, EX_TEMPFAIL, "interrupted; nothing was changed");
    return install(w, err);
}

/* ---- undo ---------------------------------------------------------------- */

#define MARKED "." WB_SUFFIX_DOMAIN

/* Routes stay, but no mail is marked any more. */
static int detach(struct work *w, struct wb_err *err)
{
    int code = make(w, w->site.tables, true, err);

    if (code == EX_OK)
        code = wb_file_write(w->site.pool, w->site.m4, new_m4(w), 0644, err);
    if (code == EX_OK)
        code = build(w, &w->next, w->conf->loopback_listener, err);
    return code == EX_OK ? EX_OK : roll_back(w, code, err);
}

/* What waits for its next try would wait for long. */
static void run_queue(struct work *w)
{
    const char *const argv[] = {"sendmail",
                                wb_say(w->site.pool, "-C%s", w->site.cf_path),
                                "-q", "-OMinQueueAge=0", NULL};
    struct wb_run run = {.argv = argv};

    if (wb_sm_daemon(&w->site) != 0)
        wb_run(w->site.pool, &run, NULL);
}

static int drain(struct work *w, struct wb_err *err)
{
    const struct timespec pause = {.tv_nsec = 250000000};
    unsigned quarters = 4 * w->request->wait_s;
    size_t left, told = 0;

    run_queue(w);
    while ((left = wb_sm_queue_count(&w->site, MARKED)) > 0) {
        if (quarters == 0 || wb_apply_is_interrupted())
            return wb_err_set(
                err, EX_TEMPFAIL,
                "%zu queued message%s waybill's tables; no new mail is "
                "marked; undo again when the queue has drained",
                left, left == 1 ? " needs" : "s need");
        if (left != told)
            printf("waiting for %zu queued message%s\n", left,
                   left == 1 ? "" : "s");
        fflush(stdout);
        told = left;
        quarters--;
        nanosleep(&pause, NULL);
    }
    return EX_OK;
}

static void remove_tables(struct wb_sm_site *site)
{
    for (int i = 0; i < 2; i++) {
        wb_sm_site_remove(site, wb_sm_site_other(site));
        site->tables = wb_sm_site_other(site);
    }
}

/* Without the file, its include line says nothing. */
static int take_out(struct work *w, struct wb_err *err)
{
    int code;

    unlink(w->site.m4);
    code = build(w, NULL, NULL, err);
    if (code != EX_OK)
        return roll_back(w, code, err);
    remove_tables(&w->site);
    return EX_OK;
}

static int undo(struct work *w, struct wb_err *err)
{
    int code = EX_OK;

    if (w->site.m4_text == NULL) {
        puts("waybill is not applied here.");
        return EX_OK;
    }
    printf("takes out %s and the tables beside it\n", w->site.m4);
    fflush(stdout);
    if (w->request->dry_run)
        return EX_OK;
    if (w->site.tables != NULL)
        code = detach(w, err);
    if (code == EX_OK)
        code = drain(w, err);
    return code == EX_OK ? take_out(w, err) : code;
}

static int run(const struct wb_conf *conf, struct wb_pool *pool,
               const struct wb_apply_request *request, struct wb_err *err)
{
    struct work w = {.conf = conf, .request = request};
    struct wb_site lock = {.pool = pool};
    int code = wb_sm_site_open(
        pool, request->config != NULL ? request->config : conf->mta_config,
        &w.site, err);

    if (code != EX_OK)
        return code;
    lock.dir = w.site.dir;
    lock.maps = w.site.maps;
    code = wb_state_lock(&lock, request->dry_run || request->print, err);
    wb_apply_hold_signals();
    if (code == EX_OK)
        code = request->undo ? undo(&w, err) : apply(&w, err);
    wb_sm_site_close(&w.site);
    wb_state_unlock(&lock);
    return code;
}

static int knows_label(const struct wb_conf *conf, struct wb_pool *pool,
                       const char *label, bool *is_known, struct wb_err *err)
{
    struct wb_sm_site site;
    char *tables = NULL;
    int code = wb_sm_site_open(pool, conf->mta_config, &site, err);

    if (code == EX_OK)
        code = read_mailertable(&site, &tables, err);
    *is_known =
        code == EX_OK && (tables == NULL || is_label_in(&site, tables, label));
    return code;
}

const struct wb_mta_tools wb_sendmail_tools = {files, run, knows_label};
