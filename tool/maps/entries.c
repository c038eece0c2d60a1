#include "tool/maps/entries.h"

#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/password.h"

static const char *const tls_words[] = {
    [WB_TLS_NONE] = "none",
    [WB_TLS_STARTTLS] = "starttls",
    [WB_TLS_IMPLICIT] = "tls",
};

static const char *const auth_words[] = {
    [WB_AUTH_NONE] = "none",
    [WB_AUTH_PLAIN] = "plain",
    [WB_AUTH_LOGIN] = "login",
};

/* FNV-1a: a short, stable mark of a path. */
static uint32_t mark(const char *text)
{
    uint32_t hash = 2166136261U;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    return hash;
}

/* "starttls-plain", "tls-plain-ca1f2e3d4c", "starttls-plain-2" */
static const char *kind(struct wb_pool *pool, const struct wb_route *route,
                        size_t number)
{
    const char *ca = "";
    const char *nth = "";

    if (route->ca_file != NULL && route->tls != WB_TLS_NONE)
        ca = wb_say(pool, "-ca%08x", mark(route->ca_file));
    if (number > 0)
        nth = wb_say(pool, "-%zu", number + 1);
    return wb_say(pool, "%s-%s%s%s", tls_words[route->tls],
                  auth_words[route->auth], ca, nth);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_place(const struct wb_way *a, const struct wb_way *b)
{
    const struct wb_route *x = a->route, *y = b->route;

    return x->port == y->port && x->tls == y->tls && x->auth == y->auth &&
           strcmp(a->host, b->host) == 0 &&
           (x->tls == WB_TLS_NONE || same_text(x->ca_file, y->ca_file));
}

static bool same_account(const struct wb_way *a, const struct wb_way *b)
{
    return same_text(a->route->username, b->route->username) &&
           same_text(a->password, b->password);
}

/* The slot of an earlier way with this account, or the next free one. */
static void choose_slot(struct wb_entries *e, struct wb_way *way)
{
    way->slot = 0;
    for (const struct wb_way *other = e->ways; other < way; other++) {
        if (!same_place(other, way))
            continue;
        if (same_account(other, way)) {
            way->slot = other->slot;
            way->shares_nexthop = true;
            return;
        }
        if (other->slot >= way->slot)
            way->slot = other->slot + 1;
    }
}

static size_t find_service(struct wb_entries *e, struct wb_pool *pool,
                           const struct wb_way *way)
{
    const struct wb_route *route = way->route;
    const char *its = kind(pool, route, way->slot / WB_PADDINGS);
    const char *name = wb_say(pool, "waybill-%s", its);
    struct wb_service *s;

    for (size_t i = 0; i < e->service_count; i++) {
        if (strcmp(e->services[i].name, name) == 0)
            return i;
    }
    s = &e->services[e->service_count];
    s->name = name;
    s->tls = route->tls;
    s->auth = route->auth;
    s->ca_file = route->tls == WB_TLS_NONE ? NULL : route->ca_file;
    if (route->auth != WB_AUTH_NONE)
        s->passwords = wb_say(pool, "sasl-%s", its);
    return e->service_count++;
}

/* "[host]:0587"; "[192.0.2.1]" has its brackets already. */
static const char *nexthop(struct wb_pool *pool, const struct wb_way *way)
{
    bool is_literal = way->host[0] == '[';
    int padding = (int)(way->slot % WB_PADDINGS);

    return wb_say(pool, "%s%s%s:%.*s%u", is_literal ? "" : "[", way->host,
                  is_literal ? "" : "]", padding, "000000000000000",
                  way->route->port);
}

static int read_account(struct wb_pool *pool, struct wb_way *way,
                        struct wb_err *err)
{
    const struct wb_route *route = way->route;

    if (route->auth == WB_AUTH_NONE)
        return EX_OK;
    if (strchr(route->username, ':') != NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s:%u: route %s: username: \"%s\" has a colon, "
                          "which Postfix cannot pass on",
                          route->origin.file, route->origin.line, route->name,
                          route->username);
    return wb_password_read(pool, route->password_file, &way->password, err);
}

static int add_way(struct wb_entries *e, struct wb_pool *pool,
                   const struct wb_route *route, struct wb_err *err)
{
    struct wb_way *way = &e->ways[e->way_count];
    int code;

    way->route = route;
    way->host = wb_must(wb_pool_strlower(pool, route->host));
    code = read_account(pool, way, err);
    if (code != EX_OK)
        return code;
    choose_slot(e, way);
    way->service = find_service(e, pool, way);
    way->nexthop = nexthop(pool, way);
    e->way_count++;
    return EX_OK;
}

static void add_domain(const char **list, size_t *count, const char *domain)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(list[i], domain) == 0)
            return;
    }
    list[(*count)++] = domain;
}

static void add_domains(struct wb_entries *e, struct wb_pool *pool)
{
    const struct wb_conf *conf = e->conf;
    size_t most = 0;

    for (size_t i = 0; i < conf->inbound_count; i++)
        most += conf->inbounds[i].domains.count;
    e->inbound_domains =
        wb_must(wb_pool_array(pool, most + 1, sizeof *e->inbound_domains));
    for (size_t i = 0; i < conf->inbound_count; i++) {
        const struct wb_strings *domains = &conf->inbounds[i].domains;

        for (size_t j = 0; j < domains->count; j++)
            add_domain(e->inbound_domains, &e->inbound_count,
                       domains->items[j]);
    }
    e->bounce_domains = wb_must(wb_pool_array(
        pool, conf->bounces.domains.count + 1, sizeof *e->bounce_domains));
    for (size_t i = 0; i < conf->bounces.domains.count; i++)
        add_domain(e->bounce_domains, &e->bounce_count,
                   conf->bounces.domains.items[i]);
}

int wb_entries_make(const struct wb_conf *conf, struct wb_pool *pool,
                    struct wb_entries *out, struct wb_err *err)
{
    *out = (struct wb_entries){.conf = conf};
    out->services = wb_must(
        wb_pool_array(pool, conf->route_count + 1, sizeof *out->services));
    out->ways =
        wb_must(wb_pool_array(pool, conf->route_count + 1, sizeof *out->ways));
    for (size_t i = 0; i < conf->route_count; i++) {
        int code;

        if (conf->routes[i].is_direct)
            continue;
        code = add_way(out, pool, &conf->routes[i], err);
        if (code != EX_OK)
            return code;
    }
    add_domains(out, pool);
    return EX_OK;
}

bool wb_entries_have_pop(const struct wb_entries *entries)
{
    for (size_t i = 0; i < entries->way_count; i++)
        if (entries->ways[i].route->pop.host != NULL)
            return true;
    return false;
}
