#include "plan/unmark.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "conf/conf.h"

#define TAIL "." WB_SUFFIX_DOMAIN

/* A label that ends before *end: *end becomes the place of its dot. */
static bool take_label(const char *text, size_t *end, const char **label,
                       size_t *octets)
{
    size_t at = *end;

    while (at > 0 && (isalnum((unsigned char)text[at - 1]) ||
                      text[at - 1] == '-' || text[at - 1] == '_'))
        at--;
    if (at == *end || at == 0 || text[at - 1] != '.')
        return false;
    *label = text + at;
    *octets = *end - at;
    *end = at - 1;
    return true;
}

static bool is_word(const char *label, size_t octets, const char *word)
{
    return octets == strlen(word) && strncasecmp(label, word, octets) == 0;
}

/* Where does the mark begin whose ".waybill.invalid" is at tail? tail: it is
 * no mark. */
static size_t find_begin(const char *text, size_t tail)
{
    const char *label;
    size_t at = tail, octets, more = 0;

    if (!take_label(text, &at, &label, &octets) || octets != WB_LABEL_OCTETS ||
        !take_label(text, &at, &label, &octets))
        return tail;
    if (is_word(label, octets, "hook"))
        more = 3; /* WEBHOOK, FILTER, MAC */
    else if (is_word(label, octets, "again"))
        more = 2; /* ROUTE, MAC */
    for (; more > 0; more--)
        if (!take_label(text, &at, &label, &octets))
            return tail;
    return at;
}

/* Every octet of a path may have a backslash before it. */
enum { QUOTED_MAX_OCTETS = 2 * WB_PATH_MAX_OCTETS };

/* text ends in what was carried whole, "\"u@[192.0.2.1]\"@x": as it was. */
static size_t unquote(char *text, size_t octets)
{
    static const char end[] = "\"@x";
    size_t last = octets - strlen(end), first, to;

    if (octets <= strlen(end) || strncasecmp(text + last, end, 3) != 0)
        return octets;
    for (first = last; first > 0 && last - first < QUOTED_MAX_OCTETS &&
                       text[first - 1] != '\n';
         first--)
        if (text[first - 1] == '"' && (first < 2 || text[first - 2] != '\\'))
            break;
    if (first == 0 || text[first - 1] != '"')
        return octets;
    to = first - 1;
    for (size_t at = first; at < last; at++) {
        if (text[at] == '\\' && at + 1 < last)
            at++;
        text[to++] = text[at];
    }
    return to;
}

size_t wb_unmark(char *text, size_t octets)
{
    static const char tail[] = TAIL;
    size_t to = 0;

    for (size_t at = 0; at < octets;) {
        size_t begin = to;

        if (text[at] == '.' && octets - at >= strlen(tail) &&
            strncasecmp(text + at, tail, strlen(tail)) == 0)
            begin = find_begin(text, to);
        if (begin == to) {
            text[to++] = text[at++];
            continue;
        }
        at += strlen(tail);
        to = unquote(text, begin);
    }
    return to;
}
