/* The checks of each kind of section. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "conf/check.h"
#include "conf/return_domain.h"
#include "mail/header.h"

enum { DEFAULT_MAX_AGE_DAYS = 10, MOST_MAX_AGE_DAYS = 365 };

typedef void section_check(struct wb_checker *c,
                           const struct wb_raw_section *raw);

static void tell_section(struct wb_checker *c, const struct wb_raw_section *raw,
                         const char *text)
{
    const char *label =
        raw->title ? wb_pool_printf(c->scratch, "%s %s", raw->kind, raw->title)
                   : raw->kind;

    if (!label)
        c->is_out_of_memory = true;
    else
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, label, "%s",
                       text);
}

/* Was an option given, but as nothing? What takes no list and got an empty
 * one is told already. */
static bool is_given_empty(const struct wb_raw_section *raw,
                           const struct wb_raw_option *option)
{
    const struct wb_option *schema =
        wb_schema_option(wb_schema_section(raw->kind), option->name);

    return option->count ? !*option->values[0].text : wb_option_is_list(schema);
}

/* An option that there must be; in half a file it may only be unread. */
static void require(struct wb_checker *c, const struct wb_raw_section *raw,
                    const char *name, bool is_there)
{
    const struct wb_raw_option *option = wb_raw_find(raw, name);
    char text[100];

    if (is_there)
        return;
    if (option && is_given_empty(raw, option)) {
        wb_option_tell(c, option, "is empty; a value is needed");
    } else if (!option && !c->is_broken) {
        snprintf(text, sizeof text, "%s is missing; %s = VALUE is needed", name,
                 name);
        tell_section(c, raw, text);
    }
}

static struct wb_origin origin_of(struct wb_checker *c,
                                  const struct wb_raw_section *raw)
{
    /* A table's rows share one copy of its path. */
    static const struct wb_origin nowhere = {0};
    struct wb_name *known = wb_names_find(&c->files, raw->file);

    if (!known) {
        const char *file = wb_checker_copy(c, raw->file);
        known =
            file ? wb_names_add(&c->files, c->kept, file, nowhere, 0) : NULL;
    }
    if (!known)
        c->is_out_of_memory = true;
    return (struct wb_origin){known ? known->text : "", raw->line};
}

/* Take the section's name, in lower case if it is to be a label. Returns NULL
 * when out of memory (noted); what is wrong is told. */
static const char *take_name(struct wb_checker *c,
                             const struct wb_raw_section *raw, bool is_label,
                             struct wb_names *names, size_t index)
{
    const char *title = raw->title ? raw->title : "";
    const char *fault =
        is_label ? wb_label_fault(title) : wb_title_fault(title);
    const char *copy = is_label ? wb_pool_strlower(c->pool, title)
                                : wb_pool_strdup(c->pool, title);
    struct wb_origin origin = origin_of(c, raw);
    struct wb_name *name =
        copy ? wb_names_add(names, c->kept, copy, origin, index) : NULL;

    if (!name) {
        c->is_out_of_memory = true;
        return NULL;
    }
    if (fault)
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "\"%s\" %s", title, fault);
    else if (strcmp(copy, title) != 0)
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "\"%s\" has capitals; \"%s\" is right", title, copy);
    else if (name->index != index && !name->origin.line)
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "\"%s\" is built in; take another name", title);
    else if (name->index != index)
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "\"%s\" is taken by %s:%u; take another name", title,
                       name->origin.file, name->origin.line);
    return copy;
}

struct wb_name *wb_refer(struct wb_checker *c,
                         const struct wb_raw_option *option, size_t i,
                         const char *what, const struct wb_names *names)
{
    const char *text = option->values[i].text;
    struct wb_name *found = wb_names_find(names, text);
    const char *nearest;

    if (found) {
        found->is_used = true;
        return found;
    }
    if (c->lacks_sections || !*text)
        return NULL;
    nearest = wb_names_nearest(names, text);
    wb_problem_add(c->problems, WB_ERROR, option->file, option->values[i].line,
                   option->name, "there is no %s \"%s\"; %s%s%s", what, text,
                   nearest ? "did you mean \"" : "add a section for it",
                   nearest ? nearest : "", nearest ? "\"?" : "");
    return NULL;
}

