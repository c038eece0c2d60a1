#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/check.h"

typedef void converter(struct wb_checker *c, const struct wb_option *option,
                       const struct wb_raw_option *raw, void *target);

static void *field(void *target, size_t offset)
{
    return (char *)target + offset;
}

static unsigned first_line(const struct wb_raw_option *option)
{
    return option->count ? option->values[0].line : option->line;
}

static void __attribute__((format(printf, 4, 5)))
tell(struct wb_checker *c, const struct wb_raw_option *option, size_t i,
     const char *format, ...)
{
    char text[600];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wb_problem_add(c->problems, WB_ERROR, option->file, option->values[i].line,
                   option->name, "%s", text);
}

void wb_option_tell(struct wb_checker *c, const struct wb_raw_option *option,
                    const char *format, ...)
{
    char text[600];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wb_problem_add(c->problems, WB_ERROR, option->file, first_line(option),
                   option->name, "%s", text);
}

const char *wb_raw_text(const struct wb_raw_section *section, const char *name)
{
    const struct wb_raw_option *option = wb_raw_find(section, name);

    return option && option->count == 1 && *option->values[0].text
               ? option->values[0].text
               : NULL;
}

static void *noted(struct wb_checker *c, void *allocated)
{
    if (!allocated)
        c->is_out_of_memory = true;
    return allocated;
}

const char *wb_checker_copy(struct wb_checker *c, const char *text)
{
    return noted(c, wb_pool_strdup(c->pool, text));
}

void *wb_array_push(struct wb_checker *c, void *array, size_t *count,
                    size_t octets)
{
    char *grown = array;

    if ((*count & (*count - 1)) == 0)
        grown = noted(c, reallocarray(array, *count ? 2 * *count : 1, octets));
    if (grown)
        memset(grown + (*count)++ * octets, 0, octets);
    return grown;
}

static void to_text(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    const char *text = raw->values[0].text;

    *(const char **)field(target, option->offset) =
        *text ? wb_checker_copy(c, text) : NULL;
}

/* The daemon changes to "/", so paths must not depend on where it began. */
static void to_path(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    const char *text = raw->values[0].text;
    const char *path = NULL;
    char *here;

    if (*text) {
        path = noted(c, (char *)wb_path_beside(c->pool, raw->file, text));
        if (path && *path != '/' && (here = getcwd(NULL, 0))) {
            path = noted(c, wb_pool_printf(c->pool, "%s/%s", here, path));
            free(here);
        }
    }
    *(const char **)field(target, option->offset) = path;
}

/* "none, starttls or tls" */
static void list_words(const struct wb_word *words, char *out, size_t room)
{
    size_t used = 0;

    *out = '\0';
    for (const struct wb_word *w = words; w->text && used < room; w++) {
        bool is_last = !w[1].text || w[1].is_alias;
        const char *before = w == words ? "" : is_last ? " or " : ", ";
        if (!w->is_alias)
            used += (size_t)snprintf(out + used, room - used, "%s%s", before,
                                     w->text);
    }
}

static void to_word(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    char right[200];

    for (const struct wb_word *w = option->words; w->text; w++)
        if (strcmp(w->text, raw->values[0].text) == 0) {
            if (option->offset != WB_NOT_STORED)
                memcpy(field(target, option->offset), &w->value,
                       sizeof w->value);
            return;
        }
    list_words(option->words, right, sizeof right);
    tell(c, raw, 0, "\"%s\" is not known; %s is right", raw->values[0].text,
         right);
}

static void to_flag(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    const char *text = raw->values[0].text;
    bool is_yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;

    if (is_yes || strcmp(text, "no") == 0 || strcmp(text, "false") == 0)
        *(bool *)field(target, option->offset) = is_yes;
    else
        tell(c, raw, 0, "\"%s\" is not known; yes or no is right", text);
}

static bool parse_number(struct wb_checker *c, const struct wb_option *option,
                         const struct wb_raw_option *raw, int64_t *out)
{
    const char *text = raw->values[0].text;
    const char *figures = text + (*text == '-');
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (!strchr("0123456789", *figures) || !*figures || *end)
        tell(c, raw, 0, "\"%s\" is not a number; %lld to %lld is right", text,
             (long long)option->min, (long long)option->max);
    else if (errno || *out < option->min || *out > option->max)
        tell(c, raw, 0, "%s is out of bounds; %lld to %lld is right", text,
             (long long)option->min, (long long)option->max);
    else
        return true;
    return false;
}

