#include "tool/maps/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/publish.h"
#include "tool/maps/run.h"

static const char *const asked[] = {
    "authorized_mailq_users",
    "body_checks",
    "canonical_classes",
    "canonical_maps",
    "compatibility_level",
    "content_filter",
    "default_process_limit",
    "default_transport",
    "header_checks",
    "inet_protocols",
    "internal_mail_filter_classes",
    "local_recipient_maps",
    "mail_version",
    "maximal_queue_lifetime",
    "masquerade_classes",
    "masquerade_domains",
    "milter_macro_daemon_name",
    "mime_header_checks",
    "mydestination",
    "nested_header_checks",
    "non_smtpd_milters",
    "parent_domain_matches_subdomains",
    "queue_directory",
    "recipient_canonical_maps",
    "receive_override_options",
    "recipient_delimiter",
    "relay_domains",
    "relay_recipient_maps",
    "relayhost",
    "sender_canonical_classes",
    "sender_canonical_maps",
    "sender_dependent_default_transport_maps",
    "sender_dependent_relayhost_maps",
    "smtp_generic_maps",
    "smtpd_milter_maps",
    "smtpd_milters",
    "smtpd_proxy_filter",
    "smtpd_recipient_restrictions",
    "smtpd_relay_restrictions",
    "transport_maps",
    "virtual_alias_domains",
    "virtual_alias_maps",
    "virtual_mailbox_domains",
};

enum { ASKED = sizeof asked / sizeof asked[0] };

struct wb_parameter {
    const char *value, *raw, *by_default;
};

static int need(const char *path, const char *text, struct wb_err *err)
{
    if (text != NULL)
        return EX_OK;
    return wb_err_set(err, EX_NOINPUT,
                      "%s: no such file; --mta-config names the directory of "
                      "Postfix's main.cf and master.cf",
                      path);
}

/* Postfix's own tools, which we run as root, do what its files say. */
static int check_owner(const char *dir, struct wb_err *err)
{
    struct stat st;

    if (stat(dir, &st) != 0)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", dir, strerror(errno));
    if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
        (st.st_mode & S_IWOTH) != 0)
        return wb_err_set(err, EX_NOPERM,
                          "%s: others can write there, and Postfix's tools "
                          "would do for root what they say; a directory of "
                          "root's, mode 0755, is right",
                          dir);
    return EX_OK;
}

int wb_site_open(struct wb_pool *pool, const char *dir, struct wb_site *out,
                 struct wb_err *err)
{
    char *real = realpath(dir, NULL);
    char *main = NULL, *master = NULL;
    int code;

    if (real == NULL)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", dir, strerror(errno));
    *out = (struct wb_site){.pool = pool, .dir = wb_say(pool, "%s", real)};
    free(real);
    out->main_cf = wb_say(pool, "%s/main.cf", out->dir);
    out->master_cf = wb_say(pool, "%s/master.cf", out->dir);
    out->maps = wb_say(pool, "%s/waybill", out->dir);
    out->undo = wb_say(pool, "%s/undo", out->maps);
    code = check_owner(out->dir, err);
    if (code == EX_OK)
        code = wb_file_read(pool, out->main_cf, &main, err);
    if (code == EX_OK)
        code = need(out->main_cf, main, err);
    if (code == EX_OK)
        code = wb_file_read(pool, out->master_cf, &master, err);
    if (code == EX_OK)
        code = need(out->master_cf, master, err);
    out->main = main;
    out->master = master;
    return code;
}

/* Everything but what the stage has of its own is a link to the site's. */
static int link_rest(struct wb_site *site, struct wb_err *err)
{
    static const char *const own[] = {".", "..", "main.cf", "master.cf",
                                      "waybill"};
    struct dirent **names = NULL;
    int found = scandir(site->dir, &names, NULL, alphasort);
    int code = EX_OK;

    for (int i = 0; i < found; i++) {
        const char *name = names[i]->d_name;
        bool is_own = false;

        for (size_t j = 0; j < sizeof own / sizeof own[0]; j++)
            is_own |= strcmp(name, own[j]) == 0;
        if (!is_own &&
            symlink(wb_say(site->pool, "%s/%s", site->dir, name),
                    wb_say(site->pool, "%s/%s", site->stage, name)) != 0)
            code = wb_err_set(err, EX_CANTCREAT, "%s/%s: %s", site->stage, name,
                              strerror(errno));
        free(names[i]);
    }
    free(names);
    return code;
}

/* "name = value" lines, in the order asked for or not. */
static void take(struct wb_site *site, char *text, size_t offset)
{
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        size_t name = strcspn(line, " =");
        const char *value = strchr(line, '=');

        if (value == NULL)
            continue;
        value += 1 + strspn(value + 1, " ");
        for (size_t i = 0; i < ASKED; i++) {
            if (strncmp(asked[i], line, name) != 0 || asked[i][name] != '\0')
                continue;
            *(const char **)((char *)&site->parameters[i] + offset) =
                wb_substitute(site->pool, value, site->stage, site->dir);
        }
    }
}

static int ask(struct wb_site *site, const char *flag, size_t offset,
               struct wb_err *err)
{
    const char *argv[ASKED + 6] = {"postconf", "-c", site->stage, flag};
    struct wb_run run = {.argv = argv};
    size_t n = flag == NULL ? 3 : 4;
    int code;

    for (size_t i = 0; i < ASKED; i++)
        argv[n++] = asked[i];
    code = wb_run(site->pool, &run, err);
    if (code != EX_OK)
        return code;
    if (run.status != 0)
        return wb_err_set(err, EX_CONFIG, "postconf refuses %s: %s",
                          site->main_cf, wb_run_errors(site->pool, &run));
    take(site, run.out, offset);
    return EX_OK;
}

