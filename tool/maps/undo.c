/* Take waybill out again: detach, drain, restore. */
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/run.h"

struct undo {
    struct wb_site *site;
    const struct wb_undo_options *options;
    struct wb_undo_state state;
    bool is_running;
    struct wb_strings before; /* processes that may still mark mail */
};

/* Without milter and hop; the tables and services stay for the queue, and so
 * does the milter of second passes, which mail between the passes needs. */
static const char *detached(struct wb_site *site, const char *main)
{
    const char *text = wb_main_set(site->pool, main, "waybill_milters", "");

    text = wb_main_set(site->pool, text, "waybill_content_filter", "");
    return wb_main_set(site->pool, text, "waybill_loopback_restrictions",
                       "check_recipient_access "
                       "pcre:$waybill_directory/unseen.pcre, "
                       "check_recipient_access "
                       "pcre:$waybill_directory/loopback.pcre");
}

static bool is_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Does the file hold what an apply or an earlier undo left there? */
static bool is_unedited(const struct undo *u)
{
    const struct wb_site *s = u->site;
    const struct wb_undo_state *was = &u->state;
    bool main = is_same(s->main, was->main_wrote) ||
                is_same(s->main, detached(u->site, was->main_wrote)) ||
                is_same(s->main, was->main_before);
    bool master = is_same(s->master, was->master_wrote) ||
                  is_same(s->master, was->master_before);

    if (was->is_pending) {
        main |= is_same(s->base_main, was->main_before);
        master |= is_same(s->base_master, was->master_before);
    }
    return main && master;
}

/* Show the edits: what apply wrote against what is there. */
static int refuse_edits(struct undo *u, struct wb_err *err)
{
    struct wb_undo_state *was = &u->state;

    puts("Edited since waybill apply ('+' lines are what apply wrote):");
    fflush(stdout);
    if (wb_apply_diff(u->site, was->main_wrote, was->master_wrote, stdout,
                      err) != EX_OK)
        fprintf(stderr, "waybill apply: %s\n", err->text);
    return wb_err_set(err, EX_CONFIG,
                      "main.cf or master.cf was edited since the apply, and "
                      "nothing was changed; --undo --keep-edits removes only "
                      "what is waybill's");
}

static int reload(struct undo *u, struct wb_err *err)
{
    if (!u->options->reload || !u->is_running)
        return EX_OK;
    return wb_apply_reload(u->site, err);
}

static int write_main(struct undo *u, const char *text, struct wb_err *err)
{
    int code = EX_OK;

    if (!is_same(u->site->main, text)) {
        code = wb_file_write(u->site->pool, u->site->main_cf, text, 0644, err);
        u->site->main = text;
    }
    return code;
}

/* No new mail is marked, but by those who began before. */
static int detach(struct undo *u, struct wb_err *err)
{
    int code = write_main(u, detached(u->site, u->site->main), err);

    if (u->is_running && u->options->reload)
        wb_workers_note(u->site, &u->before);
    return code == EX_OK ? reload(u, err) : code;
}

static int put_main(struct undo *u, const char *text, struct wb_err *err)
{
    int code = write_main(u, text, err);

    return code == EX_OK ? reload(u, err) : code;
}

static int put_master(struct undo *u, const char *text, struct wb_err *err)
{
    if (is_same(u->site->master, text))
        return EX_OK;
    return wb_file_write(u->site->pool, u->site->master_cf, text, 0644, err);
}

static void flush_queue(struct wb_site *site)
{
    const char *const argv[] = {"postqueue", "-c", site->dir, "-f", NULL};
    struct wb_run run = {.argv = argv};

    wb_run(site->pool, &run, NULL);
}

static int refuse_queue(size_t count, bool running, struct wb_err *err)
{
    return wb_err_set(err, EX_TEMPFAIL,
                      "%zu queued message%s still need%s waybill's tables; "
                      "%s, then `waybill apply --undo` goes on (no new mail "
                      "is marked meanwhile)",
                      count, count == 1 ? "" : "s", count == 1 ? "s" : "",
                      running ? "let it be delivered (--wait SECONDS, "
                                "postqueue -f; postsuper -H where it is on "
                                "hold) or delete it (postsuper -d)"
                              : "start Postfix so that it is delivered");
}

bool wb_apply_is_interrupted(void)
{
    sigset_t set;

    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) ||
            sigismember(&set, SIGHUP));
}

static int refuse_workers(size_t count, struct wb_err *err)
{
    return wb_err_set(err, EX_TEMPFAIL,
                      "%zu process%s, such as a smtpd whose client stays, "
                      "still work%s as before and may mark mail; let %s end "
                      "(--wait SECONDS, or postfix stop and start), then "
                      "`waybill apply --undo` goes on",
                      count, count == 1 ? "" : "es", count == 1 ? "s" : "",
                      count == 1 ? "it" : "them");
}

