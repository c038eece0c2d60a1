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
        if (conf->return_paths[i].mode != WB_RETURN_KEEP &&
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

static const enum wb_token_kind kinds[] = {
    [WB_RETURN_KEEP] = WB_TOKEN_NONE, [WB_RETURN_DOMAIN] = WB_TOKEN_NONE,
    [WB_RETURN_BATV] = WB_TOKEN_BATV, [WB_RETURN_SRS] = WB_TOKEN_SRS,
    [WB_RETURN_VERP] = WB_TOKEN_VERP, [WB_RETURN_ADDRESS] = WB_TOKEN_NONE,
};

const char *wb_return_mode_name(enum wb_return_mode mode)
{
    static const char *const names[] = {
        [WB_RETURN_KEEP] = "keep", [WB_RETURN_DOMAIN] = "domain",
        [WB_RETURN_BATV] = "batv", [WB_RETURN_SRS] = "srs",
        [WB_RETURN_VERP] = "verp", [WB_RETURN_ADDRESS] = "address",
    };

    return names[mode];
}

static int sign(const struct wb_conf *conf, const struct wb_return_path *rp,
                const struct wb_envelope *env,
                const struct wb_address *recipient, const char *domain,
                struct wb_pool *p, const char **out, struct wb_err *err)
{
    const struct wb_signer signer = {.secret = &conf->secret,
                                     .now_s = env->now_s,
                                     .max_age_days = rp->max_age_days};
    int rc;

    if (conf->secret.count == 0) {
        *out = wb_pool_printf(p, "SECRET@%s", domain);
        return *out != NULL ? EX_OK
                            : wb_err_set(err, EX_OSERR, "out of memory");
    }
    rc = wb_token_encode(kinds[rp->mode], &signer, &env->sender, recipient,
                         domain, p, out, err);
    if (rc == EX_DATAERR && rp->overflow == WB_OVERFLOW_PLAIN) {
        *out = env->sender.text;
        return EX_OK;
    }
    return rc == EX_OK || rc == EX_DATAERR ? rc : EX_OSERR;
}

int wb_return_path_apply(const struct wb_conf *conf,
                         const struct wb_return_path *rp,
                         const struct wb_envelope *env,
                         const struct wb_address *recipient, struct wb_pool *p,
                         const char **out, struct wb_err *err)
{
    const struct wb_address *sender = &env->sender;
    const char *domain;

    *out = sender->text;
    if (rp->mode == WB_RETURN_KEEP || wb_address_is_null(sender))
        return EX_OK;
    if (rp->mode == WB_RETURN_ADDRESS) {
        *out = rp->address;
        return EX_OK;
    }
    if (sender->domain == NULL || is_return_domain(conf, sender->domain))
        return EX_OK;
    /* "return.[192.0.2.1]" is no domain. */
    if (sender->is_literal && strstr(rp->domain, "%d") != NULL)
        return EX_OK;
    domain = fill_domain(p, rp->domain, sender->domain);
    if (domain != NULL && kinds[rp->mode] != WB_TOKEN_NONE)
        return sign(conf, rp, env, recipient, domain, p, out, err);
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

/* The domain that rp turned into domain; NULL when it cannot be told. */
static const char *domain_behind(struct wb_pool *p,
                                 const struct wb_return_path *rp,
                                 const char *domain)
{
    const char *hole = strstr(rp->domain, "%d");
    const struct wb_addrspec *only = rp->senders.entries;
    const char *at;

    if (hole != NULL) {
        size_t before = (size_t)(hole - rp->domain);

        return wb_pool_strndup(p, domain + before,
                               strlen(domain) - before - strlen(hole + 2));
    }
    if (rp->senders.count != 1)
        return NULL;
    at = strrchr(only->text, '@');
    return at != NULL ? at + 1 : only->text;
}

/* A BATV address came back: give its sender its own domain again. */
static int restore_domain(const struct wb_conf *conf, struct wb_address *sender,
                          struct wb_pool *p, struct wb_err *err)
{
    for (size_t i = 0; i < conf->return_path_count; i++) {
        const struct wb_return_path *rp = &conf->return_paths[i];
        const char *domain, *text;

        if (rp->mode != WB_RETURN_BATV || !is_made_by(rp, sender->domain))
            continue;
        domain = domain_behind(p, rp, sender->domain);
        text =
            domain == NULL ? NULL : wb_address_format(p, sender->local, domain);
        return text == NULL ? wb_err_set(err, EX_OSERR, "out of memory")
                            : wb_address_parse(p, text, sender, err);
    }
    return EX_OK;
}

/* The return paths that lead to a domain. */
struct makers {
    unsigned max_age_days; /* of the signing ones, the longest */
    bool any, unsigned_ones;
};

static struct makers makers_of(const struct wb_conf *conf, const char *domain)
{
    struct makers m = {.max_age_days = 10};

    for (size_t i = 0; i < conf->return_path_count; i++) {
        const struct wb_return_path *rp = &conf->return_paths[i];

        if (rp->mode == WB_RETURN_KEEP || !is_made_by(rp, domain))
            continue;
        m.any = true;
        if (rp->mode == WB_RETURN_DOMAIN)
            m.unsigned_ones = true;
        else if (rp->max_age_days > m.max_age_days)
            m.max_age_days = rp->max_age_days;
    }
    return m;
}

int wb_return_path_read(const struct wb_conf *conf,
                        const struct wb_address *address, int64_t now_s,
                        struct wb_pool *p, struct wb_token *out,
                        struct wb_err *err)
{
    const struct makers makers = makers_of(conf, address->domain);
    const struct wb_signer signer = {.secret = &conf->secret,
                                     .now_s = now_s,
                                     .max_age_days = makers.max_age_days};
    int rc = wb_token_decode(&signer, address, p, out, err);

    if (rc != EX_OK)
        return rc;
    /* Where unsigned addresses are good, "prvs=..." may be somebody else's
     * token, which mode domain moved here. */
    if (out->verdict != WB_TOKEN_IS_VALID &&
        out->verdict != WB_TOKEN_IS_EXPIRED &&
        (!makers.any || makers.unsigned_ones ||
         strcasecmp(address->local, "postmaster") == 0)) {
        memset(out, 0, sizeof *out);
        out->verdict = WB_TOKEN_IS_VALID;
        out->age_days = WB_TOKEN_AGE_UNKNOWN;
    }
    if (out->kind == WB_TOKEN_BATV && out->sender.text != NULL)
        return restore_domain(conf, &out->sender, p, err) == EX_OK ? EX_OK
                                                                   : EX_OSERR;
    return EX_OK;
}
