/* What makes applying impossible (errors) or doubtful (warnings). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/site.h"

struct check {
    struct wb_site *site;
    const struct wb_entries *entries;
    const struct wb_conf *conf;
    struct wb_problems *problems;
    struct wb_cf master; /* without waybill */
};

#define CONF_ERROR(c, option, ...)                                             \
    wb_problem_add((c)->problems, WB_ERROR, (c)->conf->path, 0, option,        \
                   __VA_ARGS__)
#define MAIN_ERROR(c, option, ...)                                             \
    wb_problem_add((c)->problems, WB_ERROR, (c)->site->main_cf, 0, option,     \
                   __VA_ARGS__)
#define MAIN_WARNING(c, option, ...)                                           \
    wb_problem_add((c)->problems, WB_WARNING, (c)->site->main_cf, 0, option,   \
                   __VA_ARGS__)
#define MASTER_ERROR(c, option, ...)                                           \
    wb_problem_add((c)->problems, WB_ERROR, (c)->site->master_cf, 0, option,   \
                   __VA_ARGS__)
#define MASTER_WARNING(c, option, ...)                                         \
    wb_problem_add((c)->problems, WB_WARNING, (c)->site->master_cf, 0, option, \
                   __VA_ARGS__)

static const char *value(const struct check *c, const char *name)
{
    return wb_site_value(c->site, name);
}

static bool is_same_folder(const char *a, const char *b)
{
    char *x = realpath(a, NULL), *y = realpath(b, NULL);
    bool is_same = strcmp(x ? x : a, y ? y : b) == 0;

    free(x);
    free(y);
    return is_same;
}

static void check_queue_directory(struct check *c)
{
    const char *theirs = value(c, "queue_directory");

    if (!is_same_folder(theirs, c->conf->queue_directory))
        CONF_ERROR(c, "queue_directory",
                   "is %s, but Postfix's is %s; queue_directory = \"%s\" is "
                   "right",
                   c->conf->queue_directory, theirs, theirs);
}

