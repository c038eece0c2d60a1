/* A clock that lets one message pass an interval, in the order in which they
 * came. Who waits holds its own thread and nothing else.
 *
 * The next one passes when an interval has gone by since the last one's time,
 * which is when it was due and not when its thread awoke, up to 5 ms: so the
 * clock does not drift. A time that was given and not used falls back to who
 * waits. Times are of one clock that never goes back, in ns; but for
 * wb_pace_wait they are the caller's. */
#ifndef WB_MILTER_PACE_H
#define WB_MILTER_PACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The place of one message in the line. */
struct wb_turn {
    struct wb_turn *behind;
    pthread_cond_t moved; /* it is first now, or its time is another */
    int64_t joined_ns, deadline_ns;
    int64_t at_ns;     /* its time, once it has passed */
    int64_t before_ns; /* and that of the one before */
    enum { WB_TURN_NONE, WB_TURN_WAITS, WB_TURN_PASSED } state;
};

struct wb_pace {
    pthread_mutex_t lock;
    struct wb_turn *first, *last; /* of those that wait */
    size_t waiting;
    int64_t interval_ns;
    int64_t clock_ns; /* the last time that was given */
};

enum wb_pace_answer { WB_PACE_PASS, WB_PACE_WAIT, WB_PACE_TOO_LATE };

/* Neither fails on Linux. A pace that was never used lets the first message
 * pass at once. */
void wb_pace_init(struct wb_pace *pace);
void wb_turn_init(struct wb_turn *turn);
void wb_turn_destroy(struct wb_turn *turn);

/* Stand in the line, for at most most_ns; turn is not in it. interval_ns holds
 * from now on for all that wait.
 * Returns false, and nothing is changed, when its time is later than that. */
bool wb_pace_join(struct wb_pace *pace, struct wb_turn *turn,
                  int64_t interval_ns, int64_t most_ns, int64_t now_ns);

/* May turn, which is in the line, pass? With WB_PACE_WAIT *until_ns is when to
 * ask again, unless turn->moved is signalled before; else it has left the
 * line. */
enum wb_pace_answer wb_pace_ask(struct wb_pace *pace, struct wb_turn *turn,
                                int64_t now_ns, int64_t *until_ns);

/* Join and wait, by CLOCK_MONOTONIC. Never WB_PACE_WAIT. */
enum wb_pace_answer wb_pace_wait(struct wb_pace *pace, struct wb_turn *turn,
                                 int64_t interval_ns, int64_t most_ns);

/* The message of turn did not come: leave the line, or give the time back if
 * it was the last one that was given. Whatever turn's state is. */
void wb_pace_give_back(struct wb_pace *pace, struct wb_turn *turn);

/* Its message came: the time is used. */
void wb_pace_use(struct wb_turn *turn);

#endif
