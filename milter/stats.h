/* What the daemon counts, since it started. Counting is a relaxed atomic
 * addition at a place that is known: no lock, and no look-up of a name. Only
 * an error that is logged takes a lock.
 *
 * A message is counted each time it passes the milter, a recipient once: where
 * its last decision is made. A rule counts where it was asked. */
#ifndef WB_MILTER_STATS_H
#define WB_MILTER_STATS_H

#include <stdatomic.h>
#include <time.h>

#include "plan/plan.h"

enum {
    WB_ERRORS_KEPT = 10,
    WB_ERROR_OCTETS = 512, /* of each, its NUL included; the rest is cut */
    WB_DECISIONS = WB_REJECT + 1,
    WB_CLASSES = WB_CLASS_OTHER + 1,
};

/* Of one rule, route or webhook. It lives on under its name from one
 * configuration to the next. */
struct wb_count {
    atomic_uint references;
    atomic_ullong messages;
    atomic_ullong recipients;
    char name[];
};

struct wb_counts {
    struct wb_count **items; /* in the configuration's order */
    size_t count;
};

/* The counts of what one configuration names; kept beside it. */
struct wb_tally {
    struct wb_counts rules, routes, webhooks;
};

/* All else; zero at the start. */
struct wb_totals {
    atomic_ullong messages[WB_DECISIONS];
    atomic_ullong recipients[WB_CLASSES];
    atomic_ullong refused_recipients; /* at RCPT */
    atomic_ullong connections;
    atomic_llong connections_now;
    atomic_ullong reloads_taken, reloads_refused;
    atomic_llong loaded_s;  /* when what is in force was loaded */
    atomic_llong refused_s; /* the last reload that was; 0: none */
    atomic_ullong errors;
};

struct wb_error {
    time_t at_s;
    char text[WB_ERROR_OCTETS];
};

/* Begin: the clock, and the errors in the log. Call while there is one thread
 * only. */
void wb_stats_start(void);

/* Give conf its counts, before it comes into force: those of old (NULL: none)
 * by name, and new ones. What old alone names is forgotten with it. Returns
 * false when out of memory. */
bool wb_stats_attach(struct wb_conf *conf, const struct wb_conf *old);

/* These are called from any thread. */
void wb_stats_connect(void);
void wb_stats_disconnect(void);
void wb_stats_reload(bool is_taken);
void wb_stats_refused_recipient(void);

/* The end of a message. conf: NULL when it had none; what p hands out is not
 * needed afterwards. */
void wb_stats_message(const struct wb_conf *conf, const struct wb_plan *plan,
                      size_t recipient_count, struct wb_pool *p);

/* For whoever shows them. */
const struct wb_totals *wb_stats_totals(void);
const struct wb_tally *wb_stats_tally(const struct wb_conf *conf);
time_t wb_stats_started_s(void); /* since 1970 (UTC) */
long wb_stats_uptime_s(void);    /* no step of the clock changes it */

/* The last errors, newest first. Returns how many. */
size_t wb_stats_errors(struct wb_error out[WB_ERRORS_KEPT]);

#endif