static void to_number(struct wb_checker *c, const struct wb_option *option,
                      const struct wb_raw_option *raw, void *target)
{
    int64_t number;
    uint32_t bits;

    if (!parse_number(c, option, raw, &number))
        return;
    bits = (uint32_t)number; /* int, unsigned and uint32_t alike */
    memcpy(field(target, option->offset), &bits, sizeof bits);
}

static void to_size(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    int64_t number;

    if (parse_number(c, option, raw, &number))
        *(size_t *)field(target, option->offset) =
            (size_t)number * (option->scale ? option->scale : 1);
}

static void to_mode(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    const char *text = raw->values[0].text;
    size_t figures = strspn(text, "01234567");

    if (text[figures] || figures < 3 || figures > 4 ||
        (figures == 4 && *text != '0'))
        tell(c, raw, 0,
             "\"%s\" is not a mode; octal digits such as 0660 are right", text);
    else
        *(mode_t *)field(target, option->offset) =
            (mode_t)strtoul(text, NULL, 8);
}

static void store_strings(struct wb_checker *c, const struct wb_option *option,
                          const struct wb_raw_option *raw, void *target,
                          char *copy(struct wb_pool *, const char *))
{
    const char **items =
        noted(c, wb_pool_array(c->pool, raw->count, sizeof *items));
    struct wb_strings *out = field(target, option->offset);
    size_t count = 0;

    for (size_t i = 0; items && i < raw->count; i++)
        if (!*raw->values[i].text)
            tell(c, raw, i, "an entry is empty; leave it out");
        else if (!(items[count++] =
                       noted(c, copy(c->pool, raw->values[i].text))))
            return;
    *out = (struct wb_strings){.items = items, .count = count};
}

static void to_list(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    store_strings(c, option, raw, target, wb_pool_strdup);
}

static void to_lower(struct wb_checker *c, const struct wb_option *option,
                     const struct wb_raw_option *raw, void *target)
{
    store_strings(c, option, raw, target, wb_pool_strlower);
}

static void to_domains(struct wb_checker *c, const struct wb_option *option,
                       const struct wb_raw_option *raw, void *target)
{
    for (size_t i = 0; i < raw->count; i++) {
        const char *fault = wb_domain_fault(raw->values[i].text);
        if (fault && *raw->values[i].text)
            tell(c, raw, i, "\"%s\" %s", raw->values[i].text, fault);
    }
    store_strings(c, option, raw, target, wb_pool_strlower);
}

static void to_addresses(struct wb_checker *c, const struct wb_option *option,
                         const struct wb_raw_option *raw, void *target)
{
    struct wb_addrlist *out = field(target, option->offset);
    struct wb_err err;

    out->entries =
        noted(c, wb_pool_array(c->pool, raw->count, sizeof *out->entries));
    for (size_t i = 0; out->entries && i < raw->count; i++) {
        int rc = wb_addrspec_parse(c->pool, raw->values[i].text,
                                   &out->entries[out->count], &err);
        if (rc == EX_OK)
            out->count++;
        else if (rc == EX_OSERR)
            c->is_out_of_memory = true;
        else
            tell(c, raw, i, "%s", err.text);
    }
}

static void to_networks(struct wb_checker *c, const struct wb_option *option,
                        const struct wb_raw_option *raw, void *target)
{
    struct wb_network *networks =
        noted(c, wb_pool_array(c->pool, raw->count, sizeof *networks));
    size_t count = 0;
    struct wb_err err;

    for (size_t i = 0; networks && i < raw->count; i++) {
        if (wb_network_parse(raw->values[i].text, &networks[count], &err))
            tell(c, raw, i, "%s", err.text);
        else
            count++;
    }
    *(struct wb_network **)field(target, option->offset) = networks;
    *(size_t *)field(target, option->count_offset) = count;
}

static converter *const converters[WB_TYPE_COUNT] = {
    [WB_TYPE_TEXT] = to_text,           [WB_TYPE_PATH] = to_path,
    [WB_TYPE_WORD] = to_word,           [WB_TYPE_FLAG] = to_flag,
    [WB_TYPE_NUMBER] = to_number,       [WB_TYPE_SIZE] = to_size,
    [WB_TYPE_MODE] = to_mode,           [WB_TYPE_LIST] = to_list,
    [WB_TYPE_LOWER] = to_lower,         [WB_TYPE_DOMAINS] = to_domains,
    [WB_TYPE_ADDRESSES] = to_addresses, [WB_TYPE_NETWORKS] = to_networks,
};

