/* master.cf: services and their -o options. */
#include <ctype.h>
#include <string.h>

#include "tool/maps/cf.h"
#include "tool/maps/memory.h"

/* A word of an entry; "{ ... }" is one word. */
struct word {
    size_t start, end;
};

struct words {
    struct word *items;
    size_t count;
};

/* One "-o name=value" or "-oname=value" of an entry. */
struct option {
    size_t start;       /* of "-o" */
    size_t name, value; /* where they begin */
    size_t value_end;
    size_t end; /* past the word */
    bool has_braces;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Past a comment line that begins at text[at], or at itself. */
static size_t past_comment(const char *text, size_t at, size_t start)
{
    size_t look = at;

    if (at > start && text[at - 1] != '\n')
        return at;
    while (text[look] == ' ' || text[look] == '\t')
        look++;
    if (text[look] != '#')
        return at;
    return look + strcspn(text + look, "\n");
}

static size_t word_end(const char *text, size_t at, size_t end)
{
    int depth = 0;
    bool has_braces = text[at] == '{';

    for (; at < end; at++) {
        if (depth == 0 && is_blank(text[at]))
            break;
        if (has_braces)
            depth += (text[at] == '{') - (text[at] == '}');
    }
    return at;
}

static struct words split(struct wb_pool *pool, const char *text,
                          const struct wb_cf_entry *entry)
{
    struct words w = {
        wb_must(wb_pool_array(pool, (entry->end - entry->start) / 2 + 1,
                              sizeof(struct word))),
        0};

    for (size_t at = entry->start; at < entry->end;) {
        size_t next = past_comment(text, at, entry->start);

        if (next != at) {
            at = next;
        } else if (is_blank(text[at])) {
            at++;
        } else {
            w.items[w.count].start = at;
            at = word_end(text, at, entry->end);
            w.items[w.count++].end = at;
        }
    }
    return w;
}

/* The option whose "-o" is words[*i]; *i then is its last word. */
static bool read_option(const char *text, const struct words *w, size_t *i,
                        struct option *o)
{
    const struct word *word = &w->items[*i];
    const char *equals;

    if (strncmp(text + word->start, "-o", 2) != 0)
        return false;
    o->start = word->start;
    o->name = word->start + 2;
    if (word->end - word->start == 2) {
        if (++*i >= w->count)
            return false;
        word = &w->items[*i];
        o->name = word->start;
    }
    o->end = o->value_end = word->end;
    o->has_braces = text[o->name] == '{';
    if (o->has_braces) {
        for (o->name++; is_blank(text[o->name]); o->name++)
            ;
        o->value_end--;
    }
    equals = memchr(text + o->name, '=', o->value_end - o->name);
    o->value = equals == NULL ? o->value_end : (size_t)(equals - text) + 1;
    return equals != NULL;
}

static bool is_named(const char *text, const struct option *o, const char *name)
{
    size_t octets = strlen(name);
    const char *rest = text + o->name + octets;

    if (strncmp(text + o->name, name, octets) != 0)
        return false;
    return rest[strspn(rest, " \t")] == '=';
}

static char *trimmed(struct wb_pool *pool, const char *text, size_t from,
                     size_t to)
{
    while (from < to && is_blank(text[from]))
        from++;
    while (to > from && is_blank(text[to - 1]))
        to--;
    return wb_slice(pool, text, from, to);
}

void wb_master_fields(struct wb_pool *pool, const struct wb_cf *cf,
                      const struct wb_cf_entry *entry, struct wb_master *out)
{
    const char *fields[8] = {"", "", "", "", "", "", "", ""};
    struct words w = split(pool, cf->text, entry);

    for (size_t i = 0; i < 8 && i < w.count; i++)
        fields[i] = wb_slice(pool, cf->text, w.items[i].start, w.items[i].end);
    *out = (struct wb_master){fields[0], fields[1], fields[4], fields[7]};
}

char *wb_master_option(struct wb_pool *pool, const struct wb_cf *cf,
                       const struct wb_cf_entry *entry, const char *name)
{
    struct words w = split(pool, cf->text, entry);
    char *value = NULL;

    for (size_t i = 8; i < w.count; i++) {
        struct option o;

        if (read_option(cf->text, &w, &i, &o) && is_named(cf->text, &o, name))
            value = trimmed(pool, cf->text, o.value, o.value_end);
    }
    return value;
}

char *wb_master_prepend(struct wb_pool *pool, const char *text, const char *key,
                        const char *name, const char *variable, bool even_empty)
{
    struct wb_cf cf;
    const struct wb_cf_entry *entry;
    struct words w;
    char *out = wb_say(pool, "%s", text);
    size_t grown = 0;

    wb_cf_parse(pool, WB_MASTER_CF, text, &cf);
    entry = wb_cf_find(&cf, key);
    if (entry == NULL)
        return out;
    w = split(pool, text, entry);
    for (size_t i = 8; i < w.count; i++) {
        struct option o;
        const char *with;
        bool is_empty;

        if (!read_option(text, &w, &i, &o) || !is_named(text, &o, name))
            continue;
        is_empty = *trimmed(pool, text, o.value, o.value_end) == '\0';
        if (is_empty && !even_empty)
            continue;
        with = wb_say(pool, "%s$%s%s", o.has_braces ? " " : "", variable,
                      is_empty ? "" : ",");
        out = wb_splice(pool, out, o.value + grown, o.value + grown, with);
        grown += strlen(with);
    }
    return out;
}

char *wb_master_append(struct wb_pool *pool, const char *text, const char *key,
                       const char *name, const char *value)
{
    struct wb_cf cf;
    const struct wb_cf_entry *entry;
    size_t at;

    wb_cf_parse(pool, WB_MASTER_CF, text, &cf);
    entry = wb_cf_find(&cf, key);
    if (entry == NULL)
        return wb_say(pool, "%s", text);
    at = entry->end;
    if (at > 0 && text[at - 1] == '\n')
        at--;
    return wb_splice(pool, text, at, at,
                     wb_say(pool, "\n  -o %s=%s", name, value));
}

/* Options that only waybill writes into an admin's service. */
static bool is_own_option(struct wb_pool *pool, const char *text,
                          const struct option *o)
{
    static const char *const own[] = {
        "$waybill_content_filter", "$waybill_filtered_milters",
        "waybill-cleanup-bounce", "$waybill_bounce_classes"};
    const char *value = trimmed(pool, text, o->value, o->value_end);

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(value, own[i]) == 0)
            return true;
    }
    return false;
}

