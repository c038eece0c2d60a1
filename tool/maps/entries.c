#include "tool/maps/entries.h"

#include <string.h>
#include <sysexits.h>

#include "tool/maps/keyed.h"
#include "tool/maps/kind.h"
#include "tool/maps/memory.h"
#include "tool/maps/password.h"

/* A kind and the name that it goes by. */
struct kind {
    const char *key;
    const char *name;
};

struct making {
    struct wb_entries *entries;
    struct wb_pool *pool;
    struct wb_seating seating;
    struct wb_keyed kinds;
    struct wb_keyed names; /* of kinds: two must not have one */
    struct wb_keyed services;
};

/* The marks in names are short, so two kinds might have one. */
static const char *kind_name(struct making *m, const struct wb_route *route)
{
    struct kind *k = wb_keyed_get(&m->kinds, m->pool,
                                  wb_kind_key(m->pool, route), sizeof *k);

    if (k->name != NULL)
        return k->name;
    k->name = wb_kind_name(m->pool, route);
    while (wb_keyed_find(&m->names, k->name) != NULL)
        k->name = wb_say(m->pool, "%sx", k->name);
    wb_keyed_get(&m->names, m->pool, k->name, sizeof(struct kind));
    return k->name;
}

static struct wb_service *find_service(struct making *m, const char *kind,
                                       size_t number,
                                       const struct wb_route *route)
{
    const char *file = wb_seats_file(m->pool, kind, number);
    struct wb_service *s = wb_keyed_get(&m->services, m->pool, file, sizeof *s);

    if (s->name != NULL)
        return s;
    s->name = wb_say(m->pool, "waybill-%s", strchr(file, '-') + 1);
    s->passwords = route->auth == WB_AUTH_NONE ? NULL : file;
    s->like = route;
    m->entries->services[m->entries->service_count++] = s;
    return s;
}

/* Take the stop's seat, and let its service know of the account. */
static const char *seat(struct making *m, struct wb_service *service,
                        const char *kind, size_t number,
                        const struct wb_stop *stop)
{
    bool is_new;
    struct wb_seat *seat =
        wb_seats_take(&m->seating, kind, number, stop, &is_new);

    if (is_new && service->seats == NULL)
        service->seats = seat;
    else if (is_new)
        service->last->next = seat;
    if (is_new)
        service->last = seat;
    return seat->nexthop;
}

static int no_room(const struct wb_route *route, struct wb_err *err)
{
    return wb_err_set(err, EX_CONFIG,
                      "%s:%u: route %s: would need more than %d services of "
                      "Postfix, which is what it bears; fewer accounts on one "
                      "host, or fewer routes with a rate, are right",
                      route->origin.file, route->origin.line, route->name,
                      WB_SERVICES_MOST);
}

static int read_account(struct wb_pool *pool, const struct wb_route *route,
                        struct wb_stop *stop, const char *password_file,
                        struct wb_err *err)
{
    if (route->auth == WB_AUTH_NONE) {
        stop->username = NULL;
        return EX_OK;
    }
    if (strchr(stop->username, ':') != NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s:%u: route %s: username: \"%s\" has a colon, "
                          "which Postfix cannot pass on",
                          route->origin.file, route->origin.line, route->name,
                          stop->username);
    return wb_password_read(pool, password_file, &stop->password, err);
}

/* The route's relay and its fallbacks, in order. */
static int read_stops(struct wb_pool *pool, const struct wb_route *route,
                      struct wb_stop *stops, struct wb_err *err)
{
    const struct wb_relay first = {route->host, route->port, route->username,
                                   route->password_file};
    int code = EX_OK;

    for (size_t i = 0; code == EX_OK && i <= route->fallback_count; i++) {
        const struct wb_relay *relay =
            i == 0 ? &first : &route->fallbacks[i - 1];

        stops[i] = (struct wb_stop){.host = relay->host,
                                    .port = relay->port,
                                    .username = relay->username};
        code = read_account(pool, route, &stops[i], relay->password_file, err);
    }
    return code;
}

