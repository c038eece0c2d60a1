#include "milter/current.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct wb_conf *current;

void wb_current_set(const struct wb_conf *conf)
{
    const struct wb_conf *old;

    pthread_mutex_lock(&lock);
    old = current;
    current = conf;
    pthread_mutex_unlock(&lock);
    /* Freeing 100,000 rules takes time: not under the lock. */
    if (old != NULL)
        wb_conf_unref(old);
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
