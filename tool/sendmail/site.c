#include "tool/sendmail/site.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/publish.h"
#include "tool/maps/run.h"

/* The folders of tables, of which one is in use. */
#define FOLDERS "tables-1", "tables-2"

static const char *tables_of(const struct wb_sm_site *site)
{
    static const char *const names[] = {FOLDERS};

    for (size_t i = 0; site->m4_text != NULL && i < 2; i++) {
        const char *path = wb_say(site->pool, "%s/%s", site->maps, names[i]);

        if (strstr(site->m4_text, wb_say(site->pool, "%s/", path)) != NULL)
            return path;
    }
    return NULL;
}

const char *wb_sm_site_other(const struct wb_sm_site *site)
{
    static const char *const names[] = {FOLDERS};
    const char *first = wb_say(site->pool, "%s/%s", site->maps, names[0]);

    return site->tables == NULL || strcmp(site->tables, first) != 0
               ? first
               : wb_say(site->pool, "%s/%s", site->maps, names[1]);
}

int wb_sm_site_open(struct wb_pool *pool, const char *dir,
                    struct wb_sm_site *out, struct wb_err *err)
{
    char *full = realpath(dir, NULL);
    int code;

    *out = (struct wb_sm_site){.pool = pool};
    if (full == NULL)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", dir, strerror(errno));
    out->dir = wb_say(pool, "%s", full);
    free(full);
    out->mc_path = wb_say(pool, "%s/sendmail.mc", out->dir);
    out->cf_path = wb_say(pool, "%s/sendmail.cf", out->dir);
    out->maps = wb_say(pool, "%s/waybill", out->dir);
    out->m4 = wb_say(pool, "%s/" WB_SENDMAIL_M4, out->maps);
    code = wb_file_read(pool, out->mc_path, &out->mc, err);
    if (code == EX_OK)
        code = wb_file_read(pool, out->cf_path, &out->cf, err);
    if (code == EX_OK)
        code = wb_file_read(pool, out->m4, &out->m4_text, err);
    if (code != EX_OK)
        return code;
    if (out->mc == NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s: there is none; Sendmail's directory, by "
                          "mta_config or --mta-config, is right",
                          out->mc_path);
    out->tables = tables_of(out);
    return EX_OK;
}

void wb_sm_site_remove(struct wb_sm_site *site, const char *folder)
{
    DIR *d = opendir(folder);
    const struct dirent *entry;

    if (d == NULL)
        return;
    while ((entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(wb_say(site->pool, "%s/%s", folder, entry->d_name));
    }
    closedir(d);
    rmdir(folder);
}

void wb_sm_site_close(struct wb_sm_site *site)
{
    if (site->stage != NULL)
        wb_sm_site_remove(site, site->stage);
    site->stage = NULL;
}

static int make_stage(struct wb_sm_site *site, struct wb_err *err)
{
    char *path = wb_say(site->pool, "%s/.waybill-XXXXXX", site->dir);

    if (site->stage != NULL)
        return EX_OK;
    if (mkdtemp(path) == NULL)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    site->stage = path;
    return EX_OK;
}

/* Does the line include waybill's file, and is no comment? */
static bool is_include(const struct wb_sm_site *site, const char *line)
{
    const char *at = strstr(line, "include(");
    const char *dnl = strstr(line, "dnl");

    return at != NULL && (dnl == NULL || dnl > at) && line[0] != '#' &&
           strstr(at, site->m4) != NULL;
}

int wb_sm_site_check_include(const struct wb_sm_site *site, struct wb_err *err)
{
    const char *at = site->mc;

    while (*at != '\0') {
        size_t octets = strcspn(at, "\n");

        if (is_include(site, wb_slice(site->pool, at, 0, octets)))
            return EX_OK;
        at += octets + (at[octets] != '\0');
    }
    return wb_err_set(err, EX_CONFIG,
                      "%s does not include waybill's file; as its last line, "
                      "after every MAILER(), this is right: "
                      "sinclude(`%s')dnl",
                      site->mc_path, site->m4);
}

/* The directory of Sendmail's m4 macros: NULL when the .mc names it itself. */
static int find_macros(const struct wb_sm_site *site, const char **out,
                       struct wb_err *err)
{
    static const char *const places[] = {
        "/usr/share/sendmail/cf", "/usr/share/sendmail-cf",
        "/usr/lib/sendmail-cf", "/usr/local/share/sendmail/cf"};

    *out = NULL;
    if (strstr(site->mc, "m4/cf.m4") != NULL)
        return EX_OK;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        *out = wb_say(site->pool, "%s/m4/cf.m4", places[i]);
        if (access(*out, R_OK) == 0)
            return EX_OK;
    }
    return wb_err_set(err, EX_CONFIG,
                      "%s: Sendmail's m4 macros are not found; "
                      "include(`DIR/m4/cf.m4') as its first line is right",
                      site->mc_path);
}

