/* The edits of main.cf and master.cf. */
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/site.h"

#define STRIP "pcre:$waybill_directory/strip.pcre"

struct edit {
    struct wb_site *site;
    const struct wb_entries *entries;
    const struct wb_conf *conf;
    const char *main, *master;
    struct wb_text block; /* waybill's parameters, then the site's it extends */
    struct wb_text tail;
};

static void set(struct edit *e, const char *name, const char *value)
{
    fprintf(e->block.file, "%s =%s%s\n", name, *value ? " " : "", value);
}

/* The same, where a service of master.cf asks for it: Postfix warns of a
 * parameter that nothing uses. */
static void set_if_asked(struct edit *e, const char *name, const char *value)
{
    if (strstr(e->master, wb_say(e->site->pool, "$%s", name)) != NULL)
        set(e, name, value);
}

/* Put $variable in front of the site's own value of name. */
static void prepend(struct edit *e, const char *name, const char *variable)
{
    struct wb_site *site = e->site;
    const char *text = wb_main_prepend(site->pool, e->main, name, variable);
    const char *rest = wb_site_default(site, name);

    if (text != NULL)
        e->main = text;
    else
        fprintf(e->tail.file, "%s = $%s%s%s\n", name, variable,
                *rest ? ", " : "", rest);
}

/* Each table of name once more, seen through the suffix. "" when name is
 * empty. */
static const char *see_through(struct edit *e, const char *name)
{
    struct wb_strings tables =
        wb_cf_list(e->site->pool, wb_site_value(e->site, name));
    struct wb_text t;

    wb_text_open(&t);
    for (size_t i = 0; i < tables.count; i++)
        fprintf(t.file, "%spipemap:{" STRIP ", %s}", i > 0 ? ", " : "",
                wb_substitute(e->site->pool, tables.items[i], "$", "$$"));
    return wb_text_close(&t, e->site->pool);
}

static void edit_see_through(struct edit *e, const char *name)
{
    const char *tables = see_through(e, name);
    const char *variable = wb_say(e->site->pool, "waybill_%s", name);

    if (tables[0] == '\0')
        return;
    set(e, variable, tables);
    prepend(e, name, variable);
}

static void set_generic(struct edit *e)
{
    struct wb_pool *pool = e->site->pool;
    const char *seen = see_through(e, "smtp_generic_maps");
    const char *old = wb_site_raw(e->site, "smtp_generic_maps");

    if (e->entries->service_count == 0)
        return;
    set(e, "waybill_generic_maps",
        wb_say(pool, "%s%s" STRIP "%s%s", seen, *seen ? ", " : "",
               *old ? ", " : "", old));
}

static void set_number(struct edit *e, const char *service, const char *what,
                       unsigned number, const char *unit)
{
    if (number > 0)
        set(e, wb_say(e->site->pool, "%s_%s", service, what),
            wb_say(e->site->pool, "%u%s", number, unit));
}

/* The pace of the routes' services, which is the queue manager's to keep, and
 * that reads main.cf alone. */
static void set_paces(struct edit *e)
{
    for (size_t i = 0; i < e->entries->service_count; i++) {
        const struct wb_service *s = e->entries->services[i];

        set_number(e, s->name, "transport_rate_delay", s->like->delay_s, "s");
        set_number(e, s->name, "destination_concurrency_limit",
                   s->like->concurrency, "");
        set_number(e, s->name, "destination_recipient_limit",
                   s->like->max_recipients, "");
    }
}

static bool list_holds(struct edit *e, const char *text, const char *word)
{
    struct wb_strings items = wb_cf_list(e->site->pool, text);

    for (size_t i = 0; i < items.count; i++) {
        if (strcmp(items.items[i], word) == 0)
            return true;
    }
    return false;
}

/* Bounces get body checks of waybill's; those that the site has for bounces
 * stay, and those that it does not have for them do not begin. */
static void set_dsn(struct edit *e)
{
    static const char *const kept[][2] = {
        {"waybill_dsn_header_checks", "header_checks"},
        {"waybill_dsn_mime_header_checks", "mime_header_checks"},
        {"waybill_dsn_nested_header_checks", "nested_header_checks"},
    };
    struct wb_site *site = e->site;
    const char *classes = wb_site_raw(site, "internal_mail_filter_classes");
    const char *body = wb_site_raw(site, "body_checks");
    const char *canonical = wb_site_raw(site, "recipient_canonical_maps");
    const char *own =
        wb_postfix_takes_mail(e->entries) ? "$waybill_milters" : "";
    const char *milters = "";
    bool is_filtered = list_holds(
        e, wb_site_value(site, "internal_mail_filter_classes"), "bounce");

    set_if_asked(e, "waybill_bounce_classes",
                 is_filtered || *classes == '\0'
                     ? (is_filtered ? classes : "bounce")
                     : wb_say(site->pool, "bounce, %s", classes));
    if (is_filtered)
        milters = wb_site_raw(site, "non_smtpd_milters");
    else
        body = "";
    set(e, "waybill_dsn_milters",
        wb_say(site->pool, "%s%s%s", own, *own && *milters ? ", " : "",
               milters));
    set(e, "waybill_dsn_body_checks",
        wb_say(site->pool, "pcre:$waybill_directory/dsn.pcre%s%s",
               *body ? ", " : "", body));
    set(e, "waybill_dsn_canonical_maps",
        wb_say(site->pool, STRIP "%s%s", *canonical ? ", " : "", canonical));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        set(e, kept[i][0], is_filtered ? wb_site_raw(site, kept[i][1]) : "");
}

