/* Telling others that the daemon is ready: the process that started it in the
 * background, and systemd. */
#ifndef WB_MILTER_BASE_READY_H
#define WB_MILTER_BASE_READY_H

#include <sys/types.h>

/* Fork. In the child, which has left its terminal, *fd is where to report;
 * in the parent it is what to wait on. Returns as fork(2), -1 included. */
pid_t wb_ready_fork(int *fd);

/* In the parent: wait for the child. Returns the child's sysexits code: EX_OK
 * when it is ready, EX_SOFTWARE when it died without a word. */
int wb_ready_wait(int fd);

/* In the child: code is EX_OK when ready. Closes fd; from then on stderr
 * leads nowhere. */
void wb_ready_report(int fd, int code);

/* Send state ("READY=1") to systemd, if it asked for that (sd_notify(3)). */
void wb_ready_notify(const char *state);

#endif
