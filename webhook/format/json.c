#include "webhook/format/json.h"

#include <string.h>

static void put(FILE *out, char c)
{
    if (c == '"' || c == '\\')
        fprintf(out, "\\%c", c);
    else if (c == '\n')
        fputs("\\n", out);
    else if (c == '\t')
        fputs("\\t", out);
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        fprintf(out, "\\u%04x", (unsigned)c);
    else
        fputc(c, out);
}

void wb_json_octets(FILE *out, const char *octets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(out, octets[i]);
}

void wb_json_string(FILE *out, const char *s)
{
    fputc('"', out);
    wb_json_octets(out, s, strlen(s));
    fputc('"', out);
}

void wb_json_member(FILE *out, bool is_first, const char *name,
                    const char *value)
{
    if (!is_first)
        fputc(',', out);
    wb_json_string(out, name);
    fputc(':', out);
    wb_json_string(out, value);
}
