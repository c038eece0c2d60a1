/* waybill check: say all that is wrong with the configuration. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "tool/tool.h"

static void help(void)
{
    puts("usage: waybill check [-c FILE]\n\n"
         "Read the configuration and everything that it names, and print all\n"
         "errors and warnings, one a line:\n\n"
         "  FILE:LINE: OPTION: what is wrong; what would be right\n\n"
         "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
         "  -h, --help         print this\n\n"
         "Exit status: 0 when there is no error (there may be warnings), 78 "
         "when there is one.\n"
         "Run it as root: password files are looked at, too.");
}

int wb_cmd_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    const char *path = WB_DEFAULT_CONFIG;
    struct wb_conf *conf;
    int option, rc;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'h':
            help();
            return EX_OK;
        default:
            return wb_tool_usage(argv[0], "\"%s\" is not understood",
                                 argv[optind - 1]);
        }
    if (optind < argc)
        return wb_tool_usage(argv[0], "\"%s\" is not understood", argv[optind]);
    rc = wb_tool_load(path, WB_USE_CHECK, &conf);
    wb_conf_unref(conf);
    return rc;
}