/* The same for an option that is not a list. */
static struct wb_name *refer_one(struct wb_checker *c,
                                 const struct wb_raw_section *raw,
                                 const char *option_name, const char *what,
                                 const struct wb_names *names)
{
    const struct wb_raw_option *option = wb_raw_find(raw, option_name);

    return option && option->count == 1 ? wb_refer(c, option, 0, what, names)
                                        : NULL;
}

static void refer_listeners(struct wb_checker *c,
                            const struct wb_raw_section *raw)
{
    const struct wb_raw_option *option = wb_raw_find(raw, "listeners");

    for (size_t i = 0; option && i < option->count; i++)
        wb_refer(c, option, i, "listener", &c->listeners);
}

/* Check the one value of an option by itself. */
static void judge(struct wb_checker *c, const struct wb_raw_section *raw,
                  const char *name,
                  const char *fault(struct wb_pool *, const char *))
{
    const char *text = wb_raw_text(raw, name);
    const char *why = text ? fault(c->scratch, text) : NULL;

    if (why)
        wb_option_tell(c, wb_raw_find(raw, name), "\"%s\" %s", text, why);
}

/* Behind the queue the MTA has forgotten who the client was. */
static void refuse_after_queue(struct wb_checker *c,
                               const struct wb_raw_section *raw,
                               const char *name)
{
    const struct wb_raw_option *option = wb_raw_find(raw, name);

    if (c->conf->attach == WB_AFTER_QUEUE && option && option->count)
        wb_option_tell(c, option,
                       "not known behind the queue; attach = before_queue is "
                       "right");
}

static void convert(struct wb_checker *c, const struct wb_raw_section *raw,
                    void *target)
{
    wb_section_convert(c, wb_schema_section(raw->kind), raw, target);
}

static void check_listener(struct wb_checker *c,
                           const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    struct wb_listener *l = wb_array_push(
        c, conf->listeners, &conf->listener_count, sizeof *conf->listeners);

    if (!l)
        return;
    conf->listeners = l;
    l += conf->listener_count - 1;
    l->name = take_name(c, raw, false, &c->listeners, conf->listener_count - 1);
    l->origin = origin_of(c, raw);
    convert(c, raw, l);
    require(c, raw, "class", wb_raw_find(raw, "class"));
    if (raw->title && (strcmp(raw->title, WB_LOOPBACK_LISTENER) == 0 ||
                       strcmp(raw->title, WB_BOUNCE_LISTENER) == 0 ||
                       strcmp(raw->title, WB_AGAIN_LISTENER) == 0))
        tell_section(c, raw, "is waybill's own; take another name");
}

/* "10d". The cycles of the signed days (1000, 1024) are far above the most. */
static void check_max_age(struct wb_checker *c,
                          const struct wb_raw_section *raw,
                          struct wb_return_path *r)
{
    const char *text = wb_raw_text(raw, "max_age");
    char *end = NULL;
    unsigned long days;

    r->max_age_days = DEFAULT_MAX_AGE_DAYS;
    if (!text)
        return;
    days = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
    if (days < 1 || days > MOST_MAX_AGE_DAYS || strcmp(end, "d") != 0)
        wb_option_tell(c, wb_raw_find(raw, "max_age"),
                       "\"%s\" is not a number of days; \"1d\" to \"%dd\" is "
                       "right",
                       text, MOST_MAX_AGE_DAYS);
    else
        r->max_age_days = (unsigned)days;
}

/* A BATV address does not carry the sender's own domain, so the configuration
 * must imply it. */
static void check_batv(struct wb_checker *c, const struct wb_raw_section *raw,
                       const struct wb_return_path *r)
{
    if (r->mode != WB_RETURN_BATV || !r->domain || strstr(r->domain, "%d") ||
        wb_return_domain_only(&r->senders) || c->is_broken)
        return;
    wb_option_tell(c, wb_raw_find(raw, "mode"),
                   "batv does not carry the sender's domain; domain = "
                   "\"return.%%d\", senders with one domain, or mode = srs is "
                   "right");
}

