/* What the commands share. */
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "tool/tool.h"

int wb_tool_load(const char *path, enum wb_conf_use use, struct wb_conf **out)
{
    struct wb_problems problems = {0};
    int rc = wb_conf_load(path, use, out, &problems);

    wb_problems_print(&problems, stderr);
    if (rc == EX_OSERR && !problems.out_of_memory)
        fputs("waybill: out of memory\n", stderr);
    wb_problems_free(&problems);
    return rc;
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
