/* From text to sections, by libConfuse. Every option is declared as a list of
 * strings, so that a wrong value never stops the parser; the checker converts.
 *
 * libConfuse stops at a name that it does not know. So that all errors can be
 * told at once, such names are learned: declared, and the file parsed again,
 * until nothing new comes up. Nothing is recorded before that. The checker,
 * which knows nothing of all this, then finds options that are not in the
 * schema. */
#include <confuse.h>
#include <errno.h>
#include <glob.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/raw.h"
#include "conf/schema.h"
#include "conf/tidy.h"

/* Names that nobody can type by mistake. */
#define HOOK "\001opened"
#define END  "\001end"

enum {
    MAX_LEARNED = 50,
    MAX_DEPTH = 16,
    MAX_FILE_OCTETS = 64 << 20,
};

enum shape { SHAPE_OPTION, SHAPE_TITLED, SHAPE_UNTITLED };

struct learned {
    const char *kind; /* of the section that it stands in; "": none */
    const char *name;
    enum shape shape;
};

struct seen {
    dev_t device;
    ino_t inode;
    struct seen *next;
};

struct reader {
    struct wb_raw *raw;
    struct wb_problems *problems;
    struct learned learned[MAX_LEARNED];
    size_t learned_count;
    struct seen *seen;

    /* the file at hand */
    const char *file;
    const char *text;
    const char *place; /* in text: the line where the open section begins */
    unsigned place_line;
    const cfg_t *root;
    unsigned last_line;
    unsigned cut_line; /* where wb_text_tidy cut it off; 0: it did not */
    bool is_recording;
    bool must_repeat;
    struct wb_raw_section *top;
    struct wb_raw_section *section; /* the open one, top when there is none */
    struct wb_raw_option *option;   /* the last one */
};

/* libConfuse hands its callbacks no context of ours, and its lexer's state is
 * one for all threads. */
static _Thread_local struct reader *reading;
static pthread_mutex_t lexer = PTHREAD_MUTEX_INITIALIZER;

static bool is_top(const cfg_t *cfg)
{
    return cfg == reading->root;
}

static const char *kind_of(const cfg_t *cfg)
{
    return is_top(cfg) ? "" : cfg->name;
}

/* The parser cannot go on in this file. */
static void __attribute__((format(printf, 3, 4)))
stop(unsigned line, const char *option, const char *format, ...)
{
    struct reader *r = reading;
    char text[400];
    va_list args;

    r->raw->is_broken = true;
    /* What follows from the cut is no error of its own. */
    if (!r->is_recording || (r->cut_line && line >= r->cut_line))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wb_problem_add(r->problems, WB_ERROR, r->file,
                   line < r->last_line ? line : r->last_line, option, "%s",
                   text);
}

static void stop_unclosed(const cfg_t *cfg, const char *next)
{
    const struct wb_raw_section *open = reading->section;
    char name[200];

    if (!reading->is_recording)
        return;
    snprintf(name, sizeof name, "%s%s%s", cfg->name, cfg->title ? " " : "",
             cfg->title ? cfg->title : "");
    if (next)
        stop(open->line, name,
             "the section is not closed; a } is missing before \"%s\" on line "
             "%d",
             next, cfg->line);
    else
        stop(open->line, name,
             "the section is not closed; a } is missing after its last option");
}

static struct learned *find_learned(const char *kind, const char *name)
{
    for (size_t i = 0; i < reading->learned_count; i++) {
        struct learned *l = &reading->learned[i];
        if (strcmp(l->kind, kind) == 0 && strcmp(l->name, name) == 0)
            return l;
    }
    return NULL;
}

static void learn(const cfg_t *cfg, const char *name)
{
    struct reader *r = reading;
    struct learned *l;

    if (r->learned_count == MAX_LEARNED || find_learned(kind_of(cfg), name)) {
        stop((unsigned)cfg->line, name,
             "unknown option; the rest of this file is not read and may have "
             "more errors");
        return;
    }
    l = &r->learned[r->learned_count];
    l->kind = wb_pool_strdup(r->raw->pool, kind_of(cfg));
    l->name = wb_pool_strdup(r->raw->pool, name);
    l->shape = SHAPE_OPTION;
    if (!l->kind || !l->name) {
        r->raw->is_out_of_memory = true;
        return;
    }
    r->learned_count++;
    r->must_repeat = true;
}

