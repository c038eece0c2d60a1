/* Asking the running milter, by its control socket. */
#ifndef WB_TOOL_ASK_H
#define WB_TOOL_ASK_H

#include <stdio.h>

/* Put question (one line, without its end) to the milter whose control_socket
 * is path (NULL or "": it has none). *answer is what it says, to be closed by
 * the caller. Returns EX_OK, EX_CONFIG (no control_socket), EX_NOPERM,
 * EX_UNAVAILABLE (none answers) or EX_OSERR; the reason is told, for command.
 */
int wb_ask(const char *command, const char *path, const char *question,
           FILE **answer);

#endif
