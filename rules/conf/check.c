/* From raw text to a configuration: what stands outside of sections, and the
 * frame for the rest. */
#include "conf/check.h"
#include "conf/inbound_index.h"
#include "match/rule_index.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void merge_option(struct wb_checker *c, struct wb_raw_section *all,
                         const struct wb_raw_option *option)
{
    struct wb_raw_option *had =
        (struct wb_raw_option *)wb_raw_find(all, option->name);
    struct wb_raw_option *made;

    if (had && strcmp(had->name, "include") == 0)
        return; /* done with; each file has its own */
    if (had && !strstr(had->name, "_table")) {
        wb_option_tell(c, option, "given twice, first at %s:%u; give it once",
                       had->file, had->line);
        return;
    }
    made = wb_raw_add_option(c->kept, all, option->name, option->line);
    if (!made)
        c->is_out_of_memory = true;
    else
        *made = *option;
}

/* What stands outside of sections, in all files, as one section. Tables may
 * be named in several files: then their option is there several times. */
static void merge(struct wb_checker *c, const struct wb_raw *raw,
                  struct wb_raw_section *all)
{
    const struct wb_raw_section *s;

    *all = (struct wb_raw_section){.kind = "", .file = raw->first->file};
    for (s = raw->first; s; s = s->next)
        for (size_t i = 0; !*s->kind && i < s->option_count; i++)
            merge_option(c, all, &s->options[i]);
}

static void judge(struct wb_checker *c, const struct wb_raw_section *top,
                  const char *name, const char *fault)
{
    if (fault)
        wb_option_tell(c, wb_raw_find(top, name), "\"%s\" %s",
                       wb_raw_text(top, name), fault);
}

static void check_not_empty(struct wb_checker *c,
                            const struct wb_raw_section *top)
{
    static const char *const names[] = {"socket",          "queue_directory",
                                        "mta_config",      "loopback_listener",
                                        "again_listener",  "lmtp_socket",
                                        "control_socket",  "tag_header",
                                        "secret_file",     "spool_directory",
                                        "networks",        "pid_file",
                                        "outbound_mailers"};
    /* these three may be empty, or only as a text */
    static const size_t text_count = 10;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct wb_raw_option *o = wb_raw_find(top, names[i]);
        bool is_text_needed = i < text_count && o && o->count == 1;
        if (is_text_needed && !*o->values[0].text)
            wb_option_tell(c, o, "is empty; leave it out for the default");
    }
    if (c->conf->outbound_mailers.count == 0 &&
        wb_raw_find(top, "outbound_mailers"))
        wb_option_tell(c, wb_raw_find(top, "outbound_mailers"),
                       "is empty, so nothing would be routed; { \"smtp\" } is "
                       "usual");
}

static void check_absolute(struct wb_checker *c,
                           const struct wb_raw_section *top)
{
    static const char *const names[] = {"queue_directory", "mta_config",
                                        "pid_file",        "control_socket",
                                        "lmtp_pid_file",   "spool_directory"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = wb_raw_text(top, names[i]);
        if (text && *text != '/')
            judge(c, top, names[i],
                  "is relative; a path that begins with / is right");
    }
}

/* A network that holds both ends of the address space holds all of it. */
bool wb_networks_hold_all(const struct wb_network *networks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wb_network *n = &networks[i];

        if ((wb_networks_hold(n, 1, "0.0.0.1") &&
             wb_networks_hold(n, 1, "255.255.255.254")) ||
            (wb_networks_hold(n, 1, "::2") &&
             wb_networks_hold(n, 1, "ffff::1")))
            return true;
    }
    return false;
}

static void check_networks(struct wb_checker *c,
                           const struct wb_raw_section *top)
{
    const struct wb_raw_option *option = wb_raw_find(top, "networks");

    if (option &&
        wb_networks_hold_all(c->conf->networks, c->conf->network_count))
        wb_option_tell(c, option,
                       "holds every address, which makes an open relay; "
                       "your own networks are right");
}

/* It becomes an item of a list in master.cf. */
static const char *milter_fault(const char *text)
{
    return strpbrk(text, ", \t{}$\"")
               ? "holds a character that master.cf parts lists by; "
                 "\"unix:PATH\" or \"inet:PORT@ADDRESS\" is right"
               : wb_socket_fault(text);
}

static void check_loopback_milters(struct wb_checker *c,
                                   const struct wb_raw_section *top)
{
    const struct wb_raw_option *option = wb_raw_find(top, "loopback_milters");

    for (size_t i = 0; option && i < option->count; i++) {
        const char *fault = milter_fault(option->values[i].text);
        if (fault && *option->values[i].text)
            wb_problem_add(c->problems, WB_ERROR, option->file,
                           option->values[i].line, option->name, "\"%s\" %s",
                           option->values[i].text, fault);
    }
}

