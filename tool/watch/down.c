#include "tool/watch/down.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"

enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

/* Are other routes down than the text of the table says? */
static bool is_changed(struct wb_pool *pool, const struct wb_entries *e,
                       const char *text)
{
    if (text == NULL)
        return true;
    for (size_t i = 0; i < e->conf->secret.count; i++)
        for (size_t j = 0; j < e->way_count; j++) {
            const char *row = wb_postfix_row(pool, e->ways[j].route,
                                             e->conf->secret.keys[i].label);

            if ((strstr(text, row) != NULL) != (e->ways[j].down != NULL))
                return true;
        }
    return false;
}

static int open_site(struct wb_pool *pool, const char *dir,
                     struct wb_site *site, struct wb_err *err)
{
    int code = wb_site_open(pool, dir, site, err);

    if (code == EX_OK && strstr(site->main, "/" WB_DOWN_FILE) == NULL)
        code = wb_err_set(err, EX_OSFILE,
                          "%s does not know that routes need a POP login; run "
                          "waybill apply",
                          site->main_cf);
    return code;
}

/* An apply takes some seconds, an undo longer. */
static int lock(struct wb_site *site, struct wb_err *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    int code = wb_state_lock(site, true, err);

    for (int i = 0; i < LOCK_TRIES && code == EX_TEMPFAIL; i++) {
        nanosleep(&pause, NULL);
        code = wb_state_lock(site, true, err);
    }
    return code;
}

static int reload(struct wb_site *site, struct wb_err *err)
{
    bool running;
    int code = wb_apply_is_running(site, &running, err);

    return code == EX_OK && running ? wb_apply_reload(site, err) : code;
}

int wb_down_publish(struct wb_watch *watch, const struct wb_entries *entries,
                    const char *dir, struct wb_err *err)
{
    const struct wb_conf *conf = entries->conf;
    struct wb_pool *pool = watch->pool;
    struct wb_site site;
    const char *path;
    char *text;
    int code = open_site(pool, dir, &site, err);

    if (code == EX_OK)
        code = lock(&site, err);
    if (code != EX_OK)
        return code;
    path = wb_say(pool, "%s/" WB_DOWN_FILE, site.maps);
    code = wb_file_read(pool, path, &text, err);
    if (code != EX_OK)
        return code;
    if (!is_changed(pool, entries, text) && !watch->must_reload)
        return EX_OK;
    watch->must_reload = true;
    /* if this fails, a run that is killed here is not made up for */
    wb_watch_write(watch, conf, conf->state_file, NULL);
    code = wb_file_write(pool, path, wb_postfix_down(entries, pool), 0600, err);
    if (code == EX_OK)
        code = reload(&site, err);
    watch->must_reload = code != EX_OK;
    return code;
}
