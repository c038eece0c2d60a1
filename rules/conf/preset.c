/* Presets: where their files are, and what may stand in them. */
#include "conf/preset.h"

#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/check.h"

#define ENDING ".conf"

enum { MAX_FOLDERS = 3, MAX_PATH_OCTETS = 4096 };

static const struct wb_origin nowhere = {0};

/* The folder of the running program; NULL when it cannot be told. */
static const char *program_folder(struct wb_pool *p)
{
    char path[MAX_PATH_OCTETS];
    ssize_t octets = readlink("/proc/self/exe", path, sizeof path);
    char *slash;

    if (octets <= 0 || (size_t)octets == sizeof path)
        return NULL;
    path[octets] = '\0';
    slash = strrchr(path, '/');
    return slash && slash > path
               ? wb_pool_strndup(p, path, (size_t)(slash - path))
               : NULL;
}

/* The admin's own, beside waybill.conf; then those that came with the
 * program, whose folder is PREFIX/bin or PREFIX/sbin, or where it was built. */
static bool find_folders(struct wb_checker *c)
{
    const char **items = wb_pool_array(c->kept, MAX_FOLDERS, sizeof *items);
    const char *program = program_folder(c->kept);
    int parent = program ? (int)(strrchr(program, '/') - program) : 0;
    struct wb_strings *folders = &c->presets.folders;

    if (!items)
        return false;
    *folders = (struct wb_strings){.items = items, .count = 1};
    items[0] = wb_path_beside(c->kept, c->path, "presets");
    if (program) {
        items[1] = wb_pool_printf(c->kept, "%.*s/share/waybill/presets", parent,
                                  program);
        items[2] = wb_pool_printf(c->kept, "%s/presets", program);
        folders->count = MAX_FOLDERS;
    }
    return items[0] && (!program || (items[1] && items[2]));
}

static const struct wb_strings *folders_of(struct wb_checker *c)
{
    if (!c->presets.folders.count && !find_folders(c)) {
        c->is_out_of_memory = true;
        c->presets.folders.count = 0;
    }
    return &c->presets.folders;
}

/* ---- one file ------------------------------------------------------------ */

/* text as a word of that option of routes; NULL: there is none such. */
static const char *word_of_route(const char *option, const char *text)
{
    const struct wb_word *w =
        wb_schema_option(wb_schema_section("route"), option)->words;

    while (w->text && (w->is_alias || strcmp(w->text, text) != 0))
        w++;
    return w->text;
}

/* "465 tls" */
static bool parse_port(struct wb_checker *c, const char *text,
                       struct wb_preset_port *out)
{
    const char *blank = strchr(text, ' ');
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    if (!blank || end != blank || !strchr("123456789", *text) || port > 65535)
        return false;
    out->tls = word_of_route("tls", blank + 1);
    out->port = wb_pool_strndup(c->pool, text, (size_t)(blank - text));
    if (!out->port)
        c->is_out_of_memory = true;
    return out->tls && out->port;
}

static void check_ports(struct wb_checker *c, const struct wb_raw_section *raw,
                        struct wb_preset *preset)
{
    const struct wb_raw_option *option = wb_raw_find(raw, "ports");
    size_t count = option ? option->count : 0;

