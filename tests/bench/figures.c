#include "tests/bench/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

void latencies_add(struct latencies *l, uint64_t ns)
{
    if (l->count == l->room) {
        l->room = l->room > 0 ? 2 * l->room : 65536;
        l->ns = reallocarray(l->ns, l->room, sizeof l->ns[0]);
        if (l->ns == NULL) {
            fputs("load: out of memory\n", stderr);
            exit(EX_OSERR);
        }
    }
    l->ns[l->count++] = ns;
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

void latencies_sort(struct latencies *l)
{
    if (l->count > 1)
        qsort(l->ns, l->count, sizeof l->ns[0], by_size);
}

uint64_t latencies_at(const struct latencies *l, double share)
{
    size_t at = (size_t)(share * (double)l->count);

    if (l->count == 0)
        return 0;
    return l->ns[at < l->count ? at : l->count - 1];
}

/* To the nanosecond, where /proc/PID/stat has hundredths of a second. */
bool process_cpu_ns(pid_t pid, uint64_t *ns)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return false;
    *ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    return true;
}

unsigned long process_memory_kb(pid_t pid, const char *what)
{
    const size_t length = strlen(what);
    unsigned long kb = 0;
    char path[64], line[256];
    FILE *status;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    status = fopen(path, "r");
    if (status == NULL)
        return 0;
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, what, length) == 0 && line[length] == ':')
            kb = strtoul(line + length + 1, NULL, 10);
    fclose(status);
    return kb;
}
