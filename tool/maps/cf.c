/* main.cf, and what both files share. */
#include "tool/maps/cf.h"

#include <ctype.h>
#include <string.h>

#include "tool/maps/memory.h"

#define BEGIN_MARK                                                             \
    "# waybill: begin; \"waybill apply\" made this, \"waybill apply --undo\" " \
    "removes it.\n"
#define CUT_MARK "# waybill: the line before had no end.\n"
#define END_MARK "# waybill: end.\n"
#define ANY_MARK "# waybill: "

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t line_end(const char *text, size_t at)
{
    const char *newline = strchr(text + at, '\n');

    return newline == NULL ? strlen(text) : (size_t)(newline - text) + 1;
}

/* Postfix skips lines that are blank or whose first word begins with '#',
 * wherever they stand. */
static bool is_trivia(const char *line)
{
    while (*line == ' ' || *line == '\t' || *line == '\r')
        line++;
    return *line == '#' || *line == '\n' || *line == '\0';
}

static const char *key_of(struct wb_pool *pool, enum wb_cf_kind kind,
                          const char *line)
{
    size_t name = strcspn(line, kind == WB_MAIN_CF ? "= \t\r\n" : " \t\r\n");
    const char *type = line + name;
    size_t octets;

    if (kind == WB_MAIN_CF)
        return wb_slice(pool, line, 0, name);
    type += strspn(type, " \t\r\n");
    octets = strcspn(type, " \t\r\n");
    return wb_say(pool, "%.*s/%.*s", (int)name, line, (int)octets, type);
}

void wb_cf_parse(struct wb_pool *pool, enum wb_cf_kind kind, const char *text,
                 struct wb_cf *out)
{
    size_t lines = 1;
    struct wb_cf_entry *last = NULL;

    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    out->kind = kind;
    out->text = text;
    out->count = 0;
    out->entries = wb_must(wb_pool_array(pool, lines, sizeof *out->entries));
    for (size_t at = 0; text[at] != '\0';) {
        size_t end = line_end(text, at);

        if (!is_trivia(text + at)) {
            if (!is_blank(text[at]) || last == NULL) {
                last = &out->entries[out->count++];
                last->key = key_of(pool, kind, text + at);
                last->start = at;
            }
            last->end = end;
        }
        at = end;
    }
}

const struct wb_cf_entry *wb_cf_find(const struct wb_cf *cf, const char *key)
{
    for (size_t i = cf->count; i-- > 0;) {
        if (strcmp(cf->entries[i].key, key) == 0)
            return &cf->entries[i];
    }
    return NULL;
}

char *wb_cf_join(struct wb_pool *pool, const struct wb_cf *cf,
                 const struct wb_cf_entry *entry)
{
    struct wb_text t;
    bool is_first = true;

    wb_text_open(&t);
    for (size_t at = entry->start; at < entry->end;) {
        size_t end = line_end(cf->text, at);

        if (!is_trivia(cf->text + at)) {
            size_t from = at, to = end;

            while (from < to && is_blank(cf->text[from]))
                from++;
            while (to > from && is_blank(cf->text[to - 1]))
                to--;
            fprintf(t.file, "%s%.*s", is_first ? "" : " ", (int)(to - from),
                    cf->text + from);
            is_first = false;
        }
        at = end;
    }
    return wb_text_close(&t, pool);
}

char *wb_cf_value(struct wb_pool *pool, const struct wb_cf *cf,
                  const struct wb_cf_entry *entry)
{
    const char *line = wb_cf_join(pool, cf, entry);
    const char *value = strchr(line, '=');

    if (value == NULL)
        return wb_say(pool, "%s", "");
    for (value++; is_blank(*value); value++)
        ;
    return wb_say(pool, "%s", value);
}

/* Where the value begins: past the first '='. */
static size_t value_start(const char *text, const struct wb_cf_entry *entry)
{
    const char *equals = strchr(text + entry->start, '=');

    if (equals == NULL || (size_t)(equals - text) >= entry->end)
        return entry->end;
    return (size_t)(equals - text) + 1;
}

char *wb_main_prepend(struct wb_pool *pool, const char *text, const char *name,
                      const char *variable)
{
    struct wb_cf cf;
    const struct wb_cf_entry *entry;
    size_t at;
    const char *comma;

    wb_cf_parse(pool, WB_MAIN_CF, text, &cf);
    entry = wb_cf_find(&cf, name);
    if (entry == NULL)
        return NULL;
    at = value_start(text, entry);
    comma = *wb_cf_value(pool, &cf, entry) == '\0' ? "" : ",";
    return wb_splice(pool, text, at, at,
                     wb_say(pool, " $%s%s", variable, comma));
}

char *wb_main_set(struct wb_pool *pool, const char *text, const char *name,
                  const char *value)
{
    struct wb_cf cf;
    const struct wb_cf_entry *entry;

    wb_cf_parse(pool, WB_MAIN_CF, text, &cf);
    entry = wb_cf_find(&cf, name);
    if (entry == NULL)
        return wb_say(pool, "%s", text);
    return wb_splice(
        pool, text, entry->start, entry->end,
        wb_say(pool, "%s =%s%s\n", name, *value ? " " : "", value));
}