    preset->ports = wb_pool_array(c->pool, count, sizeof *preset->ports);
    if (!preset->ports) {
        c->is_out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (parse_port(c, option->values[i].text,
                       &preset->ports[preset->port_count]))
            preset->port_count++;
        else if (!c->is_out_of_memory)
            wb_problem_add(c->problems, WB_ERROR, option->file,
                           option->values[i].line, option->name,
                           "\"%s\" is not a port and its TLS; \"465 tls\" or "
                           "\"587 starttls\" is right",
                           option->values[i].text);
}

static bool is_date(const char *text)
{
    static const char form[] = "0000-00-00";

    for (size_t i = 0; i < sizeof form; i++)
        if (form[i] == '0' ? !text[i] || !strchr("0123456789", text[i])
                           : text[i] != form[i])
            return false;
    return true;
}

static void check_values(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_preset *preset)
{
    const char *fault = preset->host ? wb_host_fault(preset->host) : NULL;

    if (fault)
        wb_option_tell(c, wb_raw_find(raw, "host"), "\"%s\" %s", preset->host,
                       fault);
    if (preset->host && preset->host_hint)
        wb_option_tell(c, wb_raw_find(raw, "host_hint"),
                       "contradicts host; leave one of them out");
    if (preset->checked && !is_date(preset->checked))
        wb_option_tell(c, wb_raw_find(raw, "checked"),
                       "\"%s\" is not a date; \"2026-11-23\" is right",
                       preset->checked);
    if (preset->auth && !word_of_route("auth", preset->auth))
        wb_option_tell(c, wb_raw_find(raw, "auth"),
                       "\"%s\" is not known; a word of a route's auth is right",
                       preset->auth);
    if (!preset->title)
        preset->title = preset->name;
}

static void check_preset(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_preset *preset)
{
    preset->origin =
        (struct wb_origin){wb_checker_copy(c, raw->file), raw->line};
    wb_section_convert(c, wb_schema_section("preset"), raw, preset);
    check_ports(c, raw, preset);
    check_values(c, raw, preset);
}

/* The section of this name; what else stands in the file is told. */
static const struct wb_raw_section *only_section(struct wb_checker *c,
                                                 const struct wb_raw *raw,
                                                 const char *path,
                                                 const char *name)
{
    const struct wb_raw_section *found = NULL, *s;

    for (s = raw->first; s; s = s->next)
        if (!found && strcmp(s->kind, "preset") == 0 &&
            strcmp(s->title, name) == 0)
            found = s;
        else if (*s->kind || s->option_count)
            wb_problem_add(c->problems, WB_ERROR, s->file,
                           *s->kind ? s->line : s->options[0].line,
                           *s->kind ? s->kind : s->options[0].name,
                           "has no place here; the one section preset %s is "
                           "right",
                           name);
    if (!found && !raw->is_broken)
        wb_problem_add(c->problems, WB_ERROR, path, 0, NULL,
                       "has no preset %s; preset %s { ... } is right", name,
                       name);
    return found;
}

/* Returns NULL when it is faulty (told) or out of memory (noted). */
static struct wb_preset *read_preset(struct wb_checker *c, const char *path,
                                     const char *name)
{
    size_t errors = c->problems->error_count;
    struct wb_raw raw = {.pool = c->kept};
    const struct wb_raw_section *section;
    struct wb_preset *made = wb_pool_alloc(c->pool, sizeof *made);

    if (!made || !(made->name = wb_checker_copy(c, name))) {
        c->is_out_of_memory = true;
        return NULL;
    }
    wb_raw_read(&raw, path, c->problems);
    section = only_section(c, &raw, path, name);
    if (section)
        check_preset(c, section, made);
    if (raw.is_out_of_memory)
        c->is_out_of_memory = true;
    return c->problems->error_count == errors && !c->is_out_of_memory ? made
                                                                      : NULL;
}

/* Is there such a file? One that is there but cannot be read is told, since
 * to pass it over would be to take another one of this name. */
static bool is_there(struct wb_checker *c, const struct wb_raw_option *named_by,
                     const char *path)
{
    const char *why;
    FILE *in;

    if (access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR))
        return false;
    in = wb_raw_open(path, &why);
    if (in)
        fclose(in);
    else
        wb_option_tell(c, named_by, "%s cannot be read: %s", path, why);
    return true;
}

/* The first one of that name; NULL: none, or out of memory (noted). */
static const char *find_file(struct wb_checker *c,
                             const struct wb_raw_option *named_by,
                             const char *name)
{
    const struct wb_strings *folders = folders_of(c);

    for (size_t i = 0; i < folders->count; i++) {
        const char *path =
            wb_pool_printf(c->kept, "%s/%s" ENDING, folders->items[i], name);
        if (!path)
            c->is_out_of_memory = true;
        else if (is_there(c, named_by, path))
            return path;
    }
    return NULL;
}

/* The name's entry; one that was not looked for yet is looked for. NULL when
 * there is none of that name, or out of memory (noted). */
static struct wb_name *look_up(struct wb_checker *c,
                               const struct wb_raw_option *named_by,
                               const char *name)
{
    struct wb_shelf *shelf = &c->presets;
    struct wb_name *known = wb_names_find(&shelf->names, name);
    size_t index = shelf->count, errors = c->problems->error_count;
    struct wb_preset **items;
    const char *path = known ? NULL : find_file(c, named_by, name);

    if (!path)
        return known;
    items = wb_array_push(c, shelf->items, &shelf->count, sizeof *items);
    if (items)
        shelf->items = items;
    name = wb_pool_strdup(c->kept, name);
    if (items && name)
        known = wb_names_add(&shelf->names, c->kept, name, nowhere, index);
    if (!known)
        c->is_out_of_memory = true;
    else if (c->problems->error_count == errors)
        shelf->items[index] = read_preset(c, path, name);
    return known;
}

