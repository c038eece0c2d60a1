#include "plan/suffix.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

bool wb_suffix_is_own(const char *domain)
{
    return strcmp(domain, WB_SUFFIX_DOMAIN) == 0 ||
           wb_domain_is_below(domain, WB_SUFFIX_DOMAIN);
}

/* Is what stands behind the last "@" (the whole, if there is none) our own? */
static bool ends_in_own(const char *address)
{
    const char *at = strrchr(address, '@');
    const char *domain = at != NULL ? at + 1 : address;
    size_t octets = strlen(domain), own = strlen(WB_SUFFIX_DOMAIN);

    return octets >= own &&
           strcasecmp(domain + octets - own, WB_SUFFIX_DOMAIN) == 0 &&
           (octets == own || domain[octets - own - 1] == '.');
}

bool wb_suffix_is_in(const struct wb_address *a, const char *resolved)
{
    if (a->domain != NULL && wb_suffix_is_own(a->domain))
        return true;
    return (resolved != NULL && ends_in_own(resolved)) ||
           (a->local != NULL && ends_in_own(a->local));
}

static const char *label(const struct wb_conf *conf)
{
    return conf->secret.count > 0 ? conf->secret.keys[0].label : WB_NO_SECRET;
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

/* The longest that follows a recipient's domain: two names, a MAC, "hook",
 * LABEL, and the dots. */
enum {
    SUFFIX_MAX_OCTETS = 2 * 63 + WB_MAC_OCTETS + 4 + WB_LABEL_OCTETS +
                        sizeof WB_SUFFIX_DOMAIN + 5
};

bool wb_suffix_can_carry(const struct wb_address *a, bool by_us)
{
    if (strcasecmp(a->domain, "x") == 0 && strchr(a->local, '@') != NULL)
        return false;
    if (by_us)
        return true;
    if (!a->is_literal &&
        strlen(a->domain) + SUFFIX_MAX_OCTETS <= WB_DOMAIN_MAX_OCTETS)
        return true;
    return strpbrk(a->text, "\"\\") == NULL;
}

static const char *append(struct wb_pool *p, const struct wb_address *a,
                          const char *suffix)
{
    size_t octets = strlen(a->domain) + 1 + strlen(suffix);
    const char *quoted;

    if (!a->is_literal && octets <= WB_DOMAIN_MAX_OCTETS)
        return wb_pool_join(p, a->text, ".", suffix, NULL);
    quoted = quote(p, a->text);
    return quoted == NULL ? NULL : wb_pool_join(p, quoted, "@x.", suffix, NULL);
}

const char *wb_suffix_for_route(const struct wb_conf *conf, struct wb_pool *p,
                                const struct wb_address *a,
                                const struct wb_route *route)
{
    const char *suffix = wb_pool_join(p, route->name, ".", label(conf),
                                      "." WB_SUFFIX_DOMAIN, NULL);

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
        strcpy(out, WB_NO_SECRET);
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

const char *wb_suffix_for_again(const struct wb_conf *conf, struct wb_pool *p,
                                const struct wb_address *a,
                                const struct wb_route *route, const char *mac)
{
    const char *suffix = wb_pool_printf(p, "%s.%s.again.%s." WB_SUFFIX_DOMAIN,
                                        route->name, mac, label(conf));

    return suffix == NULL ? NULL : append(p, a, suffix);
}

enum { MOST_LABELS = 128 }; /* 255 octets hold no more (RFC 1035, 2.3.4) */

/* Split a copy of domain into its labels. Returns how many there are. */
static size_t split(char *domain, char *labels[MOST_LABELS])
{
    size_t count = 0;
    char *rest = NULL;

    for (char *l = strtok_r(domain, ".", &rest);
         l != NULL && count < MOST_LABELS; l = strtok_r(NULL, ".", &rest))
        labels[count++] = l;
    return count;
}

static bool is_our_label(const struct wb_conf *conf, const char *text)
{
    /* explain without the secret cannot judge: it shows the way */
    if (conf->secret.count == 0)
        return true;
    for (size_t i = 0; i < conf->secret.count; i++)
        if (strcmp(conf->secret.keys[i].label, text) == 0)
            return true;
    return false;
}

/* The recipient that a suffix of these labels was put on. */
static const char *original(struct wb_pool *p, const struct wb_address *a,
                            char *const labels[], size_t count)
{
    size_t octets = 0;

    for (size_t i = 0; i < count; i++)
        octets += 1 + strlen(labels[i]);
    /* Carried whole as the local part of a domain "x"? */
    if (strlen(a->domain) == octets + 1 && a->domain[0] == 'x' &&
        strchr(a->local, '@') != NULL)
        return a->local;
    return wb_pool_strndup(p, a->text, strlen(a->text) - octets);
}

enum { HOOK_LABELS = 7, AGAIN_LABELS = 6 };

/* labels: WEBHOOK, FILTER, MAC, "hook", LABEL, "waybill", "invalid". The MAC
 * covers the recipient in lower case. */
static int parse_hook(const struct wb_conf *conf, struct wb_pool *p,
                      const struct wb_address *a, char *const labels[],
                      struct wb_suffix *out)
{
    const char *parts[] = {"hook", labels[0], labels[1], NULL};
    const char *text = original(p, a, labels, HOOK_LABELS);

    parts[3] = text == NULL ? NULL : wb_pool_strlower(p, text);
    out->original = parts[3];
    out->filter = labels[1];
    if (parts[3] == NULL)
        return EX_OSERR;
    out->webhook = wb_conf_webhook(conf, labels[0]);
    return wb_secret_verify(&conf->secret, parts,
                            sizeof parts / sizeof parts[0], labels[2])
               ? EX_OK
               : EX_DATAERR;
}

/* labels: ROUTE, MAC, "again", LABEL, "waybill", "invalid". */
static int parse_again(const struct wb_conf *conf, struct wb_pool *p,
                       const struct wb_address *a, char *const labels[],
                       struct wb_suffix *out)
{
    out->route = wb_conf_route(conf, labels[0]);
    out->mac = labels[1];
    out->original = original(p, a, labels, AGAIN_LABELS);
    return out->original != NULL ? EX_OK : EX_OSERR;
}

int wb_suffix_parse(const struct wb_conf *conf, struct wb_pool *p,
                    const struct wb_address *a, struct wb_suffix *out)
{
    char *labels[MOST_LABELS];
    char *domain;
    size_t n;

    memset(out, 0, sizeof *out);
    if (a->domain == NULL || !wb_suffix_is_own(a->domain))
        return EX_DATAERR;
    domain = wb_pool_strlower(p, a->domain);
    if (domain == NULL)
        return EX_OSERR;
    n = split(domain, labels);
    /* At least: x, ROUTE, LABEL, "waybill", "invalid". */
    if (n < 5 || !is_our_label(conf, labels[n - 3]))
        return EX_DATAERR;
    if (strcmp(labels[n - 4], "hook") == 0)
        return n <= HOOK_LABELS
                   ? EX_DATAERR
                   : parse_hook(conf, p, a, &labels[n - HOOK_LABELS], out);
    if (strcmp(labels[n - 4], "again") == 0)
        return n <= AGAIN_LABELS
                   ? EX_DATAERR
                   : parse_again(conf, p, a, &labels[n - AGAIN_LABELS], out);
    out->route = wb_conf_route(conf, labels[n - 4]);
    return EX_OK;
}
