/* The life of the daemon, from its files to its end. */
#ifndef WB_MILTER_DAEMON_H
#define WB_MILTER_DAEMON_H

#include "conf/conf.h"

/* Load the configuration; problems go to stderr.
 * Returns EX_OK with *out, EX_CONFIG or EX_OSERR. */
int wb_daemon_load(const char *path, struct wb_conf **out);

/* Serve until a signal. Takes over the reference to conf. config_path is
 * absolute and read again at reload. report_fd: where the process that waits
 * for readiness is told; -1 in the foreground.
 * Returns EX_OK after a clean stop, or a sysexits code; the reason is in the
 * log. */
int wb_daemon_run(struct wb_conf *conf, const char *config_path, int report_fd);

#endif