static void set_relay(struct edit *e, const struct wb_strings *domains)
{
    if (domains->count == 0)
        return;
    set(e, "waybill_relay_domains",
        "pcre:$waybill_directory/relay_domains.pcre");
    prepend(e, "relay_domains", "waybill_relay_domains");
    if (*wb_site_value(e->site, "relay_recipient_maps") == '\0')
        return;
    set(e, "waybill_relay_recipient_maps",
        "pcre:$waybill_directory/relay_recipients.pcre");
    prepend(e, "relay_recipient_maps", "waybill_relay_recipient_maps");
}

/* The listener to which the site's own content filter hands mail back: the
 * milter sees its mail in front of the filter and behind it, and has no part
 * in between. */
static bool is_follower(struct edit *e, const struct wb_cf *cf,
                        const struct wb_cf_entry *entry)
{
    const char *filter =
        wb_master_option(e->site->pool, cf, entry, "content_filter");

    return filter != NULL &&
           strcmp(filter, wb_postfix_hop(e->site->pool, e->conf)) == 0;
}

/* Does mail come to the hop another way already? */
static bool hop_is_chained(struct edit *e)
{
    struct wb_cf cf;

    wb_cf_parse(e->site->pool, WB_MASTER_CF, e->site->base_master, &cf);
    for (size_t i = 0; i < cf.count; i++) {
        if (is_follower(e, &cf, &cf.entries[i]))
            return true;
    }
    return false;
}

/* Postfix would hand over 20 at one time; the site may know better. */
static void set_lmtp(struct edit *e)
{
    static const char name[] = "waybill-lmtp_destination_concurrency_limit";

    if (e->conf->webhook_count > 0 && strstr(e->main, name) == NULL)
        set(e, name,
            wb_say(e->site->pool, "%u", wb_postfix_lmtp_width(e->conf)));
}

/* The way to this host itself: a pace that the site has for others would hold
 * up all its mail, which has one destination here. */