static void on_unknown(const cfg_t *cfg, const char *name)
{
    if (strcmp(name, END) == 0)
        stop_unclosed(cfg, NULL);
    else
        learn(cfg, name);
}

static void on_no_equal_sign(const cfg_t *cfg, const char *name)
{
    struct learned *l = find_learned(kind_of(cfg), name);
    const struct wb_schema_section *section = wb_schema_section(name);

    if (is_top(cfg) && l && l->shape == SHAPE_OPTION) {
        l->shape = SHAPE_TITLED;
        reading->must_repeat = true;
    } else if (!is_top(cfg) && section) {
        stop_unclosed(cfg, name);
    } else if (l) {
        stop((unsigned)cfg->line, name,
             "unknown option, without a =; NAME = VALUE is right");
    } else {
        stop((unsigned)cfg->line, name,
             "a = is missing after it; %s = VALUE is right", name);
    }
}

static void on_no_title(const cfg_t *cfg, const char *name)
{
    struct learned *l = find_learned("", name);

    if (l && l->shape == SHAPE_TITLED) {
        l->shape = SHAPE_UNTITLED;
        reading->must_repeat = true;
    } else {
        stop((unsigned)cfg->line, name,
             "the section has no name; %s NAME { is right", name);
    }
}

static void on_no_brace(const cfg_t *cfg, const char *name)
{
    const struct wb_schema_section *section = wb_schema_section(name);

    if (!section)
        stop((unsigned)cfg->line, name,
             "neither an option nor a section; NAME = VALUE is right");
    else
        stop((unsigned)cfg->line, name, "a { is missing; %s %sis right", name,
             section->has_title ? "NAME { " : "{, without a name, ");
}

static void on_token(const cfg_t *cfg, const char *token)
{
    const char *option = reading->option ? reading->option->name : NULL;
    unsigned line = (unsigned)cfg->line;

    if (strcmp(token, END) == 0)
        stop(line, option, "the list is not closed; a } is missing after it");
    else if (strcmp(token, "=") == 0)
        stop(line, option,
             "unexpected =; does the option before it lack its value?");
    else if (strchr("{}(),", *token) || strcmp(token, "+=") == 0)
        stop(line, option, "unexpected %s; NAME = VALUE is right", token);
    else
        stop(line, option,
             "unexpected \"%s\"; a comma or } is missing before it", token);
}

static const struct {
    const char *begins; /* libConfuse's message */
    void (*act)(const cfg_t *cfg, const char *name);
} reactions[] = {
    {"no such option", on_unknown}, {"missing equal sign", on_no_equal_sign},
    {"missing title", on_no_title}, {"missing opening brace", on_no_brace},
    {"unexpected token", on_token},
};

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[200];

    for (size_t i = 0; i < sizeof reactions / sizeof *reactions; i++)
        if (strncmp(format, reactions[i].begins, strlen(reactions[i].begins)) ==
            0) {
            reactions[i].act(cfg, va_arg(args, const char *));
            return;
        }
    if (strcmp(format, "unexpected closing brace") == 0) {
        stop((unsigned)cfg->line, NULL,
             "a } without a section or list that it closes; leave it out");
        return;
    }
    vsnprintf(text, sizeof text, format, args);
    stop((unsigned)cfg->line, NULL, "%s; single quotes keep backslashes", text);
}

static struct wb_raw_option *own_option(const char *name)
{
    struct wb_raw_section *s = reading->section;

    for (size_t i = 0; i < s->option_count; i++)
        if (strcmp(s->options[i].name, name) == 0)
            return &s->options[i];
    return NULL;
}

/* Lists of files add up; anything else is given once. */
static bool may_repeat(const char *name)
{
    return reading->section == reading->top &&
           (strcmp(name, "include") == 0 || strstr(name, "_table"));
}

