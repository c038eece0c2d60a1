/* The checks of a route: its host, its account, and what it refers to. */
#include <ctype.h>
#include <string.h>

#include "conf/check.h"

/* "ssl://h" and "tls://h" say tls = tls. Returns the host without it. */
static const char *take_scheme(struct wb_checker *c,
                               const struct wb_raw_section *raw,
                               struct wb_route *r, bool *is_tls)
{
    const char *host = r->host;
    const char *tls = wb_raw_text(raw, "tls");

    *is_tls = host && (strncmp(host, "ssl://", 6) == 0 ||
                       strncmp(host, "tls://", 6) == 0);
    if (!*is_tls)
        return host;
    if (tls && strcmp(tls, "tls") != 0 && strcmp(tls, "ssl") != 0)
        wb_option_tell(c, wb_raw_find(raw, "host"),
                       "%.6s contradicts tls = %s; leave one of them out", host,
                       tls);
    r->tls = WB_TLS_IMPLICIT;
    return host + 6;
}

const char *wb_host_canonical(struct wb_pool *p, const char *host)
{
    const char *lower = wb_pool_strlower(p, host);

    return lower && wb_host_is_bare_address(lower)
               ? wb_pool_printf(p, "[%s]", lower)
               : lower;
}

/* A preset that could not be had is told; it might have had the host. */
static void require_host(struct wb_checker *c, const struct wb_raw_section *raw,
                         const struct wb_route *r)
{
    const char *text;

    if (!r->preset && wb_raw_text(raw, "preset"))
        return;
    if (!r->preset || !r->preset->host_hint || wb_raw_find(raw, "host")) {
        wb_section_require(c, raw, "host", r->host);
        return;
    }
    text = wb_pool_printf(c->scratch, "host is missing; preset %s needs %s",
                          r->preset->name, r->preset->host_hint);
    if (text)
        wb_section_tell(c, raw, text);
    else
        c->is_out_of_memory = true;
}

/* With auth = none the account is for POP before SMTP alone. */
static bool has_login(const struct wb_raw_section *raw)
{
    const char *auth = wb_raw_text(raw, "auth");

    return wb_raw_text(raw, "username") && !(auth && strcmp(auth, "none") == 0);
}

static void check_host(struct wb_checker *c, const struct wb_raw_section *raw,
                       struct wb_route *r)
{
    static const unsigned ports[] = {
        [WB_TLS_NONE] = 25, [WB_TLS_STARTTLS] = 587, [WB_TLS_IMPLICIT] = 465};
    bool is_tls;
    const char *fault;

    require_host(c, raw, r);
    r->host = take_scheme(c, raw, r, &is_tls);
    if (!is_tls && !wb_raw_text(raw, "tls"))
        r->tls = has_login(raw) ? WB_TLS_STARTTLS : WB_TLS_NONE;
    if (r->port == 465 && r->tls != WB_TLS_IMPLICIT)
        wb_problem_add(c->problems, WB_WARNING, wb_raw_find(raw, "port")->file,
                       wb_raw_find(raw, "port")->line, "port",
                       "465 is for TLS from the first octet; tls = tls is "
                       "usual with it");
    if (!r->port)
        r->port = ports[r->tls];
    fault = r->host ? wb_host_fault(r->host) : NULL;
    if (fault)
        wb_option_tell(c, wb_raw_find(raw, "host"), "\"%s\" %s", r->host,
                       fault);
    if (r->host && !(r->host = wb_host_canonical(c->pool, r->host)))
        c->is_out_of_memory = true;
}

static void check_username(struct wb_checker *c,
                           const struct wb_raw_section *raw)
{
    const char *name = wb_raw_text(raw, "username");

    if (!name)
        return;
    if (strchr(name, ':'))
        wb_option_tell(c, wb_raw_find(raw, "username"),
                       "\"%s\" holds a colon, which Postfix's user:password "
                       "tables cannot tell from theirs; another account is "
                       "needed",
                       name);
    else if (isspace((unsigned char)name[0]) ||
             isspace((unsigned char)name[strlen(name) - 1]))
        wb_option_tell(c, wb_raw_find(raw, "username"),
                       "begins or ends with a blank; leave it out");
}

static void tell_apart(struct wb_checker *c, const struct wb_raw_section *raw,
                       const char *option, const char *text)
{
    if (!c->is_broken)
        wb_option_tell(c, wb_raw_find(raw, option), "%s", text);
}

/* username, password_file and auth go together. Asked of the text, so that
 * one that was refused does not count as missing. */
static void check_together(struct wb_checker *c,
                           const struct wb_raw_section *raw)
{
    const char *username = wb_raw_text(raw, "username");
    const char *password_file = wb_raw_text(raw, "password_file");
    const char *auth = wb_raw_text(raw, "auth");
    bool is_none = auth && strcmp(auth, "none") == 0;

    if (username && !password_file)
        tell_apart(c, raw, "username",
                   "without password_file; add password_file = FILE");
    if (!username && password_file)
        tell_apart(c, raw, "password_file",
                   "without username; add username = NAME");
    if (auth && !is_none && !username)
        tell_apart(c, raw, "auth", "without username; add username = NAME");
    if (is_none && username && !wb_raw_text(raw, "pop_before_smtp"))
        tell_apart(c, raw, "auth",
                   "none contradicts username; leave one of them out");
}

static void check_account(struct wb_checker *c,
                          const struct wb_raw_section *raw, struct wb_route *r)
{
    if (!wb_raw_text(raw, "auth"))
        r->auth = r->username ? WB_AUTH_PLAIN : WB_AUTH_NONE;
    check_together(c, raw);
    check_username(c, raw);
    if (r->username && !c->is_broken)
        wb_route_check_cleartext(c, raw, r);
    if (c->use == WB_USE_CHECK && r->password_file)
        wb_password_check(c, wb_raw_find(raw, "password_file"),
                          r->password_file);
    wb_pop_check(c, raw, r);
    if (r->auth == WB_AUTH_NONE)
        r->username = r->password_file = NULL;
}

static void check_route_return_path(struct wb_checker *c,
                                    const struct wb_raw_section *raw,
                                    struct wb_route *r)
{
    const struct wb_name *name;

    if (wb_return_address_check(c, raw, r))
        return;
    name = wb_refer_one(c, raw, "return_path", "return_path", &c->return_paths);
    if (name)
        r->return_path = &c->conf->return_paths[name->index];
}

void wb_route_check(struct wb_checker *c, const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    size_t index = conf->route_count;
    struct wb_route *r = wb_array_push(c, conf->routes, &conf->route_count,
                                       sizeof *conf->routes);

    if (!r)
        return;
    conf->routes = r;
    r += index;
    r->name = wb_section_name(c, raw, true, &c->routes, index);
    r->origin = wb_section_origin(c, raw);
    if (wb_raw_text(raw, "preset"))
        r->preset = wb_preset_find(c, wb_raw_find(raw, "preset"));
    if (r->preset && !(raw = wb_preset_fill(c, r->preset, raw)))
        return;
    wb_section_convert(c, wb_schema_section(raw->kind), raw, r);
    check_host(c, raw, r);
    check_account(c, raw, r);
    wb_route_check_certificate(c, raw, r);
    wb_from_check(c, raw, r);
    check_route_return_path(c, raw, r);
    if (r->preset)
        wb_preset_judge(c, r->preset, raw);
    wb_route_check_pace(c, raw, r);
    wb_sendmail_check_route(c, raw, r);
    wb_fallback_take(c, raw, index);
}
