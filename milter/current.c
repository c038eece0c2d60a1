#include "milter/current.h"

#include <pthread.h>

enum { RETIRED_MAX = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct wb_conf *current;
static const struct wb_conf *retired[RETIRED_MAX];
static size_t retired_count;

/* Put it aside; false: there is no room. Under the lock. */
static bool retire(const struct wb_conf *conf)
{
    if (retired_count == RETIRED_MAX)
        return false;
    retired[retired_count++] = conf;
    return true;
}

void wb_current_set(const struct wb_conf *conf)
{
    const struct wb_conf *old;

    pthread_mutex_lock(&lock);
    old = current;
    current = conf;
    if (old != NULL && retire(old))
        old = NULL;
    pthread_mutex_unlock(&lock);
    if (old != NULL)
        wb_conf_unref(old);
}

/* One that no message holds any more, or NULL. */
static const struct wb_conf *take_idle(bool *has_others)
{
    const struct wb_conf *idle = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < retired_count && idle == NULL; i++)
        if (!wb_conf_is_shared(retired[i])) {
            idle = retired[i];
            retired[i] = retired[--retired_count];
        }
    *has_others = retired_count > 0;
    pthread_mutex_unlock(&lock);
    return idle;
}

bool wb_current_sweep(void)
{
    const struct wb_conf *idle;
    bool has_others;

    while ((idle = take_idle(&has_others)) != NULL)
        wb_conf_unref(idle);
    return has_others;
}

const struct wb_conf *wb_current_ref(void)
{
    const struct wb_conf *conf = NULL;

    pthread_mutex_lock(&lock);
    if (current != NULL)
        conf = wb_conf_ref(current);
    pthread_mutex_unlock(&lock);
    return conf;
}
