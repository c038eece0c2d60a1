/* All that changes one message goes to the MTA in one write.
 *
 * libmilter makes a system call for each change and one for the verdict, which
 * with ten recipients is a third of what the message costs, and over TCP a
 * segment and a wake-up of the MTA each. It has no option for that; but it
 * writes by writev, and gather.c has a definition of that, which the linker
 * takes before the C library's. Whatever is no change of a gathered message
 * passes as it is. */
#ifndef WB_MILTER_GATHER_H
#define WB_MILTER_GATHER_H

/* Hold back the changes that this thread makes from now on, until libmilter
 * writes another packet to the same MTA: the verdict goes with them, and fails
 * if they cannot be written. Call in the callback that makes them, whose thread
 * libmilter stays on until it has written the verdict. */
void wb_gather_changes(void);

/* The connection ends, with or without the verdict: what is still held back is
 * forgotten. Call when it closes; that is on the same thread. */
void wb_gather_drop(void);

#endif
