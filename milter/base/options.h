/* The command line of a daemon. */
#ifndef WB_MILTER_BASE_OPTIONS_H
#define WB_MILTER_BASE_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#define WB_DEFAULT_CONFIG "/etc/waybill/waybill.conf"

struct wb_options {
    const char *program;   /* its name */
    char config[PATH_MAX]; /* absolute */
    bool is_foreground;
    bool is_test;
    bool is_done; /* -h or -V: all has been said */
};

/* Returns EX_OK or EX_USAGE; what is wrong is on stderr. program is kept. */
int wb_options_parse(const char *program, int argc, char **argv,
                     struct wb_options *out);

#endif