/* What is in the way: processes first, because they bring mail. */
static int look(struct undo *u, size_t *workers, size_t *mail,
                struct wb_err *err)
{
    *mail = 0;
    *workers = wb_workers_left(u->site, &u->before);
    if (*workers > 0)
        return EX_OK;
    return wb_queue_count(u->site, u->options->hop, mail, err);
}

static void tell(size_t workers, size_t mail)
{
    if (workers > 0)
        fprintf(stderr,
                "waybill apply: waiting for %zu process%s of before, such as "
                "open SMTP sessions\n",
                workers, workers == 1 ? "" : "es");
    else
        fprintf(stderr, "waybill apply: waiting for %zu queued message%s\n",
                mail, mail == 1 ? "" : "s");
}

/* A message that moves from one queue to the next while they are listed can be
 * missed, and one between two passes moves often. */
enum { QUIET_LOOKS = 2 };

/* Wait until nothing needs the tables. */
static int drain(struct undo *u, struct wb_err *err)
{
    const struct timespec pause = {.tv_nsec = 250000000};
    unsigned quarters = 4 * u->options->wait_s;
    unsigned quiet = 0, wanted = u->is_running ? QUIET_LOOKS : 1;
    size_t workers, mail, told = 0;
    int code;

    if (u->is_running)
        flush_queue(u->site);
    while ((code = look(u, &workers, &mail, err)) == EX_OK) {
        quiet = workers + mail == 0 ? quiet + 1 : 0;
        if (quiet == wanted)
            break;
        if (quiet == 0 &&
            (!u->is_running || quarters == 0 || wb_apply_is_interrupted()))
            return workers > 0 ? refuse_workers(workers, err)
                               : refuse_queue(mail, u->is_running, err);
        if (workers + mail != told && quiet == 0)
            tell(workers, mail);
        told = workers + mail;
        quarters -= quarters > 0;
        nanosleep(&pause, NULL);
    }
    return code;
}

static int restore(struct undo *u, const char *main, const char *master,
                   struct wb_err *err)
{
    int code = wb_apply_is_running(u->site, &u->is_running, err);

    if (code == EX_OK)
        code = wb_state_set_pending(u->site, true, err);
    if (code == EX_OK)
        code = detach(u, err);
    if (code == EX_OK)
        code = drain(u, err);
    /* no transport entry may outlive its service */
    if (code == EX_OK)
        code = put_main(u, main, err);
    if (code == EX_OK)
        code = put_master(u, master, err);
    if (code == EX_OK)
        code = reload(u, err);
    return code == EX_OK ? wb_state_remove(u->site, err) : code;
}

/* An admin's own listener that hands its mail to the hop, which will be gone:
 * that mail would stay in the queue. */
static int refuse_follower(struct undo *u, const char *master,
                           struct wb_err *err)
{
    const char *hop = u->options->hop;
    struct wb_cf cf;

    wb_cf_parse(u->site->pool, WB_MASTER_CF, master, &cf);
    for (size_t i = 0; i < cf.count; i++) {
        const char *filter = wb_master_option(u->site->pool, &cf,
                                              &cf.entries[i], "content_filter");

        if (filter != NULL && is_same(filter, hop))
            return wb_err_set(
                err, EX_CONFIG,
                "%s: %s hands its mail to waybill, and nothing was changed; "
                "take \"-o content_filter=%s\" out there, postfix reload, "
                "then `waybill apply --undo --keep-edits`",
                u->site->master_cf, cf.entries[i].key, hop);
    }
    return EX_OK;
}

int wb_apply_undo(struct wb_site *site, const struct wb_undo_options *options,
                  struct wb_err *err)
{
    struct undo u = {.site = site, .options = options};
    const char *main = site->base_main, *master = site->base_master;
    int code = wb_state_read(site, &u.state, err);
    bool has_state = u.state.main_before != NULL;

    if (code != EX_OK)
        return code;
    if (!has_state && !wb_cf_is_edited(site->main) &&
        !wb_cf_is_edited(site->master)) {
        const struct wb_files none = {0};

        puts("waybill is not applied here.");
        /* an undo that was killed at its end left passwords */
        return options->dry_run
                   ? EX_OK
                   : wb_publish_tidy(site->pool, site->maps, &none, err);
    }
    if (!options->keep_edits) {
        if (!has_state)
            return wb_err_set(err, EX_CONFIG,
                              "%s is lost; --undo --keep-edits removes what "
                              "is waybill's",
                              site->undo);
        if (!is_unedited(&u))
            return refuse_edits(&u, err);
        main = u.state.main_before;
        master = u.state.master_before;
    }
    code = refuse_follower(&u, master, err);
    if (code != EX_OK)
        return code;
    code = wb_apply_diff(site, main, master, stdout, err);
    fflush(stdout);
    if (code != EX_OK || options->dry_run)
        return code;
    return restore(&u, main, master, err);
}
