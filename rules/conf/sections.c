/* The checks of each kind of section. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "conf/check.h"
#include "conf/return_domain.h"
#include "mail/header.h"

enum { DEFAULT_MAX_AGE_DAYS = 10, MOST_MAX_AGE_DAYS = 365 };

typedef void section_check(struct wb_checker *c,
                           const struct wb_raw_section *raw);

void wb_section_tell(struct wb_checker *c, const struct wb_raw_section *raw,
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

void wb_section_require(struct wb_checker *c, const struct wb_raw_section *raw,
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
        wb_section_tell(c, raw, text);
    }
}

struct wb_origin wb_section_origin(struct wb_checker *c,
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

const char *wb_section_name(struct wb_checker *c,
                            const struct wb_raw_section *raw, bool is_label,
                            struct wb_names *names, size_t index)
{
    const char *title = raw->title ? raw->title : "";
    const char *fault =
        is_label ? wb_label_fault(title) : wb_title_fault(title);
    const char *copy = is_label ? wb_pool_strlower(c->pool, title)
                                : wb_pool_strdup(c->pool, title);
    struct wb_origin origin = wb_section_origin(c, raw);
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

struct wb_name *wb_refer_one(struct wb_checker *c,
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
    l->name =
        wb_section_name(c, raw, false, &c->listeners, conf->listener_count - 1);
    l->origin = wb_section_origin(c, raw);
    convert(c, raw, l);
    wb_section_require(c, raw, "class", wb_raw_find(raw, "class"));
    if (raw->title && (strcmp(raw->title, WB_LOOPBACK_LISTENER) == 0 ||
                       strcmp(raw->title, WB_BOUNCE_LISTENER) == 0 ||
                       strcmp(raw->title, WB_AGAIN_LISTENER) == 0))
        wb_section_tell(c, raw, "is waybill's own; take another name");
    wb_listener_check_section(c, raw, l);
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
    r->name = wb_section_name(c, raw, false, &c->return_paths, index);
    r->origin = wb_section_origin(c, raw);
    r->mode = WB_RETURN_DOMAIN;
    if (raw->title && wb_return_path_is_reserved(raw->title))
        wb_section_tell(c, raw, "is reserved; take another name");
    convert(c, raw, r);
    if (r->mode != WB_RETURN_KEEP)
        wb_section_require(c, raw, "domain", r->domain);
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
    w->name = wb_section_name(c, raw, true, &c->webhooks, index);
    w->origin = wb_section_origin(c, raw);
    convert(c, raw, w);
    wb_section_require(c, raw, "url", w->url);
    judge(c, raw, "url", wb_url_fault);
    wb_webhook_check(c, raw, w);
}

void wb_header_want(struct wb_checker *c, const char *name)
{
    char *lower = wb_pool_strlower(c->pool, name);
    static const struct wb_origin nowhere = {0};

    if (!lower || (!wb_names_find(&c->headers, lower) &&
                   !wb_names_add(&c->headers, c->kept, lower, nowhere, 0)))
        c->is_out_of_memory = true;
}

void wb_header_name_take(struct wb_checker *c,
                         const struct wb_raw_option *option, const char *name)
{
    if (wb_header_name_is_valid(name))
        wb_header_want(c, name);
    else
        wb_option_tell(c, option,
                       "\"%s\" is not a header name; letters, digits and "
                       "hyphens are right",
                       name);
}

void wb_pattern_take(struct wb_checker *c, const struct wb_raw_option *option,
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
    wb_header_name_take(c, option, option->values[0].text);
    rule->header_name = wb_checker_copy(c, option->values[0].text);
    wb_pattern_take(c, option, 1, &rule->header_pattern);
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
    rule->name = wb_section_name(c, raw, false, &c->rules, index);
    rule->origin = wb_section_origin(c, raw);
    convert(c, raw, rule);
    check_rule_header(c, raw, rule);
    refer_listeners(c, raw);
    refuse_after_queue(c, raw, "logins");
    refuse_after_queue(c, raw, "clients");
    wb_section_require(c, raw, "route", wb_raw_text(raw, "route"));
    route = wb_refer_one(c, raw, "route", "route", &c->routes);
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
    {"route", wb_route_check, "route_table", wb_fallbacks_resolve},
    {"bounces", wb_bounces_section_check, NULL, NULL},
    {"inbound", wb_inbound_check, "inbound_table", NULL},
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
    wb_listeners_check(c, raw);
}
