/* The life of waybill-lmtp, from its files to its end. */
#ifndef WB_WEBHOOK_DAEMON_H
#define WB_WEBHOOK_DAEMON_H

#include "conf/conf.h"

/* Load the configuration; problems go to stderr.
 * Returns EX_OK with *out, EX_CONFIG or EX_OSERR. */
int wb_lmtpd_load(const char *path, const struct wb_conf **out);

/* Serve until a signal. Takes over the reference to conf. config_path is
 * absolute and read again as the daemon's user, at once and at SIGHUP.
 * report_fd: where the process that waits for readiness is told; -1 in the
 * foreground.
 * Returns EX_OK after a clean stop, or a sysexits code; the reason is in the
 * log. */
int wb_lmtpd_run(const struct wb_conf *conf, const char *config_path,
                 int report_fd);

#endif
