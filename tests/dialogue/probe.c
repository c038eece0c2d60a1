/* Loaded into a daemon by LD_PRELOAD: does what somebody who took the daemon
 * over would try, in the thread that takes a connection, once, and writes a
 * line for each to its stderr: "probe NAME ok" or "probe NAME: why not".
 *     PROBE_FOLDER    has a file "victim"; without it nothing is tried
 *     PROBE_DECOY     a file that takes the place of PROBE_PLACE as soon as
 *                     that is there
 *     PROBE_KERNEL    "old": no Landlock, no seccomp; a number: Landlock's
 *                     version at most */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void tell(const char *name, long result)
{
    char line[256];
    int error = errno;
    int octets = result >= 0
                     ? snprintf(line, sizeof line, "probe %s ok\n", name)
                     : snprintf(line, sizeof line, "probe %s: %s\n", name,
                                strerrorname_np(error));

    if (write(STDERR_FILENO, line, (size_t)octets) != octets)
        abort();
}

static const char *in(const char *folder, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", folder, name);
    return path;
}

static void try_files(const char *folder)
{
    char victim[512], path[512];

    in(folder, "victim", victim);
    tell("read", open(victim, O_RDONLY | O_CLOEXEC));
    tell("write", open(victim, O_WRONLY | O_CLOEXEC));
    tell("truncate", truncate(victim, 0));
    tell("make", open(in(folder, "new", path), O_CREAT | O_WRONLY, 0600));
    tell("tmpfile", open(folder, O_TMPFILE | O_WRONLY, 0600));
    tell("mkdir", mkdir(in(folder, "new", path), 0700));
    tell("symlink", symlink("/etc/passwd", in(folder, "new", path)));
    tell("link", link(victim, in(folder, "new", path)));
    tell("rename", rename(victim, in(folder, "new", path)));
    tell("unlink", unlink(victim));
    tell("mkfifo", mkfifo(in(folder, "new", path), 0600));
    tell("chmod", chmod(victim, 0777));
    tell("fchmodat2", syscall(452, AT_FDCWD, victim, 0777, 0));
    tell("chown", chown(victim, 1, 1));
}

static void try_sockets(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    tell("unix", fd);
    tell("bind", bind(fd, (struct sockaddr *)&address, sizeof address));
    tell("listen", listen(fd, 1));
    close(fd);
    tell("inet", socket(AF_INET, SOCK_STREAM, 0));
    tell("inet6", socket(AF_INET6, SOCK_DGRAM, 0));
    /* the kernel would cut it to AF_INET */
    tell("cut", syscall(SYS_socket, (1L << 32) | AF_INET, SOCK_STREAM, 0));
    tell("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    tell("packet", socket(AF_PACKET, SOCK_RAW, 0));
}

static void try_processes(void)
{
    char *const argv[] = {"true", NULL};

    tell("kill", kill(getppid(), 0));
    tell("ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
    tell("setuid", setuid(0));
    tell("unshare", unshare(CLONE_NEWUSER));
    tell("mount", mount("none", "/mnt", "tmpfs", 0, NULL));
    tell("exec", execv("/bin/true", argv));
    tell("end", 0);
}

static void try_all(void)
{
    static atomic_flag has_tried = ATOMIC_FLAG_INIT;
    const char *folder = getenv("PROBE_FOLDER");

    if (folder == NULL || atomic_flag_test_and_set(&has_tried))
        return;
    try_files(folder);
    try_sockets(folder);
    try_processes();
}

/* Between bind and listen, as a racing process would. */
int listen(int fd, int backlog)
{
    int (*next)(int, int);
    const char *decoy = getenv("PROBE_DECOY"), *place = getenv("PROBE_PLACE");

    *(void **)&next = dlsym(RTLD_NEXT, "listen");
    if (decoy != NULL && place != NULL && access(place, F_OK) == 0)
        (void)rename(decoy, place);
    return next(fd, backlog);
}

int accept(int fd, struct sockaddr *address, socklen_t *octets)
{
    int (*next)(int, struct sockaddr *, socklen_t *);

    *(void **)&next = dlsym(RTLD_NEXT, "accept");
    try_all();
    return next(fd, address, octets);
}

int accept4(int fd, struct sockaddr *address, socklen_t *octets, int flags)
{
    int (*next)(int, struct sockaddr *, socklen_t *, int);

    *(void **)&next = dlsym(RTLD_NEXT, "accept4");
    try_all();
    return next(fd, address, octets, flags);
}

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, VERSION = 1 };

/* What the kernel would say, as far as it is one to be played. */
static int is_played(long number, long flags, long *answer)
{
    const char *kernel = getenv("PROBE_KERNEL");
    int is_ours = number == SYS_seccomp ||
                  (number >= CREATE_RULESET && number <= RESTRICT_SELF);

    if (kernel == NULL || !is_ours)
        return 0;
    if (strcmp(kernel, "old") == 0) {
        errno = ENOSYS;
        *answer = -1;
        return 1;
    }
    *answer = atol(kernel);
    return number == CREATE_RULESET && flags == VERSION;
}

long syscall(long number, ...)
{
    long (*next)(long, ...);
    long a[6], answer;
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (is_played(number, a[2], &answer))
        return answer;
    *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
