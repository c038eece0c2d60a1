#include "tool/graph/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UNKNOWN "\xef\xbf\xbd" /* U+FFFD */

/* The character at text and its octets (RFC 3629); 1 and U+FFFD where there is
 * none. */
static size_t decode(const char *text, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)text;
    size_t octets = u[0] < 0x80             ? 1
                    : (u[0] & 0xe0) == 0xc0 ? 2
                    : (u[0] & 0xf0) == 0xe0 ? 3
                    : (u[0] & 0xf8) == 0xf0 ? 4
                                            : 0;

    *out = octets == 1 ? u[0] : octets == 0 ? 0 : u[0] & (0x7fU >> octets);
    for (size_t i = 1; i < octets; i++) {
        if ((u[i] & 0xc0) != 0x80)
            octets = 0;
        else
            *out = *out << 6 | (u[i] & 0x3fU);
    }
    if (octets > 0 && *out >= least[octets] && *out <= 0x10ffff &&
        (*out < 0xd800 || *out > 0xdfff))
        return octets;
    *out = 0xfffd;
    return 1;
}

static bool is_plain(uint32_t c)
{
    return c >= 0x20 && (c < 0x7f || c > 0x9f) && (c & 0xfffe) != 0xfffe &&
           c != 0xfffd && c != 0x200e && c != 0x200f &&
           (c < 0x202a || c > 0x202e) && (c < 0x2066 || c > 0x2069);
}

/* Replacements for ASCII; NULL: none. */
typedef const char *replacement(char c);

static const char *in_html(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* dot reads HTML's entities in labels, and writes them anew in SVG. */
static const char *in_dot(char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '&':
        return "&amp;";
    default:
        return NULL;
    }
}

static void put(FILE *out, const char *text, size_t max_chars,
                replacement *replace)
{
    for (size_t i = 0; *text != '\0'; i++) {
        const char *other;
        uint32_t c;
        size_t octets = decode(text, &c);

        if (i == max_chars) {
            fputs("...", out);
            return;
        }
        other = octets == 1 ? replace(*text) : NULL;
        if (!is_plain(c))
            fputs(UNKNOWN, out);
        else if (other != NULL)
            fputs(other, out);
        else
            fwrite(text, 1, octets, out);
        text += octets;
    }
}

void wb_put_html(FILE *out, const char *text, size_t max_chars)
{
    put(out, text, max_chars, in_html);
}

void wb_put_dot(FILE *out, const char *text, size_t max_chars)
{
    put(out, text, max_chars, in_dot);
}

size_t wb_url_shown(const char *url, const char **from)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme != NULL ? scheme + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);

    *from = at != NULL ? at + 1 : host;
    return strcspn(*from, "/?#");
}
