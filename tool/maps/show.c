/* Show what would change. */
#include <string.h>
#include <sysexits.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/run.h"

static int diff_one(struct wb_site *site, const char *path, const char *text,
                    FILE *out, struct wb_err *err)
{
    const char *copy = wb_say(site->pool, "%s/new", site->stage);
    const char *const argv[] = {
        "diff",    "-u",
        "--label", wb_say(site->pool, "%s (installed)", path),
        "--label", wb_say(site->pool, "%s (new)", path),
        "--",      path,
        copy,      NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_file_write(site->pool, copy, text, 0600, err);

    if (code == EX_OK)
        code = wb_run(site->pool, &run, err);
    if (code != EX_OK)
        return code;
    if (run.status > 1)
        return wb_err_set(err, EX_UNAVAILABLE, "diff: %s",
                          wb_run_errors(site->pool, &run));
    fputs(run.out, out);
    return EX_OK;
}

int wb_apply_diff(struct wb_site *site, const char *new_main,
                  const char *new_master, FILE *out, struct wb_err *err)
{
    int code = diff_one(site, site->main_cf, new_main, out, err);

    if (code != EX_OK)
        return code;
    return diff_one(site, site->master_cf, new_master, out, err);
}

/* In single quotes for a shell. */
static const char *quoted(struct wb_pool *pool, const char *text)
{
    return wb_say(pool, "'%s'", wb_substitute(pool, text, "'", "'\\''"));
}

struct printer {
    const struct wb_site *site;
    FILE *out;
    enum wb_cf_kind kind;
};

static void print_set(struct printer *pr, const struct wb_cf_entry *entry,
                      const char *line)
{
    struct wb_pool *pool = pr->site->pool;

    if (pr->kind == WB_MAIN_CF)
        fprintf(pr->out, "postconf -c %s -e %s\n", quoted(pool, pr->site->dir),
                quoted(pool, line));
    else
        fprintf(pr->out, "postconf -c %s -M %s\n", quoted(pool, pr->site->dir),
                quoted(pool, wb_say(pool, "%s=%s", entry->key, line)));
}

static void print_removal(struct printer *pr, const char *key)
{
    fprintf(pr->out, "postconf -c %s %s %s\n",
            quoted(pr->site->pool, pr->site->dir),
            pr->kind == WB_MAIN_CF ? "-X" : "-MX", quoted(pr->site->pool, key));
}

/* Commands that turn the text now into the text then. */
static void print_commands(struct printer *pr, const char *now,
                           const char *then)
{
    struct wb_pool *pool = pr->site->pool;
    struct wb_cf a, b;

    wb_cf_parse(pool, pr->kind, now, &a);
    wb_cf_parse(pool, pr->kind, then, &b);
    for (size_t i = 0; i < b.count; i++) {
        const struct wb_cf_entry *old = wb_cf_find(&a, b.entries[i].key);
        const char *line = wb_cf_join(pool, &b, &b.entries[i]);

        if (old == NULL || strcmp(wb_cf_join(pool, &a, old), line) != 0)
            print_set(pr, &b.entries[i], line);
    }
    for (size_t i = 0; i < a.count; i++) {
        if (wb_cf_find(&b, a.entries[i].key) == NULL)
            print_removal(pr, a.entries[i].key);
    }
}

void wb_apply_print(const struct wb_site *site, const struct wb_edit *edit,
                    const struct wb_files *files, FILE *out)
{
    struct printer main = {site, out, WB_MAIN_CF};
    struct printer master = {site, out, WB_MASTER_CF};

    fprintf(out,
            "# waybill " WB_VERSION
            ": what `waybill apply` would do to %s, as commands.\n"
            "# First the files, all 0600 in a 0700 directory (waybill "
            "maps --out writes them):\n",
            site->dir);
    for (size_t i = 0; i < files->count; i++)
        fprintf(out, "#   %s/%s\n", site->maps, files->items[i].name);
    print_commands(&master, site->master, edit->master);
    print_commands(&main, site->main, edit->main);
    fprintf(out, "postfix -c %s reload\n", quoted(site->pool, site->dir));
}
