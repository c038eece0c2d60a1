/* A file with a line of JSON a failure. */
#ifndef WB_BOUNCE_LOG_H
#define WB_BOUNCE_LOG_H

#include "webhook/payload.h"

/* Append what wb_event_write makes of each failure that the message tells.
 * The file is made where there is none, mode 0640; it may be moved away at any
 * time. All lines of a message are appended or none, other writers wait, and
 * they are on the disk before this returns.
 * fd: the message, as for wb_payload_write.
 * *is_failure: does the message tell any? Otherwise nothing is written.
 * Returns EX_OK, EX_IOERR, EX_TEMPFAIL (another program holds the lock) or
 * EX_OSERR with *err. */
int wb_bounce_log(const char *path, const struct wb_payload_facts *facts,
                  int fd, bool *is_failure, struct wb_err *err);

#endif
