#include "plan/suffix.h"

#include <string.h>
#include <sysexits.h>

#define NO_SECRET "SECRET"

bool wb_suffix_is_own(const char *domain)
{
    return strcmp(domain, WB_SUFFIX_DOMAIN) == 0 ||
           wb_domain_is_below(domain, WB_SUFFIX_DOMAIN);
}

static const char *label(const struct wb_conf *conf)
{
    return conf->secret.count > 0 ? conf->secret.keys[0].label : NO_SECRET;
}

/* The whole address as one quoted local part (RFC 5321, 4.1.2). */
static const char *quote(struct wb_pool *p, const char *text)
{
    char *out = wb_pool_alloc(p, 2 * strlen(text) + 3);
    char *o = out;

    if (out == NULL)
        return NULL;
    *o++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            *o++ = '\\';
        *o++ = *text;
    }
    *o++ = '"';
    return out;
}

static const char *append(struct wb_pool *p, const struct wb_address *a,
                          const char *suffix)
{
    size_t octets = strlen(a->domain) + 1 + strlen(suffix);
    const char *quoted;

    if (!a->is_literal && octets <= WB_DOMAIN_MAX_OCTETS)
        return wb_pool_printf(p, "%s.%s", a->text, suffix);
    quoted = quote(p, a->text);
    return quoted == NULL ? NULL : wb_pool_printf(p, "%s@x.%s", quoted, suffix);
}

const char *wb_suffix_for_route(const struct wb_conf *conf, struct wb_pool *p,
                                const struct wb_address *a,
                                const struct wb_route *route)
{
    const char *suffix =
        wb_pool_printf(p, "%s.%s." WB_SUFFIX_DOMAIN, route->name, label(conf));

    return suffix == NULL ? NULL : append(p, a, suffix);
}

static bool hook_mac(const struct wb_conf *conf, struct wb_pool *p,
                     const struct wb_address *a,
                     const struct wb_webhook *webhook, const char *filter,
                     char out[WB_MAC_OCTETS + 1])
{
    const char *folded = wb_pool_strlower(p, a->text);
    const char *const parts[] = {"hook", webhook->name, filter, folded};

    if (conf->secret.count == 0) {
        strcpy(out, NO_SECRET);
        return true;
    }
    return folded != NULL &&
           wb_secret_mac(&conf->secret.keys[0], parts,
                         sizeof parts / sizeof parts[0], out, NULL) == EX_OK;
}

const char *wb_suffix_for_hook(const struct wb_conf *conf, struct wb_pool *p,
                               const struct wb_address *a,
                               const struct wb_webhook *webhook,
                               const char *filter)
{
    char mac[WB_MAC_OCTETS + 1];
    const char *suffix;

    if (!hook_mac(conf, p, a, webhook, filter, mac))
        return NULL;
    suffix = wb_pool_printf(p, "%s.%s.%s.hook.%s." WB_SUFFIX_DOMAIN,
                            webhook->name, filter, mac, label(conf));
    return suffix == NULL ? NULL : append(p, a, suffix);
}