/* What is refused whatever the option. */
static bool is_plain(struct wb_checker *c, const struct wb_option *option,
                     const struct wb_raw_option *raw)
{
    bool plain = true;

    if (!wb_option_is_list(option) && raw->count != 1) {
        wb_option_tell(c, raw, "takes one value; %s = VALUE is right",
                       raw->name);
        return false;
    }
    for (size_t i = 0; i < raw->count; i++) {
        const char *text = raw->values[i].text;
        if (strpbrk(text, "\r\n")) {
            tell(c, raw, i, "holds a line break; one line is right");
            plain = false;
        }
    }
    return plain;
}

static void convert(struct wb_checker *c, const struct wb_option *option,
                    const struct wb_raw_option *raw, void *target)
{
    /* An empty text is as good as none; an empty number is not. */
    bool is_empty = raw->count == 1 && !*raw->values[0].text;

    if (raw->twice_line)
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->twice_line,
                       raw->name, "given twice, first on line %u; give it once",
                       raw->line);
    if (!is_plain(c, option, raw))
        return;
    if (option->offset != WB_NOT_STORED)
        converters[option->type](c, option, raw, target);
    else if (option->type == WB_TYPE_WORD && !is_empty)
        to_word(c, option, raw, NULL);
}

static void convert_default(struct wb_checker *c,
                            const struct wb_option *option, const char *file,
                            void *target)
{
    struct wb_raw_value values[4];
    struct wb_raw_option raw = {
        .name = option->name, .file = file, .values = values};
    char *text = noted(c, wb_pool_strdup(c->scratch, option->fallback));
    char *rest = NULL;

    if (!text || option->offset == WB_NOT_STORED)
        return;
    for (char *s = strtok_r(text, ", ", &rest);
         s && raw.count < sizeof values / sizeof *values;
         s = strtok_r(NULL, ", ", &rest))
        values[raw.count++] = (struct wb_raw_value){.text = s};
    convert(c, option, &raw, target);
}

/* The section of waybill.conf that has such an option; NULL: none or
 * several. */
static const struct wb_schema_section *home_of(const char *name)
{
    size_t count;
    const struct wb_schema_section *all = wb_schema(&count);
    const struct wb_schema_section *found = NULL;

    for (size_t i = 0; i < count; i++)
        if (!all[i].is_apart && wb_schema_option(&all[i], name)) {
            if (found)
                return NULL;
            found = &all[i];
        }
    return found;
}

static const char *nearest_option(const struct wb_schema_section *schema,
                                  const char *name)
{
    const char *found = NULL;
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < schema->count; i++)
        if (wb_name_is_closer(schema->options[i].name, name, &best))
            found = schema->options[i].name;
    return found;
}

/* "host, port and tls" */
static const char *all_options(struct wb_checker *c,
                               const struct wb_schema_section *schema)
{
    const char *list = schema->options[0].name;

    for (size_t i = 1; list && i < schema->count; i++)
        list = wb_pool_printf(c->scratch, "%s%s%s", list,
                              i + 1 < schema->count ? ", " : " and ",
                              schema->options[i].name);
    return list ? list : "";
}

static void tell_unknown(struct wb_checker *c,
                         const struct wb_schema_section *schema,
                         const struct wb_raw_option *raw)
{
    const char *nearest = nearest_option(schema, raw->name);
    const struct wb_schema_section *home = home_of(raw->name);

    if (home && *home->kind)
        wb_option_tell(c, raw, "unknown option here; it belongs into a %s",
                       home->kind);
    else if (home)
        wb_option_tell(c, raw,
                       "unknown option here; it belongs outside of sections");
    else if (nearest)
        wb_option_tell(c, raw, "unknown option; did you mean \"%s\"?", nearest);
    else if (*schema->kind)
        wb_option_tell(c, raw, "unknown option; %s has %s", schema->kind,
                       all_options(c, schema));
    else
        wb_option_tell(c, raw, "unknown option; waybill.conf(5) names all");
}

void wb_section_convert(struct wb_checker *c,
                        const struct wb_schema_section *schema,
                        const struct wb_raw_section *raw, void *target)
{
    wb_digest_add(c->digest, raw);
    for (size_t i = 0; i < raw->option_count; i++)
        if (!wb_schema_option(schema, raw->options[i].name))
            tell_unknown(c, schema, &raw->options[i]);
    for (size_t i = 0; i < schema->count; i++) {
        const struct wb_option *option = &schema->options[i];
        const struct wb_raw_option *given = wb_raw_find(raw, option->name);
        if (given)
            convert(c, option, given, target);
        else if (option->fallback)
            convert_default(c, option, raw->file, target);
    }
}