static void set_unpaced(struct edit *e, const char *service)
{
    static const char *const names[] = {"transport_rate_delay",
                                        "destination_rate_delay"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        set(e, wb_say(e->site->pool, "%s_%s", service, names[i]), "0s");
}

static void edit_main(struct edit *e, const struct wb_strings *domains)
{
    struct wb_site *site = e->site;
    struct wb_pool *pool = site->pool;
    const char *milters =
        wb_say(pool, "{ %s, default_action=tempfail }",
               wb_postfix_socket(pool, e->conf, e->conf->socket));

    set(e, "waybill_directory", site->maps);
    set(e, "waybill_milters", milters);
    set(e, "waybill_again_milters", milters);
    set(e, "waybill-again_destination_recipient_limit", "1");
    set_unpaced(e, "waybill-in");
    set_unpaced(e, "waybill-again");
    set_if_asked(e, "waybill_filtered_milters",
                 wb_site_raw(site, "smtpd_milters"));
    set_if_asked(e, "waybill_listener_milters",
                 *wb_site_raw(site, "smtpd_milters")
                     ? wb_say(pool, "$waybill_milters, %s",
                              wb_site_raw(site, "smtpd_milters"))
                     : "$waybill_milters");
    if (wb_postfix_has_front(e->entries))
        prepend(e, "smtpd_milters", "waybill_milters");
    if (e->conf->attach == WB_BEFORE_QUEUE) {
        set_if_asked(e, "waybill_content_filter",
                     wb_postfix_hop(pool, e->conf));
    } else if (!hop_is_chained(e)) {
        set(e, "waybill_content_filter", wb_postfix_hop(pool, e->conf));
        prepend(e, "content_filter", "waybill_content_filter");
    }
    set(e, "waybill_transport_maps",
        wb_entries_have_pop(e->entries)
            ? "pcre:$waybill_directory/" WB_DOWN_FILE
              ", pcre:$waybill_directory/transport.pcre"
            : "pcre:$waybill_directory/transport.pcre");
    prepend(e, "transport_maps", "waybill_transport_maps");
    set(e, "waybill_recipient_restrictions",
        "check_recipient_access pcre:$waybill_directory/refuse.pcre");
    prepend(e, "smtpd_recipient_restrictions",
            "waybill_recipient_restrictions");
    set(e, "waybill_loopback_restrictions",
        "check_recipient_access pcre:$waybill_directory/loopback.pcre");
    edit_see_through(e, "virtual_alias_maps");
    edit_see_through(e, "canonical_maps");
    edit_see_through(e, "recipient_canonical_maps");
    set_generic(e);
    set_paces(e);
    set_relay(e, domains);
    set_dsn(e);
    set_lmtp(e);
}

static void edit_milters(struct edit *e, const struct wb_cf *cf,
                         const struct wb_cf_entry *entry)
{
    struct wb_pool *pool = e->site->pool;

    if (!is_follower(e, cf, entry))
        e->master =
            wb_master_prepend(pool, e->master, entry->key, "smtpd_milters",
                              "waybill_milters", false);
    else if (wb_master_option(pool, cf, entry, "smtpd_milters") == NULL)
        e->master =
            wb_master_append(pool, e->master, entry->key, "smtpd_milters",
                             "$waybill_filtered_milters");
}

static void edit_smtpd(struct edit *e, const struct wb_cf *cf,
                       const struct wb_cf_entry *entry)
{
    if (wb_postfix_has_front(e->entries))
        edit_milters(e, cf, entry);
    e->master = wb_master_prepend(e->site->pool, e->master, entry->key,
                                  "smtpd_recipient_restrictions",
                                  "waybill_recipient_restrictions", true);
}

static void edit_bounce(struct edit *e, const struct wb_cf *cf,
                        const struct wb_cf_entry *entry)
{
    struct wb_pool *pool = e->site->pool;

    if (wb_master_option(pool, cf, entry, "cleanup_service_name") != NULL)
        return; /* wb_site_check has warned */
    e->master =
        wb_master_append(pool, e->master, entry->key, "cleanup_service_name",
                         "waybill-cleanup-bounce");
    if (wb_master_option(pool, cf, entry, "internal_mail_filter_classes") ==
        NULL)
        e->master = wb_master_append(pool, e->master, entry->key,
                                     "internal_mail_filter_classes",
                                     "$waybill_bounce_classes");
    else
        e->master = wb_master_prepend(pool, e->master, entry->key,
                                      "internal_mail_filter_classes",
                                      "waybill_bounce_classes", true);
}

static void edit_services(struct edit *e)
{
    struct wb_pool *pool = e->site->pool;
    struct wb_cf cf;

    wb_cf_parse(pool, WB_MASTER_CF, e->site->base_master, &cf);
    for (size_t i = 0; i < cf.count; i++) {
        const struct wb_cf_entry *entry = &cf.entries[i];
        struct wb_master fields;

        wb_master_fields(pool, &cf, entry, &fields);
        if (strcmp(fields.command, "smtpd") == 0)
            edit_smtpd(e, &cf, entry);
        else if (strcmp(fields.command, "bounce") == 0)
            edit_bounce(e, &cf, entry);
        else if (strcmp(fields.command, "pickup") == 0 &&
                 e->conf->attach == WB_BEFORE_QUEUE)
            e->master =
                wb_master_append(pool, e->master, entry->key, "content_filter",
                                 "$waybill_content_filter");
    }
}

static void edit_master(struct edit *e)
{
    struct wb_text block;
    size_t count;
    const struct wb_master_service *services =
        wb_postfix_services(e->entries, e->site->pool, &count);

    edit_services(e);
    wb_text_open(&block);
    for (size_t i = 0; i < count; i++)
        fputs(services[i].text, block.file);
    e->master = wb_cf_append_block(e->site->pool, e->master,
                                   wb_text_close(&block, e->site->pool));
}

int wb_site_edit(struct wb_site *site, const struct wb_entries *entries,
                 struct wb_problems *problems, struct wb_edit *out,
                 struct wb_err *err)
{
    struct edit e = {.site = site,
                     .entries = entries,
                     .conf = entries->conf,
                     .main = site->base_main,
                     .master = site->base_master};
    struct wb_strings domains = wb_postfix_domains(entries, site->pool);
    int code = wb_site_check(site, entries, problems, err);

    if (code == EX_OK)
        code =
            wb_site_unknown_domains(site, &domains, &out->relay_domains, err);
    if (code != EX_OK)
        return code;
    wb_text_open(&e.block);
    wb_text_open(&e.tail);
    edit_master(&e);
    edit_main(&e, &out->relay_domains);
    out->main = wb_cf_append_block(site->pool, e.main,
                                   wb_say(site->pool, "%s%s",
                                          wb_text_close(&e.block, site->pool),
                                          wb_text_close(&e.tail, site->pool)));
    out->master = e.master;
    return EX_OK;
}
