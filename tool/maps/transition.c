#include "tool/maps/transition.h"

#include <string.h>

#include "tool/maps/keyed.h"
#include "tool/maps/memory.h"

struct row {
    const char *key;
};

/* The key of the row at line; NULL: it is no row. */
static const char *row_key(struct wb_pool *pool, const char *line)
{
    return line[0] == '[' ? wb_slice(pool, line, 0, strcspn(line, " \t\n"))
                          : NULL;
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

static const char *with_old_rows(struct wb_pool *pool, const char *text,
                                 const char *before)
{
    struct wb_keyed keys = {0};
    struct wb_text t;

    for (const char *line = text; *line != '\0'; line = next_line(line)) {
        const char *key = row_key(pool, line);

        if (key != NULL)
            wb_keyed_get(&keys, pool, key, sizeof(struct row));
    }
    wb_text_open(&t);
    fputs(text, t.file);
    for (const char *line = before; *line != '\0'; line = next_line(line)) {
        const char *key = row_key(pool, line);

        if (key != NULL && wb_keyed_find(&keys, key) == NULL)
            fwrite(line, 1, (size_t)(next_line(line) - line), t.file);
    }
    wb_keyed_free(&keys);
    return wb_text_close(&t, pool);
}

struct wb_files wb_transition(struct wb_pool *pool,
                              const struct wb_files *files,
                              const struct wb_files *before)
{
    struct wb_files out = {
        .items = wb_must(wb_pool_array(pool, files->count, sizeof *out.items)),
        .count = files->count};

    for (size_t i = 0; i < files->count; i++) {
        struct wb_file *file = &out.items[i];

        *file = files->items[i];
        if (file->has_passwords && before->items[i].text != NULL)
            file->text = with_old_rows(pool, file->text, before->items[i].text);
    }
    return out;
}
