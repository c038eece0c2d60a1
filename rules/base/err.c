#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int wb_err_set(struct wb_err *err, int code, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return code;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    /* The text ends up in logs and SMTP replies: one line, always. */
    for (char *c = err->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return code;
}