static bool record(const cfg_opt_t *opt, const char *text, unsigned line)
{
    struct wb_pool *pool = reading->raw->pool;
    struct wb_raw_option *o = own_option(opt->name);

    if (!o) {
        const char *name = wb_pool_strdup(pool, opt->name);
        if (name)
            o = wb_raw_add_option(pool, reading->section, name, line);
    } else if (opt->nvalues == 1 && !o->twice_line && !may_repeat(o->name)) {
        o->twice_line = line;
    }
    reading->option = o;
    return o && (o->twice_line || wb_raw_add_value(pool, o, text, line));
}

/* libConfuse found a value. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    struct reader *r = reading;

    if (strcmp(text, END) == 0) {
        stop((unsigned)cfg->line, opt->name, "the value is missing");
        return -1;
    }
    if (r->is_recording && !record(opt, text, (unsigned)cfg->line)) {
        r->raw->is_out_of_memory = true;
        return -1;
    }
    *(const char **)result = text;
    return 0;
}

static void go_to_line(unsigned line)
{
    struct reader *r = reading;

    while (r->place_line < line && *r->place)
        r->place_line += *r->place++ == '\n';
}

/* libConfuse sets the defaults of a section when it opens: the only moment
 * at which it tells us the line of the opening brace. */
static int on_open(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    struct reader *r = reading;

    (void)opt;
    *(const char **)result = text;
    if (!r->is_recording)
        return 0;
    r->option = NULL;
    go_to_line((unsigned)cfg->line);
    r->section = wb_raw_add_section(r->raw, cfg->name, cfg->title, r->file,
                                    (unsigned)cfg->line);
    if (!r->section) {
        r->section = r->top;
        r->raw->is_out_of_memory = true;
    }
    return 0;
}

/* The first line behind after, and from r->place on, that gives an option a
 * value. */
static unsigned line_of_option(const char *name, unsigned after_line)
{
    size_t length = strlen(name);
    unsigned line = reading->place_line;

    for (const char *s = reading->place; *s; line += *s++ == '\n') {
        const char *after = s + length;
        if (strncmp(s, name, length) != 0 ||
            (s > reading->text && !strchr(" \t\n{}\"'", s[-1])))
            continue;
        after += strspn(after, " \t+");
        if (*after == '=' && line > after_line)
            return line;
    }
    return after_line ? after_line : reading->place_line;
}

/* Empty lists call nobody: what was given but has no value was one. */
static void record_empty(const cfg_t *cfg)
{
    struct reader *r = reading;

    for (const cfg_opt_t *o = cfg->opts; o->name; o++) {
        struct wb_raw_option *had;
        if (o->type != CFGT_STR || !(o->flags & CFGF_MODIFIED) || o->nvalues)
            continue;
        if ((had = own_option(o->name))) {
            if (!had->twice_line && !may_repeat(o->name))
                had->twice_line = line_of_option(o->name, had->line);
            continue;
        }
        const char *name = wb_pool_strdup(r->raw->pool, o->name);
        if (!name || !wb_raw_add_option(r->raw->pool, r->section, name,
                                        line_of_option(name, 0)))
            r->raw->is_out_of_memory = true;
    }
}

/* A section is closed. libConfuse may forget it: that keeps its search for
 * equal titles, which is quadratic, short, and lets the checker see both of
 * two equal ones. */
static int on_close(cfg_t *cfg, cfg_opt_t *opt)
{
    (void)cfg;
    if (reading->is_recording) {
        record_empty(cfg_opt_getnsec(opt, 0));
        reading->section = reading->top;
        reading->option = NULL;
    }
    cfg_opt_rmnsec(opt, 0);
    return 0;
}

/* An array of libConfuse options under construction. */
struct options {
    cfg_opt_t *items; /* ends with a zeroed one */
    size_t count, room;
};

