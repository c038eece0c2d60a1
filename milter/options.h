/* The command line of waybill-milter. */
#ifndef WB_MILTER_OPTIONS_H
#define WB_MILTER_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#define WB_DEFAULT_CONFIG "/etc/waybill/waybill.conf"

struct wb_options {
    char config[PATH_MAX]; /* absolute */
    bool is_foreground;
    bool is_test;
    bool is_done; /* -h or -V: all has been said */
};

/* Returns EX_OK or EX_USAGE; what is wrong is on stderr. */
int wb_options_parse(int argc, char **argv, struct wb_options *out);

#endif
