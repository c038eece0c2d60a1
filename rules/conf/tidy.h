/* What libConfuse would take wrongly or without a word. */
#ifndef WB_CONF_TIDY_H
#define WB_CONF_TIDY_H

#include "conf/problem.h"

/* Change text in place, keeping every line where it is:
 * - comments become blanks (libConfuse counts one line too many for each
 *   C comment);
 * - '*' and '+' outside of quotes are told (libConfuse drops them);
 * - an escape sequence for NUL is told (it would end the value);
 * - a string that is not closed on its line, or a comment that is never
 *   closed, is told, and text ends before it (libConfuse would swallow what
 *   follows, and the next file too).
 * Returns 0, or the line where text was cut off. */
unsigned wb_text_tidy(char *text, const char *file,
                      struct wb_problems *problems);

#endif