static void check_return_path(struct wb_checker *c,
                              const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    size_t index = conf->return_path_count;
    struct wb_return_path *r =
        wb_array_push(c, conf->return_paths, &conf->return_path_count,
                      sizeof *conf->return_paths);

    if (!r)
        return;
    conf->return_paths = r;
    r += index;
    r->name = take_name(c, raw, false, &c->return_paths, index);
    r->origin = origin_of(c, raw);
    r->mode = WB_RETURN_DOMAIN;
    if (raw->title && wb_return_path_is_reserved(raw->title))
        tell_section(c, raw, "is reserved; take another name");
    convert(c, raw, r);
    if (r->mode != WB_RETURN_KEEP)
        require(c, raw, "domain", r->domain);
    check_max_age(c, raw, r);
    check_batv(c, raw, r);
    judge(c, raw, "domain", wb_return_domain_fault);
    if (r->domain && !(r->domain = wb_pool_strlower(c->pool, r->domain)))
        c->is_out_of_memory = true;
    refer_listeners(c, raw);
    refuse_after_queue(c, raw, "logins");
}

static void check_webhook(struct wb_checker *c,
                          const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    size_t index = conf->webhook_count;
    struct wb_webhook *w = wb_array_push(
        c, conf->webhooks, &conf->webhook_count, sizeof *conf->webhooks);

    if (!w)
        return;
    conf->webhooks = w;
    w += index;
    w->name = take_name(c, raw, true, &c->webhooks, index);
    w->origin = origin_of(c, raw);
    convert(c, raw, w);
    require(c, raw, "url", w->url);
    judge(c, raw, "url", wb_url_fault);
    wb_webhook_check(c, raw, w);
}

static const struct wb_webhook *webhook_of(struct wb_checker *c,
                                           const struct wb_raw_section *raw)
{
    const struct wb_name *name =
        refer_one(c, raw, "webhook", "webhook", &c->webhooks);

    require(c, raw, "webhook", wb_raw_text(raw, "webhook"));
    return name ? &c->conf->webhooks[name->index] : NULL;
}

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
        require(c, raw, "host", r->host);
        return;
    }
    text = wb_pool_printf(c->scratch, "host is missing; preset %s needs %s",
                          r->preset->name, r->preset->host_hint);
    if (text)
        tell_section(c, raw, text);
    else
        c->is_out_of_memory = true;
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
        r->tls = r->username ? WB_TLS_STARTTLS : WB_TLS_NONE;
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
    if (is_none && username)
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
    name = refer_one(c, raw, "return_path", "return_path", &c->return_paths);
    if (name)
        r->return_path = &c->conf->return_paths[name->index];
}