/* "127.0.0.1:8025" is "127.0.0.1:08025". */
static bool is_same_listener(const char *a, const char *b)
{
    const char *x = a ? strrchr(a, ':') : NULL, *y = b ? strrchr(b, ':') : NULL;

    return x && y && x - a == y - b && strncmp(a, b, (size_t)(x - a)) == 0 &&
           strtoul(x + 1, NULL, 10) == strtoul(y + 1, NULL, 10);
}

/* Two services of the MTA, each of which treats its mail in its own way. */
static void check_listeners(struct wb_checker *c,
                            const struct wb_raw_section *top)
{
    static const char *const names[] = {"loopback_listener", "again_listener"};
    const struct wb_raw_option *given = wb_raw_find(top, names[1]);
    const char *text;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((text = wb_raw_text(top, names[i])))
            judge(c, top, names[i], wb_loopback_fault(c->scratch, text));
    if (!given)
        given = wb_raw_find(top, names[0]);
    if (given &&
        is_same_listener(c->conf->loopback_listener, c->conf->again_listener))
        wb_option_tell(c, given,
                       "loopback_listener and again_listener are both %s; two "
                       "ports are right",
                       c->conf->again_listener);
}

static void check_notify(struct wb_checker *c, const struct wb_raw_section *top)
{
    const struct wb_raw_option *option = wb_raw_find(top, "notify");

    for (size_t i = 0; option && i < option->count; i++) {
        const char *text = option->values[i].text;
        struct wb_address address = {.domain = NULL};
        struct wb_err why;
        int rc = wb_address_parse(c->scratch, text, &address, &why);
        if (rc == EX_OSERR)
            c->is_out_of_memory = true;
        else if (*text && (rc != EX_OK || !address.domain))
            wb_problem_add(c->problems, WB_ERROR, option->file,
                           option->values[i].line, option->name,
                           "\"%s\" is not an address; postmaster@example.com "
                           "is right",
                           text);
    }
}

static void check_top(struct wb_checker *c, const struct wb_raw_section *top)
{
    static const char *const sockets[] = {"socket", "lmtp_socket"};
    const char *text;

    wb_section_convert(c, wb_schema_section(""), top, c->conf);
    wb_sendmail_check_top(c, top);
    check_not_empty(c, top);
    check_absolute(c, top);
    check_networks(c, top);
    check_loopback_milters(c, top);
    check_notify(c, top);
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
        if ((text = wb_raw_text(top, sockets[i])))
            judge(c, top, sockets[i], wb_socket_fault(text));
    check_listeners(c, top);
    if ((text = wb_raw_text(top, "tag_header")))
        judge(c, top, "tag_header", wb_tag_header_fault(text));
}

static const char *nearest_kind(const char *kind)
{
    size_t count, best = SIZE_MAX;
    const struct wb_schema_section *all = wb_schema(&count);
    const char *found = NULL;

    for (size_t i = 1; i < count; i++)
        if (!all[i].is_apart && wb_name_is_closer(all[i].kind, kind, &best))
            found = all[i].kind;
    return found;
}

static void tell_unknown_sections(struct wb_checker *c,
                                  const struct wb_raw *raw)
{
    const struct wb_schema_section *known;
    const struct wb_raw_section *s;
    const char *nearest;

    for (s = raw->first; s; s = s->next) {
        known = wb_schema_section(s->kind);
        if (known && known->is_apart)
            wb_problem_add(c->problems, WB_ERROR, s->file, s->line, s->kind,
                           "has no place here; a file %ss/%s.conf beside "
                           "waybill.conf is right",
                           s->kind, s->title);
        if (known)
            continue;
        nearest = nearest_kind(s->kind);
        wb_problem_add(c->problems, WB_ERROR, s->file, s->line, s->kind,
                       nearest ? "unknown section; did you mean \"%s\"?"
                               : "unknown section; route, rule, return_path, "
                                 "inbound, bounces, webhook and listener are "
                                 "known%s",
                       nearest ? nearest : "");
        /* What refers to it is not wrong on top of that. */
        c->lacks_sections = true;
    }
}

