/* The Sendmail that waybill is applied to.
 *
 * waybill owns DIR/waybill: the file that the site's .mc includes, and two
 * folders of tables. The include file names one of them; an apply fills the
 * other and lets the site build its sendmail.cf, so that a daemon works by the
 * old .cf with the old tables or by the new one with the new, and never by a
 * mixture. */
#ifndef WB_SENDMAIL_SITE_H
#define WB_SENDMAIL_SITE_H

#include "tool/sendmail/sendmail.h"

struct wb_sm_site {
    struct wb_pool *pool;
    const char *dir;     /* absolute: "/etc/mail" */
    const char *mc_path; /* DIR/sendmail.mc */
    const char *cf_path;
    const char *maps;        /* DIR/waybill */
    const char *m4;          /* DIR/waybill/waybill.m4 */
    const char *tables;      /* the folder that m4 names; NULL: none */
    const char *stage;       /* DIR/.waybill-XXXXXX; NULL: none yet */
    char *mc, *cf, *m4_text; /* as they are; NULL: there is none */
};

/* Returns EX_OK, EX_NOINPUT or EX_CONFIG with *err. */
int wb_sm_site_open(struct wb_pool *pool, const char *dir,
                    struct wb_sm_site *out, struct wb_err *err);

/* Remove the stage. */
void wb_sm_site_close(struct wb_sm_site *site);

/* Is waybill's file included by the .mc? Returns EX_OK, or EX_CONFIG with the
 * line that is missing in *err. */
int wb_sm_site_check_include(const struct wb_sm_site *site, struct wb_err *err);

/* The folder of tables that is not in use. */
const char *wb_sm_site_other(const struct wb_sm_site *site);

/* Run m4 over the .mc, with m4 (NULL: nothing) in place of waybill's file.
 * *out: the .cf; lives in the pool. Returns EX_OK, EX_CONFIG (m4 complains) or
 * EX_UNAVAILABLE or EX_CANTCREAT with *err. */
int wb_sm_site_compile(struct wb_sm_site *site, const char *m4, char **out,
                       struct wb_err *err);

/* Would a build of the .mc as it is give the sendmail.cf that is there? Returns
 * EX_OK, or EX_CONFIG with *err: edits would be lost. */
int wb_sm_site_check_cf(struct wb_sm_site *site, struct wb_err *err);

/* Write the tables into folder (0700), and compile them with makemap by the
 * rules of the .cf at cf. Returns EX_OK, or what failed with *err. */
int wb_sm_site_tables(struct wb_sm_site *site, const char *folder,
                      const char *cf, const struct wb_files *files,
                      struct wb_err *err);

/* Let the site build its sendmail.cf.
 * Returns EX_OK or EX_UNAVAILABLE with *err. */
int wb_sm_site_build(struct wb_sm_site *site, struct wb_err *err);

/* Remove a folder of files. */
void wb_sm_site_remove(struct wb_sm_site *site, const char *folder);

/* An option of a .cf: "/run/sendmail.pid" for "PidFile". NULL: not set. */
const char *wb_sm_cf_option(struct wb_pool *pool, const char *cf,
                            const char *name);

/* prove.c: does the .cf at path work, and does each route's probe lead to that
 * route? s NULL: only the first.
 * Returns EX_OK, EX_CONFIG or EX_UNAVAILABLE with *err. */
int wb_sm_prove(struct wb_sm_site *site, const char *path,
                const struct wb_sendmail *s, struct wb_err *err);

/* daemon.c: the running daemon; 0: none. */
int wb_sm_daemon(struct wb_sm_site *site);

/* Does somebody else listen where waybill is to, "127.0.0.1:10028"? */
bool wb_sm_is_taken(struct wb_sm_site *site, const char *listener);

/* Have it start anew, and wait until it takes mail at listener (NULL: until it
 * was told). Returns EX_OK or EX_UNAVAILABLE with *err. */
int wb_sm_daemon_restart(struct wb_sm_site *site, const char *listener,
                         struct wb_err *err);

/* Queued messages that bear waybill's mark, or another text. */
size_t wb_sm_queue_count(struct wb_sm_site *site, const char *text);

#endif