void wb_shelf_free(struct wb_shelf *shelf)
{
    wb_names_free(&shelf->names);
    free(shelf->items);
    *shelf = (struct wb_shelf){0};
}

/* ---- all of them --------------------------------------------------------- */

static int is_conf(const struct dirent *entry)
{
    size_t octets = strlen(entry->d_name), ending = strlen(ENDING);

    return octets > ending && octets <= 63 + ending &&
           strcmp(entry->d_name + octets - ending, ENDING) == 0;
}

static void add_names_of(struct wb_checker *c, const char *folder,
                         struct wb_names *names)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_conf, NULL);

    for (int i = 0; i < count; i++) {
        char *name =
            wb_pool_strndup(c->scratch, entries[i]->d_name,
                            strlen(entries[i]->d_name) - strlen(ENDING));
        if (!name || (!wb_label_fault(name) &&
                      !wb_names_add(names, c->scratch, name, nowhere, 0)))
            c->is_out_of_memory = true;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* The names of all files there are, in the scratch pool; freed by the
 * caller. */
static struct wb_names all_names(struct wb_checker *c)
{
    const struct wb_strings *folders = folders_of(c);
    struct wb_names names = {0};

    for (size_t i = 0; i < folders->count; i++)
        add_names_of(c, folders->items[i], &names);
    return names;
}

static void tell_missing(struct wb_checker *c,
                         const struct wb_raw_option *option, const char *name)
{
    struct wb_names names = all_names(c);
    const char *nearest = wb_names_nearest(&names, name);

    wb_option_tell(c, option, "there is no preset \"%s\"; %s%s%s", name,
                   nearest ? "did you mean \"" : "waybill presets lists them",
                   nearest ? nearest : "", nearest ? "\"?" : "");
    wb_names_free(&names);
}

const struct wb_preset *wb_preset_find(struct wb_checker *c,
                                       const struct wb_raw_option *option)
{
    const char *name = option->values[0].text;
    struct wb_name *known = NULL;

    if (!wb_label_fault(name)) /* it becomes part of a path */
        known = look_up(c, option, name);
    if (!known && !c->is_out_of_memory)
        tell_missing(c, option, name);
    return known && c->presets.items ? c->presets.items[known->index] : NULL;
}

/* ---- for `waybill presets` ------------------------------------------------
 */

struct listing {
    struct wb_checker *c;
    struct wb_presets *out;
};

static void list_one(struct wb_checker *c, struct wb_presets *out,
                     const char *name)
{
    struct wb_raw_value value = {.text = name};
    const struct wb_raw_option option = {
        .file = "waybill presets", .values = &value, .count = 1};
    const struct wb_preset *preset = wb_preset_find(c, &option);

    if (preset)
        out->items[out->count++] = preset;
}

static void list_each(const void *node, VISIT when, void *context)
{
    struct listing *l = context;

    if (when == postorder || when == leaf)
        list_one(l->c, l->out, (*(const struct wb_name *const *)node)->text);
}

static void list(struct wb_checker *c, const char *name, struct wb_presets *out)
{
    struct wb_names names = all_names(c);

    out->items = wb_pool_array(c->pool, names.count + 1, sizeof *out->items);
    if (!out->items)
        c->is_out_of_memory = true;
    else if (name)
        list_one(c, out, name);
    else
        twalk_r(names.root, list_each, &(struct listing){c, out});
    wb_names_free(&names);
}

int wb_presets_load(const char *conf_path, const char *name,
                    struct wb_presets *out, struct wb_problems *problems)
{
    struct wb_checker c = {.path = conf_path,
                           .pool = wb_pool_new(0),
                           .kept = wb_pool_new(0),
                           .scratch = wb_pool_new(0),
                           .problems = problems};
    bool is_found;

    *out = (struct wb_presets){.pool = c.pool};
    if (c.pool && c.kept && c.scratch)
        list(&c, name, out);
    else
        c.is_out_of_memory = true;
    is_found = c.presets.count > 0; /* it may be faulty all the same */
    wb_shelf_free(&c.presets);
    wb_pool_free(c.kept);
    wb_pool_free(c.scratch);
    if (c.is_out_of_memory || problems->out_of_memory)
        return EX_OSERR;
    if (name && !is_found)
        return EX_DATAERR;
    return problems->error_count ? EX_CONFIG : EX_OK;
}

void wb_presets_free(struct wb_presets *presets)
{
    wb_pool_free(presets->pool);
    *presets = (struct wb_presets){0};
}