static bool add(struct options *list, cfg_opt_t opt)
{
    if (list->count + 1 >= list->room) {
        size_t room = list->room ? 2 * list->room : 32;
        cfg_opt_t *items = reallocarray(list->items, room, sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = opt;
    list->items[list->count] = (cfg_opt_t)CFG_END();
    return true;
}

static bool add_plain(struct options *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return true;
    return add(list, (cfg_opt_t){.name = name,
                                 .type = CFGT_STR,
                                 .flags = CFGF_LIST | CFGF_NODEFAULT,
                                 .parsecb = on_value});
}

static bool add_known(struct options *list, const struct wb_schema_section *s)
{
    bool done = true;

    for (size_t i = 0; i < s->count; i++)
        done = done && add_plain(list, s->options[i].name);
    return done;
}

static bool add_learned(struct options *list, const char *kind)
{
    bool done = true;

    for (size_t i = 0; i < reading->learned_count; i++) {
        const struct learned *l = &reading->learned[i];
        if (l->shape == SHAPE_OPTION && strcmp(l->kind, kind) == 0)
            done = done && add_plain(list, l->name);
    }
    return done;
}

/* schema: NULL for a section that there is not; it may hold anything, since
 * only the section itself will be told. */
static bool add_section(struct options *list, const char *kind, bool has_title,
                        const struct wb_schema_section *schema)
{
    struct options in = {0};
    size_t count;
    const struct wb_schema_section *all = wb_schema(&count);
    bool done = add(&in, (cfg_opt_t){.name = HOOK,
                                     .type = CFGT_STR,
                                     .def = {.parsed = "x"},
                                     .parsecb = on_open});

    for (size_t i = 1; i < count; i++)
        if (!schema || schema == &all[i])
            done = done && add_known(&in, &all[i]);
    done = done && add_learned(&in, kind) &&
           add(list,
               (cfg_opt_t){.name = kind,
                           .type = CFGT_SEC,
                           .flags = CFGF_MULTI | (has_title ? CFGF_TITLE : 0),
                           .subopts = in.items,
                           .validcb = on_close});
    if (!done)
        free(in.items);
    return done;
}

static bool make_options(struct options *list)
{
    size_t count;
    const struct wb_schema_section *all = wb_schema(&count);
    bool done = add_known(list, &all[0]) && add_learned(list, "") &&
                add(list, (cfg_opt_t)CFG_STR(END, NULL, CFGF_NODEFAULT));

    for (size_t i = 1; i < count; i++)
        done =
            done && add_section(list, all[i].kind, all[i].has_title, &all[i]);
    for (size_t i = 0; i < reading->learned_count; i++) {
        const struct learned *l = &reading->learned[i];
        if (l->shape != SHAPE_OPTION)
            done = done &&
                   add_section(list, l->name, l->shape == SHAPE_TITLED, NULL);
    }
    return done;
}

static void free_options(struct options *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].subopts);
    free(list->items);
}

/* One pass of libConfuse over text. */
static void parse(const char *text)
{
    struct options list = {0};
    cfg_t *cfg = NULL;

    reading->must_repeat = false;
    if (!make_options(&list) || !(cfg = cfg_init(list.items, CFGF_NONE))) {
        reading->raw->is_out_of_memory = true;
    } else {
        cfg_set_error_function(cfg, on_error);
        reading->root = cfg;
        reading->place = text;
        reading->place_line = 1;
        if (cfg_parse_buf(cfg, text) == CFG_SUCCESS && reading->is_recording) {
            reading->place = text;
            reading->place_line = 1;
            record_empty(cfg);
        }
        cfg_free(cfg);
    }
    free_options(&list);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 1;

    for (; *text; text++)
        lines += *text == '\n' && text[1];
    return lines;
}

static void read_text(struct reader *r, char *text)
{
    /* A section that is open at the end is no error to libConfuse, unless
     * something that no section knows stands there. */
    const char *whole;

    r->last_line = count_lines(text);
    r->cut_line = wb_text_tidy(text, r->file, r->problems);
    if (r->cut_line)
        r->raw->is_broken = true;
    whole = wb_pool_printf(r->raw->pool, "%s\n" END " = x\n", text);
    r->top = wb_raw_add_section(r->raw, "", NULL, r->file, 0);
    if (!whole || !r->top) {
        r->raw->is_out_of_memory = true;
        return;
    }
    pthread_mutex_lock(&lexer);
    reading = r;
    r->text = whole;
    r->section = r->top;
    r->option = NULL;
    r->is_recording = false;
    do
        parse(whole);
    while (r->must_repeat && !r->raw->is_out_of_memory);
    r->is_recording = true;
    parse(whole);
    reading = NULL;
    pthread_mutex_unlock(&lexer);
}

