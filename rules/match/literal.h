/* What a text must hold for a regular expression to match in it. */
#ifndef WB_MATCH_LITERAL_H
#define WB_MATCH_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A literal of the alternative at hand; text is not NUL-terminated. text NULL:
 * the alternative ends. */
typedef void wb_literal_function(void *context, const char *text,
                                 size_t octets);

/* Tell of each alternative of source ("a|b" has two) the literals that every
 * text holds in which it matches, folded as wb_fold_next folds texts. An
 * alternative may have none.
 * source: compiles with the options of wb_pattern_new.
 * Returns false when nothing can be said: it has something in it that this
 * does not read, and what was told so far is to be forgotten. */
bool wb_literals_each(const char *source, wb_literal_function *told,
                      void *context);

/* The next octet of a text with its case folded, and *text moved behind it; 0
 * at the end. What PCRE2 takes for an ASCII letter when it ignores case, that
 * letter stands for: U+017F for s, U+212A for k. Octets beyond ASCII stay as
 * they are. */
static inline unsigned char wb_fold_next(const unsigned char **text)
{
    const unsigned char *s = *text;
    unsigned char c = *s;

    if (c == 0)
        return 0;
    *text = s + 1;
    if (c >= 'A' && c <= 'Z')
        return (unsigned char)(c + ('a' - 'A'));
    if (c == 0xc5 && s[1] == 0xbf) {
        *text = s + 2;
        return 's';
    }
    if (c == 0xe2 && s[1] == 0x84 && s[2] == 0xaa) {
        *text = s + 3;
        return 'k';
    }
    return c;
}

#endif