/* Where the gap in front of an option begins: at most one line break, since
 * wb_master_append made one. */
static size_t gap_start(const char *text, size_t at, size_t start)
{
    while (at > start && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    if (at > start && text[at - 1] == '\n')
        at--;
    return at;
}

/* A copy of the entry without waybill's options. */
static char *drop_options(struct wb_pool *pool, const struct wb_cf *cf,
                          const struct wb_cf_entry *entry)
{
    struct words w = split(pool, cf->text, entry);
    struct wb_text t;
    size_t at = entry->start;

    wb_text_open(&t);
    for (size_t i = 8; i < w.count; i++) {
        struct option o;
        size_t from;

        if (!read_option(cf->text, &w, &i, &o) ||
            !is_own_option(pool, cf->text, &o))
            continue;
        from = gap_start(cf->text, o.start, at);
        fwrite(cf->text + at, 1, from - at, t.file);
        at = o.end;
    }
    fwrite(cf->text + at, 1, entry->end - at, t.file);
    return wb_text_close(&t, pool);
}

/* "$waybill_x," in front of an admin's value. */
static void copy_without_references(FILE *out, const char *text)
{
    while (*text != '\0') {
        const char *at = text + (text[0] == ' ' && text[1] == '$');

        if (strncmp(at, "$waybill_", 9) != 0) {
            fputc(*text++, out);
            continue;
        }
        for (at++; isalnum((unsigned char)*at) || *at == '_'; at++)
            ;
        text = at + (*at == ',');
    }
}

static bool is_own_service(struct wb_pool *pool, const struct wb_cf *cf,
                           const struct wb_cf_entry *entry)
{
    const char *daemon, *milters;

    if (strncmp(entry->key, "waybill-", 8) == 0)
        return true;
    milters = wb_master_option(pool, cf, entry, "smtpd_milters");
    if (milters != NULL && strcmp(milters, WB_LISTENER_MILTERS) == 0)
        return true;
    daemon = wb_master_option(pool, cf, entry, "milter_macro_daemon_name");
    return daemon != NULL && (strcmp(daemon, WB_LOOPBACK_LISTENER) == 0 ||
                              strcmp(daemon, WB_AGAIN_LISTENER) == 0);
}

static void copy_trivia(FILE *out, const char *text, size_t from, size_t to)
{
    while (from < to) {
        size_t octets = strcspn(text + from, "\n") + 1;

        if (octets > to - from)
            octets = to - from;
        if (strncmp(text + from, "# waybill: ", 11) != 0)
            fwrite(text + from, 1, octets, out);
        from += octets;
    }
}

char *wb_master_revert(struct wb_pool *pool, const char *text)
{
    struct wb_cf cf;
    struct wb_text t;
    size_t at = 0;

    wb_cf_parse(pool, WB_MASTER_CF, text, &cf);
    wb_text_open(&t);
    for (size_t i = 0; i < cf.count; i++) {
        const struct wb_cf_entry *e = &cf.entries[i];

        copy_trivia(t.file, text, at, e->start);
        if (!is_own_service(pool, &cf, e))
            copy_without_references(t.file, drop_options(pool, &cf, e));
        at = e->end;
    }
    copy_trivia(t.file, text, at, strlen(text));
    return wb_cf_uncut(pool, text, wb_text_close(&t, pool));
}
