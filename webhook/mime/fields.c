#include "webhook/mime/fields.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/address.h"
#include "mail/header.h"
#include "webhook/mime/text.h"

enum { FIRST_FIELDS = 32 };

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* Octets of a field's name at line, 0: there is none. */
static size_t name_octets(const char *line, size_t octets)
{
    size_t n = 0;

    while (n < octets && line[n] > ' ' && line[n] <= '~' && line[n] != ':')
        n++;
    return n;
}

bool wb_field_begins(const char *line, size_t octets)
{
    size_t n = name_octets(line, octets), at = n;

    while (at < octets && is_wsp(line[at]))
        at++;
    return n > 0 && at < octets && line[at] == ':';
}

/* Octets of the line at text, its LF included. */
static size_t line_octets(const char *text, size_t octets)
{
    const char *lf = memchr(text, '\n', octets);

    return lf != NULL ? (size_t)(lf - text) + 1 : octets;
}

/* A field with the lines that continue it. */
static size_t field_octets(const char *text, size_t octets)
{
    size_t n = line_octets(text, octets);

    while (n < octets && is_wsp(text[n]))
        n += line_octets(text + n, octets - n);
    return n;
}

/* A copy without NUL and without white space at both ends. */
static const char *copy(struct wb_pool *p, const char *text, size_t octets)
{
    char *out = wb_pool_alloc(p, octets + 1);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < octets; i++)
        if (text[i] != '\0' && (n > 0 || strchr(" \t\r\n", text[i]) == NULL))
            out[n++] = text[i];
    while (n > 0 && strchr(" \t\r\n", out[n - 1]) != NULL)
        out[--n] = '\0';
    return out;
}

static bool add(struct wb_pool *p, struct wb_fields *fields, size_t *room,
                const char *text, size_t octets)
{
    const char *colon = memchr(text, ':', octets);
    struct wb_field *f;

    if (fields->count == *room) {
        struct wb_field *more;

        *room = *room > 0 ? 2 * *room : FIRST_FIELDS;
        more = wb_pool_array(p, *room, sizeof *more);
        if (more == NULL)
            return false;
        if (fields->count > 0)
            memcpy(more, fields->items, fields->count * sizeof *more);
        fields->items = more;
    }
    f = &fields->items[fields->count++];
    f->name = wb_pool_strndup(p, text, name_octets(text, octets));
    f->value = copy(p, colon + 1, octets - (size_t)(colon + 1 - text));
    return f->name != NULL && f->value != NULL;
}

int wb_fields_read(struct wb_pool *p, const char *text, size_t octets,
                   size_t most, struct wb_fields *out, size_t *used)
{
    size_t at = 0, room = 0;

    *out = (struct wb_fields){.count = 0};
    while (at < octets && out->count < most &&
           wb_field_begins(text + at, octets - at)) {
        size_t n = field_octets(text + at, octets - at);

        if (!add(p, out, &room, text + at, n))
            return EX_OSERR;
        at += n;
    }
    if (at < octets && text[at] == '\n')
        at++;
    else if (octets - at > 1 && text[at] == '\r' && text[at + 1] == '\n')
        at += 2;
    *used = at;
    return EX_OK;
}

const char *wb_fields_get(const struct wb_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strcasecmp(fields->items[i].name, name) == 0)
            return fields->items[i].value;
    return NULL;
}

const char *wb_field_text(struct wb_pool *p, const char *value)
{
    const char *text = wb_header_decode(p, value, strlen(value));

    /* octets of 8 bits, or ISO-2022-JP, that nothing announces */
    if (text != NULL &&
        (!wb_utf8_is_valid(text, strlen(text)) || strchr(text, '\033') != NULL))
        text = wb_text_guess(p, text);
    return text;
}
