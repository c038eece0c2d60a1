#include "milter/stats.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter/base/log.h"
#include "milter/decision.h"

static struct wb_totals totals;

/* Constant once there are threads. */
static time_t started_s;
static struct timespec started;

/* ---- the last errors ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wb_error errors[WB_ERRORS_KEPT]; /* a ring */
static size_t error_count;                     /* of all that ever were */

static void keep_error(const char *line)
{
    struct wb_error *e;

    atomic_fetch_add_explicit(&totals.errors, 1, memory_order_relaxed);
    pthread_mutex_lock(&lock);
    e = &errors[error_count++ % WB_ERRORS_KEPT];
    e->at_s = time(NULL);
    snprintf(e->text, sizeof e->text, "%s", line);
    pthread_mutex_unlock(&lock);
}

size_t wb_stats_errors(struct wb_error out[WB_ERRORS_KEPT])
{
    size_t count;

    pthread_mutex_lock(&lock);
    count = error_count < WB_ERRORS_KEPT ? error_count : WB_ERRORS_KEPT;
    for (size_t i = 0; i < count; i++)
        out[i] = errors[(error_count - 1 - i) % WB_ERRORS_KEPT];
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- what happens to the daemon ---- */

static void add(atomic_ullong *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

void wb_stats_start(void)
{
    started_s = time(NULL);
    clock_gettime(CLOCK_BOOTTIME, &started);
    atomic_store_explicit(&totals.loaded_s, started_s, memory_order_relaxed);
    wb_log_watch(LOG_ERR, keep_error);
}

time_t wb_stats_started_s(void)
{
    return started_s;
}

long wb_stats_uptime_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (long)(now.tv_sec - started.tv_sec) -
           (now.tv_nsec < started.tv_nsec);
}

const struct wb_totals *wb_stats_totals(void)
{
    return &totals;
}

void wb_stats_connect(void)
{
    add(&totals.connections);
    atomic_fetch_add_explicit(&totals.connections_now, 1, memory_order_relaxed);
}

void wb_stats_disconnect(void)
{
    atomic_fetch_sub_explicit(&totals.connections_now, 1, memory_order_relaxed);
}

void wb_stats_reload(bool is_taken)
{
    add(is_taken ? &totals.reloads_taken : &totals.reloads_refused);
    atomic_store_explicit(is_taken ? &totals.loaded_s : &totals.refused_s,
                          time(NULL), memory_order_relaxed);
}

void wb_stats_refused_recipient(void)
{
    add(&totals.refused_recipients);
}

/* ---- what happens to a message ---- */

/* The counts that a message has met: a set by open addressing. */
struct met {
    const struct wb_count **slots; /* NULL: no room; then all seem new */
    size_t room;                   /* a power of two */
};

/* Room for twice as many as there can be: a rule, a route and a webhook. */
static void begin_met(struct met *met, size_t recipient_count,
                      struct wb_pool *p)
{
    *met = (struct met){.room = 1};
    if (recipient_count < 2 || p == NULL)
        return;
    while (met->room < recipient_count * 6)
        met->room *= 2;
    met->slots = wb_pool_array(p, met->room, sizeof met->slots[0]);
}

static bool is_first(struct met *met, const struct wb_count *count)
{
    size_t at = ((uintptr_t)count / sizeof(max_align_t)) & (met->room - 1);

    if (met->slots == NULL)
        return true;
    while (met->slots[at] != NULL && met->slots[at] != count)
        at = (at + 1) & (met->room - 1);
    if (met->slots[at] == count)
        return false;
    met->slots[at] = count;
    return true;
}

static void count_one(struct met *met, struct wb_count *count)
{
    add(&count->recipients);
    if (is_first(met, count))
        add(&count->messages);
}

/* Is this the last decision on the recipient? Not where a second pass will
 * see to it, or where what was decided before stands. */
static bool is_final(const struct wb_recipient_plan *r)
{
    if (r->is_again)
        return false;
    if (r->webhook != NULL || (r->route != NULL && !r->route->is_direct))
        return r->rewritten != NULL;
    return true;
}

static void count_recipient(const struct wb_conf *conf, struct met *met,
                            const struct wb_recipient_plan *r)
{
    const struct wb_tally *t = wb_stats_tally(conf);

    if (r->rule != NULL)
        count_one(met, t->rules.items[r->rule - conf->rules.rules]);
    if (!is_final(r))
        return;
    add(&totals.recipients[r->class]);
    if (r->route != NULL)
        count_one(met, t->routes.items[r->route - conf->routes]);
    if (r->webhook != NULL)
        count_one(met, t->webhooks.items[r->webhook - conf->webhooks]);
}

void wb_stats_message(const struct wb_conf *conf, const struct wb_plan *plan,
                      size_t recipient_count, struct wb_pool *p)
{
    struct met met;

    add(&totals.messages[plan->decision]);
    if (plan->decision != WB_ACCEPT || conf == NULL ||
        wb_stats_tally(conf) == NULL)
        return;
    begin_met(&met, recipient_count, p);
    for (size_t i = 0; i < recipient_count; i++)
        if (wb_decision_is_told(plan, i))
            count_recipient(conf, &met, &plan->recipients[i]);
}
