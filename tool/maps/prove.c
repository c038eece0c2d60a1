/* Prove the new configuration on the stage, before anything is installed. */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/run.h"

/* What Postfix's own tools complain about in the stage, a line each. */
static int complaints(struct wb_site *site, char **out, struct wb_err *err)
{
    static const char *const asks[][4] = {{"postconf", "-nx", NULL},
                                          {"postconf", "-Mx", NULL},
                                          {"postconf", "-Px", NULL}};
    struct wb_text t;
    int code = EX_OK;

    wb_text_open(&t);
    for (size_t i = 0; i < 3 && code == EX_OK; i++) {
        const char *argv[] = {asks[i][0], "-c", site->stage, asks[i][1], NULL};
        struct wb_run run = {.argv = argv};

        code = wb_run(site->pool, &run, err);
        if (code != EX_OK)
            break;
        fputs(run.errors, t.file);
        if (run.status != 0)
            code = wb_err_set(err, EX_CONFIG, "postconf %s: %s", asks[i][1],
                              wb_run_errors(site->pool, &run));
    }
    *out = wb_text_close(&t, site->pool);
    return code;
}

/* Lines of after that do not stand in before. */
static int compare(struct wb_site *site, const char *before, char *after,
                   struct wb_err *err)
{
    char *save = NULL;

    for (char *line = strtok_r(after, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strstr(before, line) == NULL)
            return wb_err_set(
                err, EX_SOFTWARE,
                "Postfix complains of the new configuration: %s",
                wb_substitute(site->pool, line, site->stage, site->dir));
    }
    return EX_OK;
}

static int prove_syntax(struct wb_site *site, const struct wb_edit *edit,
                        struct wb_err *err)
{
    char *before = NULL, *after = NULL;
    int code =
        wb_site_stage_write(site, site->base_main, site->base_master, err);

    if (code == EX_OK)
        code = complaints(site, &before, err);
    if (code == EX_OK)
        code = wb_site_stage_write(site, edit->main, edit->master, err);
    if (code == EX_OK)
        code = complaints(site, &after, err);
    return code == EX_OK ? compare(site, before, after, err) : code;
}

#define PROBE "probe@example.invalid"

/* A probe, and what transport_maps must answer. */
static void expect(FILE *keys, FILE *answers, const char *probe,
                   const char *answer)
{
    fprintf(keys, "%s\n", probe);
    fprintf(answers, "%s\t%s\n", probe, answer);
}

/* For each label a probe for each route, and one for a second pass. */
static size_t probe_count(const struct wb_entries *e)
{
    return (e->way_count + 1) * e->conf->secret.count;
}

/* What the tables must answer, "key TAB value" lines. */
static void expected(struct wb_site *site, const struct wb_entries *e,
                     char **keys, char **answers)
{
    struct wb_pool *p = site->pool;
    struct wb_text k, a;

    wb_text_open(&k);
    wb_text_open(&a);
    for (size_t i = 0; i < e->conf->secret.count; i++) {
        const char *label = e->conf->secret.keys[i].label;

        for (size_t j = 0; j < e->way_count; j++) {
            const struct wb_way *way = &e->ways[j];

            expect(k.file, a.file,
                   wb_say(p, PROBE ".%s.%s." WB_SUFFIX_DOMAIN, way->route->name,
                          label),
                   wb_say(p, "%s:%s", way->service->name, way->nexthop));
        }
        expect(
            k.file, a.file,
            wb_say(
                p,
                PROBE
                ".direct.abcdefghijklmnopqrstuvwxyz.again.%s." WB_SUFFIX_DOMAIN,
                label),
            wb_postfix_again(p, e->conf));
    }
    *keys = wb_text_close(&k, site->pool);
    *answers = wb_text_close(&a, site->pool);
}

/* transport_maps as the new configuration has it. */
static int transport_tables(struct wb_site *site, struct wb_strings *out,
                            struct wb_err *err)
{
    const char *const argv[] = {"postconf",       "-c", site->stage, "-xh",
                                "transport_maps", NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_run(site->pool, &run, err);

    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_CONFIG, "postconf: %s",
                          wb_run_errors(site->pool, &run));
    if (code == EX_OK)
        *out = wb_cf_list(site->pool, run.out);
    return code;
}

/* Name the first probe whose answer is not its own. */
static int tell_wrong(const struct wb_entries *e, struct wb_pool *pool,
                      const char *table, const char *answer, const char *wanted,
                      struct wb_err *err)
{
    size_t line = 0, each = e->way_count + 1;

