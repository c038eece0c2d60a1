#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "milter/base/log.h"
#include "milter/base/options.h"
#include "milter/base/ready.h"
#include "milter/daemon.h"

static int run(const struct wb_options *options, struct wb_conf *conf)
{
    int fd = -1;
    pid_t pid = options->is_foreground ? 0 : wb_ready_fork(&fd);

    if (pid == 0)
        return wb_daemon_run(conf, options->config, fd);
    wb_conf_unref(conf);
    if (pid > 0)
        return wb_ready_wait(fd);
    fprintf(stderr, "waybill-milter: %s\n", strerror(errno));
    return EX_OSERR;
}

int main(int argc, char **argv)
{
    struct wb_options options;
    struct wb_conf *conf = NULL;
    int code = wb_options_parse("waybill-milter", argc, argv, &options);

    if (code != EX_OK || options.is_done)
        return code;
    wb_log_open("waybill-milter", false);
    code = wb_daemon_load(options.config, &conf);
    if (code == EX_OK && options.is_test)
        wb_conf_unref(conf);
    else if (code == EX_OK)
        code = run(&options, conf);
    return code;
}
