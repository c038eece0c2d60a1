#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "milter/base/pace.h"

#define MS    INT64_C(1000000)
#define START (INT64_C(5000) * MS)

enum { TURNS = 8 };

struct place {
    struct wb_pace pace;
    struct wb_turn turns[TURNS];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    if (p == NULL)
        return -1;
    wb_pace_init(&p->pace);
    for (size_t i = 0; i < TURNS; i++)
        wb_turn_init(&p->turns[i]);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < TURNS; i++)
        wb_turn_destroy(&p->turns[i]);
    free(p);
    return 0;
}

static bool join(struct place *p, size_t i, int64_t interval_ms, int64_t at_ms)
{
    return wb_pace_join(&p->pace, &p->turns[i], interval_ms * MS, 30000 * MS,
                        START + at_ms * MS);
}

/* The answer; *until_ms: when to ask again. */
static enum wb_pace_answer ask(struct place *p, size_t i, int64_t at_ms,
                               int64_t *until_ms)
{
    int64_t until_ns = START;
    enum wb_pace_answer answer =
        wb_pace_ask(&p->pace, &p->turns[i], START + at_ms * MS, &until_ns);

    *until_ms = (until_ns - START) / MS;
    return answer;
}

static void passes(struct place *p, size_t i, int64_t at_ms)
{
    int64_t until_ms;

    assert_int_equal(ask(p, i, at_ms, &until_ms), WB_PACE_PASS);
}

static void waits(struct place *p, size_t i, int64_t at_ms, int64_t until_ms)
{
    int64_t until;

    assert_int_equal(ask(p, i, at_ms, &until), WB_PACE_WAIT);
    assert_int_equal(until, until_ms);
}

static void one_passes_an_interval(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 4; i++)
        assert_true(join(p, i, 10, 0));
    passes(p, 0, 0);
    waits(p, 1, 0, 10);
    waits(p, 2, 0, 30000); /* until it is first */
    waits(p, 1, 9, 10);
    passes(p, 1, 10);
    waits(p, 2, 10, 20);
    passes(p, 2, 20);
    passes(p, 3, 30);
    assert_int_equal(p->pace.waiting, 0);
}

static void nobody_overtakes(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 3; i++)
        assert_true(join(p, i, 10, 0));
    passes(p, 0, 0);
    waits(p, 2, 15, 30000);
    passes(p, 1, 15);
    passes(p, 2, 20);
}

/* A thread that awakes late moves nobody behind it, but by what is more than
 * 5 ms. */
static void the_clock_does_not_drift(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 5; i++)
        assert_true(join(p, i, 100, 0));
    passes(p, 0, 0);
    passes(p, 1, 104);
    waits(p, 2, 104, 200);
    passes(p, 2, 230);
    waits(p, 3, 230, 325);
    passes(p, 3, 325);
    passes(p, 4, 425);
}

static void an_idle_clock_begins_anew(void **state)
{
    struct place *p = *state;

    assert_true(join(p, 0, 100, 0));
    passes(p, 0, 0);
    assert_true(join(p, 1, 100, 5000));
    passes(p, 1, 5000);
    assert_true(join(p, 2, 100, 5001));
    waits(p, 2, 5001, 5100);
}

static void nobody_stands_who_would_wait_too_long(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 4; i++)
        assert_true(join(p, i, 10000, 0)); /* at 0, 10, 20 and 30 s */
    assert_false(join(p, 4, 10000, 0));
    assert_int_equal(p->turns[4].state, WB_TURN_NONE);
    assert_int_equal(p->pace.waiting, 4);
    passes(p, 0, 0);
    assert_true(join(p, 4, 10000, 10000));
}

static void a_longer_interval_ends_patience(void **state)
{
    struct place *p = *state;
    int64_t until_ms;

    for (size_t i = 0; i < 3; i++)
        assert_true(join(p, i, 10, 0));
    passes(p, 0, 0);
    assert_false(join(p, 3, 40000, 5)); /* as after a reload */
    waits(p, 1, 10, 30000);
    assert_int_equal(ask(p, 1, 30000, &until_ms), WB_PACE_TOO_LATE);
    assert_int_equal(ask(p, 2, 30000, &until_ms), WB_PACE_TOO_LATE);
    assert_int_equal(p->pace.waiting, 0);
}

