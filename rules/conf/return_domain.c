#include "conf/return_domain.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

bool wb_return_path_makes(const struct wb_return_path *rp, const char *domain)
{
    const char *hole = rp->domain == NULL ? NULL : strstr(rp->domain, "%d");
    size_t before, after, length = strlen(domain);

    if (rp->domain == NULL)
        return false;
    if (hole == NULL)
        return strcasecmp(rp->domain, domain) == 0;
    before = (size_t)(hole - rp->domain);
    after = strlen(hole + 2);
    return length > before + after &&
           strncasecmp(domain, rp->domain, before) == 0 &&
           strcasecmp(domain + length - after, hole + 2) == 0;
}

static bool is_maker(const struct wb_return_path *rp, unsigned modes,
                     const char *domain)
{
    return (WB_MODE(rp->mode) & modes) != 0 && wb_return_path_makes(rp, domain);
}

bool wb_return_domain_is_made(const struct wb_conf *conf, unsigned modes,
                              const char *domain)
{
    for (size_t i = 0; i < conf->return_path_count; i++)
        if (is_maker(&conf->return_paths[i], modes, domain))
            return true;
    return false;
}

const char *wb_return_domain_only(const struct wb_addrlist *senders)
{
    const char *only = NULL;

    for (size_t i = 0; i < senders->count; i++) {
        const struct wb_addrspec *e = &senders->entries[i];
        const char *at = strrchr(e->text, '@');
        const char *domain = at != NULL ? at + 1 : e->text;

        if (e->kind != WB_NAMED_DOMAIN && e->kind != WB_NAMED_ADDRESS)
            return NULL;
        if (only != NULL && strcmp(only, domain) != 0)
            return NULL;
        only = domain;
    }
    return only;
}

/* What stood in the place of %d. NULL when out of memory. */
static const char *fill_of(struct wb_pool *p, const char *pattern,
                           const char *hole, const char *domain)
{
    size_t before = (size_t)(hole - pattern);

    return wb_pool_strndup(p, domain + before,
                           strlen(domain) - before - strlen(hole + 2));
}

int wb_return_domain_source(const struct wb_conf *conf, unsigned modes,
                            const char *domain, struct wb_pool *p,
                            const char **out)
{
    *out = NULL;
    for (size_t i = 0; i < conf->return_path_count; i++) {
        const struct wb_return_path *rp = &conf->return_paths[i];
        const char *hole, *source;
        bool is_first = *out == NULL;

        if (!is_maker(rp, modes, domain))
            continue;
        hole = strstr(rp->domain, "%d");
        source = hole == NULL ? wb_return_domain_only(&rp->senders)
                              : fill_of(p, rp->domain, hole, domain);
        if (source == NULL && hole != NULL)
            return EX_OSERR;
        if (source == NULL || (!is_first && strcmp(source, *out) != 0)) {
            *out = NULL;
            return EX_OK;
        }
        *out = source;
    }
    return EX_OK;
}