static void add_built_in(struct wb_checker *c)
{
    static const struct wb_origin nowhere = {"built in", 0};
    struct wb_conf *conf = c->conf;

    conf->routes =
        wb_array_push(c, NULL, &conf->route_count, sizeof *conf->routes);
    conf->return_paths = wb_array_push(c, NULL, &conf->return_path_count,
                                       sizeof *conf->return_paths);
    if (!conf->routes || !conf->return_paths)
        return;
    conf->routes[0] = (struct wb_route){
        .name = "direct", .origin = nowhere, .is_direct = true};
    conf->return_paths[0] = (struct wb_return_path){
        .name = "keep", .origin = nowhere, .mode = WB_RETURN_KEEP};
    if (!wb_names_add(&c->routes, c->kept, "direct", nowhere, 0) ||
        !wb_names_add(&c->return_paths, c->kept, "keep", nowhere, 0))
        c->is_out_of_memory = true;
}

struct collected {
    const char **items;
    size_t count;
};

static void collect(const void *node, VISIT when, void *context)
{
    struct collected *out = context;

    if (when == postorder || when == leaf)
        out->items[out->count++] = (*(const struct wb_name *const *)node)->text;
}

static void store_headers(struct wb_checker *c)
{
    struct collected out = {0};

    out.items = wb_pool_array(c->pool, c->headers.count, sizeof *out.items);
    if (!out.items) {
        c->is_out_of_memory = true;
        return;
    }
    twalk_r(c->headers.root, collect, &out);
    c->conf->wanted_headers = (struct wb_strings){out.items, out.count};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct wb_name_index *)a)->name,
                  ((const struct wb_name_index *)b)->name);
}

/* The places in an array of structs that begin with their name, sorted. */
static struct wb_name_index *index_names(struct wb_checker *c,
                                         const void *array, size_t count,
                                         size_t octets)
{
    struct wb_name_index *made = wb_pool_array(c->pool, count, sizeof *made);

    if (!made) {
        c->is_out_of_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        made[i].item = (const char *)array + i * octets;
        made[i].name = *(const char *const *)made[i].item;
    }
    qsort(made, count, sizeof *made, by_name);
    return made;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort(const struct wb_strings *list)
{
    if (list->count > 1)
        qsort((void *)list->items, list->count, sizeof *list->items, by_text);
}

static void finish(struct wb_checker *c)
{
    struct wb_conf *conf = c->conf;

    sort(&conf->bounces.domains);
    store_headers(c);
    if (!wb_digest_end(c->digest, conf->digest))
        c->is_out_of_memory = true;
    c->loaded->routes =
        index_names(c, conf->routes, conf->route_count, sizeof *conf->routes);
    c->loaded->listeners = index_names(c, conf->listeners, conf->listener_count,
                                       sizeof *conf->listeners);
    wb_rules_sort(&conf->rules);
    if (!wb_rules_index(&conf->rules) || !wb_inbounds_index(conf))
        c->is_out_of_memory = true;
    wb_conf_warn(c);
}

static void check_all(struct wb_checker *c, const struct wb_raw *raw)
{
    struct wb_raw_section top;

    merge(c, raw, &top);
    tell_unknown_sections(c, raw);
    check_top(c, &top);
    add_built_in(c);
    if (c->is_out_of_memory)
        return;
    wb_sections_check(c, raw, &top);
    wb_sendmail_check_routes(c);
    wb_secret_check(c, &top);
    if (c->problems->error_count == 0 && !c->is_out_of_memory)
        finish(c);
}

static void end(struct wb_checker *c)
{
    wb_names_free(&c->routes);
    wb_names_free(&c->return_paths);
    wb_names_free(&c->webhooks);
    wb_names_free(&c->inbounds);
    wb_names_free(&c->listeners);
    wb_names_free(&c->rules);
    wb_names_free(&c->headers);
    wb_names_free(&c->files);
    wb_shelf_free(&c->presets);
    wb_digest_free(c->digest);
    free(c->matches);
    free(c->fallbacks);
    wb_pool_free(c->kept);
    wb_pool_free(c->scratch);
}

bool wb_conf_check(const struct wb_raw *raw, enum wb_conf_use use,
                   struct wb_loaded *loaded, struct wb_problems *problems)
{
    struct wb_checker c = {.loaded = loaded,
                           .conf = &loaded->conf,
                           .pool = loaded->pool,
                           .kept = wb_pool_new(0),
                           .scratch = wb_pool_new(0),
                           .digest = wb_digest_new(),
                           .problems = problems,
                           .use = use,
                           .is_broken = raw->is_broken,
                           .lacks_sections = raw->is_broken};

    if (raw->first)
        c.path = raw->first->file;
    if (c.kept && c.scratch && c.digest && raw->first)
        check_all(&c, raw);
    else if (!c.kept || !c.scratch || !c.digest)
        c.is_out_of_memory = true;
    end(&c);
    return !c.is_out_of_memory;
}
