/* The Postfix that waybill is applied to: what it says about itself. All of
 * it is asked of a staged copy of its configuration. */
#ifndef WB_MAPS_SITE_H
#define WB_MAPS_SITE_H

#include "base/err.h"
#include "conf/problem.h"
#include "tool/maps/cf.h"
#include "tool/maps/files.h"

struct wb_site {
    struct wb_pool *pool;
    const char *dir;     /* its configuration directory, absolute */
    const char *main_cf; /* DIR/main.cf */
    const char *master_cf;
    const char *maps;                    /* DIR/waybill */
    const char *undo;                    /* DIR/waybill/undo */
    const char *stage;                   /* a private copy; NULL: none yet */
    const char *main, *master;           /* the texts as installed */
    const char *base_main, *base_master; /* without waybill */
    struct wb_parameter *parameters;
};

/* Read DIR/main.cf and DIR/master.cf.
 * Returns EX_OK, EX_NOINPUT or EX_CONFIG with *err. */
int wb_site_open(struct wb_pool *pool, const char *dir, struct wb_site *out,
                 struct wb_err *err);

/* Make the stage: a 0700 directory of our own in which everything but main.cf
 * and master.cf are links to the site's. base_main and base_master become
 * what is installed without waybill, and the parameters are read from them.
 * Returns EX_OK, EX_CANTCREAT, EX_CONFIG or EX_UNAVAILABLE with *err. */
int wb_site_stage(struct wb_site *site, struct wb_err *err);

/* Remove the stage. */
void wb_site_close(struct wb_site *site);

/* Put these texts into the stage. Map files belong below wb_site_stage_maps;
 * waybill_directory in main.cf is pointed there. */
int wb_site_stage_write(struct wb_site *site, const char *main,
                        const char *master, struct wb_err *err);
const char *wb_site_stage_maps(const struct wb_site *site);

/* A parameter without waybill: expanded, as written, and its raw default.
 * name must be one that site.c asks for. */
const char *wb_site_value(const struct wb_site *site, const char *name);
const char *wb_site_raw(const struct wb_site *site, const char *name);
const char *wb_site_default(const struct wb_site *site, const char *name);

/* Does Postfix have this kind of table? */
int wb_site_has_table(struct wb_site *site, const char *type, bool *has,
                      struct wb_err *err);

/* Ask tables in order, as a list parameter names them, for each line of keys.
 * out: "key TAB value" lines of the first table that answers each.
 * Returns EX_OK or EX_UNAVAILABLE or EX_CONFIG with *err. */
int wb_site_ask(struct wb_site *site, const char *table, const char *keys,
                char **out, struct wb_err *err);

/* The same with the configuration directory as it is. Lives in pool. */
int wb_table_ask(struct wb_pool *pool, const char *dir, const char *table,
                 const char *keys, char **out, struct wb_err *err);

/* The new texts of main.cf and master.cf, and the relay domains that Postfix
 * must be told. Errors and warnings go to problems.
 * Returns EX_OK, or EX_CONFIG when problems has errors, or what a question to
 * Postfix returned with *err. */
struct wb_edit {
    const char *main, *master;
    struct wb_strings relay_domains;
};
int wb_site_edit(struct wb_site *site, const struct wb_entries *entries,
                 struct wb_problems *problems, struct wb_edit *out,
                 struct wb_err *err);

/* checks.c: is there anything that makes applying impossible or doubtful? */
int wb_site_check(struct wb_site *site, const struct wb_entries *entries,
                  struct wb_problems *problems, struct wb_err *err);

/* abilities.c: can this Postfix do what the routes ask for, and can it log in
 * as they say (sasl.c)? Return EX_OK, or what asking Postfix returned. */
int wb_site_check_routes(struct wb_site *site, const struct wb_entries *entries,
                         struct wb_problems *problems, struct wb_err *err);
int wb_site_check_sasl(struct wb_site *site, const struct wb_entries *entries,
                       struct wb_problems *problems, struct wb_err *err);

/* listener.c: does a service of that name in master.cf take the address
 * ours? */
bool wb_listener_is_taken_by(const char *ours, const char *name);

/* Are the addresses of waybill's listeners such that Postfix can have them,
 * and their names such that nothing of the site's has them? */
void wb_listener_check(const struct wb_site *site, const struct wb_conf *conf,
                       struct wb_problems *problems);

/* domains.c: those of domains that Postfix takes no mail for as it is. */
int wb_site_unknown_domains(struct wb_site *site,
                            const struct wb_strings *domains,
                            struct wb_strings *unknown, struct wb_err *err);

/* Which parameter of Postfix takes mail for domain, and refuses recipients
 * there that it does not know? A table that knows every recipient (static:all,
 * "@domain") does not count; where there is none, Postfix refuses nobody.
 * *why: NULL: none. Returns EX_OK, or as wb_site_ask. */
int wb_site_refuses_unknown(struct wb_site *site, const char *domain,
                            const char **why, struct wb_err *err);

#endif
