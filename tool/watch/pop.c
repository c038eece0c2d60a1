#include "tool/watch/pop.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "tool/maps/memory.h"

/* After a failure: a server that does not answer may do so soon; a login that
 * is refused again and again gets an account locked. */
enum { FIRST_WAIT_S = 30, MOST_WAIT_S = 60, MOST_WAIT_LOGIN_S = 900 };

const char *wb_pop_account(struct wb_pool *pool, const struct wb_route *route)
{
    return wb_say(pool, "%s@%s:%u", route->pop.username, route->pop.host,
                  route->pop.port);
}

static const struct wb_route_state *state_of(const struct wb_watch *w,
                                             const struct wb_route *route)
{
    const struct wb_route_state *r = wb_watch_find(w, route->name);

    if (r == NULL || r->pop.last_s == 0 ||
        strcmp(r->account, wb_pop_account(w->pool, route)) != 0)
        return NULL;
    return r;
}

bool wb_pop_is_open(const struct wb_watch *w, const struct wb_route *route,
                    int64_t now_s)
{
    const struct wb_route_state *r = state_of(w, route);

    return r != NULL && r->pop.failures == 0 &&
           now_s - r->pop.last_s <= (int64_t)route->pop.interval_s;
}

static int64_t wait_s(const struct wb_condition *c)
{
    bool is_login = strcmp(c->kind, wb_failure_name(WB_KIND_LOGIN)) == 0;
    int64_t most_s = is_login ? MOST_WAIT_LOGIN_S : MOST_WAIT_S;
    int64_t wait = FIRST_WAIT_S;

    for (unsigned i = 1; i < c->failures && wait < most_s; i++)
        wait *= 2;
    return wait < most_s ? wait : most_s;
}

bool wb_pop_is_due(const struct wb_watch *w, const struct wb_route *route,
                   int64_t now_s)
{
    const struct wb_route_state *r = state_of(w, route);
    int64_t age_s;

    if (r == NULL)
        return true;
    age_s = now_s - r->pop.last_s;
    if (age_s < 0) /* the clock was set back */
        return true;
    return age_s >= (r->pop.failures > 0 ? wait_s(&r->pop)
                                         : (int64_t)route->pop.interval_s / 2);
}

static const char *why_closed(const struct wb_watch *w,
                              const struct wb_route *route)
{
    const struct wb_route_state *r = state_of(w, route);

    if (r == NULL)
        return "no POP login yet";
    if (r->pop.failures == 0)
        return "the last POP login has expired";
    return wb_say(w->pool, "POP login failed: %s",
                  wb_substitute(w->pool, r->pop.words, "\n", " / "));
}

void wb_pop_mark(const struct wb_watch *w, struct wb_entries *e, int64_t now_s)
{
    for (size_t i = 0; i < e->way_count; i++) {
        const struct wb_route *route = e->ways[i].route;

        e->ways[i].down =
            route->pop.host == NULL || wb_pop_is_open(w, route, now_s)
                ? NULL
                : why_closed(w, route);
    }
}

void wb_pop_mark_now(struct wb_pool *pool, struct wb_entries *entries)
{
    struct wb_err err = {""};
    struct wb_watch watch;

    if (!wb_entries_have_pop(entries))
        return;
    if (wb_watch_read(pool, entries->conf->state_file, &watch, &err) != EX_OK)
        fprintf(stderr, "waybill: %s\n", err.text);
    wb_pop_mark(&watch, entries, (int64_t)time(NULL));
}

struct wb_dialogue wb_pop_dialogue(const struct wb_route *route,
                                   const char *password,
                                   const struct wb_source *source,
                                   unsigned timeout_s)
{
    const struct wb_pop *pop = &route->pop;

    return (struct wb_dialogue){.protocol = WB_POP3,
                                .prefix = "pop:",
                                .host = pop->host,
                                .port = pop->port,
                                .tls = pop->tls,
                                .is_tls_optional = pop->is_tls_optional,
                                .ca_file = route->ca_file,
                                .username = pop->username,
                                .password = password,
                                .source = source,
                                .timeout_s = timeout_s};
}
