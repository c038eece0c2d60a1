/* The steps of `waybill apply`. */
#ifndef WB_MAPS_APPLY_H
#define WB_MAPS_APPLY_H

#include "tool/maps/publish.h"
#include "tool/maps/site.h"

/* prove.c: with the new texts in the stage, does Postfix accept them without
 * a new complaint, and does every route's probe lead to that route?
 * Returns EX_OK, EX_CONFIG, EX_SOFTWARE or EX_UNAVAILABLE with *err. */
int wb_apply_prove(struct wb_site *site, const struct wb_entries *entries,
                   const struct wb_edit *edit, const struct wb_files *files,
                   struct wb_err *err);

/* show.c: a unified diff of main.cf and master.cf, and one line for each map
 * file. Neither passwords nor labels are shown. Returns EX_OK or
 * EX_UNAVAILABLE or EX_CANTCREAT with *err. */
int wb_apply_diff(struct wb_site *site, const char *new_main,
                  const char *new_master, FILE *out, struct wb_err *err);

/* The same edits as postconf commands, for ansible and containers. */
void wb_apply_print(const struct wb_site *site, const struct wb_edit *edit,
                    const struct wb_files *files, FILE *out);

/* install.c: put everything in place, all or nothing: on any failure, a
 * reload's included, what was there is put back.
 * Returns EX_OK, EX_CANTCREAT, EX_TEMPFAIL or EX_UNAVAILABLE with *err. */
int wb_apply_install(struct wb_site *site, const struct wb_edit *edit,
                     const struct wb_files *files, bool reload,
                     struct wb_err *err);

/* Is this Postfix running? */
int wb_apply_is_running(struct wb_site *site, bool *running,
                        struct wb_err *err);

/* Have a running Postfix read its files again. */
int wb_apply_reload(struct wb_site *site, struct wb_err *err);

/* state.c: what undo needs, kept in DIR/waybill/undo: both files as they were
 * before waybill, and as waybill wrote them. "pending" stands there while an
 * install or undo is under way. */
struct wb_undo_state {
    char *main_before, *master_before; /* NULL: nothing was applied */
    char *main_wrote, *master_wrote;
    bool is_pending;
};
int wb_state_read(struct wb_site *site, struct wb_undo_state *out,
                  struct wb_err *err);
int wb_state_write(struct wb_site *site, const struct wb_undo_state *state,
                   struct wb_err *err);
int wb_state_set_pending(struct wb_site *site, bool is_pending,
                         struct wb_err *err);

/* Remove the map directory with its state. */
int wb_state_remove(struct wb_site *site, struct wb_err *err);

/* One apply at a time: lock the map directory until the program ends; it is
 * made where it is missing, unless is_looking. No other one will do: what
 * local users can open they can lock. Returns EX_OK, EX_TEMPFAIL when another
 * one holds it, or EX_NOINPUT or EX_CANTCREAT, with *err. */
int wb_state_lock(struct wb_site *site, bool is_looking, struct wb_err *err);

/* Remove the map directory if the lock alone made it. */
void wb_state_unlock(struct wb_site *site);

/* undo.c: detach the milter, wait at most wait_s for the queue to drain, then
 * restore main.cf and master.cf and remove everything of waybill's.
 * Edited since the apply: refused, unless keep_edits.
 * Returns EX_OK, EX_CONFIG (edited since; the diff is on stdout), EX_TEMPFAIL
 * (mail is left; undo again goes on) or what failed, with *err. */
struct wb_undo_options {
    bool keep_edits;
    bool reload;
    bool dry_run;
    unsigned wait_s;
    const char *hop; /* wb_postfix_hop */
};
int wb_apply_undo(struct wb_site *site, const struct wb_undo_options *options,
                  struct wb_err *err);

/* workers.c: the processes through which new mail comes into this Postfix, and
 * how many of them are left. A smtpd goes on as it began, reload or not, until
 * its client ends the session. */
void wb_workers_note(struct wb_site *site, struct wb_strings *out);
size_t wb_workers_left(struct wb_site *site, const struct wb_strings *pids);

/* Hold SIGINT, SIGTERM and SIGHUP back from now on. */
void wb_apply_hold_signals(void);

/* Is one of them pending? */
bool wb_apply_is_interrupted(void);

/* drain.c: queued messages with a marked recipient, or that wait for the hop
 * (NULL: no matter).
 * Returns EX_OK or EX_UNAVAILABLE with *err. */
int wb_queue_count(struct wb_site *site, const char *hop, size_t *count,
                   struct wb_err *err);

/* Queued messages that are marked with this label. */
int wb_queue_count_label(struct wb_site *site, const char *label, size_t *count,
                         struct wb_err *err);

/* Refuse to retire a label that queued mail still bears: it would bounce.
 * Returns EX_OK, EX_TEMPFAIL, or what the question to the queue returned. */
int wb_queue_check_labels(struct wb_site *site, const struct wb_conf *conf,
                          struct wb_err *err);

#endif
