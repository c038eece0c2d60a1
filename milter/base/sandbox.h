/* What a daemon can no longer do once it serves, whoever takes it over.
 *
 * Landlock (Linux 5.13 and later) keeps it from writing, making and removing
 * files but where it said before, and from running programs. It says nothing
 * of reading: a reload may name new files, and what its user may read is
 * decided by their owners and modes.
 * seccomp refuses (EPERM) what no daemon of ours calls and what an intruder
 * would: execve, ptrace, bind, listen, chmod, mount, bpf, keyrings, sockets of
 * other families. It is a list of what is refused, not of what is allowed: a
 * new libc or NSS module must not stop the mail. systemd's own list of what is
 * allowed comes on top (SystemCallFilter in the units).
 *
 * A kernel that lacks either is told to the log, once, and the daemon serves:
 * its user's rights are the wall that must hold. One that has it, and fails,
 * ends the start. */
#ifndef WB_MILTER_BASE_SANDBOX_H
#define WB_MILTER_BASE_SANDBOX_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/err.h"

enum wb_reach {
    WB_REACH_LOCAL, /* unix sockets only */
    WB_REACH_OUT,   /* and connections to others, by IPv4 and IPv6 */
};

struct wb_sandbox {
    int ruleset_fd; /* -1: the kernel has no Landlock */
    int abi;        /* Landlock's version; 0: none */
    enum wb_reach reach;
};

/* Begin. Call after wb_owner_become, while there is one thread only.
 * Returns EX_OK, or EX_OSERR with *err; in any case wb_sandbox_abandon or
 * wb_sandbox_enter must follow. */
int wb_sandbox_begin(struct wb_sandbox *s, enum wb_reach reach,
                     struct wb_err *err);

/* Files below folder may be made, written and removed. A folder that is
 * missing is left out. Returns EX_OK or EX_OSERR with *err. */
int wb_sandbox_allow_write(struct wb_sandbox *s, const char *folder,
                           struct wb_err *err);

/* The same of the folder that file lies in. file: NULL, "" or one without a
 * folder: nothing happens. Returns EX_OK or EX_OSERR with *err. */
int wb_sandbox_allow_write_at(struct wb_sandbox *s, const char *file,
                              struct wb_err *err);

/* file, and others in its folder, may be removed; otherwise as the one
 * before. */
int wb_sandbox_allow_remove(struct wb_sandbox *s, const char *file,
                            struct wb_err *err);

/* With WB_REACH_LOCAL: sockets opened before may be connected to this TCP
 * port, in host order. Returns EX_OK or EX_OSERR with *err. */
int wb_sandbox_allow_port(struct wb_sandbox *s, in_port_t port,
                          struct wb_err *err);

/* From now on, for this thread and those that it will start, and for good.
 * Returns EX_OK, also where the kernel can do none of it, or EX_OSERR with
 * *err. */
int wb_sandbox_enter(struct wb_sandbox *s, struct wb_err *err);

void wb_sandbox_abandon(struct wb_sandbox *s);

#endif
