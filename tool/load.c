/* What the commands share. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tool/tool.h"

static int load(const char *path, enum wb_conf_use use, bool is_quiet,
                struct wb_conf **out)
{
    struct wb_problems problems = {0};
    int rc = wb_conf_load(path, use, out, &problems);

    if (rc != EX_OK || !is_quiet)
        wb_problems_print(&problems, stderr);
    if (rc == EX_OSERR && !problems.out_of_memory)
        fputs("waybill: out of memory\n", stderr);
    wb_problems_free(&problems);
    return rc;
}

int wb_tool_load(const char *path, enum wb_conf_use use, struct wb_conf **out)
{
    return load(path, use, false, out);
}

int wb_tool_load_quietly(const char *path, enum wb_conf_use use,
                         struct wb_conf **out)
{
    return load(path, use, true, out);
}

int wb_tool_usage(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "waybill %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; try waybill %s --help\n", command);
    return EX_USAGE;
}

int wb_tool_number(const char *command, const char *option, const char *text,
                   unsigned min, unsigned max, unsigned *out)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)*text) || *end != '\0' || number < min ||
        number > max)
        return wb_tool_usage(command, "%s %s: %u to %u is right", option, text,
                             min, max);
    *out = (unsigned)number;
    return EX_OK;
}