char *wb_cf_append_block(struct wb_pool *pool, const char *text,
                         const char *block)
{
    size_t octets = strlen(text);
    bool is_cut = octets > 0 && text[octets - 1] != '\n';

    return wb_say(pool, "%s%s" BEGIN_MARK "%s" END_MARK, text,
                  is_cut ? "\n" CUT_MARK : "", block);
}

/* The inverse of the line break that wb_cf_append_block had to add. */
char *wb_cf_uncut(struct wb_pool *pool, const char *text, char *reverted)
{
    size_t octets = strlen(text), tail = strlen(END_MARK);
    size_t left = strlen(reverted);
    bool ends_with_block =
        octets >= tail && strcmp(text + octets - tail, END_MARK) == 0;

    if (strstr(text, CUT_MARK) == NULL || !ends_with_block || left == 0)
        return reverted;
    return wb_slice(pool, reverted, 0, left - 1);
}

/* Remove " $waybill_x," and its like between from and to. */
static char *drop_references(struct wb_pool *pool, const char *text,
                             size_t from, size_t to)
{
    struct wb_text t;

    wb_text_open(&t);
    while (from < to) {
        size_t at = from + (text[from] == ' ' && text[from + 1] == '$');

        if (strncmp(text + at, "$waybill_", 9) != 0) {
            fputc(text[from++], t.file);
            continue;
        }
        for (at++; isalnum((unsigned char)text[at]) || text[at] == '_'; at++)
            ;
        from = at + (text[at] == ',');
    }
    return wb_text_close(&t, pool);
}

/* Only there because waybill refers to it? */
static bool is_default(struct wb_pool *pool, const char *chunk,
                       const char *name, wb_cf_default *default_of,
                       void *context)
{
    struct wb_cf cf;

    wb_cf_parse(pool, WB_MAIN_CF, chunk, &cf);
    return cf.count == 1 && strcmp(wb_cf_value(pool, &cf, &cf.entries[0]),
                                   default_of(context, name)) == 0;
}

/* text with the lines that waybill's marks stand on gone. */
static void copy_without_marks(FILE *out, const char *text, size_t from,
                               size_t to)
{
    while (from < to) {
        size_t end = line_end(text, from);

        if (end > to)
            end = to;
        if (strncmp(text + from, ANY_MARK, strlen(ANY_MARK)) != 0)
            fwrite(text + from, 1, end - from, out);
        from = end;
    }
}

/* Is it waybill's: by its name, or as a setting of one of waybill's services,
 * within the block? Outside of it that is the admin's. */
static bool is_own(const struct wb_cf_entry *entry, size_t block, size_t end)
{
    if (strncmp(entry->key, "waybill-", 8) == 0)
        return entry->start > block && entry->start < end;
    return strncmp(entry->key, "waybill_", 8) == 0;
}

char *wb_main_revert(struct wb_pool *pool, const char *text,
                     wb_cf_default *default_of, void *context)
{
    const char *mark = strstr(text, BEGIN_MARK);
    const char *tail = mark == NULL ? NULL : strstr(mark, END_MARK);
    size_t block = mark == NULL ? strlen(text) : (size_t)(mark - text);
    size_t end = tail == NULL ? strlen(text) : (size_t)(tail - text);
    struct wb_cf cf;
    struct wb_text t;
    size_t at = 0;

    wb_cf_parse(pool, WB_MAIN_CF, text, &cf);
    wb_text_open(&t);
    for (size_t i = 0; i < cf.count; i++) {
        const struct wb_cf_entry *e = &cf.entries[i];
        const char *chunk = drop_references(pool, text, e->start, e->end);
        bool is_edited = strlen(chunk) != e->end - e->start;

        copy_without_marks(t.file, text, at, e->start);
        at = e->end;
        if (is_own(e, block, end))
            continue;
        if (is_edited && e->start > block &&
            is_default(pool, chunk, e->key, default_of, context))
            continue;
        copy_without_marks(t.file, chunk, 0, strlen(chunk));
    }
    copy_without_marks(t.file, text, at, strlen(text));
    return wb_cf_uncut(pool, text, wb_text_close(&t, pool));
}

bool wb_cf_is_edited(const char *text)
{
    return strstr(text, BEGIN_MARK) != NULL ||
           strstr(text, "$waybill_") != NULL;
}

/* Past the item that begins at text[at]. */
static size_t item_end(const char *text, size_t at)
{
    int depth = 0;

    for (; text[at] != '\0'; at++) {
        if (depth <= 0 && (is_blank(text[at]) || text[at] == ','))
            break;
        depth += (text[at] == '{') - (text[at] == '}');
    }
    return at;
}

struct wb_strings wb_cf_list(struct wb_pool *pool, const char *text)
{
    const char **items =
        wb_must(wb_pool_array(pool, strlen(text) / 2 + 1, sizeof *items));
    size_t count = 0;

    for (size_t at = 0;;) {
        size_t end;

        while (is_blank(text[at]) || text[at] == ',')
            at++;
        if (text[at] == '\0')
            break;
        end = item_end(text, at);
        items[count++] = wb_slice(pool, text, at, end);
        at = end;
    }
    return (struct wb_strings){items, count};
}
