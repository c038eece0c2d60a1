#include "conf/tidy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    char *at;
    unsigned line;
    const char *file;
    struct wb_problems *problems;
};

static void blank_line(struct scan *s)
{
    while (*s->at && *s->at != '\n')
        *s->at++ = ' ';
}

static bool blank_comment(struct scan *s)
{
    char *end = strstr(s->at + 2, "*/");

    if (!end) {
        wb_problem_add(s->problems, WB_ERROR, s->file, s->line, NULL,
                       "the comment that begins here is never closed; close "
                       "it with */");
        return false;
    }
    for (end += 2; s->at < end; s->at++)
        if (*s->at == '\n')
            s->line++;
        else
            *s->at = ' ';
    return true;
}

/* at: after the backslash, in a double-quoted string */
static bool is_nul_escape(const char *at)
{
    char digits[4] = "";

    if (*at == 'x') {
        size_t n = strspn(at + 1, "0123456789abcdefABCDEF");
        memcpy(digits, at + 1, n < 2 ? n : 2);
        return n > 0 && strtol(digits, NULL, 16) == 0;
    }
    memcpy(digits, at, strnlen(at, 3));
    return *at == '0' && strtol(digits, NULL, 8) == 0;
}

static void tell_nul(const struct scan *s)
{
    wb_problem_add(s->problems, WB_ERROR, s->file, s->line, NULL,
                   "an escape sequence stands for NUL, which no value may "
                   "hold; leave it out");
}

static bool skip_string(struct scan *s)
{
    char quote = *s->at;
    unsigned begun = s->line;

    for (s->at++; *s->at && *s->at != '\n'; s->at++) {
        if (*s->at == quote) {
            s->at++;
            return true;
        }
        if (*s->at == '\\' && s->at[1]) {
            s->at++;
            s->line += *s->at == '\n';
            if (quote == '"' && is_nul_escape(s->at))
                tell_nul(s);
        }
    }
    wb_problem_add(s->problems, WB_ERROR, s->file, begun, NULL,
                   "the string that begins here is not closed on its line; "
                   "close it with %c",
                   quote);
    return false;
}

/* Put a harmless letter in its place, so that what follows can be read. */
static void tell_stray(struct scan *s)
{
    wb_problem_add(s->problems, WB_ERROR, s->file, s->line, NULL,
                   "a %c stands outside of quotes; put the whole value in "
                   "quotes",
                   *s->at);
    *s->at++ = 'x';
}

/* ${NAME} outside of quotes, or the rest of an unquoted word */
static void skip_word(struct scan *s)
{
    char *brace = strncmp(s->at, "${", 2) == 0 ? strchr(s->at, '}') : NULL;
    char *end = brace ? brace + 1 : s->at + 1;

    for (; s->at < end; s->at++)
        s->line += *s->at == '\n';
    if (!brace && !strchr(" \t\r\n={}(),", end[-1]))
        s->at += strcspn(s->at, " #\"'\t\n\r={}()+,*");
}

unsigned wb_text_tidy(char *text, const char *file,
                      struct wb_problems *problems)
{
    struct scan s = {text, 1, file, problems};
    bool goes_on = true;

    while (*s.at) {
        char *begun = s.at;
        unsigned line = s.line;
        if (*s.at == '#' || strncmp(s.at, "//", 2) == 0)
            blank_line(&s);
        else if (strncmp(s.at, "/*", 2) == 0)
            goes_on = blank_comment(&s);
        else if (*s.at == '"' || *s.at == '\'')
            goes_on = skip_string(&s);
        else if (strncmp(s.at, "+=", 2) == 0)
            s.at += 2;
        else if (*s.at == '*' || *s.at == '+')
            tell_stray(&s);
        else
            skip_word(&s);
        if (!goes_on) {
            *begun = '\0';
            return line;
        }
    }
    return 0;
}
