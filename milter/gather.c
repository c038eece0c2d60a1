#include "milter/gather.h"

#include <errno.h>
#include <libmilter/mfdef.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOM_OCTETS = 16384 }; /* 100 recipients; more take more writes */

static _Thread_local struct {
    bool is_on;
    int fd; /* of the MTA, once something is held back */
    size_t used;
    char octets[ROOM_OCTETS];
} gathered;

void wb_gather_changes(void)
{
    gathered.is_on = true;
    gathered.used = 0;
}

void wb_gather_drop(void)
{
    gathered.is_on = false;
    gathered.used = 0;
}

/* libmilter gives a packet's length and command as the first part. */
static bool is_change(const struct iovec *parts)
{
    static const char changes[] = {
        SMFIR_ADDRCPT,   SMFIR_ADDRCPT_PAR, SMFIR_DELRCPT,   SMFIR_CHGFROM,
        SMFIR_ADDHEADER, SMFIR_CHGHEADER,   SMFIR_INSHEADER,
    };
    const char *head = parts[0].iov_base;

    return parts[0].iov_len == MILTER_LEN_BYTES + 1 &&
           memchr(changes, head[MILTER_LEN_BYTES], sizeof changes) != NULL;
}

static size_t octets_of(const struct iovec *parts, int count)
{
    size_t octets = 0;

    for (int i = 0; i < count; i++)
        octets += parts[i].iov_len;
    return octets;
}

static void add(const struct iovec *parts, int count)
{
    for (int i = 0; i < count; i++) {
        memcpy(gathered.octets + gathered.used, parts[i].iov_base,
               parts[i].iov_len);
        gathered.used += parts[i].iov_len;
    }
}

/* libmilter's sockets block. Returns whether all was written; if not, the MTA
 * is gone, and nothing is kept. */
static bool write_gathered(int fd)
{
    size_t count = gathered.used;
    size_t done = 0;

    gathered.used = 0;
    while (done < count) {
        ssize_t n = write(fd, gathered.octets + done, count - done);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            done += (size_t)n;
    }
    return true;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    size_t octets = count > 0 ? octets_of(parts, count) : 0;
    bool is_held;

    if (!gathered.is_on || count <= 0 ||
        (gathered.used > 0 && fd != gathered.fd))
        return syscall(SYS_writev, fd, parts, count);
    gathered.fd = fd;
    is_held = is_change(parts);
    gathered.is_on = is_held;
    if (octets > ROOM_OCTETS - gathered.used && !write_gathered(fd))
        return -1;
    if (octets > ROOM_OCTETS)
        return syscall(SYS_writev, fd, parts, count);
    add(parts, count);
    if (!is_held && !write_gathered(fd))
        return -1;
    return (ssize_t)octets;
}