static void check_route(struct wb_checker *c, const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    size_t index = conf->route_count;
    struct wb_route *r = wb_array_push(c, conf->routes, &conf->route_count,
                                       sizeof *conf->routes);

    if (!r)
        return;
    conf->routes = r;
    r += index;
    r->name = take_name(c, raw, true, &c->routes, index);
    r->origin = origin_of(c, raw);
    if (wb_raw_text(raw, "preset"))
        r->preset = wb_preset_find(c, wb_raw_find(raw, "preset"));
    if (r->preset && !(raw = wb_preset_fill(c, r->preset, raw)))
        return;
    convert(c, raw, r);
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

void wb_header_want(struct wb_checker *c, const char *name)
{
    char *lower = wb_pool_strlower(c->pool, name);
    static const struct wb_origin nowhere = {0};

    if (!lower || (!wb_names_find(&c->headers, lower) &&
                   !wb_names_add(&c->headers, c->kept, lower, nowhere, 0)))
        c->is_out_of_memory = true;
}

static void check_header_name(struct wb_checker *c,
                              const struct wb_raw_option *option,
                              const char *name)
{
    if (wb_header_name_is_valid(name))
        wb_header_want(c, name);
    else
        wb_option_tell(c, option,
                       "\"%s\" is not a header name; letters, digits and "
                       "hyphens are right",
                       name);
}

static void compile(struct wb_checker *c, const struct wb_raw_option *option,
                    size_t i, struct wb_pattern **out)
{
    struct wb_err err;
    int rc = wb_pattern_new(option->values[i].text, out, &err);

    if (rc == EX_OSERR)
        c->is_out_of_memory = true;
    else if (rc != EX_OK)
        wb_problem_add(c->problems, WB_ERROR, option->file,
                       option->values[i].line, option->name, "%s", err.text);
}

/* Does either of the two say where? Asked of the text, so that a word that was
 * refused asks for nothing. */
static bool goes_to(const struct wb_raw_section *raw, const char *where)
{
    const char *deliver = wb_raw_text(raw, "deliver");
    const char *replies = wb_raw_text(raw, "replies");

    return strcmp(deliver ? deliver : "webhook", where) == 0 ||
           (replies && strcmp(replies, where) == 0);
}

/* An option of the way that bears its name. */
static void check_way(struct wb_checker *c, const struct wb_raw_section *raw,
                      const char *name)
{
    const char *text = wb_raw_text(raw, name);

    if (goes_to(raw, name))
        require(c, raw, name, text);
    else if (text)
        wb_problem_add(
            c->problems, WB_WARNING, raw->file, wb_raw_find(raw, name)->line,
            name, "has no effect: neither deliver nor replies is %s", name);
}

/* waybill-lmtp makes the file, but not the folder that it lies in. */
static void check_log_file(struct wb_checker *c,
                           const struct wb_raw_section *raw,
                           const struct wb_bounces *b)
{
    const char *slash = b->log_file ? strrchr(b->log_file, '/') : NULL;
    const char *report = wb_raw_text(raw, "report"), *folder;
    struct stat st;

    if (b->report != WB_REPORT_WEBHOOK)
        require(c, raw, "log_file", b->log_file);
    else if (b->log_file && (!report || strcmp(report, "webhook") == 0))
        wb_option_tell(c, wb_raw_find(raw, "log_file"),
                       "nothing is written there; with report = log or both "
                       "it is right");
    if (!slash || (c->use != WB_USE_LMTP && c->use != WB_USE_CHECK))
        return;
    folder = wb_pool_strndup(c->pool, b->log_file,
                             (size_t)(slash - b->log_file) + 1);
    if (!folder)
        c->is_out_of_memory = true;
    else if (stat(folder, &st) || !S_ISDIR(st.st_mode))
        wb_option_tell(c, wb_raw_find(raw, "log_file"),
                       "there is no folder %s; make it, and give it to "
                       "lmtp_user",
                       folder);
}

static void check_bounces(struct wb_checker *c,
                          const struct wb_raw_section *raw)
{
    const struct wb_name *webhook;
    struct wb_bounces *b = &c->conf->bounces;

    if (c->bounces) {
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "given twice, first at %s:%u; give it once",
                       c->bounces->file, c->bounces->line);
        return;
    }
    c->bounces = raw;
    b->origin = origin_of(c, raw);
    convert(c, raw, b);
    if (!wb_raw_text(raw, "replies"))
        b->replies = b->deliver;
    require(c, raw, "domains", b->domains.count);
    check_way(c, raw, "webhook");
    check_way(c, raw, "address");
    webhook = refer_one(c, raw, "webhook", "webhook", &c->webhooks);
    if (webhook && goes_to(raw, "webhook"))
        b->webhook = &c->conf->webhooks[webhook->index];
    /* what tells a bounce from a reply */
    wb_header_want(c, "Content-Type");
    wb_header_want(c, "Auto-Submitted");
    check_log_file(c, raw, b);
}

static void refuse_bounce_domains(struct wb_checker *c,
                                  const struct wb_raw_section *raw)
{
    const struct wb_raw_option *o = wb_raw_find(raw, "domains");

    for (size_t i = 0; o && i < o->count; i++)
        if (wb_strings_hold(&c->conf->bounces.domains, o->values[i].text))
            wb_problem_add(
                c->problems, WB_ERROR, o->file, o->values[i].line, o->name,
                "\"%s\" is a domain of bounces (%s:%u); give each "
                "its own",
                o->values[i].text, c->bounces->file, c->bounces->line);
}

static void check_inbound(struct wb_checker *c,
                          const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    size_t index = conf->inbound_count, texts = index;
    const struct wb_raw_option *match = wb_raw_find(raw, "match");
    const struct wb_raw_option *header = wb_raw_find(raw, "header");
    struct wb_inbound *in = wb_array_push(
        c, conf->inbounds, &conf->inbound_count, sizeof *conf->inbounds);
    const char **matches =
        wb_array_push(c, c->matches, &texts, sizeof *c->matches);

    if (in)
        conf->inbounds = in;
    if (matches)
        c->matches = matches;
    if (!in || !matches)
        return;
    in += index;
    in->name = take_name(c, raw, true, &c->inbounds, index);
    if (in->name && strcmp(in->name, WB_BOUNCES_FILTER) == 0)
        tell_section(c, raw, "is reserved; take another name");
    in->origin = origin_of(c, raw);
    convert(c, raw, in);
    require(c, raw, "domains", in->domains.count);
    require(c, raw, "match", wb_raw_text(raw, "match"));
    refuse_bounce_domains(c, raw);
    if (wb_raw_text(raw, "match")) {
        compile(c, match, 0, &in->pattern);
        matches[index] = wb_checker_copy(c, match->values[0].text);
    }
    if (in->match_on == WB_ON_ENVELOPE)
        in->header_name = NULL;
    else if (in->header_name)
        check_header_name(c, header, in->header_name);
    else
        require(c, raw, "header", false);
    in->webhook = webhook_of(c, raw);
}