static int ask_all(struct wb_site *site, struct wb_err *err)
{
    int code;

    site->parameters =
        wb_must(wb_pool_array(site->pool, ASKED, sizeof *site->parameters));
    for (size_t i = 0; i < ASKED; i++)
        site->parameters[i] = (struct wb_parameter){"", "", ""};
    code = ask(site, "-d", offsetof(struct wb_parameter, by_default), err);
    if (code == EX_OK)
        code = ask(site, "-x", offsetof(struct wb_parameter, value), err);
    if (code == EX_OK)
        code = ask(site, NULL, offsetof(struct wb_parameter, raw), err);
    return code;
}

static const char *default_of(void *context, const char *name)
{
    const struct wb_site *site = context;

    for (size_t i = 0; i < ASKED; i++) {
        if (strcmp(asked[i], name) == 0)
            return site->parameters[i].by_default;
    }
    return "";
}

int wb_site_stage(struct wb_site *site, struct wb_err *err)
{
    const char *tmp = getenv("TMPDIR");
    char *path = wb_say(site->pool, "%s/waybill-XXXXXX",
                        tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    int code;

    if (mkdtemp(path) == NULL)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    site->stage = path;
    code = link_rest(site, err);
    if (code == EX_OK)
        code = wb_site_stage_write(site, site->main, site->master, err);
    if (code == EX_OK)
        code = ask_all(site, err);
    if (code != EX_OK)
        return code;
    site->base_main = wb_main_revert(site->pool, site->main, default_of, site);
    site->base_master = wb_master_revert(site->pool, site->master);
    code = wb_site_stage_write(site, site->base_main, site->base_master, err);
    return code == EX_OK ? ask_all(site, err) : code;
}

static void empty_folder(struct wb_pool *pool, const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    if (d == NULL)
        return;
    while ((entry = readdir(d)) != NULL)
        unlink(wb_say(pool, "%s/%s", dir, entry->d_name));
    closedir(d);
    rmdir(dir);
}

void wb_site_close(struct wb_site *site)
{
    if (site->stage == NULL)
        return;
    empty_folder(site->pool, wb_site_stage_maps(site));
    empty_folder(site->pool, site->stage);
    site->stage = NULL;
}

const char *wb_site_stage_maps(const struct wb_site *site)
{
    return wb_say(site->pool, "%s/waybill", site->stage);
}

/* Postfix's tools wait until main.cf is two seconds old, lest they read half
 * of it; nobody else writes here. */
static void make_old(const char *path)
{
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    utimensat(AT_FDCWD, path, times, 0);
}

int wb_site_stage_write(struct wb_site *site, const char *main,
                        const char *master, struct wb_err *err)
{
    struct wb_pool *p = site->pool;
    const char *text = wb_substitute(
        p, main, wb_say(p, "waybill_directory = %s\n", site->maps),
        wb_say(p, "waybill_directory = %s\n", wb_site_stage_maps(site)));
    const char *path = wb_say(p, "%s/main.cf", site->stage);
    int code = wb_file_write(p, path, text, 0600, err);

    if (code != EX_OK)
        return code;
    make_old(path);
    return wb_file_write(p, wb_say(p, "%s/master.cf", site->stage), master,
                         0600, err);
}

static const struct wb_parameter *parameter(const struct wb_site *site,
                                            const char *name)
{
    for (size_t i = 0; i < ASKED; i++) {
        if (strcmp(asked[i], name) == 0)
            return &site->parameters[i];
    }
    fprintf(stderr, "waybill: %s was not asked for\n", name);
    abort();
}

const char *wb_site_value(const struct wb_site *site, const char *name)
{
    return parameter(site, name)->value;
}

const char *wb_site_raw(const struct wb_site *site, const char *name)
{
    return parameter(site, name)->raw;
}

const char *wb_site_default(const struct wb_site *site, const char *name)
{
    return parameter(site, name)->by_default;
}

int wb_site_has_table(struct wb_site *site, const char *type, bool *has,
                      struct wb_err *err)
{
    const char *const argv[] = {"postconf", "-c", site->stage, "-m", NULL};
    struct wb_run run = {.argv = argv};
    int code = wb_run(site->pool, &run, err);
    struct wb_strings types;

    *has = false;
    if (code != EX_OK)
        return code;
    if (run.status != 0)
        return wb_err_set(err, EX_CONFIG, "postconf -m refuses %s: %s",
                          site->main_cf, wb_run_errors(site->pool, &run));
    types = wb_cf_list(site->pool, run.out);
    for (size_t i = 0; i < types.count; i++)
        *has |= strcmp(types.items[i], type) == 0;
    return EX_OK;
}

int wb_table_ask(struct wb_pool *pool, const char *dir, const char *table,
                 const char *keys, char **out, struct wb_err *err)
{
    const char *const argv[] = {"postmap", "-c", dir, "-q", "-", table, NULL};
    struct wb_run run = {.argv = argv, .input = keys};
    int code = wb_run(pool, &run, err);

    if (code != EX_OK)
        return code;
    /* 1 without a word: no answer */
    if (run.status > 1 || (run.status == 1 && strstr(run.errors, "fatal")))
        return wb_err_set(err, EX_CONFIG, "postmap -q: %s: %s", table,
                          wb_run_errors(pool, &run));
    *out = run.out;
    return EX_OK;
}

int wb_site_ask(struct wb_site *site, const char *table, const char *keys,
                char **out, struct wb_err *err)
{
    return wb_table_ask(site->pool, site->stage, table, keys, out, err);
}