static void who_leaves_keeps_no_time(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 5; i++)
        assert_true(join(p, i, 1000, 0));
    passes(p, 0, 0);
    wb_pace_give_back(&p->pace, &p->turns[2]); /* amid the line */
    wb_pace_give_back(&p->pace, &p->turns[1]); /* its first */
    waits(p, 3, 0, 1000);
    wb_pace_give_back(&p->pace, &p->turns[4]); /* its last */
    passes(p, 3, 1000);
    assert_true(join(p, 4, 1000, 1001));
    waits(p, 4, 1001, 2000);
}

static void a_time_that_was_not_used_comes_back(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 3; i++)
        assert_true(join(p, i, 1000, 0));
    passes(p, 0, 0);
    wb_pace_use(&p->turns[0]);
    passes(p, 1, 1000);
    wb_pace_give_back(&p->pace, &p->turns[1]);
    passes(p, 2, 1001);
    wb_pace_use(&p->turns[2]);
    wb_pace_give_back(&p->pace, &p->turns[2]); /* used: nothing to give */
    assert_true(join(p, 3, 1000, 1002));
    waits(p, 3, 1002, 2000);
}

/* Another one has passed since: then it is gone. */
static void an_old_time_does_not_come_back(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 3; i++)
        assert_true(join(p, i, 1000, 0));
    passes(p, 0, 0);
    passes(p, 1, 1000);
    wb_pace_give_back(&p->pace, &p->turns[0]);
    waits(p, 2, 1001, 2000);
}

static void a_wait_by_the_real_clock(void **state)
{
    struct place *p = *state;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            wb_pace_wait(&p->pace, &p->turns[i], 10 * MS, 1000 * MS),
            WB_PACE_PASS);
    assert_true(p->turns[2].at_ns - p->turns[0].at_ns >= 15 * MS);
    assert_int_equal(wb_pace_wait(&p->pace, &p->turns[3], 5000 * MS, 1000 * MS),
                     WB_PACE_TOO_LATE);
}

struct sleeper {
    struct place *place;
    enum wb_pace_answer answer;
};

static void *sleep_an_hour(void *argument)
{
    struct sleeper *s = argument;

    s->answer = wb_pace_wait(&s->place->pace, &s->place->turns[1],
                             INT64_C(3600000) * MS, INT64_C(7200000) * MS);
    return NULL;
}

static size_t waiting(struct place *p)
{
    size_t count;

    pthread_mutex_lock(&p->pace.lock);
    count = p->pace.waiting;
    pthread_mutex_unlock(&p->pace.lock);
    return count;
}

/* As after a reload: who waits for a longer one passes by the shorter one. */
static void a_shorter_interval_wakes_the_first(void **state)
{
    struct place *p = *state;
    struct sleeper sleeper = {p, WB_PACE_TOO_LATE};
    struct timespec limit;
    pthread_t thread;

    assert_int_equal(wb_pace_wait(&p->pace, &p->turns[0], 10 * MS, 1000 * MS),
                     WB_PACE_PASS);
    assert_int_equal(pthread_create(&thread, NULL, sleep_an_hour, &sleeper), 0);
    while (waiting(p) == 0)
        sched_yield();
    assert_int_equal(wb_pace_wait(&p->pace, &p->turns[2], 10 * MS, 5000 * MS),
                     WB_PACE_PASS);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 5;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &limit), 0);
    assert_int_equal(sleeper.answer, WB_PACE_PASS);
    assert_true(p->turns[1].at_ns < p->turns[2].at_ns);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_passes_an_interval),
        TEST(nobody_overtakes),
        TEST(the_clock_does_not_drift),
        TEST(an_idle_clock_begins_anew),
        TEST(nobody_stands_who_would_wait_too_long),
        TEST(a_longer_interval_ends_patience),
        TEST(who_leaves_keeps_no_time),
        TEST(a_time_that_was_not_used_comes_back),
        TEST(an_old_time_does_not_come_back),
        TEST(a_wait_by_the_real_clock),
        TEST(a_shorter_interval_wakes_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
