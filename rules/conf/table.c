#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/names.h"
#include "conf/raw.h"
#include "conf/schema.h"

enum { MAX_COLUMNS = 64 };

struct table {
    const char *path;
    const char *base_name;
    const struct wb_schema_section *schema;
    struct wb_problems *problems;
    struct wb_pool *pool;             /* the line at hand */
    const char *columns[MAX_COLUMNS]; /* NULL: unknown, told */
    size_t column_count;
    unsigned line;
    bool is_out_of_memory;
};

static char *next_cell(char **rest)
{
    return strsep(rest, "\t");
}

/* Blanks around a cell are the editor's. */
static char *trim(char *s)
{
    char *end;

    s += strspn(s, " ");
    for (end = s + strlen(s); end > s && end[-1] == ' '; end--)
        ;
    *end = '\0';
    return s;
}

static const char *column_name(const struct table *t, const char *cell)
{
    const struct wb_option *option = wb_schema_option(t->schema, cell);

    return strcmp(cell, "name") == 0 ? "name" : option ? option->name : NULL;
}

static void tell_column(struct table *t, const char *cell)
{
    const char *nearest = "name";
    size_t best = SIZE_MAX;

    wb_name_is_closer(nearest, cell, &best);
    for (size_t i = 0; i < t->schema->count; i++)
        if (wb_name_is_closer(t->schema->options[i].name, cell, &best))
            nearest = t->schema->options[i].name;
    if (best != SIZE_MAX)
        wb_problem_add(t->problems, WB_ERROR, t->path, t->line, cell,
                       "unknown column; did you mean \"%s\"?", nearest);
    else
        wb_problem_add(t->problems, WB_ERROR, t->path, t->line, cell,
                       "unknown column; the first line names the options of a "
                       "%s, parted by tabs",
                       t->schema->kind);
}

static void read_header(struct table *t, char *text)
{
    for (char *cell; (cell = next_cell(&text));) {
        cell = trim(cell);
        const char *name = column_name(t, cell);
        if (t->column_count == MAX_COLUMNS) {
            wb_problem_add(t->problems, WB_ERROR, t->path, t->line, NULL,
                           "too many columns; %d are the most", MAX_COLUMNS);
            return;
        }
        if (!name)
            tell_column(t, cell);
        for (size_t i = 0; name && i < t->column_count; i++)
            if (t->columns[i] == name)
                wb_problem_add(t->problems, WB_ERROR, t->path, t->line, name,
                               "two columns have this name; one is right");
        t->columns[t->column_count++] = name;
    }
}

static void add_value(struct table *t, struct wb_raw_option *option, char *text)
{
    if (!wb_raw_add_value(t->pool, option, trim(text), t->line))
        t->is_out_of_memory = true;
}

/* "Subject: ^welcome" */
static void add_header(struct table *t, struct wb_raw_option *option,
                       char *cell)
{
    char *colon = strchr(cell, ':');

    if (colon)
        *colon = '\0';
    add_value(t, option, cell);
    if (colon)
        add_value(t, option, colon + 1);
}

/* A regex may hold commas, so one that comes first is the only entry. */
static void add_list(struct table *t, struct wb_raw_option *option, char *cell)
{
    if (*cell == '/') {
        add_value(t, option, cell);
        return;
    }
    for (char *entry; (entry = strsep(&cell, ","));)
        add_value(t, option, entry);
}

static void add_cell(struct table *t, struct wb_raw_section *row,
                     const char *name, char *cell)
{
    const struct wb_option *schema = wb_schema_option(t->schema, name);
    struct wb_raw_option *option =
        wb_raw_add_option(t->pool, row, name, t->line);

    if (!option)
        t->is_out_of_memory = true;
    else if (!wb_option_is_list(schema))
        add_value(t, option, cell);
    else if (strcmp(name, "header") == 0)
        add_header(t, option, cell);
    else
        add_list(t, option, cell);
}

static void set_title(struct table *t, struct wb_raw_section *row)
{
    /* Only the name of a rule is never written elsewhere. */
    if (row->title)
        return;
    if (strcmp(t->schema->kind, "rule") != 0) {
        wb_problem_add(t->problems, WB_ERROR, t->path, t->line, "name",
                       "is missing; a %s needs one", t->schema->kind);
        return;
    }
    row->title = wb_pool_printf(t->pool, "%s:%u", t->base_name, t->line);
    if (!row->title)
        t->is_out_of_memory = true;
}

static bool read_row(struct table *t, char *text, struct wb_raw_section *row)
{
    size_t i = 0;

    *row = (struct wb_raw_section){
        .kind = t->schema->kind, .file = t->path, .line = t->line};
    for (char *cell; (cell = next_cell(&text)); i++) {
        cell = trim(cell);
        if (i >= t->column_count) {
            wb_problem_add(t->problems, WB_ERROR, t->path, t->line, NULL,
                           "has more cells than the first line, %zu; cells are "
                           "parted by single tabs",
                           t->column_count);
            return false;
        }
        if (!*cell || !t->columns[i])
            continue;
        if (strcmp(t->columns[i], "name") == 0)
            row->title = cell;
        else
            add_cell(t, row, t->columns[i], cell);
    }
    set_title(t, row);
    return row->title != NULL && !t->is_out_of_memory;
}

/* Take off the end of the line; false for lines that say nothing. */
static bool tidy_line(struct table *t, char *text, size_t length)
{
    if (memchr(text, '\0', length)) {
        wb_problem_add(t->problems, WB_ERROR, t->path, t->line, NULL,
                       "holds a NUL octet, so it is not text");
        return false;
    }
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    return *text != '#' && text[strspn(text, " \t")] != '\0';
}

static void read_lines(struct table *t, FILE *in, wb_row_function *function,
                       void *context)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    while (!t->is_out_of_memory && (length = getline(&line, &room, in)) >= 0) {
        struct wb_raw_section row;
        char *text = line;
        if (++t->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
            text += 3;
            length -= 3;
        }
        if (!tidy_line(t, text, (size_t)length))
            continue;
        if (t->column_count == 0)
            read_header(t, text);
        else if (read_row(t, text, &row))
            function(context, &row);
        wb_pool_reset(t->pool);
    }
    free(line);
}

static const char *read_all(struct table *t, wb_row_function *function,
                            void *context)
{
    const char *fault;
    FILE *in = wb_raw_open(t->path, &fault);

    if (in) {
        read_lines(t, in, function, context);
        if (ferror(in))
            fault = strerrordesc_np(errno);
        else if (t->column_count == 0)
            fault = "its first line, which names the columns, is missing";
    }
    if (in)
        fclose(in);
    return fault;
}

bool wb_table_read(const char *path, const char *kind,
                   const struct wb_raw_option *named_by,
                   wb_row_function *function, void *context,
                   struct wb_problems *problems)
{
    const char *slash = strrchr(path, '/');
    struct table t = {.path = path,
                      .base_name = slash ? slash + 1 : path,
                      .schema = wb_schema_section(kind),
                      .problems = problems,
                      .pool = wb_pool_new(0)};
    const char *fault = t.pool ? read_all(&t, function, context) : NULL;

    if (!t.pool || t.is_out_of_memory)
        fault = "out of memory";
    if (fault)
        wb_problem_add(problems, WB_ERROR, named_by->file, named_by->line,
                       named_by->name, "%s cannot be read: %s", path, fault);
    wb_pool_free(t.pool);
    return !fault;
}
