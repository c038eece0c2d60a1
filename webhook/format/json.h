/* JSON (RFC 8259), written as it grows. */
#ifndef WB_FORMAT_JSON_H
#define WB_FORMAT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A string with its quotes. s is UTF-8. */
void wb_json_string(FILE *out, const char *s);

/* "name":"value", with a comma before it unless it is the first one. */
void wb_json_member(FILE *out, bool is_first, const char *name,
                    const char *value);

/* Part of a string, without quotes; a character may be cut in two. */
void wb_json_octets(FILE *out, const char *octets, size_t count);

#endif
