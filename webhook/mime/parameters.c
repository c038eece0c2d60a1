#include "webhook/mime/parameters.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "mail/header.h"
#include "webhook/mime/fields.h"
#include "webhook/mime/text.h"

enum { MOST_PARAMETERS = 100, MOST_SECTIONS = 100 };

/* ---- reading ------------------------------------------------------------ */

/* What is read here:
 *
 *     value     = word *( ";" parameter )
 *     parameter = attribute [ "*" section ] [ "*" ] "=" ( quoted / text )
 *     text      = *( any octet but ";" )      ; spaces are common in names
 *
 * with comments and white space between tokens. */

static const char *skip(const char *s, const char *also)
{
    while (*(s = wb_header_skip_cfws(s)) != '\0' && strchr(also, *s) != NULL)
        s++;
    return s;
}

/* Its octets without white space, up to one of ends. */
static char *take_token(struct wb_pool *p, const char **s, const char *ends)
{
    size_t octets = strcspn(*s, ends), n = 0;
    char *out = wb_pool_strndup(p, *s, octets);

    for (size_t i = 0; out != NULL && i < octets; i++)
        if (strchr(" \t\r\n", out[i]) == NULL)
            out[n++] = out[i];
    if (out != NULL)
        out[n] = '\0';
    *s += octets;
    return out != NULL ? wb_pool_strlower(p, out) : NULL;
}

/* A backslash stands for itself where it protects nothing: C:\file. */
static bool protects(const char *s)
{
    return s[0] == '\\' && (s[1] == '"' || s[1] == '\\');
}

static const char *take_quoted(struct wb_pool *p, const char **s)
{
    const char *start = *s + 1, *end = start;
    size_t n = 0;
    char *out;

    while (*end != '\0' && *end != '"')
        end += protects(end) ? 2 : 1;
    *s = end + strcspn(end, ";");
    out = wb_pool_alloc(p, (size_t)(end - start) + 1);
    for (const char *c = start; out != NULL && c < end; c++) {
        if (protects(c))
            c++;
        if (*c != '\r' && *c != '\n')
            out[n++] = *c;
    }
    return out;
}

/* Octets of text without white space at its end, and without a comment there:
 * "utf-8 (plain)", but not "my file (1).pdf". */
static size_t text_octets(const char *text, size_t octets)
{
    const char *comment = memchr(text, '(', octets);

    while (octets > 0 && strchr(" \t\r\n", text[octets - 1]) != NULL)
        octets--;
    if (octets == 0 || text[octets - 1] != ')' || comment == NULL ||
        comment == text || strchr(" \t", comment[-1]) == NULL)
        return octets;
    return text_octets(text, (size_t)(comment - text));
}

static const char *take_value(struct wb_pool *p, const char **s)
{
    const char *start = *s = skip(*s, "");

    if (*start == '"')
        return take_quoted(p, s);
    *s += strcspn(start, ";");
    return wb_pool_strndup(p, start, text_octets(start, (size_t)(*s - start)));
}

static int read_section(const char *digits)
{
    long section = strtol(digits, NULL, 10);

    return section < MOST_SECTIONS ? (int)section : MOST_SECTIONS;
}

/* "filename*1*": cut its ends off and say what they mean. */
static void read_name(char *name, struct wb_parameter *out)
{
    char *star = strchr(name, '*');
    size_t octets = strlen(name);

    out->name = name;
    out->section = -1;
    if (star == NULL)
        return;
    if (name[octets - 1] == '*') {
        out->is_extended = true;
        name[octets - 1] = '\0';
    }
    if (star[0] == '*' && star[1] >= '0' && star[1] <= '9')
        out->section = read_section(star + 1);
    *star = '\0';
}

static int take_parameter(struct wb_pool *p, const char **s,
                          struct wb_parameters *all)
{
    struct wb_parameter *out = &all->items[all->count];
    char *name = take_token(p, s, "=;");

