#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tool/ask.h"
#include "tool/tool.h"

/* Show all but the answer's first line, which tells how it went. */
static int read_answer(FILE *in)
{
    char line[4096];
    int code;

    if (fgets(line, sizeof line, in) == NULL) {
        fprintf(stderr, "waybill: reload: the daemon gave no answer\n");
        code = EX_UNAVAILABLE;
    } else {
        code = strcmp(line, "ok\n") == 0 ? EX_OK : EX_CONFIG;
    }
    while (fgets(line, sizeof line, in) != NULL)
        fputs(line, stderr);
    fclose(in);
    return code;
}

static void help(void)
{
    puts("usage: waybill reload [-c FILE]\n"
         "\n"
         "Makes the milter read its configuration again. One with an error\n"
         "leaves the old one in force, and the errors are printed.\n"
         "\n"
         "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
         "  -h, --help         print this\n"
         "\n"
         "Exit status: 0, 69 when no milter answers, 78 when there is an "
         "error.");
}

int wb_cmd_reload(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    const char *config = WB_DEFAULT_CONFIG;
    struct wb_conf *conf = NULL;
    FILE *answer;
    int option;
    int code;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            help();
            return EX_OK;
        }
        if (option != 'c')
            return wb_tool_usage("reload", "\"%s\" is not understood",
                                 argv[optind - 1]);
        config = optarg;
    }
    if (optind < argc)
        return wb_tool_usage("reload", "\"%s\" is too much", argv[optind]);
    code = wb_tool_load(config, WB_USE_EXPLAIN, &conf);
    if (code != EX_OK)
        return code;
    code = wb_ask("reload", conf->control_socket, "reload", &answer);
    if (code == EX_OK)
        code = read_answer(answer);
    wb_conf_unref(conf);
    return code;
}
