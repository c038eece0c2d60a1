/* What the commands do differs from MTA to MTA: one table for each. */
#ifndef WB_MAPS_MTA_H
#define WB_MAPS_MTA_H

#include "tool/maps/publish.h"

/* What `waybill apply` was asked for. */
struct wb_apply_request {
    const char *config; /* the MTA's directory; NULL: mta_config */
    bool dry_run, print, undo, no_reload, keep_edits;
    unsigned wait_s;
};

struct wb_mta_tools {
    /* All files, as `waybill maps` writes them. directory: where those of an
     * earlier run lie. Lives in pool and points into conf.
     * Returns EX_OK, or what reading passwords returned, with *err. */
    int (*files)(const struct wb_conf *conf, struct wb_pool *pool,
                 const char *directory, struct wb_files *out,
                 struct wb_err *err);

    /* `waybill apply`, which tells what it does on stdout.
     * Returns its exit status, with *err. */
    int (*apply)(const struct wb_conf *conf, struct wb_pool *pool,
                 const struct wb_apply_request *request, struct wb_err *err);

    /* Do the installed tables know a key's label? Where there are none, all.
     * Returns EX_OK, or what reading them returned, with *err. */
    int (*knows_label)(const struct wb_conf *conf, struct wb_pool *pool,
                       const char *label, bool *is_known, struct wb_err *err);
};

extern const struct wb_mta_tools wb_postfix_tools, wb_sendmail_tools;

/* The tools for conf's MTA. */
const struct wb_mta_tools *wb_mta_tools(const struct wb_conf *conf);

#endif
