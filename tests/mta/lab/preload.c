/* What a program that is preloaded with this sees of the machine: a host name
 * with a domain, a system log that is a file, and no host but localhost.
 *
 * Without a domain in its host's name sendmail waits for a minute; it knows no
 * other log than syslog; and it asks name servers for localhost.DOMAIN and for
 * the names of loopback addresses, which in a test nobody may have to answer.
 *
 * LAB_HOSTNAME: what gethostname() says; without it, the true name.
 * LAB_SYSLOG:   the file that syslog() appends to; without it, nothing is kept.
 * LAB_IDENT:    what stands at the beginning of each line.
 *
 * They are read at once, since sendmail empties its environment. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

static char host[256], file[4096], ident[64];

static void keep(char *to, size_t size, const char *name)
{
    const char *value = getenv(name);
    snprintf(to, size, "%s", value ? value : "");
}

__attribute__((constructor)) static void read_settings(void)
{
    keep(host, sizeof host, "LAB_HOSTNAME");
    keep(file, sizeof file, "LAB_SYSLOG");
    keep(ident, sizeof ident, "LAB_IDENT");
}

int gethostname(char *name, size_t size)
{
    char line[256] = "localhost";
    if (!host[0]) {
        FILE *f = fopen("/proc/sys/kernel/hostname", "re");
        if (f && fgets(line, sizeof line, f))
            line[strcspn(line, "\n")] = '\0';
        if (f)
            fclose(f);
    }
    snprintf(name, size, "%s", host[0] ? host : line);
    return 0;
}

/* localhost in any domain, and what is an address anyhow */
struct hostent *gethostbyname2(const char *name, int family)
{
    static struct hostent *(*ask)(const char *, int);
    bool is_local = strncasecmp(name, "localhost", 9) == 0 &&
                    (name[9] == '\0' || name[9] == '.');
    bool is_address = strspn(name, "0123456789.") == strlen(name);
    if (!ask)
        *(void **)&ask = dlsym(RTLD_NEXT, "gethostbyname2");
    if ((is_local || is_address) && family == AF_INET)
        return ask(is_local ? "localhost" : name, family);
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

struct hostent *gethostbyaddr(const void *address, socklen_t size, int family)
{
    static struct hostent *(*ask)(const void *, socklen_t, int);
    if (!ask)
        *(void **)&ask = dlsym(RTLD_NEXT, "gethostbyaddr");
    if (family == AF_INET && size == 4 && memcmp(address, "\177\0\0\1", 4) == 0)
        return ask(address, size, family);
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

/* One write a line, so that lines of several processes do not mix. */
void vsyslog(int priority, const char *format, va_list args)
{
    char line[8192], text[7168];
    int saved = errno;
    (void)priority;
    if (!file[0])
        return;
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    errno = saved; /* format may hold %m */
    vsnprintf(text, sizeof text, format, args);
    int octets =
        snprintf(line, sizeof line, "%s[%d]: %s\n", ident, (int)getpid(), text);
    if (octets > 0 && write(fd, line, (size_t)octets) < 0)
        saved = errno;
    close(fd);
    errno = saved;
}

void syslog(int priority, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsyslog(priority, format, args);
    va_end(args);
}

/* what a program that was built with _FORTIFY_SOURCE calls */

void __vsyslog_chk(int priority, int flag, const char *format, va_list args);
void __syslog_chk(int priority, int flag, const char *format, ...);

void __vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
    (void)flag;
    vsyslog(priority, format, args);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list args;
    (void)flag;
    va_start(args, format);
    vsyslog(priority, format, args);
    va_end(args);
}
