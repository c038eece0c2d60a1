#include "milter/base/options.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "usage: %s [-c FILE] [-f | -t]\n"
    "  -c FILE  the configuration; " WB_DEFAULT_CONFIG " without it\n"
    "  -f       stay in the foreground and log to stderr\n"
    "  -t       test the configuration and exit: 0, or 78 with every problem\n"
    "  -V       print the version and exit\n"
    "  -h       print this and exit\n";

/* The daemon leaves its directory, and reload reads the file again. A symbolic
 * link stays one, so that it may be turned elsewhere. */
static int set_config(struct wb_options *o, const char *path)
{
    char here[PATH_MAX] = "";
    int length;

    if (path[0] != '/' && getcwd(here, sizeof here) == NULL)
        here[0] = '\0';
    length = snprintf(o->config, sizeof o->config, "%s%s%s", here,
                      here[0] != '\0' ? "/" : "", path);
    if (length >= 0 && (size_t)length < sizeof o->config)
        return EX_OK;
    fprintf(stderr, "%s: -c: path too long\n", o->program);
    return EX_USAGE;
}

static int set(struct wb_options *o, int option)
{
    switch (option) {
    case 'c':
        return set_config(o, optarg);
    case 'f':
        o->is_foreground = true;
        return EX_OK;
    case 't':
        o->is_test = true;
        return EX_OK;
    case 'V':
        printf("%s %s\n", o->program, WB_VERSION);
        o->is_done = true;
        return EX_OK;
    case 'h':
        printf(usage, o->program);
        o->is_done = true;
        return EX_OK;
    default:
        fprintf(stderr, usage, o->program);
        return EX_USAGE;
    }
}

int wb_options_parse(const char *program, int argc, char **argv,
                     struct wb_options *out)
{
    int option;

    memset(out, 0, sizeof *out);
    out->program = program;
    strcpy(out->config, WB_DEFAULT_CONFIG);
    while (!out->is_done && (option = getopt(argc, argv, "c:ftVh")) != -1) {
        int code = set(out, option);

        if (code != EX_OK)
            return code;
    }
    if (!out->is_done && optind < argc)
        return set(out, '?');
    return EX_OK;
}