static bool holds_nocase(const struct wb_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcasecmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

/* The milter tells an admin's own transport entry from the default by it. */
static void check_relayhost(struct check *c)
{
    const char *relayhost = value(c, "relayhost");
    const char *transport = value(c, "default_transport");
    const char *colon = strchr(transport, ':');
    const char *mailer = colon == NULL ? transport
                                       : wb_slice(c->site->pool, transport, 0,
                                                  (size_t)(colon - transport));

    if (*relayhost && !holds_nocase(&c->conf->relayhosts, relayhost))
        CONF_ERROR(c, "relayhosts",
                   "main.cf has relayhost = %s; write relayhosts = { \"%s\" }",
                   relayhost, relayhost);
    if (colon != NULL && colon[1] != '\0' && strcmp(mailer, "error") != 0 &&
        !holds_nocase(&c->conf->relayhosts, colon + 1))
        CONF_ERROR(c, "relayhosts",
                   "main.cf has default_transport = %s; write relayhosts = { "
                   "\"%s\" }",
                   transport, colon + 1);
    if (!holds_nocase(&c->conf->outbound_mailers, mailer))
        wb_problem_add(c->problems, WB_WARNING, c->conf->path, 0,
                       "outbound_mailers",
                       "does not name \"%s\", which is Postfix's "
                       "default_transport: its mail will not be routed",
                       mailer);
}

static void check_sender_dependent(struct check *c)
{
    static const char *const maps[] = {
        "sender_dependent_relayhost_maps",
        "sender_dependent_default_transport_maps"};

    for (size_t i = 0; i < 2; i++) {
        if (*value(c, maps[i]))
            MAIN_WARNING(c, maps[i],
                         "what it may answer cannot be listed; put every "
                         "nexthop in it into relayhosts of %s",
                         c->conf->path);
    }
    if (*value(c, "smtpd_milter_maps"))
        MAIN_WARNING(
            c, "smtpd_milter_maps",
            "clients that it names do not meet waybill unless it "
            "names \"{ %s, default_action=tempfail }\" too",
            wb_postfix_socket(c->site->pool, c->conf, c->conf->socket));
}

/* Are there messages that one sender or one From does not do for? */
static bool may_take_two_passes(const struct wb_conf *conf)
{
    for (size_t i = 0; i < conf->return_path_count; i++)
        if (conf->return_paths[i].mode == WB_RETURN_VERP)
            return true;
    for (size_t i = 0; i < conf->route_count; i++)
        if (conf->routes[i].return_path != NULL || conf->routes[i].from != NULL)
            return true;
    return false;
}

/* A second pass is for the sender that the first one saw, before cleanup. */
static void check_sender_maps(struct check *c)
{
    static const char *const maps[][2] = {
        {"canonical_maps", "canonical_classes"},
        {"sender_canonical_maps", "sender_canonical_classes"},
        {"masquerade_domains", "masquerade_classes"},
    };

    if (c->conf->attach != WB_BEFORE_QUEUE || !may_take_two_passes(c->conf))
        return;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (*value(c, maps[i][0]) &&
            strstr(value(c, maps[i][1]), "envelope_sender") != NULL)
            MAIN_WARNING(c, maps[i][0],
                         "changes senders behind waybill: a message from such "
                         "a sender whose recipients need different return "
                         "paths would stay in the queue (451 4.3.0); attach = "
                         "after_queue, or %s without envelope_sender, is right",
                         maps[i][1]);
}

/* The queue's listing shows marked recipients, label and all. */
static void check_mailq(struct check *c)
{
    if (strstr(value(c, "authorized_mailq_users"), "static:anyone") != NULL)
        MAIN_WARNING(c, "authorized_mailq_users",
                     "is static:anyone: local users can read waybill's label "
                     "in mailq and so borrow a route; root, postfix is right");
}

static bool is_hop(const struct check *c, const char *filter)
{
    return strcmp(filter, wb_postfix_hop(c->site->pool, c->conf)) == 0;
}

/* The content_filter of a service through which mail comes, or NULL. */
static const char *intake_filter(const struct check *c,
                                 const struct wb_cf_entry *entry)
{
    struct wb_master fields;

    wb_master_fields(c->site->pool, &c->master, entry, &fields);
    if (strcmp(fields.command, "pickup") != 0 &&
        strcmp(fields.command, "smtpd") != 0)
        return NULL;
    return wb_master_option(c->site->pool, &c->master, entry, "content_filter");
}

/* A filter that takes mail first, and where: waybill has to follow it. */
static const char *first_filter(const struct check *c, const char **where)
{
    const char *filter = value(c, "content_filter");

    *where = "content_filter";
    for (size_t i = 0; *filter == '\0' && i < c->master.count; i++) {
        const char *its = intake_filter(c, &c->master.entries[i]);

        if (its == NULL || *its == '\0' || is_hop(c, its))
            continue;
        *where = c->master.entries[i].key;
        filter = its;
    }
    return filter;
}

static void check_filter_after(struct check *c)
{
    const char *where;
    const char *filter = first_filter(c, &where);
    const char *hop = wb_postfix_hop(c->site->pool, c->conf);

    if (*filter == '\0')
        return;
    for (size_t i = 0; i < c->master.count; i++) {
        const char *its = wb_master_option(
            c->site->pool, &c->master, &c->master.entries[i], "content_filter");

        if (its != NULL && is_hop(c, its))
            return;
    }
    wb_problem_add(c->problems, WB_ERROR,
                   strchr(where, '/') ? c->site->master_cf : c->site->main_cf,
                   0, where,
                   "%s is there already, and only one filter can be; let "
                   "waybill follow it: in master.cf give the listener to "
                   "which it hands mail back \"-o content_filter=%s\", then "
                   "apply again",
                   filter, hop);
}

static void check_filter_before(struct check *c)
{
    const char *advice = "the filter would see waybill's marked recipients; "
                         "attach = after_queue is right with it";

    if (*value(c, "content_filter"))
        MAIN_ERROR(c, "content_filter", "is %s: %s", value(c, "content_filter"),
                   advice);
    for (size_t i = 0; i < c->master.count; i++) {
        const struct wb_cf_entry *entry = &c->master.entries[i];
        const char *filter = intake_filter(c, entry);

        if (filter != NULL && *filter)
            MASTER_ERROR(c, entry->key, "has -o content_filter=%s: %s", filter,
                         advice);
    }
}

/* A milter cannot change mail that goes through a proxy filter. */
static void check_proxy_filter(struct check *c, const struct wb_cf_entry *entry)
{
    const char *proxy = wb_master_option(c->site->pool, &c->master, entry,
                                         "smtpd_proxy_filter");
    const char *milters =
        wb_master_option(c->site->pool, &c->master, entry, "smtpd_milters");

    if (proxy == NULL)
        proxy = value(c, "smtpd_proxy_filter");
    if (*proxy && (milters == NULL || *milters))
        MASTER_ERROR(c, entry->key,
                     "smtpd_proxy_filter = %s: a milter in front of it cannot "
                     "change recipients; add \"-o smtpd_milters=\" here, so "
                     "that waybill sits on the listener behind the filter",
                     proxy);
}

static bool is_chrooted(const struct check *c, const struct wb_master *fields)
{
    if (fields->chroot[0] == '-')
        return strtod(value(c, "compatibility_level"), NULL) < 1;
    return fields->chroot[0] == 'y';
}

/* With no_milters smtpd asks no milter, whatever smtpd_milters says. */
static void check_no_milters(struct check *c, const struct wb_cf_entry *entry)
{
    const char *own = wb_master_option(c->site->pool, &c->master, entry,
                                       "receive_override_options");
    const char *options =
        own != NULL ? own : value(c, "receive_override_options");

    if (c->conf->attach != WB_BEFORE_QUEUE ||
        strstr(options, "no_milters") == NULL)
        return;
    wb_problem_add(c->problems, WB_ERROR,
                   own != NULL ? c->site->master_cf : c->site->main_cf, 0,
                   own != NULL ? entry->key : "receive_override_options",
                   "has no_milters%s%s: waybill would never see that mail; "
                   "take no_milters out",
                   own != NULL ? "" : ", which holds for ",
                   own != NULL ? "" : entry->key);
}

static void check_smtpd(struct check *c, const struct wb_cf_entry *entry,
                        const struct wb_master *fields)
{
    const char *socket =
        wb_postfix_socket(c->site->pool, c->conf, c->conf->socket);

    if (!wb_postfix_has_front(c->entries))
        return;
    check_proxy_filter(c, entry);
    check_no_milters(c, entry);
    if (strncmp(socket, "unix:/", 6) == 0 && is_chrooted(c, fields))
        CONF_ERROR(c, "socket",
                   "%s cannot be reached from %s, which is chrooted to %s; a "
                   "path below that is right, such as "
                   "\"unix:waybill/milter.sock\"",
                   c->conf->socket, entry->key, value(c, "queue_directory"));
}

static void check_bounce(struct check *c, const struct wb_cf_entry *entry)
{
    if (wb_master_option(c->site->pool, &c->master, entry,
                         "cleanup_service_name") != NULL)
        MASTER_WARNING(c, entry->key,
                       "has its own cleanup_service_name: bounces will show "
                       "waybill's marked recipients");
}

/* A service of the site's own with the address of one of waybill's. */
static void check_listener(struct check *c, const struct wb_cf_entry *entry,
                           const char *name, const char *option,
                           const char *ours)
{
    if (wb_listener_is_taken_by(ours, name))
        MASTER_ERROR(c, entry->key,
                     "is in the way of waybill's %s; another %s in %s is right",
                     ours, option, c->conf->path);
}

/* The same for the listeners that the configuration has. */
static void check_intakes(struct check *c, const struct wb_cf_entry *entry,
                          const char *name)
{
    for (size_t i = 0; i < c->conf->listener_count; i++) {
        const struct wb_listener *l = &c->conf->listeners[i];
        const char *ours = wb_intake_name(c->site->pool, l);

        if (l->is_generated && wb_listener_is_taken_by(ours, name))
            wb_problem_add(c->problems, WB_ERROR, l->origin.file,
                           l->origin.line, "listener",
                           "%s listens on %s, which %s of %s has; another port "
                           "or address is right",
                           l->name, ours, entry->key, c->site->master_cf);
    }
}

/* A listener does as main.cf says, and nothing without the milter. */
static void check_intake_milters(struct check *c)
{
    bool has_own = false;

    for (size_t i = 0; i < c->conf->listener_count; i++)
        has_own |= c->conf->listeners[i].is_generated;
    if (has_own &&
        strstr(value(c, "receive_override_options"), "no_milters") != NULL)
        MAIN_ERROR(c, "receive_override_options",
                   "has no_milters, which would hold for the listeners of %s; "
                   "give it to services in master.cf alone",
                   c->conf->path);
}

static void check_services(struct check *c)
{
    bool has_retry = false, has_error = false, has_pickup = false;

    for (size_t i = 0; i < c->master.count; i++) {
        const struct wb_cf_entry *entry = &c->master.entries[i];
        struct wb_master f;

        wb_master_fields(c->site->pool, &c->master, entry, &f);
        has_retry |= strcmp(entry->key, "retry/unix") == 0;
        has_error |= strcmp(entry->key, "error/unix") == 0;
        has_pickup |= strcmp(f.command, "pickup") == 0;
        if (strcmp(f.command, "smtpd") == 0)
            check_smtpd(c, entry, &f);
        else if (strcmp(f.command, "bounce") == 0)
            check_bounce(c, entry);
        if (strcmp(f.type, "inet") != 0)
            continue;
        check_listener(c, entry, f.name, "loopback_listener",
                       c->conf->loopback_listener);
        check_listener(c, entry, f.name, "again_listener",
                       c->conf->again_listener);
        check_intakes(c, entry, f.name);
    }
    if (!has_retry || !has_error)
        MASTER_ERROR(c, has_retry ? "error/unix" : "retry/unix",
                     "is missing; Postfix's master.cf has \"%s unix - - y - - "
                     "error\"",
                     has_retry ? "error" : "retry");
    if (!has_pickup)
        MASTER_WARNING(c, "pickup", "is missing: mail of sendmail(1) stays");
}

/* smtpd demands one of them, and waybill's own check is not enough. */
static void check_restrictions(struct check *c)
{
    if (*value(c, "smtpd_relay_restrictions") == '\0' &&
        *value(c, "smtpd_recipient_restrictions") == '\0')
        MAIN_ERROR(c, "smtpd_relay_restrictions",
                   "is empty, and so is smtpd_recipient_restrictions: nothing "
                   "keeps strangers from relaying; permit_mynetworks, "
                   "permit_sasl_authenticated, defer_unauth_destination is "
                   "right");
}

static int check_tables(struct check *c, struct wb_err *err)
{
    static const char *const types[][2] = {{"pcre", "postfix-pcre"},
                                           {"texthash", "postfix"},
                                           {"pipemap", "postfix"}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bool has;
        int code = wb_site_has_table(c->site, types[i][0], &has, err);

        if (code != EX_OK)
            return code;
        if (!has)
            MAIN_ERROR(c, NULL,
                       "this Postfix has no %s tables; the package %s brings "
                       "them",
                       types[i][0], types[i][1]);
    }
    return EX_OK;
}

/* With "deliver", what no inbound section matches goes on as if waybill were
 * not there: somebody must take it. */
static int check_deliverable(struct check *c, struct wb_err *err)
{
    struct wb_strings domains = {c->entries->inbound_domains,
                                 c->entries->inbound_count};
    struct wb_strings unknown;
    int code;

    if (c->conf->inbound_unmatched != WB_UNMATCHED_DELIVER)
        return EX_OK;
    code = wb_site_unknown_domains(c->site, &domains, &unknown, err);
    for (size_t i = 0; code == EX_OK && i < unknown.count; i++)
        CONF_ERROR(c, "inbound_unmatched",
                   "is deliver, but Postfix has nowhere to deliver mail to "
                   "%s; reject, or a domain that Postfix knows, is right",
                   unknown.items[i]);
    return code;
}

/* A return address is nobody's mailbox: where Postfix looks for its user, it
 * is refused before it could be read. */
static int check_bounce_domains(struct check *c, struct wb_err *err)
{
    const struct wb_origin *at = &c->conf->bounces.origin;
    int code = EX_OK;

    for (size_t i = 0; code == EX_OK && i < c->entries->bounce_count; i++) {
        const char *domain = c->entries->bounce_domains[i], *why;

        code = wb_site_refuses_unknown(c->site, domain, &why, err);
        if (code == EX_OK && why != NULL)
            wb_problem_add(c->problems, WB_ERROR, at->file, at->line, "bounces",
                           "%s is in %s of %s, and Postfix refuses unknown "
                           "users there before a return address could be "
                           "read; a domain of its own is right",
                           domain, why, c->site->main_cf);
    }
    return code;
}

static bool signs(const struct wb_conf *conf)
{
    for (size_t i = 0; i < conf->return_path_count; i++) {
        enum wb_return_mode mode = conf->return_paths[i].mode;

        if (mode != WB_RETURN_KEEP && mode != WB_RETURN_DOMAIN)
            return true;
    }
    return false;
}

/* "=" is in all signed addresses; "+" only in some SRS hashes. */
static void check_delimiter(struct check *c)
{
    if (signs(c->conf) && strchr(value(c, "recipient_delimiter"), '=') != NULL)
        MAIN_WARNING(c, "recipient_delimiter",
                     "is %s: where a return domain is shared with users, "
                     "Postfix cuts waybill's signed addresses at the \"=\"",
                     value(c, "recipient_delimiter"));
}

/* A time of Postfix's ("5d", "12h", "1w"; days without a letter), twice, in
 * days, a part of one as a whole. */
static unsigned long twice_in_days(const char *text)
{
    static const char units[] = "smhdw";
    static const unsigned long each_s[] = {1, 60, 3600, 86400, 604800};
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;

    return (2 * number * each_s[unit != NULL ? unit - units : 3] + 86399) /
           86400;
}

/* A bounce of mail that waited here, and then at the relay as long again. */
static void check_max_age(struct check *c)
{
    const char *lifetime = value(c, "maximal_queue_lifetime");
    unsigned long least = twice_in_days(lifetime);

    for (size_t i = 0; i < c->conf->return_path_count; i++) {
        const struct wb_return_path *r = &c->conf->return_paths[i];

        if (r->mode != WB_RETURN_KEEP && r->mode != WB_RETURN_DOMAIN &&
            r->max_age_days < least)
            wb_problem_add(c->problems, WB_WARNING, r->origin.file,
                           r->origin.line, "max_age",
                           "%ud is shorter than mail may wait here and at a "
                           "relay (maximal_queue_lifetime = %s, twice): late "
                           "bounces will be refused; max_age = \"%lud\" is "
                           "right",
                           r->max_age_days, lifetime, least);
    }
}

int wb_site_check(struct wb_site *site, const struct wb_entries *entries,
                  struct wb_problems *problems, struct wb_err *err)
{
    struct check c = {.site = site,
                      .entries = entries,
                      .conf = entries->conf,
                      .problems = problems};
    int code;

    wb_cf_parse(site->pool, WB_MASTER_CF, site->base_master, &c.master);
    check_queue_directory(&c);
    check_relayhost(&c);
    check_sender_dependent(&c);
    check_sender_maps(&c);
    check_mailq(&c);
    if (c.conf->attach == WB_AFTER_QUEUE)
        check_filter_after(&c);
    else
        check_filter_before(&c);
    check_services(&c);
    check_intake_milters(&c);
    if (problems->error_count == 0)
        wb_listener_check(site, c.conf, problems);
    check_restrictions(&c);
    check_delimiter(&c);
    check_max_age(&c);
    code = check_tables(&c, err);
    if (code == EX_OK)
        code = check_bounce_domains(&c, err);
    if (code == EX_OK)
        code = check_deliverable(&c, err);
    if (code == EX_OK)
        code = wb_site_check_routes(site, entries, problems, err);
    if (code == EX_OK && (problems->error_count > 0 || problems->out_of_memory))
        code = wb_err_set(err, EX_CONFIG, "nothing was changed");
    return code;
}
