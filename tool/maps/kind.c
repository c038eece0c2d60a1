#include "tool/maps/kind.h"

#include "tool/maps/memory.h"

static const char *const tls_words[] = {
    [WB_TLS_NONE] = "none",
    [WB_TLS_STARTTLS] = "starttls",
    [WB_TLS_IMPLICIT] = "tls",
};

static const char *const auth_words[] = {
    [WB_AUTH_NONE] = "none",   [WB_AUTH_PLAIN] = "plain",
    [WB_AUTH_LOGIN] = "login", [WB_AUTH_CRAM_MD5] = "cram-md5",
    [WB_AUTH_NTLM] = "ntlm",   [WB_AUTH_ANY] = "any",
};

/* FNV-1a: a short, stable mark of a text. */
static uint32_t mark(const char *text)
{
    uint32_t hash = 2166136261U;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    return hash;
}

/* The trusted certificates; without TLS they do not matter. */
static const char *ca(const struct wb_route *route)
{
    return route->tls == WB_TLS_NONE ? NULL : route->ca_file;
}

static const char *certificate(struct wb_pool *pool,
                               const struct wb_route *route)
{
    return route->cert_file == NULL
               ? ""
               : wb_say(pool, "%s\n%s", route->cert_file, route->key_file);
}

/* A pace is the account's: only routes of one account share it. */
static const char *paced(struct wb_pool *pool, const struct wb_route *route)
{
    return route->delay_s == 0
               ? ""
               : wb_say(pool, "%s:%u %s", route->host, route->port,
                        route->username == NULL ? "" : route->username);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

const char *wb_kind_key(struct wb_pool *pool, const struct wb_route *route)
{
    return wb_say(pool, "%d %d %u %u %u\n%s\n%s\n%s", route->tls, route->auth,
                  route->concurrency, route->max_recipients, route->delay_s,
                  or_empty(ca(route)), certificate(pool, route),
                  paced(pool, route));
}

const char *wb_kind_name(struct wb_pool *pool, const struct wb_route *route)
{
    const char *name =
        wb_say(pool, "%s-%s", tls_words[route->tls], auth_words[route->auth]);

    if (ca(route) != NULL)
        name = wb_say(pool, "%s-ca%08x", name, mark(ca(route)));
    if (route->cert_file != NULL)
        name =
            wb_say(pool, "%s-cert%08x", name, mark(certificate(pool, route)));
    if (route->concurrency > 0)
        name = wb_say(pool, "%s-conc%u", name, route->concurrency);
    if (route->max_recipients > 0)
        name = wb_say(pool, "%s-rcpt%u", name, route->max_recipients);
    if (route->delay_s > 0)
        name = wb_say(pool, "%s-every%us-acct%08x", name, route->delay_s,
                      mark(paced(pool, route)));
    return name;
}
