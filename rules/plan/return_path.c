#include "plan/return_path.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

/* An empty list asks nothing; a fact that is missing is in no list. */
static bool allows(const struct wb_strings *list, const char *text)
{
    return list->count == 0 || (text != NULL && wb_strings_hold(list, text));
}

static enum wb_verdict names_sender(const struct wb_return_path *rp,
                                    struct wb_matcher *m,
                                    enum wb_specificity *named)
{
    *named = WB_NAMED_NOT;
    if (!allows(&rp->logins, m->envelope->login) ||
        !allows(&rp->listeners, m->envelope->listener))
        return WB_NO;
    return wb_addrlist_names(&rp->senders, &m->envelope->sender, &m->budget,
                             named, NULL);
}

enum wb_verdict wb_return_path_choose(const struct wb_conf *conf,
                                      struct wb_matcher *m,
                                      const struct wb_route *route,
                                      const struct wb_return_path **out)
{
    enum wb_specificity named, best = WB_NAMED_NOT;
    enum wb_verdict v = WB_NO;

    *out = &conf->return_paths[0];
    if (route->return_path != NULL) {
        v = names_sender(route->return_path, m, &named);
        if (v == WB_YES)
            *out = route->return_path;
        if (v != WB_NO)
            return v;
    }
    for (size_t i = 1; i < conf->return_path_count; i++) {
        v = names_sender(&conf->return_paths[i], m, &named);
        if (v == WB_RETRY)
            return WB_RETRY;
        if (v == WB_YES && named > best) {
            best = named;
            *out = &conf->return_paths[i];
        }
    }
    return WB_YES;
}

/* Could rp have made domain? "return.%d" made everything below "return.". */
static bool is_made_by(const struct wb_return_path *rp, const char *domain)
{
    const char *hole = strstr(rp->domain, "%d");
    size_t before, after, length = strlen(domain);

    if (hole == NULL)
        return strcasecmp(rp->domain, domain) == 0;
    before = (size_t)(hole - rp->domain);
    after = strlen(hole + 2);
    return length > before + after &&
           strncasecmp(domain, rp->domain, before) == 0 &&
           strcasecmp(domain + length - after, hole + 2) == 0;
}

static bool is_return_domain(const struct wb_conf *conf, const char *domain)
{
    if (wb_strings_hold(&conf->bounces.domains, domain))
        return true;
    for (size_t i = 0; i < conf->return_path_count; i++)
        if (conf->return_paths[i].mode == WB_RETURN_DOMAIN &&
            is_made_by(&conf->return_paths[i], domain))
            return true;
    return false;
}

static const char *fill_domain(struct wb_pool *p, const char *pattern,
                               const char *domain)
{
    const char *hole = strstr(pattern, "%d");

    if (hole == NULL)
        return pattern;
    return wb_pool_printf(p, "%.*s%s%s", (int)(hole - pattern), pattern, domain,
                          hole + 2);
}

/* The local part stays as it is on the wire, quotes and case included. */
static const char *move_to(struct wb_pool *p, const struct wb_address *sender,
                           const char *domain)
{
    size_t local = strlen(sender->text) - strlen(sender->domain) - 1;

    return wb_pool_printf(p, "%.*s@%s", (int)local, sender->text, domain);
}

int wb_return_path_apply(const struct wb_conf *conf,
                         const struct wb_return_path *rp,
                         const struct wb_address *sender, struct wb_pool *p,
                         const char **out, struct wb_err *err)
{
    const char *domain;

    *out = sender->text;
    if (rp->mode == WB_RETURN_KEEP || wb_address_is_null(sender) ||
        sender->domain == NULL || is_return_domain(conf, sender->domain))
        return EX_OK;
    /* "return.[192.0.2.1]" is no domain. */
    if (sender->is_literal && strstr(rp->domain, "%d") != NULL)
        return EX_OK;
    domain = fill_domain(p, rp->domain, sender->domain);
    *out = domain == NULL ? NULL : move_to(p, sender, domain);
    if (*out == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (strlen(domain) > WB_DOMAIN_MAX_OCTETS ||
        strlen(*out) + 2 > WB_PATH_MAX_OCTETS)
        return wb_err_set(err, EX_DATAERR,
                          "the return path of this sender would be longer "
                          "than RFC 5321 allows");
    return EX_OK;
}
