#include "tool/watch/down.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/watch/pop.h"

enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

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

int wb_down_publish(struct wb_watch *watch, const struct wb_conf *conf,
                    const char *dir, int64_t now_s, struct wb_err *err)
{
    struct wb_pool *pool = watch->pool;
    struct wb_entries entries;
    struct wb_site site;
    const char *path, *down;
    char *text;
    int code = open_site(pool, dir, &site, err);

    if (code == EX_OK)
        code = lock(&site, err);
    if (code == EX_OK)
        code = wb_entries_make(conf, pool, site.maps, &entries, err);
    if (code != EX_OK)
        return code;
    wb_pop_mark(watch, &entries, now_s);
    path = wb_say(pool, "%s/" WB_DOWN_FILE, site.maps);
    code = wb_file_read(pool, path, &text, err);
    if (code != EX_OK)
        return code;
    down = wb_postfix_down(&entries, pool);
    if (text != NULL && strcmp(text, down) == 0 && !watch->must_reload)
        return EX_OK;
    watch->must_reload = true;
    /* if this fails, a run that is killed here is not made up for */
    wb_watch_write(watch, conf, conf->state_file, NULL);
    code = wb_file_write(pool, path, down, 0600, err);
    if (code == EX_OK)
        code = reload(&site, err);
    watch->must_reload = code != EX_OK;
    return code;
}
