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

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

const char *wb_kind_key(struct wb_pool *pool, const struct wb_route *route)
{
    return wb_say(pool, "%d %d\n%s", route->tls, route->auth,
                  or_empty(ca(route)));
}

const char *wb_kind_name(struct wb_pool *pool, const struct wb_route *route)
{
    const char *trusted = "";

    if (ca(route) != NULL)
        trusted = wb_say(pool, "-ca%08x", mark(ca(route)));
    return wb_say(pool, "%s-%s%s", tls_words[route->tls],
                  auth_words[route->auth], trusted);
}
