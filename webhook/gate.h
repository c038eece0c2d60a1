/* How many posts a webhook may have at one time. */
#ifndef WB_WEBHOOK_GATE_H
#define WB_WEBHOOK_GATE_H

#include <stdbool.h>
#include <stddef.h>

/* For all threads. */
struct wb_gate;

/* most: passes at one time, of all names together. NULL: no memory. */
struct wb_gate *wb_gate_new(size_t most);
void wb_gate_free(struct wb_gate *gate);

/* Pass as name (at most 63 octets), of which at most width may be inside.
 * Waits up to wait_ms for one to leave. Returns false if none did; otherwise
 * wb_gate_leave is due. */
bool wb_gate_enter(struct wb_gate *gate, const char *name, unsigned width,
                   unsigned wait_ms);
void wb_gate_leave(struct wb_gate *gate, const char *name);

#endif
