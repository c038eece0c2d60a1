#include "webhook/gate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A name that somebody is inside as. Names come and go with reloads; there
 * are never more of them than passes. */
struct seat {
    char name[64];
    unsigned inside;
};

struct wb_gate {
    pthread_mutex_t lock;
    pthread_cond_t has_left;
    size_t most;
    struct seat seats[];
};

struct wb_gate *wb_gate_new(size_t most)
{
    struct wb_gate *g = calloc(1, sizeof *g + most * sizeof g->seats[0]);
    pthread_condattr_t clock;

    if (g == NULL)
        return NULL;
    g->most = most;
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&g->has_left, &clock);
    pthread_condattr_destroy(&clock);
    return g;
}

void wb_gate_free(struct wb_gate *g)
{
    if (g == NULL)
        return;
    pthread_cond_destroy(&g->has_left);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* The name's seat, or an empty one; NULL: all are taken by others. */
static struct seat *find(struct wb_gate *g, const char *name)
{
    struct seat *empty = NULL;

    for (size_t i = 0; i < g->most; i++) {
        if (g->seats[i].inside == 0)
            empty = empty != NULL ? empty : &g->seats[i];
        else if (strcmp(g->seats[i].name, name) == 0)
            return &g->seats[i];
    }
    return empty;
}

static struct timespec after_ms(unsigned wait_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += wait_ms / 1000;
    t.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

bool wb_gate_enter(struct wb_gate *g, const char *name, unsigned width,
                   unsigned wait_ms)
{
    struct timespec until = after_ms(wait_ms);
    struct seat *seat;
    int late = 0;

    pthread_mutex_lock(&g->lock);
    seat = find(g, name);
    while (late == 0 && (seat == NULL || seat->inside >= width)) {
        late = pthread_cond_timedwait(&g->has_left, &g->lock, &until);
        seat = find(g, name);
    }
    if (seat != NULL && seat->inside >= width)
        seat = NULL;
    if (seat != NULL && seat->inside++ == 0)
        snprintf(seat->name, sizeof seat->name, "%s", name);
    pthread_mutex_unlock(&g->lock);
    return seat != NULL;
}

void wb_gate_leave(struct wb_gate *g, const char *name)
{
    struct seat *seat;

    pthread_mutex_lock(&g->lock);
    seat = find(g, name);
    if (seat != NULL && seat->inside > 0) {
        seat->inside--;
        pthread_cond_broadcast(&g->has_left);
    }
    pthread_mutex_unlock(&g->lock);
}