int wb_sm_site_compile(struct wb_sm_site *site, const char *m4, char **out,
                       struct wb_err *err)
{
    const char *argv[] = {"m4", "-I", site->dir, NULL, NULL, NULL, NULL};
    struct wb_run run = {.argv = argv};
    const char *macros, *mc;
    size_t count = 3;
    int code = find_macros(site, &macros, err);

    if (code == EX_OK)
        code = make_stage(site, err);
    if (code != EX_OK)
        return code;
    mc = wb_say(site->pool, "%s/sendmail.mc", site->stage);
    code = wb_file_write(
        site->pool, mc,
        wb_substitute(site->pool, site->mc, site->m4,
                      wb_say(site->pool, "%s/" WB_SENDMAIL_M4, site->stage)),
        0600, err);
    if (code == EX_OK)
        code = wb_file_write(
            site->pool, wb_say(site->pool, "%s/" WB_SENDMAIL_M4, site->stage),
            m4 == NULL ? "" : m4, 0600, err);
    if (code != EX_OK)
        return code;
    if (macros != NULL) {
        argv[count++] =
            wb_say(site->pool, "-D_CF_DIR_=%.*s",
                   (int)(strlen(macros) - strlen("m4/cf.m4")), macros);
        argv[count++] = macros;
    }
    argv[count] = mc;
    code = wb_run(site->pool, &run, err);
    *out = run.out;
    if (code == EX_OK && (run.status != 0 || *run.errors != '\0'))
        code = wb_err_set(err, EX_CONFIG, "m4: %s",
                          wb_run_errors(site->pool, &run));
    return code;
}

/* Comments tell who built it, when and where. */
static const char *next_line(const char *at, size_t *octets)
{
    while (*at == '#' || *at == '\n')
        at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != '\0');
    *octets = strcspn(at, "\n");
    return at;
}

static bool is_same_cf(const char *a, const char *b)
{
    size_t m, n;

    for (;;) {
        a = next_line(a, &m);
        b = next_line(b, &n);
        if (m != n || strncmp(a, b, m) != 0)
            return false;
        if (m == 0)
            return true;
        a += m;
        b += n;
    }
}

int wb_sm_site_check_cf(struct wb_sm_site *site, struct wb_err *err)
{
    char *built;
    int code;

    if (site->cf == NULL)
        return EX_OK;
    code = wb_sm_site_compile(site, site->m4_text, &built, err);
    if (code != EX_OK || is_same_cf(built, site->cf))
        return code;
    return wb_err_set(err, EX_CONFIG,
                      "%s is not what %s makes, and building it would lose "
                      "what differs; edits belong into the .mc, and `make -C "
                      "%s` shows whether it is so",
                      site->cf_path, site->mc_path, site->dir);
}

static int make_map(struct wb_sm_site *site, const char *path, const char *cf,
                    const char *text, struct wb_err *err)
{
    const char *const argv[] = {"makemap", "-C", cf, "hash", path, NULL};
    struct wb_run run = {.argv = argv, .input = text};
    int code = wb_run(site->pool, &run, err);

    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_UNAVAILABLE, "makemap: %s",
                          wb_run_errors(site->pool, &run));
    /* makemap gives it to TrustedUser, and one has passwords */
    if (code == EX_OK &&
        chown(wb_say(site->pool, "%s.db", path), geteuid(), getegid()) != 0)
        code =
            wb_err_set(err, EX_CANTCREAT, "%s.db: %s", path, strerror(errno));
    return code;
}

int wb_sm_site_tables(struct wb_sm_site *site, const char *folder,
                      const char *cf, const struct wb_files *files,
                      struct wb_err *err)
{
    struct wb_files tables = {files->items + 1, files->count - 1};
    mode_t was = umask(077);
    int code = wb_folder_make(site->pool, folder, err);

    if (code == EX_OK)
        code = wb_publish(site->pool, folder, &tables, err);
    for (size_t i = 0; code == EX_OK && i < tables.count; i++) {
        const struct wb_file *file = &tables.items[i];

        for (size_t k = 0; wb_sendmail_tables[k] != NULL; k++) {
            if (code == EX_OK && strcmp(wb_sendmail_tables[k], file->name) == 0)
                code = make_map(site,
                                wb_say(site->pool, "%s/%s", folder, file->name),
                                cf, file->text, err);
        }
    }
    umask(was);
    return code;
}

/* It does not know on what the .cf depends: what if the .mc were new? */
int wb_sm_site_build(struct wb_sm_site *site, struct wb_err *err)
{
    const char *const argv[] = {"make",    "-s",          "-C",
                                site->dir, "-W",          "sendmail.mc",
                                "-W",      site->mc_path, NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_run(site->pool, &run, err);

    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_UNAVAILABLE, "make -C %s: %s", site->dir,
                          wb_run_errors(site->pool, &run));
    return code;
}

const char *wb_sm_cf_option(struct wb_pool *pool, const char *cf,
                            const char *name)
{
    const char *line = wb_say(pool, "\nO %s=", name);
    const char *at = cf == NULL ? NULL : strstr(cf, line);

    if (at == NULL)
        return NULL;
    at += strlen(line);
    return wb_slice(pool, at, 0, strcspn(at, "\n"));
}
