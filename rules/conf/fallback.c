/* A route's fallback relays. They may be routes that stand further down, so
 * they are looked up when all routes are known. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/check.h"

enum { MAX_FALLBACKS = 8, MAX_HOST_OCTETS = 255 };

/* A route's fallback option, out of its section. */
struct wb_fallback {
    size_t route;
    struct wb_raw_option option;
};

void wb_fallback_take(struct wb_checker *c, const struct wb_raw_section *raw,
                      size_t index)
{
    const struct wb_raw_option *option = wb_raw_find(raw, "fallback");
    struct wb_fallback *all, *kept;

    if (!option || option->count == 0)
        return;
    all = wb_array_push(c, c->fallbacks, &c->fallback_count, sizeof *all);
    if (!all)
        return;
    c->fallbacks = all;
    kept = &all[c->fallback_count - 1];
    kept->route = index;
    kept->option = *option;
    kept->option.values = NULL;
    kept->option.count = 0;
    for (size_t i = 0; i < option->count; i++)
        if (!wb_raw_add_value(c->kept, &kept->option, option->values[i].text,
                              option->values[i].line))
            c->is_out_of_memory = true;
}

static void __attribute__((format(printf, 4, 5)))
tell(struct wb_checker *c, const struct wb_raw_option *option, size_t i,
     const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wb_problem_add(c->problems, WB_ERROR, option->file, option->values[i].line,
                   option->name, "\"%s\" %s", option->values[i].text, text);
}

/* "" or ":587". 0: it is no port. */
static unsigned port_of(const char *text, unsigned by_default)
{
    unsigned long port;

    if (*text == '\0')
        return by_default;
    if (*text++ != ':' || strlen(text) > 5 || *text == '\0' ||
        text[strspn(text, "0123456789")])
        return 0;
    port = strtoul(text, NULL, 10);
    return port <= 65535 ? (unsigned)port : 0;
}

/* "[host]:587", "[host]", "host:587". false: told. */
static bool take_place(struct wb_checker *c, const struct wb_route *route,
                       const struct wb_raw_option *option, size_t i,
                       struct wb_relay *out)
{
    const char *text = option->values[i].text;
    bool has_brackets = *text == '[';
    size_t length = strcspn(text + has_brackets, has_brackets ? "]" : ":");
    const char *rest = text + has_brackets + length;
    char host[MAX_HOST_OCTETS + 1] = "";
    const char *fault;

    if ((has_brackets && *rest++ != ']') || length >= sizeof host ||
        strchr(rest, ':') != strrchr(rest, ':')) {
        tell(c, option, i,
             "is not a relay; \"[smtp.example.com]:587\" is "
             "right");
        return false;
    }
    memcpy(host, text + has_brackets, length);
    out->port = port_of(rest, route->port);
    fault = out->port ? wb_host_fault(host)
                      : "has a wrong port; 1 to 65535 is right";
    if (fault) {
        tell(c, option, i, "%s", fault);
        return false;
    }
    out->host = wb_host_canonical(c->pool, host);
    out->username = route->username;
    out->password_file = route->password_file;
    if (!out->host)
        c->is_out_of_memory = true;
    return out->host != NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* One service of the MTA carries a route to all of its relays, and that has
 * one TLS and one way of logging in. NULL: they agree. */
static const char *kind_fault(const struct wb_route *a,
                              const struct wb_route *b)
{
    if (a->tls != b->tls)
        return "tls";
    if (a->auth != b->auth)
        return "auth";
    if (a->tls != WB_TLS_NONE && !same_text(a->ca_file, b->ca_file))
        return "ca_file";
    if (a->tls != WB_TLS_NONE && !same_text(a->cert_file, b->cert_file))
        return "cert_file";
    return NULL;
}

/* Another route's host and account. false: told. */
static bool take_route(struct wb_checker *c, const struct wb_route *route,
                       const struct wb_raw_option *option, size_t i,
                       struct wb_relay *out)
{
    const struct wb_name *name = wb_refer(c, option, i, "route", &c->routes);
    const struct wb_route *other = name ? &c->conf->routes[name->index] : NULL;
    const char *fault;

    if (!other || !other->name)
        return false;
    fault = kind_fault(route, other);
    if (other->is_direct)
        tell(c, option, i, "names no relay; a route with a host is right");
    else if (other == route)
        tell(c, option, i, "is this route itself; leave it out");
    else if (other->pop.host)
        tell(c, option, i,
             "needs a POP login first (pop_before_smtp), which Postfix cannot "
             "wait for between two relays; a route without it is right");
    else if (fault && !c->is_broken)
        tell(c, option, i,
             "has another %s; the relays of one route share tls, auth, "
             "ca_file and cert_file",
             fault);
    else {
        *out = (struct wb_relay){other->host, other->port, other->username,
                                 other->password_file};
        return other->host != NULL;
    }
    return false;
}

static bool take(struct wb_checker *c, const struct wb_route *route,
                 const struct wb_raw_option *option, size_t i,
                 struct wb_relay *out)
{
    const char *text = option->values[i].text;

    if (*text == '\0')
        wb_option_tell(c, option, "an entry is empty; leave it out");
    else if (strpbrk(text, "[:"))
        return take_place(c, route, option, i, out);
    else
        return take_route(c, route, option, i, out);
    return false;
}

static bool is_same(const struct wb_relay *a, const struct wb_relay *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0 &&
           same_text(a->username, b->username);
}

/* A second try at the same place would only cost time. */
static bool is_there(const struct wb_route *route,
                     const struct wb_relay *relays, size_t count,
                     const struct wb_relay *relay)
{
    const struct wb_relay first = {route->host, route->port, route->username,
                                   NULL};

    for (size_t i = 0; i < count; i++)
        if (is_same(&relays[i], relay))
            return true;
    return first.host && is_same(&first, relay);
}

static void resolve(struct wb_checker *c, const struct wb_fallback *fallback)
{
    const struct wb_raw_option *option = &fallback->option;
    struct wb_route *route = &c->conf->routes[fallback->route];
    struct wb_relay *relays =
        wb_pool_array(c->pool, option->count, sizeof *relays);
    const char *fault;
    size_t count = 0;

    if (!relays) {
        c->is_out_of_memory = true;
        return;
    }
    if (option->count > MAX_FALLBACKS) {
        wb_option_tell(c, option, "holds %zu relays; %d are the most",
                       option->count, MAX_FALLBACKS);
        return;
    }
    for (size_t i = 0; i < option->count; i++) {
        if (!take(c, route, option, i, &relays[count]))
            continue;
        if (is_there(route, relays, count, &relays[count]))
            tell(c, option, i, "stands there twice; leave it out");
        else if ((fault = wb_sendmail_fallback_fault(c->conf, route,
                                                     &relays[count])))
            tell(c, option, i, "%s", fault);
        else
            count++;
    }
    route->fallbacks = relays;
    route->fallback_count = count;
}

void wb_fallbacks_resolve(struct wb_checker *c)
{
    for (size_t i = 0; i < c->fallback_count; i++)
        resolve(c, &c->fallbacks[i]);
}
