#include "milter/base/pace.h"

#include <time.h>

enum { NS_PER_S = 1000000000, LATE_NS = 5000000 };

/* Long before any clock: nothing passed yet. */
#define NEVER (INT64_MIN / 4)

void wb_pace_init(struct wb_pace *pace)
{
    *pace = (struct wb_pace){.clock_ns = NEVER};
    pthread_mutex_init(&pace->lock, NULL);
}

void wb_turn_init(struct wb_turn *turn)
{
    pthread_condattr_t monotonic;

    *turn = (struct wb_turn){.state = WB_TURN_NONE};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&turn->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void wb_turn_destroy(struct wb_turn *turn)
{
    pthread_cond_destroy(&turn->moved);
}

/* ---- with the lock held -------------------------------------------------- */

/* When the first in the line passes, if it asks in time. */
static int64_t next_ns(const struct wb_pace *pace, int64_t now_ns)
{
    int64_t due_ns = pace->clock_ns + pace->interval_ns;

    return due_ns > now_ns ? due_ns : now_ns;
}

static void wake_first(const struct wb_pace *pace)
{
    if (pace->first != NULL)
        pthread_cond_signal(&pace->first->moved);
}

static void leave(struct wb_pace *pace, struct wb_turn *turn)
{
    struct wb_turn *before = NULL;

    if (turn == pace->first) {
        pace->first = turn->behind;
    } else {
        for (before = pace->first; before->behind != turn;)
            before = before->behind;
        before->behind = turn->behind;
    }
    if (turn == pace->last)
        pace->last = before;
    pace->waiting--;
    turn->behind = NULL;
    turn->state = WB_TURN_NONE;
}

static bool join(struct wb_pace *pace, struct wb_turn *turn,
                 int64_t interval_ns, int64_t most_ns, int64_t now_ns)
{
    bool is_shorter = interval_ns < pace->interval_ns;
    int64_t due_ns;

    pace->interval_ns = interval_ns;
    if (is_shorter)
        wake_first(pace); /* it sleeps until the longer one is over */
    due_ns = next_ns(pace, now_ns) + (int64_t)pace->waiting * interval_ns;
    if (due_ns - now_ns > most_ns)
        return false;
    turn->state = WB_TURN_WAITS;
    turn->joined_ns = now_ns;
    turn->deadline_ns = now_ns + most_ns;
    turn->behind = NULL;
    if (pace->last != NULL)
        pace->last->behind = turn;
    else
        pace->first = turn;
    pace->last = turn;
    pace->waiting++;
    return true;
}

/* The time of who waited for it is when it was due, not when his thread awoke;
 * but what comes late must not be made up for by a crowd. */
static int64_t time_of(const struct wb_pace *pace, const struct wb_turn *turn,
                       int64_t now_ns)
{
    int64_t due_ns = pace->clock_ns + pace->interval_ns;

    if (due_ns < turn->joined_ns)
        return now_ns;
    return due_ns > now_ns - LATE_NS ? due_ns : now_ns - LATE_NS;
}

static void pass(struct wb_pace *pace, struct wb_turn *turn, int64_t now_ns)
{
    turn->at_ns = time_of(pace, turn, now_ns);
    turn->before_ns = pace->clock_ns;
    pace->clock_ns = turn->at_ns;
    leave(pace, turn);
    turn->state = WB_TURN_PASSED;
}

static enum wb_pace_answer ask(struct wb_pace *pace, struct wb_turn *turn,
                               int64_t now_ns, int64_t *until_ns)
{
    int64_t due_ns = next_ns(pace, now_ns);

    if (turn == pace->first && due_ns <= now_ns) {
        pass(pace, turn, now_ns);
        wake_first(pace);
        return WB_PACE_PASS;
    }
    if (now_ns >= turn->deadline_ns) {
        leave(pace, turn);
        wake_first(pace);
        return WB_PACE_TOO_LATE;
    }
    *until_ns = turn == pace->first && due_ns < turn->deadline_ns
                    ? due_ns
                    : turn->deadline_ns;
    return WB_PACE_WAIT;
}

/* ---- the calls ----------------------------------------------------------- */

bool wb_pace_join(struct wb_pace *pace, struct wb_turn *turn,
                  int64_t interval_ns, int64_t most_ns, int64_t now_ns)
{
    bool is_in;

    pthread_mutex_lock(&pace->lock);
    is_in = join(pace, turn, interval_ns, most_ns, now_ns);
    pthread_mutex_unlock(&pace->lock);
    return is_in;
}

enum wb_pace_answer wb_pace_ask(struct wb_pace *pace, struct wb_turn *turn,
                                int64_t now_ns, int64_t *until_ns)
{
    enum wb_pace_answer answer;

    pthread_mutex_lock(&pace->lock);
    answer = ask(pace, turn, now_ns, until_ns);
    pthread_mutex_unlock(&pace->lock);
    return answer;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

enum wb_pace_answer wb_pace_wait(struct wb_pace *pace, struct wb_turn *turn,
                                 int64_t interval_ns, int64_t most_ns)
{
    enum wb_pace_answer answer = WB_PACE_TOO_LATE;
    int64_t until_ns;

    pthread_mutex_lock(&pace->lock);
    if (join(pace, turn, interval_ns, most_ns, now())) {
        while ((answer = ask(pace, turn, now(), &until_ns)) == WB_PACE_WAIT) {
            const struct timespec until = {until_ns / NS_PER_S,
                                           until_ns % NS_PER_S};

            pthread_cond_timedwait(&turn->moved, &pace->lock, &until);
        }
    }
    pthread_mutex_unlock(&pace->lock);
    return answer;
}

void wb_pace_give_back(struct wb_pace *pace, struct wb_turn *turn)
{
    pthread_mutex_lock(&pace->lock);
    if (turn->state == WB_TURN_WAITS)
        leave(pace, turn);
    else if (turn->state == WB_TURN_PASSED && pace->clock_ns == turn->at_ns)
        pace->clock_ns = turn->before_ns;
    turn->state = WB_TURN_NONE;
    wake_first(pace);
    pthread_mutex_unlock(&pace->lock);
}

void wb_pace_use(struct wb_turn *turn)
{
    turn->state = WB_TURN_NONE;
}
