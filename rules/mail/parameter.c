#include "mail/parameter.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "mail/header.h"

/* As it is read here; CFWS may stand between any two tokens:
 *
 *     field     = word *( ";" parameter )
 *     parameter = name "=" ( quoted-string / bare )
 *
 * bare is more than RFC 2045's token, since senders leave out the quotes:
 * all but white space, ";", "(" and "\"". */
#define ENDS_BARE " \t\r\n;(\""

/* A quoted string, or octets that are bare, to out, which has room for it.
 * Returns what follows. */
static const char *take(const char *s, char **out)
{
    if (*s != '"') {
        size_t octets = strcspn(s, ENDS_BARE);

        memcpy(*out, s, octets);
        *out += octets;
        return s + octets;
    }
    for (s++; *s != '\0' && *s != '"'; s++) {
        if (*s == '\\' && s[1] != '\0')
            s++;
        if (*s != '\r' && *s != '\n')
            *(*out)++ = *s;
    }
    return *s == '"' ? s + 1 : s;
}

/* All that stands before the next ";", which quotes and comments hide. */
static const char *take_part(const char *s, char **out)
{
    while (*(s = wb_header_skip_cfws(s)) != '\0' && *s != ';')
        s = take(s, out);
    return s;
}

static void fold(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

const char *wb_field_word(struct wb_pool *p, const char *field)
{
    char *word = wb_pool_alloc(p, strlen(field) + 1), *end = word;

    if (word == NULL)
        return NULL;
    take_part(field, &end);
    *end = '\0';
    fold(word);
    return word;
}

/* The "name =" at s; then *value is what follows. */
static bool is_named(const char *s, const char *name, const char **value)
{
    size_t octets = strlen(name);

    if (strncasecmp(s, name, octets) != 0)
        return false;
    s = wb_header_skip_cfws(s + octets);
    if (*s != '=')
        return false;
    *value = wb_header_skip_cfws(s + 1);
    return true;
}

const char *wb_field_parameter(struct wb_pool *p, const char *field,
                               const char *name)
{
    char *text = wb_pool_alloc(p, strlen(field) + 1), *end = text;
    const char *s, *value = NULL;

    if (text == NULL)
        return NULL;
    s = take_part(field, &end);
    while (*s == ';' && value == NULL) {
        s = wb_header_skip_cfws(s + 1);
        end = text;
        if (!is_named(s, name, &value))
            s = take_part(s, &end);
    }
    end = text;
    if (value != NULL)
        take(value, &end);
    *end = '\0';
    fold(text);
    return text;
}
