/* What was measured: latencies, and what the filter's process has used. */
#ifndef WB_BENCH_FIGURES_H
#define WB_BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct latencies {
    uint64_t *ns;
    size_t count;
    size_t room;
};

void latencies_add(struct latencies *l, uint64_t ns);
/* Call it before latencies_at; none may be added after. */
void latencies_sort(struct latencies *l);
/* The latency that a share (0 to 1) of all do not pass; 0 if there are none. */
uint64_t latencies_at(const struct latencies *l, double share);

/* CPU time that a process has used, all its threads, user and system, those
 * that have ended as well. Returns false when it cannot be told. */
bool process_cpu_ns(pid_t pid, uint64_t *ns);

/* Of /proc/PID/status, in KB: VmHWM, the most that was resident, or VmRSS,
 * what is. 0 when it cannot be told. */
unsigned long process_memory_kb(pid_t pid, const char *what);

#endif