static void check_rule_header(struct wb_checker *c,
                              const struct wb_raw_section *raw,
                              struct wb_rule *rule)
{
    const struct wb_raw_option *option = wb_raw_find(raw, "header");

    if (!option || option->count == 0)
        return;
    if (option->count != 2) {
        wb_option_tell(c, option,
                       "takes a name and a regex; { \"Subject\", '^welcome' } "
                       "is right, in a table Subject: ^welcome");
        return;
    }
    check_header_name(c, option, option->values[0].text);
    rule->header_name = wb_checker_copy(c, option->values[0].text);
    compile(c, option, 1, &rule->header_pattern);
}

static void check_rule(struct wb_checker *c, const struct wb_raw_section *raw)
{
    struct wb_rules *rules = &c->conf->rules;
    size_t index = rules->count;
    const struct wb_name *route;
    struct wb_rule *rule =
        wb_array_push(c, rules->rules, &rules->count, sizeof *rules->rules);

    if (!rule)
        return;
    rules->rules = rule;
    rule += index;
    rule->order = c->order++;
    rule->name = take_name(c, raw, false, &c->rules, index);
    rule->origin = origin_of(c, raw);
    convert(c, raw, rule);
    check_rule_header(c, raw, rule);
    refer_listeners(c, raw);
    refuse_after_queue(c, raw, "logins");
    refuse_after_queue(c, raw, "clients");
    require(c, raw, "route", wb_raw_text(raw, "route"));
    route = refer_one(c, raw, "route", "route", &c->routes);
    rule->route = route ? &c->conf->routes[route->index] : NULL;
}

/* In an order in which what is referred to comes first. */
static const struct step {
    const char *kind;
    section_check *check;
    const char *table; /* the option that names tables of them */
    void (*finish)(struct wb_checker *c); /* when all of them are known */
} steps[] = {
    {"listener", check_listener, NULL, NULL},
    {"return_path", check_return_path, NULL, NULL},
    {"webhook", check_webhook, NULL, NULL},
    {"route", check_route, "route_table", wb_fallbacks_resolve},
    {"bounces", check_bounces, NULL, NULL},
    {"inbound", check_inbound, "inbound_table", NULL},
    {"rule", check_rule, "rule_table", NULL},
};

struct row_context {
    struct wb_checker *c;
    section_check *check;
};

static void check_row(void *context, const struct wb_raw_section *row)
{
    const struct row_context *r = context;

    r->check(r->c, row);
    wb_pool_reset(r->c->scratch);
}

static void check_table(struct wb_checker *c, const struct step *step,
                        const struct wb_raw_option *named_by,
                        const struct wb_raw_value *value)
{
    struct row_context context = {c, step->check};
    struct wb_raw_option here = *named_by;
    const char *path = wb_path_beside(c->kept, here.file, value->text);

    here.line = value->line;
    if (!path)
        c->is_out_of_memory = true;
    else if (!wb_table_read(path, step->kind, &here, check_row, &context,
                            c->problems))
        c->lacks_sections = true;
}

static void check_tables(struct wb_checker *c, const struct step *step,
                         const struct wb_raw_section *top)
{
    for (size_t i = 0; i < top->option_count; i++) {
        const struct wb_raw_option *o = &top->options[i];
        for (size_t j = 0; strcmp(o->name, step->table) == 0 && j < o->count;
             j++)
            check_table(c, step, o, &o->values[j]);
    }
}

void wb_sections_check(struct wb_checker *c, const struct wb_raw *raw,
                       const struct wb_raw_section *top)
{
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const struct wb_raw_section *s;
        for (s = raw->first; s; s = s->next)
            if (strcmp(s->kind, steps[i].kind) == 0) {
                steps[i].check(c, s);
                wb_pool_reset(c->scratch);
            }
        if (steps[i].table)
            check_tables(c, &steps[i], top);
        if (steps[i].finish)
            steps[i].finish(c);
    }
    wb_bounces_check(c);
}
