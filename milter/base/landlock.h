/* The part of Linux's Landlock that we use. The headers of the kernel that
 * waybill is built for may be older than the one it runs on, so the numbers,
 * which never change, stand here (linux/landlock.h, by ABI version). */
#ifndef WB_MILTER_BASE_LANDLOCK_H
#define WB_MILTER_BASE_LANDLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LL_CREATE_RULESET = 444, /* the same on every architecture but alpha */
    LL_ADD_RULE = 445,
    LL_RESTRICT_SELF = 446,
};

enum { LL_VERSION = 1 };                       /* a flag of create_ruleset */
enum { LL_PATH_BENEATH = 1, LL_NET_PORT = 2 }; /* kinds of rules */

enum { /* access to files */
       LL_EXECUTE = 1 << 0,
       LL_WRITE_FILE = 1 << 1,
       LL_REMOVE_DIR = 1 << 4,
       LL_REMOVE_FILE = 1 << 5,
       LL_MAKE_CHAR = 1 << 6,
       LL_MAKE_DIR = 1 << 7,
       LL_MAKE_REG = 1 << 8,
       LL_MAKE_SOCK = 1 << 9,
       LL_MAKE_FIFO = 1 << 10,
       LL_MAKE_BLOCK = 1 << 11,
       LL_MAKE_SYM = 1 << 12,
       LL_REFER = 1 << 13,    /* 2 */
       LL_TRUNCATE = 1 << 14, /* 3 */
};

enum { LL_BIND_TCP = 1 << 0, LL_CONNECT_TCP = 1 << 1 }; /* 4 */
enum { LL_SCOPE_SIGNAL = 1 << 1 };                      /* 6 */

struct ll_ruleset {
    uint64_t files, network, scoped; /* an old kernel wants the last ones 0 */
};

struct ll_path_beneath {
    uint64_t allowed;
    int32_t folder_fd;
} __attribute__((packed));

struct ll_net_port {
    uint64_t allowed, port;
};

/* Each returns as the system call. */

static inline int ll_version(void)
{
    return (int)syscall(LL_CREATE_RULESET, NULL, 0, LL_VERSION);
}

static inline int ll_create(const struct ll_ruleset *ruleset)
{
    return (int)syscall(LL_CREATE_RULESET, ruleset, sizeof *ruleset, 0);
}

static inline int ll_add(int ruleset_fd, int kind, const void *rule)
{
    return (int)syscall(LL_ADD_RULE, ruleset_fd, kind, rule, 0);
}

static inline int ll_restrict(int ruleset_fd)
{
    return (int)syscall(LL_RESTRICT_SELF, ruleset_fd, 0);
}

#endif
