/* Which routes there are, and which mailer each takes. */
#include <string.h>
#include <sysexits.h>

#include "tool/maps/entries.h"
#include "tool/maps/memory.h"
#include "tool/maps/password.h"
#include "tool/sendmail/sendmail.h"

/* FNV-1a: a short, stable mark of a text. */
static uint32_t mark(const char *text)
{
    uint32_t hash = 2166136261U;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    return hash;
}

/* One word for Sendmail, which parts words at dots and colons. */
static const char *name_of(struct wb_pool *pool, const struct wb_route *route)
{
    const char *all = wb_say(pool, "%s %d %u %s %s", route->host, route->tls,
                             route->max_recipients,
                             route->ca_file == NULL ? "" : route->ca_file,
                             route->cert_file == NULL ? "" : route->cert_file);

    for (size_t i = 0; i < route->fallback_count; i++)
        all = wb_say(pool, "%s %s", all, route->fallbacks[i].host);
    return wb_say(pool, "wb-%u-%08x", route->port, mark(all));
}

static const struct wb_mailer *find_mailer(struct wb_sendmail *s,
                                           struct wb_pool *pool,
                                           const struct wb_route *route)
{
    struct wb_mailer *m = s->mailers;

    while (m < s->mailers + s->mailer_count) {
        if (wb_route_shares_mailer(m->like, route))
            return m;
        m++;
    }
    m->name = name_of(pool, route);
    m->like = route;
    s->mailer_count++;
    return m;
}

static int add_way(struct wb_sendmail *s, struct wb_pool *pool,
                   const struct wb_route *route, struct wb_err *err)
{
    struct wb_mailer_way *way = &s->ways[s->way_count++];

    way->route = route;
    way->mailer = find_mailer(s, pool, route);
    return route->auth == WB_AUTH_NONE
               ? EX_OK
               : wb_password_read(pool, route->password_file, &way->password,
                                  err);
}

static void add_domains(struct wb_sendmail *s, struct wb_pool *pool)
{
    struct wb_entries entries = {.conf = s->conf};

    wb_entries_add_domains(&entries, pool);
    s->domains = wb_postfix_domains(&entries, pool);
}

int wb_sendmail_make(const struct wb_conf *conf, struct wb_pool *pool,
                     const char *where, struct wb_sendmail *out,
                     struct wb_err *err)
{
    size_t count = conf->route_count;
    int code = EX_OK;

    *out = (struct wb_sendmail){.conf = conf};
    out->where = where;
    out->mailers = wb_must(wb_pool_array(pool, count, sizeof *out->mailers));
    out->ways = wb_must(wb_pool_array(pool, count, sizeof *out->ways));
    for (size_t i = 0; code == EX_OK && i < count; i++) {
        if (!conf->routes[i].is_direct)
            code = add_way(out, pool, &conf->routes[i], err);
    }
    add_domains(out, pool);
    return code;
}
