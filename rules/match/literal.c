/* This reads just enough of PCRE2's syntax to tell what is surely a literal,
 * and gives up at the rest: a pattern without literals is only slow, a wrong
 * literal would lose mail its rule. Only what stands outside of parentheses is
 * taken; of what is inside only the end is looked for. */
#include "match/literal.h"

#include <string.h>

enum { RUN_MAX = 256 };

struct scan {
    const char *at;
    char run[RUN_MAX];
    size_t octets;
    wb_literal_function *told;
    void *context;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void flush(struct scan *s)
{
    if (s->octets > 0)
        s->told(s->context, s->run, s->octets);
    s->octets = 0;
}

static void end_alternative(struct scan *s)
{
    flush(s);
    s->told(s->context, NULL, 0);
}

/* A whole character at a time: a quantifier behind it takes it back whole. */
static void add(struct scan *s, const char *text, size_t octets)
{
    if (s->octets + octets > RUN_MAX)
        flush(s);
    memcpy(s->run + s->octets, text, octets);
    s->octets += octets;
}

/* "x*" asks for no x. */
static void take_back(struct scan *s)
{
    while (s->octets > 0 && ((unsigned char)s->run[--s->octets] & 0xc0) == 0x80)
        ;
    flush(s);
}

/* "[[:alpha:]]": s->at stands at the inner bracket. */
static bool skip_posix_class(struct scan *s)
{
    s->at += 2;
    s->at += *s->at == '^';
    while (is_letter(*s->at))
        s->at++;
    if (s->at[0] != ':' || s->at[1] != ']')
        return false;
    s->at += 2;
    return true;
}

static bool skip_class(struct scan *s)
{
    s->at++;
    s->at += *s->at == '^';
    s->at += *s->at == ']'; /* the first one is a literal */
    while (*s->at != ']') {
        char next;

        if (s->at[0] == '\0' || s->at[1] == '\0')
            return false;
        next = s->at[1];
        if (*s->at == '[' && is_one_of(next, ":.=")) {
            if (next != ':' || !skip_posix_class(s))
                return false;
        } else if (*s->at == '\\') {
            if ((is_letter(next) && !is_one_of(next, "dDwWsShHvVntrfeab")) ||
                is_digit(next))
                return false;
            s->at += 2;
        } else {
            s->at++;
        }
    }
    s->at++;
    return true;
}

/* What may follow "(?": a kind of group that only groups or looks around, or
 * options that do not change how a pattern is read, as x does. */
static bool is_plain_group(const char *s)
{
    if (is_one_of(*s, ":=!>|<"))
        return true;
    if (*s == 'P')
        return s[1] == '<';
    return is_one_of(s[strspn(s, "-ims")], ":)");
}

/* s->at stands at the opening parenthesis. */
static bool skip_group(struct scan *s)
{
    size_t depth = 0;

    do {
        switch (*s->at) {
        case '\0':
            return false;
        case '(':
            if (s->at[1] == '*' ||
                (s->at[1] == '?' && !is_plain_group(s->at + 2)))
                return false;
            depth++;
            s->at++;
            break;
        case ')':
            depth--;
            s->at++;
            break;
        case '[':
            if (!skip_class(s))
                return false;
            break;
        case '\\':
            if (s->at[1] == '\0' || is_one_of(s->at[1], "QEc"))
                return false;
            s->at += 2;
            break;
        default:
            s->at++;
        }
    } while (depth > 0);
    return true;
}

/* "\d" says nothing of what stands there, "\." is a literal. */
static bool read_escape(struct scan *s)
{
    char c = s->at[1];

    if (is_letter(c) && is_one_of(c, "dDwWsShHvVRbBAzZGXntrfea"))
        flush(s);
    else if (is_letter(c) || is_digit(c) || c == '\0' || (c & 0x80))
        return false;
    else
        add(s, &c, 1);
    s->at += 2;
    return true;
}

/* "{2,5}" */
static bool skip_count(struct scan *s)
{
    s->at++;
    s->at += strspn(s->at, "0123456789,");
    return *s->at++ == '}';
}

/* Letters beyond ASCII have cases that the index does not know; kana and CJK
 * ideographs (U+3000 to U+9FFF) have none. */
static void read_character(struct scan *s)
{
    unsigned char lead = (unsigned char)*s->at;
    char lower = *s->at;
    size_t octets = 1;

    while ((s->at[octets] & 0xc0) == 0x80)
        octets++;
    if (lead < 0x80) {
        if (lower >= 'A' && lower <= 'Z')
            lower = (char)(lower + ('a' - 'A'));
        add(s, &lower, 1);
    } else if (lead >= 0xe3 && lead <= 0xe9 && octets == 3) {
        add(s, s->at, octets);
    } else {
        flush(s);
    }
    s->at += lead < 0x80 ? 1 : octets;
}

/* What a character that means something else means. */
static bool read_special(struct scan *s)
{
    switch (*s->at) {
    case '\\':
        return read_escape(s);
    case '(':
        flush(s);
        return skip_group(s);
    case ')':
        return false;
    case '[':
        flush(s);
        return skip_class(s);
    case '{':
        take_back(s);
        return skip_count(s);
    case '*':
    case '+':
    case '?':
        take_back(s);
        break;
    case '|':
        end_alternative(s);
        break;
    default: /* ^ $ . */
        flush(s);
    }
    s->at++;
    return true;
}

bool wb_literals_each(const char *source, wb_literal_function *told,
                      void *context)
{
    struct scan s = {.at = source, .told = told, .context = context};

    while (*s.at != '\0') {
        if (!is_one_of(*s.at, "\\()[{*+?|^$."))
            read_character(&s);
        else if (!read_special(&s))
            return false;
    }
    end_alternative(&s);
    return true;
}