    while (*answer != '\0' && *answer == *wanted) {
        line += *answer == '\n';
        answer++;
        wanted++;
    }
    return wb_err_set(
        err, EX_SOFTWARE,
        "the first table of transport_maps, %s, does not lead "
        "to %s",
        table,
        line % each == e->way_count
            ? "second passes"
            : wb_say(pool, "route %s", e->ways[line % each].route->name));
}

/* Routes that are not used now stand in a table of their own before all
 * others, and no other route does. The routes are proved without it. */
static int prove_down(struct wb_site *site, const struct wb_entries *e,
                      struct wb_strings *tables, const char *keys,
                      struct wb_err *err)
{
    char *answer = NULL;
    size_t wanted = 0, got = 0;
    int code;

    if (!wb_entries_have_pop(e))
        return EX_OK;
    for (size_t i = 0; i < e->way_count; i++)
        wanted += e->ways[i].down != NULL ? e->conf->secret.count : 0;
    if (tables->count < 2 || strstr(tables->items[0], "/" WB_DOWN_FILE) == NULL)
        return wb_err_set(
            err, EX_SOFTWARE,
            "the first table of transport_maps is %s, not " WB_DOWN_FILE,
            tables->items[0]);
    code = wb_site_ask(site, tables->items[0], keys, &answer, err);
    for (const char *at = answer;
         code == EX_OK && (at = strstr(at, "\tretry:4.7.0 ")) != NULL; at++)
        got++;
    if (code == EX_OK && got != wanted)
        code =
            wb_err_set(err, EX_SOFTWARE,
                       WB_DOWN_FILE " stops %zu probes, not %zu", got, wanted);
    tables->items++;
    tables->count--;
    return code;
}

static int prove_routes(struct wb_site *site, const struct wb_entries *e,
                        struct wb_err *err)
{
    struct wb_strings tables;
    char *keys, *wanted, *answer = wb_say(site->pool, "%s", "");
    int code = transport_tables(site, &tables, err);

    if (code != EX_OK)
        return code;
    if (tables.count == 0)
        return wb_err_set(err, EX_SOFTWARE, "transport_maps stays empty");
    expected(site, e, &keys, &wanted);
    code = prove_down(site, e, &tables, keys, err);
    for (size_t i = 0; code == EX_OK && i < tables.count; i++) {
        code = wb_site_ask(site, tables.items[i], keys, &answer, err);
        if (code != EX_OK || answer[0] != '\0')
            break;
    }
    if (code == EX_OK && strcmp(answer, wanted) != 0)
        code = tell_wrong(e, site->pool, tables.items[0], answer, wanted, err);
    return code;
}

/* Every suffixed probe must come back as it was. */
static int prove_strip(struct wb_site *site, const struct wb_entries *e,
                       struct wb_err *err)
{
    const char *table =
        wb_say(site->pool, "pcre:%s/strip.pcre", wb_site_stage_maps(site));
    char *keys, *ignored, *answer;
    size_t good = 0;
    int code;

    expected(site, e, &keys, &ignored);
    code = wb_site_ask(site, table, keys, &answer, err);
    if (code != EX_OK)
        return code;
    for (const char *at = answer; (at = strstr(at, "\t" PROBE "\n")) != NULL;
         at++)
        good++;
    if (good != probe_count(e))
        return wb_err_set(err, EX_SOFTWARE,
                          "strip.pcre does not strip every mark");
    return EX_OK;
}

/* The tables that the proofs read. Passwords never reach the stage: a killed
 * apply leaves it behind. */
static int stage_tables(struct wb_site *site, const struct wb_files *files,
                        struct wb_err *err)
{
    struct wb_files tables = {
        .items = wb_must(
            wb_pool_array(site->pool, files->count, sizeof *tables.items))};
    int code;

    for (size_t i = 0; i < files->count; i++)
        if (!files->items[i].has_passwords)
            tables.items[tables.count++] = files->items[i];
    code = wb_folder_make(site->pool, wb_site_stage_maps(site), err);
    if (code == EX_OK)
        code = wb_publish(site->pool, wb_site_stage_maps(site), &tables, err);
    return code;
}

int wb_apply_prove(struct wb_site *site, const struct wb_entries *entries,
                   const struct wb_edit *edit, const struct wb_files *files,
                   struct wb_err *err)
{
    int code = stage_tables(site, files, err);

    if (code == EX_OK)
        code = prove_syntax(site, edit, err);
    if (code == EX_OK)
        code = prove_routes(site, entries, err);
    if (code == EX_OK)
        code = prove_strip(site, entries, err);
    return code;
}