    if (name == NULL)
        return EX_OSERR;
    if (**s != '=' || *name == '\0') {
        *s += strcspn(*s, ";");
        return EX_OK;
    }
    ++*s;
    out->value = take_value(p, s);
    if (out->value == NULL)
        return EX_OSERR;
    read_name(name, out);
    all->count++;
    return EX_OK;
}

int wb_parameters_read(struct wb_pool *p, const char *value,
                       struct wb_parameters *out)
{
    const char *s = skip(value, "");
    int rc = EX_OK;

    *out = (struct wb_parameters){
        .word = take_token(p, &s, ";("),
        .items = wb_pool_array(p, MOST_PARAMETERS, sizeof *out->items)};
    if (out->word == NULL || out->items == NULL)
        return EX_OSERR;
    for (s = skip(s, ";");
         rc == EX_OK && *s != '\0' && out->count < MOST_PARAMETERS;
         s = skip(s, ";"))
        rc = take_parameter(p, &s, out);
    return rc;
}

/* ---- telling ------------------------------------------------------------ */

static const struct wb_parameter *find(const struct wb_parameters *all,
                                       const char *name, int section,
                                       bool is_extended)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].section == section &&
            all->items[i].is_extended == is_extended &&
            strcmp(all->items[i].name, name) == 0)
            return &all->items[i];
    return NULL;
}

static const struct wb_parameter *find_section(const struct wb_parameters *all,
                                               const char *name, int section)
{
    const struct wb_parameter *found = find(all, name, section, true);

    return found != NULL ? found : find(all, name, section, false);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo %XX. Returns where out ends. */
static char *percent(const char *text, char *out)
{
    for (; *text != '\0'; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;

        if (low < 0) {
            *out++ = *text;
            continue;
        }
        *out++ = (char)(high * 16 + low);
        text += 2;
    }
    return out;
}

/* Octets of "charset'language'", or 0. */
static size_t prefix_octets(const char *text)
{
    const char *end = strchr(text, '\'');

    end = end != NULL ? strchr(end + 1, '\'') : NULL;
    return end != NULL ? (size_t)(end - text) + 1 : 0;
}

/* A parameter of RFC 2231: what first and the sections behind it say. */
static const char *join(struct wb_pool *p, const struct wb_parameters *all,
                        const struct wb_parameter *first)
{
    const char *value = first->value, *charset = NULL;
    const struct wb_parameter *part = first;
    size_t prefix = first->is_extended ? prefix_octets(value) : 0;
    size_t room = 1;
    char *octets, *end;

    for (size_t i = 0; i < all->count; i++)
        room += strlen(all->items[i].value);
    octets = end = wb_pool_alloc(p, room);
    if (prefix > 0 && *value != '\'')
        charset = wb_pool_strndup(p, value, strcspn(value, "'"));
    if (octets == NULL || (prefix > 0 && *value != '\'' && charset == NULL))
        return NULL;
    for (int i = 1; part != NULL && i <= MOST_SECTIONS; i++) {
        value = part == first ? value + prefix : part->value;
        end = part->is_extended ? percent(value, end) : stpcpy(end, value);
        part = first->section < 0 ? NULL : find_section(all, first->name, i);
    }
    if (charset == NULL && !first->is_extended)
        return wb_field_text(p, octets);
    return wb_text_from(p, charset, octets, (size_t)(end - octets));
}

int wb_parameters_get(struct wb_pool *p, const struct wb_parameters *all,
                      const char *name, const char **out)
{
    const struct wb_parameter *found = find(all, name, -1, true);

    *out = NULL;
    if (found == NULL)
        found = find_section(all, name, 0);
    if (found == NULL)
        found = find(all, name, -1, false);
    if (found == NULL)
        return EX_OK;
    *out = found->is_extended || found->section == 0
               ? join(p, all, found)
               : wb_field_text(p, found->value);
    return *out != NULL ? EX_OK : EX_OSERR;
}
