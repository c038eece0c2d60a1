#include "milter/base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "milter/base/landlock.h"
#include "milter/base/log.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECK 1
#endif
#endif
#ifndef HAS_LEAK_CHECK
#define HAS_LEAK_CHECK 0
#endif

/* ---- Landlock: files ---------------------------------------------------- */

enum {
    MAY_REMOVE = LL_REMOVE_FILE,
    MAY_WRITE = LL_WRITE_FILE | LL_MAKE_REG | LL_REMOVE_FILE | LL_TRUNCATE,
    MAY_WRITE_HERE = LL_WRITE_FILE | LL_TRUNCATE, /* in a file that is there */
};

/* All but reading, as far as this kernel knows it. */
static uint64_t all_changes(int abi)
{
    uint64_t all = LL_EXECUTE | LL_WRITE_FILE | LL_REMOVE_DIR | LL_REMOVE_FILE |
                   LL_MAKE_CHAR | LL_MAKE_DIR | LL_MAKE_REG | LL_MAKE_SOCK |
                   LL_MAKE_FIFO | LL_MAKE_BLOCK | LL_MAKE_SYM;

    if (abi >= 2)
        all |= LL_REFER;
    if (abi >= 3)
        all |= LL_TRUNCATE;
    return all;
}

static int fail(struct wb_err *err, const char *what)
{
    return wb_err_set(err, EX_OSERR, "%s: %s", what, strerror(errno));
}

static int allow(const struct wb_sandbox *s, const char *path, uint64_t what,
                 struct wb_err *err)
{
    struct ll_path_beneath rule = {.allowed = what & all_changes(s->abi)};
    int code = EX_OK;

    if (s->ruleset_fd < 0)
        return EX_OK;
    rule.folder_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.folder_fd < 0) /* what is missing, nobody can write to */
        return errno == ENOENT ? EX_OK : fail(err, path);
    if (ll_add(s->ruleset_fd, LL_PATH_BENEATH, &rule) != 0)
        code = fail(err, path);
    close(rule.folder_fd);
    return code;
}

int wb_sandbox_begin(struct wb_sandbox *s, enum wb_reach reach,
                     struct wb_err *err)
{
    struct ll_ruleset ruleset = {0};

    *s = (struct wb_sandbox){.ruleset_fd = -1, .reach = reach};
    s->abi = ll_version();
    if (s->abi < 1) {
        wb_log(LOG_WARNING,
               "no Landlock (%s): only the user's rights guard files",
               strerror(errno));
        s->abi = 0;
        return EX_OK;
    }
    ruleset.files = all_changes(s->abi);
    if (s->abi >= 4)
        ruleset.network = reach == WB_REACH_LOCAL ? LL_BIND_TCP | LL_CONNECT_TCP
                                                  : LL_BIND_TCP;
    if (s->abi >= 6)
        ruleset.scoped = LL_SCOPE_SIGNAL;
    s->ruleset_fd = ll_create(&ruleset);
    if (s->ruleset_fd < 0)
        return fail(err, "Landlock");
    return allow(s, "/dev/null", MAY_WRITE_HERE, err);
}

int wb_sandbox_allow_write(struct wb_sandbox *s, const char *folder,
                           struct wb_err *err)
{
    return allow(s, folder, MAY_WRITE, err);
}

static int allow_at(const struct wb_sandbox *s, const char *file, uint64_t what,
                    struct wb_err *err)
{
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    char folder[PATH_MAX];
    size_t octets;

    if (slash == NULL)
        return EX_OK;
    octets = (size_t)(slash - file) + 1;
    if (octets >= sizeof folder)
        return wb_err_set(err, EX_OSERR, "%s: too long", file);
    memcpy(folder, file, octets);
    folder[octets] = '\0';
    return allow(s, folder, what, err);
}

int wb_sandbox_allow_write_at(struct wb_sandbox *s, const char *file,
                              struct wb_err *err)
{
    return allow_at(s, file, MAY_WRITE, err);
}

int wb_sandbox_allow_remove(struct wb_sandbox *s, const char *file,
                            struct wb_err *err)
{
    return allow_at(s, file, MAY_REMOVE, err);
}

