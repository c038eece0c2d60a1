/* waybill return-path rotate: a new key, in a way that nothing signed before
 * or after is ever refused. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tool/maps/mta.h"
#include "tool/rotate.h"
#include "tool/tool.h"

enum { LEAST_DAYS = 30, MORE_DAYS = 30 };

/* For how long a key must verify that does not sign any more: as long as what
 * it signed is good, and then some for slow queues and slow admins. */
static unsigned keep_days(const struct wb_conf *conf)
{
    unsigned days = LEAST_DAYS;

    for (size_t i = 0; i < conf->return_path_count; i++)
        if (conf->return_paths[i].max_age_days > days)
            days = conf->return_paths[i].max_age_days;
    return days + MORE_DAYS;
}

/* The MTA bounces mail whose label its tables do not know. The label of the
 * key that is to sign must stand in them already, where they are installed. */
static int check_tables(const struct wb_conf *conf, const struct wb_rotation *r,
                        struct wb_pool *p, struct wb_err *err)
{
    bool is_known;
    int rc = wb_mta_tools(conf)->knows_label(conf, p, r->label, &is_known, err);

    if (rc != EX_OK || is_known)
        return rc;
    return wb_err_set(err, EX_TEMPFAIL,
                      "the tables in %s/waybill do not know the key that was "
                      "prepared on %s, so mail signed with it would bounce; "
                      "waybill apply, then rotate",
                      conf->mta_config, r->made);
}

static void tell(const struct wb_rotation *r, unsigned days, bool is_dry)
{
    printf("%s: ", r->path);
    if (r->made[0] == '\0')
        printf("a key was prepared, which only verifies; the next rotate "
               "makes it sign.\n");
    else
        printf("the key prepared on %s signs; the one before it verifies for "
               "%u days more; the next one was prepared.\n",
               r->made, days);
    if (r->dropped > 0)
        printf("%zu key%s that signed until more than %u days ago %s "
               "dropped.\n",
               r->dropped, r->dropped == 1 ? "" : "s", days,
               r->dropped == 1 ? "was" : "were");
    puts(is_dry ? "Nothing was written (--dry-run)."
                : "Before the next rotate, on this host and on every other "
                  "that shares the file (copy it there first): waybill apply, "
                  "waybill reload.");
}

static int rotate(const struct wb_conf *conf, struct wb_pool *p, bool is_dry,
                  struct wb_rotation *r, struct wb_err *err)
{
    unsigned days = keep_days(conf);
    int rc = wb_rotation_begin(conf->secret_file, is_dry, (int64_t)time(NULL),
                               days, p, r, err);

    if (rc == EX_OK && r->made[0] != '\0')
        rc = check_tables(conf, r, p, err);
    if (rc == EX_OK && !is_dry)
        rc = wb_rotation_write(r, err);
    if (rc == EX_OK)
        tell(r, days, is_dry);
    return rc;
}

int wb_cmd_rotate(const struct wb_conf *conf, struct wb_pool *p, bool is_dry)
{
    struct wb_rotation r = {.folder = -1};
    struct wb_err err = {""};
    int rc = rotate(conf, p, is_dry, &r, &err);

    wb_rotation_end(&r);
    if (rc != EX_OK)
        fprintf(stderr, "waybill return-path rotate: %s\n", err.text);
    return rc;
}