/* Who named a file; NULL: the command line. */
struct named_by {
    const char *file;
    const char *option;
    unsigned line;
};

static void tell_unreadable(struct reader *r, const struct named_by *by,
                            const char *path, unsigned line, const char *why)
{
    r->raw->is_broken = true;
    if (by && !line)
        wb_problem_add(r->problems, WB_ERROR, by->file, by->line, by->option,
                       "%s cannot be read: %s", path, why);
    else
        wb_problem_add(r->problems, WB_ERROR, path, line, NULL,
                       "cannot be read: %s%s", why,
                       by ? "" : "; -c FILE names another");
}

static bool is_new(struct reader *r, const char *path)
{
    struct stat st;
    struct seen *made;

    if (stat(path, &st))
        return true; /* reading it will tell */
    for (const struct seen *s = r->seen; s; s = s->next)
        if (s->device == st.st_dev && s->inode == st.st_ino)
            return false;
    made = wb_pool_alloc(r->raw->pool, sizeof *made);
    if (!made) {
        r->raw->is_out_of_memory = true;
        return false;
    }
    *made = (struct seen){st.st_dev, st.st_ino, r->seen};
    r->seen = made;
    return true;
}

static void read_file(struct reader *r, const char *path,
                      const struct named_by *by, unsigned depth);

static int stops_glob(const char *path, int error)
{
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static void include_each(struct reader *r, const glob_t *found,
                         const struct named_by *by, unsigned depth)
{
    for (size_t i = 0; i < found->gl_pathc; i++) {
        const char *path = wb_pool_strdup(r->raw->pool, found->gl_pathv[i]);
        if (path)
            read_file(r, path, by, depth + 1);
        else
            r->raw->is_out_of_memory = true;
    }
}

static void include(struct reader *r, const struct wb_raw_value *value,
                    const struct named_by *by, unsigned depth)
{
    const char *pattern = wb_path_beside(r->raw->pool, by->file, value->text);
    glob_t found = {0};
    int rc;

    if (!pattern) {
        r->raw->is_out_of_memory = true;
        return;
    }
    rc = glob(pattern, 0, stops_glob, &found);
    if (rc == 0)
        include_each(r, &found, by, depth);
    else if (rc == GLOB_NOSPACE)
        r->raw->is_out_of_memory = true;
    else if (rc == GLOB_ABORTED)
        tell_unreadable(r, by, pattern, 0, "a folder cannot be read");
    else if (!strpbrk(value->text, "*?["))
        tell_unreadable(r, by, pattern, 0, "No such file or directory");
    globfree(&found);
}

static void read_file(struct reader *r, const char *path,
                      const struct named_by *by, unsigned depth)
{
    const char *why;
    unsigned line;
    char *text;
    const struct wb_raw_option *option;

    if (depth > MAX_DEPTH || !is_new(r, path)) {
        tell_unreadable(r, by, path, 0,
                        depth > MAX_DEPTH ? "includes are nested too deeply"
                                          : "it is already included; each "
                                            "file can be included once");
        return;
    }
    text = wb_text_read(r->raw->pool, path, MAX_FILE_OCTETS, &why, &line);
    if (!text && why) {
        tell_unreadable(r, by, path, line, why);
        return;
    }
    r->file = path;
    if (text)
        read_text(r, text);
    if (!text || !r->top) {
        r->raw->is_out_of_memory = true;
        return;
    }
    option = wb_raw_find(r->top, "include");
    for (size_t i = 0; option && i < option->count; i++) {
        struct named_by self = {path, "include", option->values[i].line};
        include(r, &option->values[i], &self, depth);
    }
}

void wb_raw_read(struct wb_raw *raw, const char *path,
                 struct wb_problems *problems)
{
    struct reader r = {.raw = raw, .problems = problems};
    const char *kept = wb_pool_strdup(raw->pool, path);

    if (kept)
        read_file(&r, kept, NULL, 0);
    else
        raw->is_out_of_memory = true;
}