int wb_sandbox_allow_port(struct wb_sandbox *s, in_port_t port,
                          struct wb_err *err)
{
    const struct ll_net_port rule = {LL_CONNECT_TCP, port};

    if (s->abi < 4 || s->reach != WB_REACH_LOCAL)
        return EX_OK;
    return ll_add(s->ruleset_fd, LL_NET_PORT, &rule) == 0
               ? EX_OK
               : fail(err, "Landlock");
}

/* ---- seccomp: system calls ---------------------------------------------- */

enum { /* younger than libseccomp; the same on every architecture but alpha */
       CALL_FCHMODAT2 = 452,
       CALL_SETXATTRAT = 463,
       CALL_FILE_SETATTR = 469,
};

static const int refused[] = {
    /* other programs */
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(uselib),
    /* new ways in */
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    /* owners and modes, of which Landlock says nothing */
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(lchown),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    CALL_FCHMODAT2,
    CALL_SETXATTRAT,
    CALL_FILE_SETATTR,
    /* users and name spaces */
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(chroot),
    SCMP_SYS(pivot_root),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    /* other processes, ptrace apart */
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    /* much code of the kernel that has had many holes */
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(quotactl),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(memfd_create),
    /* the machine */
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(acct),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(syslog),
    SCMP_SYS(personality),
};

static int refuse(scmp_filter_ctx filter, int call)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
}

static bool is_allowed(enum wb_reach reach, unsigned family)
{
    return family == AF_UNIX ||
           (reach == WB_REACH_OUT && (family == AF_INET || family == AF_INET6));
}

/* The whole register is compared: what has more bits set than an int, and would
 * be cut to another family by the kernel, is greater than all of them. */
static int refuse_family(scmp_filter_ctx filter, enum scmp_compare how,
                         unsigned family)
{
    const struct scmp_arg_cmp first = {
        .arg = 0, .op = how, .datum_a = family, .datum_b = 0};

    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT),
                                  SCMP_SYS(socket), 1, &first);
}

static int refuse_families(scmp_filter_ctx filter, enum wb_reach reach)
{
    int rc = refuse_family(filter, SCMP_CMP_GT, AF_INET6);

    for (unsigned family = 0; rc == 0 && family <= AF_INET6; family++)
        if (!is_allowed(reach, family))
            rc = refuse_family(filter, SCMP_CMP_EQ, family);
    return rc;
}

static int fill(scmp_filter_ctx filter, enum wb_reach reach)
{
    int rc = refuse_families(filter, reach);

    for (size_t i = 0; rc == 0 && i < sizeof refused / sizeof refused[0]; i++)
        rc = refuse(filter, refused[i]);
    /* The leak check looks at its own process from a second one. */
    if (rc == 0 && !HAS_LEAK_CHECK)
        rc = refuse(filter, SCMP_SYS(ptrace));
    if (rc == 0 && !HAS_LEAK_CHECK)
        rc = refuse(filter, SCMP_SYS(process_vm_readv));
    return rc;
}

static bool has_seccomp(void)
{
    const uint32_t action = SECCOMP_RET_ERRNO;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int filter_calls(enum wb_reach reach, struct wb_err *err)
{
    scmp_filter_ctx filter;
    int rc = -ENOMEM;

    if (!has_seccomp()) {
        wb_log(LOG_WARNING, "no seccomp (%s): system calls are not filtered",
               strerror(errno));
        return EX_OK;
    }
    filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter != NULL)
        rc = fill(filter, reach);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc == 0)
        return EX_OK;
    return wb_err_set(err, EX_OSERR, "seccomp: %s", strerror(-rc));
}

/* ---- both --------------------------------------------------------------- */

int wb_sandbox_enter(struct wb_sandbox *s, struct wb_err *err)
{
    int code = EX_OK;

    if (s->ruleset_fd >= 0 && ll_restrict(s->ruleset_fd) != 0)
        code = fail(err, "Landlock");
    wb_sandbox_abandon(s);
    return code == EX_OK ? filter_calls(s->reach, err) : code;
}

void wb_sandbox_abandon(struct wb_sandbox *s)
{
    if (s->ruleset_fd >= 0)
        close(s->ruleset_fd);
    s->ruleset_fd = -1;
}
