#include "milter/door.h"

#include <stdlib.h>
#include <string.h>

#include "milter/base/log.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

struct wb_door {
    struct wb_door *next;
    char *name;
    unsigned inside; /* connections; under lock */
    struct wb_pace pace;
};

/* As many as listeners were ever configured; none goes before the program
 * ends, because connections hold them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wb_door *doors;

static const struct wb_reply is_full = {
    "421", "4.3.2", "Too many connections at this listener; try again later"};
static const struct wb_reply is_busy = {
    "451", "4.3.2", "Too many messages at this listener; try again later"};
static const struct wb_reply no_memory = {
    "421", "4.3.0", "Not enough memory for this connection; try again later"};

static struct wb_door *make(const char *name)
{
    struct wb_door *d = calloc(1, sizeof *d);

    if (d == NULL || (d->name = strdup(name)) == NULL) {
        free(d);
        return NULL;
    }
    wb_pace_init(&d->pace);
    d->next = doors;
    doors = d;
    return d;
}

/* With the lock held; NULL when out of memory. */
static struct wb_door *find(const char *name)
{
    for (struct wb_door *d = doors; d != NULL; d = d->next)
        if (strcmp(d->name, name) == 0)
            return d;
    return make(name);
}

static const struct wb_reply *enter(const struct wb_listener *l,
                                    struct wb_door **out)
{
    const struct wb_reply *refusal = NULL;
    struct wb_door *d;

    pthread_mutex_lock(&lock);
    d = find(l->name);
    if (d == NULL)
        refusal = &no_memory;
    else if (d->inside >= l->max_connections)
        refusal = &is_full;
    else
        d->inside++;
    pthread_mutex_unlock(&lock);
    *out = refusal == NULL ? d : NULL;
    return refusal;
}

static const struct wb_listener *find_listener(const struct wb_conf *conf,
                                               const char *name)
{
    const struct wb_listener *l =
        name != NULL ? wb_conf_listener(conf, name) : NULL;

    return l != NULL && l->is_generated ? l : NULL;
}

const struct wb_reply *wb_visit_begin(struct wb_visit *visit,
                                      const struct wb_conf *conf,
                                      const char *listener)
{
    const struct wb_listener *l = find_listener(conf, listener);

    if (l == NULL)
        return NULL;
    visit->refusal = enter(l, &visit->door);
    if (visit->door != NULL)
        wb_turn_init(&visit->turn);
    return visit->refusal;
}

const struct wb_reply *wb_visit_wait(struct wb_visit *visit,
                                     const struct wb_conf *conf,
                                     const char *listener)
{
    const struct wb_listener *l = find_listener(conf, listener);

    if (visit->door == NULL || l == NULL || l->interval_ms == 0 ||
        visit->turn.state == WB_TURN_PASSED)
        return NULL;
    if (wb_pace_wait(&visit->door->pace, &visit->turn,
                     l->interval_ms * NS_PER_MS,
                     l->max_wait_s * NS_PER_S) == WB_PACE_PASS)
        return NULL;
    return &is_busy;
}

void wb_visit_message_came(struct wb_visit *visit)
{
    if (visit->door != NULL)
        wb_pace_use(&visit->turn);
}

void wb_visit_message_lost(struct wb_visit *visit)
{
    if (visit->door != NULL)
        wb_pace_give_back(&visit->door->pace, &visit->turn);
}

void wb_visit_end(struct wb_visit *visit)
{
    if (visit->door != NULL) {
        wb_visit_message_lost(visit);
        wb_turn_destroy(&visit->turn);
        pthread_mutex_lock(&lock);
        visit->door->inside--;
        pthread_mutex_unlock(&lock);
    }
    *visit = (struct wb_visit){.door = NULL};
}
