/* Put the new configuration in place, all or nothing. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/run.h"
#include "tool/maps/transition.h"

int wb_apply_is_running(struct wb_site *site, bool *running, struct wb_err *err)
{
    const char *const argv[] = {"postfix", "-c", site->dir, "status", NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_run(site->pool, &run, err);

    *running = code == EX_OK && run.status == 0;
    return code;
}

int wb_apply_reload(struct wb_site *site, struct wb_err *err)
{
    const char *const argv[] = {"postfix", "-c", site->dir, "reload", NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_run(site->pool, &run, err);

    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_UNAVAILABLE, "postfix reload: %s",
                          wb_run_errors(site->pool, &run));
    return code;
}

/* What a failed install puts back. */
struct backup {
    const char *main, *master;
    struct wb_files maps; /* text NULL: there was no such file */
    struct wb_undo_state state;
};

static int save(struct wb_site *site, const struct wb_files *files,
                struct backup *out, struct wb_err *err)
{
    int code = wb_state_read(site, &out->state, err);

    out->main = site->main;
    out->master = site->master;
    out->maps.count = files->count;
    out->maps.items = wb_must(
        wb_pool_array(site->pool, files->count, sizeof *out->maps.items));
    for (size_t i = 0; code == EX_OK && i < files->count; i++) {
        const char *name = files->items[i].name;
        char *text;

        code = wb_file_read(site->pool,
                            wb_say(site->pool, "%s/%s", site->maps, name),
                            &text, err);
        out->maps.items[i] = (struct wb_file){.name = name, .text = text};
    }
    return code;
}

static void restore_maps(struct wb_site *site, const struct backup *b)
{
    for (size_t i = 0; i < b->maps.count; i++) {
        const struct wb_file *file = &b->maps.items[i];
        const char *path = wb_say(site->pool, "%s/%s", site->maps, file->name);

        if (file->text == NULL)
            unlink(path);
        else
            wb_file_place(site->pool, path, file->text, NULL);
    }
}

/* Only a text that differs is written: the file's time stays. */
static int put(struct wb_site *site, const char *path, const char *text,
               struct wb_err *err)
{
    char *now;
    int code = wb_file_read(site->pool, path, &now, err);

    if (code != EX_OK || (now != NULL && strcmp(now, text) == 0))
        return code;
    return wb_file_write(site->pool, path, text, 0644, err);
}

static int roll_back(struct wb_site *site, const struct backup *b, bool reload,
                     int why, struct wb_err *err)
{
    struct wb_err second = {""};
    int code = put(site, site->main_cf, b->main, &second);

    if (code == EX_OK)
        code = put(site, site->master_cf, b->master, &second);
    if (code == EX_OK) {
        restore_maps(site, b);
        if (b->state.main_before != NULL)
            code = wb_state_write(site, &b->state, &second);
        else
            code = wb_state_remove(site, &second);
    }
    if (code == EX_OK && b->state.main_before != NULL)
        wb_state_set_pending(site, false, NULL);
    if (code == EX_OK && reload)
        code = wb_apply_reload(site, &second);
    if (code != EX_OK)
        return wb_err_set(err, why,
                          "%s; and what was there could not be put back: %s",
                          wb_say(site->pool, "%s", err->text), second.text);
    return wb_err_set(err, why, "%s; everything was put back",
                      wb_say(site->pool, "%s", err->text));
}

static int install(struct wb_site *site, const struct wb_edit *edit,
                   const struct wb_files *files, struct wb_err *err)
{
    struct wb_undo_state state = {
        .main_before = wb_say(site->pool, "%s", site->base_main),
        .master_before = wb_say(site->pool, "%s", site->base_master),
        .main_wrote = wb_say(site->pool, "%s", edit->main),
        .master_wrote = wb_say(site->pool, "%s", edit->master)};
    int code = wb_state_set_pending(site, true, err);

    if (code == EX_OK)
        code = wb_state_write(site, &state, err);
    if (code == EX_OK)
        code = wb_publish(site->pool, site->maps, files, err);
    if (code == EX_OK)
        code = put(site, site->master_cf, edit->master, err);
    if (code == EX_OK)
        code = put(site, site->main_cf, edit->main, err);
    return code;
}

/* Nothing works by the old tables any more. */
static void end_transition(struct wb_site *site, const struct wb_files *files)
{
    if (wb_publish(site->pool, site->maps, files, NULL) == EX_OK)
        wb_publish_tidy(site->pool, site->maps, files, NULL);
}

int wb_apply_install(struct wb_site *site, const struct wb_edit *edit,
                     const struct wb_files *files, bool reload,
                     struct wb_err *err)
{
    struct backup backup;
    struct wb_files transition;
    bool running;
    int code = wb_apply_is_running(site, &running, err);

    reload &= running;
    if (code == EX_OK)
        code = save(site, files, &backup, err);
    if (code != EX_OK)
        return code;
    transition = wb_transition(site->pool, files, &backup.maps);
    code = install(site, edit, &transition, err);
    if (code == EX_OK && reload)
        code = wb_apply_reload(site, err);
    if (code != EX_OK)
        return roll_back(site, &backup, reload, code, err);
    /* without a reload, the next apply that makes one ends it */
    if (reload || !running)
        end_transition(site, files);
    return wb_state_set_pending(site, false, err);
}