static int add_way(struct making *m, const struct wb_route *route,
                   struct wb_err *err)
{
    struct wb_entries *e = m->entries;
    struct wb_way *way = &e->ways[e->way_count];
    size_t count = 1 + route->fallback_count, number;
    struct wb_stop *stops =
        wb_must(wb_pool_array(m->pool, count, sizeof *stops));
    const char *kind = kind_name(m, route);
    struct wb_service *service;
    int code = read_stops(m->pool, route, stops, err);

    if (code != EX_OK)
        return code;
    number = wb_seats_choose(&m->seating, kind, stops, count);
    if (number == WB_NUMBERS_MOST)
        return no_room(route, err);
    service = find_service(m, kind, number, route);
    if (e->service_count > WB_SERVICES_MOST)
        return no_room(route, err);
    way->route = route;
    way->service = service;
    for (size_t i = 0; i < count; i++) {
        const char *next = seat(m, service, kind, number, &stops[i]);

        way->nexthop =
            i == 0 ? next : wb_say(m->pool, "%s,%s", way->nexthop, next);
    }
    e->way_count++;
    return EX_OK;
}

/* In the order in which they are named, each once. */
static void add_inbound_domains(struct wb_entries *e,
                                const struct wb_strings *domains,
                                bool *is_there)
{
    for (size_t i = 0; i < domains->count; i++) {
        const struct wb_inbound_domain *known =
            wb_conf_inbound_domain(e->conf, domains->items[i]);
        size_t at = (size_t)(known - e->conf->inbound_domains);

        if (!is_there[at])
            e->inbound_domains[e->inbound_count++] = domains->items[i];
        is_there[at] = true;
    }
}

void wb_entries_add_domains(struct wb_entries *e, struct wb_pool *pool)
{
    const struct wb_conf *conf = e->conf;
    size_t most = conf->inbound_domain_count;
    bool *is_there = wb_must(wb_pool_array(pool, most + 1, sizeof *is_there));

    e->inbound_domains =
        wb_must(wb_pool_array(pool, most + 1, sizeof *e->inbound_domains));
    for (size_t i = 0; i < conf->inbound_count; i++)
        add_inbound_domains(e, &conf->inbounds[i].domains, is_there);
    e->bounce_domains = wb_must(wb_pool_array(
        pool, conf->bounces.domains.count + 1, sizeof *e->bounce_domains));
    for (size_t i = 0; i < conf->bounces.domains.count; i++)
        if (i == 0 || strcmp(conf->bounces.domains.items[i],
                             conf->bounces.domains.items[i - 1]) != 0)
            e->bounce_domains[e->bounce_count++] =
                conf->bounces.domains.items[i];
}

static int add_ways(struct making *m, struct wb_err *err)
{
    const struct wb_conf *conf = m->entries->conf;
    int code = EX_OK;

    for (size_t i = 0; code == EX_OK && i < conf->route_count; i++) {
        if (!conf->routes[i].is_direct)
            code = add_way(m, &conf->routes[i], err);
    }
    return code;
}

int wb_entries_make(const struct wb_conf *conf, struct wb_pool *pool,
                    const char *directory, struct wb_entries *out,
                    struct wb_err *err)
{
    struct making m = {.entries = out, .pool = pool};
    int code = wb_seating_open(&m.seating, pool, directory, err);

    *out = (struct wb_entries){.conf = conf};
    out->services = wb_must(
        wb_pool_array(pool, WB_SERVICES_MOST + 1, sizeof *out->services));
    out->ways =
        wb_must(wb_pool_array(pool, conf->route_count + 1, sizeof *out->ways));
    if (code == EX_OK)
        code = add_ways(&m, err);
    if (code == EX_OK)
        wb_entries_add_domains(out, pool);
    wb_seating_close(&m.seating);
    wb_keyed_free(&m.kinds);
    wb_keyed_free(&m.names);
    wb_keyed_free(&m.services);
    return code;
}

bool wb_entries_have_pop(const struct wb_entries *entries)
{
    for (size_t i = 0; i < entries->way_count; i++)
        if (entries->ways[i].route->pop.host != NULL)
            return true;
    return false;
}
