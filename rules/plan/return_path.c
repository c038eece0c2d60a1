#include "plan/return_path.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "conf/return_domain.h"
#include "match/matcher.h"

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

static bool is_return_domain(const struct wb_conf *conf, const char *domain)
{
    return wb_strings_hold_sorted(&conf->bounces.domains, domain) ||
           wb_return_domain_is_made(conf, WB_MODES_MOVING, domain);
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

/* Give what came back to a return domain its own domain again, as the
 * configuration implies it; *sender is {0} where it does not. text: the local
 * part as on the wire. */
static int move_back(const struct wb_conf *conf, unsigned modes,
                     const char *text, size_t octets, const char *domain,
                     struct wb_pool *p, struct wb_address *sender)
{
    const char *source, *back;
    int rc = wb_return_domain_source(conf, modes, domain, p, &source);

    memset(sender, 0, sizeof *sender);
    if (rc != EX_OK || source == NULL)
        return rc;
    back = wb_pool_printf(p, "%.*s@%s", (int)octets, text, source);
    if (back == NULL)
        return EX_OSERR;
    rc = wb_address_parse(p, back, sender, NULL);
    return rc == EX_DATAERR ? EX_OK : rc;
}

/* The longest max_age of the signing return paths that lead to a domain. */
static unsigned max_age_days(const struct wb_conf *conf, const char *domain)
{
    unsigned days = 10;

    for (size_t i = 0; i < conf->return_path_count; i++) {
        const struct wb_return_path *rp = &conf->return_paths[i];

        if ((WB_MODE(rp->mode) & WB_MODES_SIGNED) != 0 &&
            wb_return_path_makes(rp, domain) && rp->max_age_days > days)
            days = rp->max_age_days;
    }
    return days;
}

bool wb_return_path_is_postmaster(const struct wb_address *address)
{
    return strcasecmp(address->local, "postmaster") == 0;
}

/* Where unsigned addresses are good, "prvs=..." may be somebody else's token,
 * which mode domain moved here. */
static bool is_good_unsigned(const struct wb_conf *conf,
                             const struct wb_address *address)
{
    return wb_return_path_is_postmaster(address) ||
           wb_return_domain_is_made(conf, WB_MODE(WB_RETURN_DOMAIN),
                                    address->domain) ||
           !wb_return_domain_is_made(conf, WB_MODES_SIGNED, address->domain);
}

static int move_back_unsigned(const struct wb_conf *conf,
                              const struct wb_address *address,
                              struct wb_pool *p, struct wb_token *out)
{
    unsigned modes = wb_return_path_is_postmaster(address)
                         ? WB_MODES_MOVING
                         : WB_MODE(WB_RETURN_DOMAIN);

    *out = (struct wb_token){.verdict = WB_TOKEN_IS_VALID,
                             .age_days = WB_TOKEN_AGE_UNKNOWN};
    return move_back(conf, modes, address->text,
                     strlen(address->text) - strlen(address->domain) - 1,
                     address->domain, p, &out->sender);
}

static int move_back_batv(const struct wb_conf *conf, struct wb_pool *p,
                          struct wb_token *out)
{
    const struct wb_address sender = out->sender;

    return move_back(conf, WB_MODE(WB_RETURN_BATV), sender.text,
                     strlen(sender.text) - strlen(sender.domain) - 1,
                     sender.domain, p, &out->sender);
}

int wb_return_path_read(const struct wb_conf *conf,
                        const struct wb_address *address, int64_t now_s,
                        struct wb_pool *p, struct wb_token *out,
                        struct wb_err *err)
{
    const struct wb_signer signer = {.secret = &conf->secret,
                                     .now_s = now_s,
                                     .max_age_days =
                                         max_age_days(conf, address->domain)};
    int rc = wb_token_decode(&signer, address, p, out, err);

    if (rc != EX_OK)
        return rc;
    if (out->verdict != WB_TOKEN_IS_VALID &&
        out->verdict != WB_TOKEN_IS_EXPIRED && is_good_unsigned(conf, address))
        rc = move_back_unsigned(conf, address, p, out);
    else if (out->kind == WB_TOKEN_BATV && out->sender.text != NULL)
        rc = move_back_batv(conf, p, out);
    return rc == EX_OK ? EX_OK : wb_err_set(err, EX_OSERR, "out of memory");
}
