/* Which domains does Postfix take mail for? */
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/publish.h"
#include "tool/maps/site.h"

static bool is_table(const char *item)
{
    const char *colon = strchr(item, ':');

    return colon != NULL && item[0] != '[' && item[0] != '/';
}

/* proxymap may not run: ask the table itself. */
static const char *without_proxy(const char *item)
{
    while (item[0] == '{')
        item++;
    return strncmp(item, "proxy:", 6) == 0 ? item + 6 : item;
}

static int table_has(struct wb_site *site, const char *item, const char *domain,
                     bool *has, struct wb_err *err)
{
    char *answer = NULL;
    int code = wb_site_ask(site, without_proxy(item),
                           wb_say(site->pool, "%s\n", domain), &answer, err);

    *has = code == EX_OK && answer[0] != '\0';
    return code;
}

/* "dom", ".dom", or "dom" for what lies below it too, as Postfix matches. */
static bool is_named(const char *item, const char *domain, bool with_below)
{
    size_t octets = strlen(domain), tail = strlen(item);
    const char *end;

    if (strcasecmp(item, domain) == 0)
        return true;
    if (octets <= tail)
        return false;
    end = domain + octets - tail;
    if (strcasecmp(end, item) != 0)
        return false;
    return item[0] == '.' || (with_below && end[-1] == '.');
}

static int list_has(struct wb_site *site, const char *text, const char *domain,
                    bool with_below, bool *has, struct wb_err *err);

static int file_has(struct wb_site *site, const char *path, const char *domain,
                    bool with_below, bool *has, struct wb_err *err)
{
    char *text;
    int code = wb_file_read(site->pool, path, &text, err);

    if (code != EX_OK || text == NULL)
        return code;
    return list_has(site, text, domain, with_below, has, err);
}

static int list_has(struct wb_site *site, const char *text, const char *domain,
                    bool with_below, bool *has, struct wb_err *err)
{
    struct wb_strings items = wb_cf_list(site->pool, text);
    int code = EX_OK;

    for (size_t i = 0; i < items.count && code == EX_OK; i++) {
        const char *item = items.items[i];
        bool hit = false;

        if (is_table(item))
            code = table_has(site, item, domain, &hit, err);
        else if (item[0] == '/')
            code = file_has(site, item, domain, with_below, &hit, err);
        else if (item[0] == '!')
            hit = false;
        else
            hit = is_named(item, domain, with_below);
        if (hit) {
            *has = true;
            return EX_OK;
        }
    }
    return code;
}

/* The lists of domains, and the tables of recipients that are known there;
 * NULL: whatever those say, mail there is for others. */
static const struct {
    const char *domains, *recipients;
} lists[] = {{"mydestination", "local_recipient_maps"},
             {"virtual_alias_domains", NULL},
             {"virtual_mailbox_domains", NULL},
             {"relay_domains", "relay_recipient_maps"}};

enum { LISTS = sizeof lists / sizeof lists[0], RELAY_DOMAINS = LISTS - 1 };

/* The list that domain is in; LISTS: none. */
static int find_list(struct wb_site *site, const char *domain, size_t *list,
                     struct wb_err *err)
{
    bool with_below =
        strstr(wb_site_value(site, "parent_domain_matches_subdomains"),
               "relay_domains") != NULL;

    for (*list = 0; *list < LISTS; ++*list) {
        bool has = false;
        int code =
            list_has(site, wb_site_value(site, lists[*list].domains), domain,
                     *list == RELAY_DOMAINS && with_below, &has, err);

        if (code != EX_OK || has)
            return code;
    }
    return EX_OK;
}

int wb_site_unknown_domains(struct wb_site *site,
                            const struct wb_strings *domains,
                            struct wb_strings *unknown, struct wb_err *err)
{
    const char **list =
        wb_must(wb_pool_array(site->pool, domains->count + 1, sizeof *list));
    size_t count = 0;

    for (size_t i = 0; i < domains->count; i++) {
        size_t in;
        int code = find_list(site, domains->items[i], &in, err);

        if (code != EX_OK)
            return code;
        if (in == LISTS)
            list[count++] = domains->items[i];
    }
    *unknown = (struct wb_strings){list, count};
    return EX_OK;
}

/* Do these tables know whomever they are asked for? One that cannot be asked
 * does not. */
static int know_all(struct wb_site *site, const char *tables,
                    const char *domain, bool *all, struct wb_err *err)
{
    const char *keys = wb_say(site->pool, "waybill=any@%s\nwaybill=any\n@%s\n",
                              domain, domain);
    struct wb_strings items = wb_cf_list(site->pool, tables);

    *all = false;
    for (size_t i = 0; i < items.count && !*all; i++) {
        char *answer = NULL;
        int code = wb_site_ask(site, without_proxy(items.items[i]), keys,
                               &answer, err);

        if (code != EX_OK && code != EX_CONFIG)
            return code;
        *all = code == EX_OK && answer[0] != '\0';
    }
    return EX_OK;
}

int wb_site_refuses_unknown(struct wb_site *site, const char *domain,
                            const char **why, struct wb_err *err)
{
    const char *tables;
    size_t in;
    bool all = false;
    int code = find_list(site, domain, &in, err);

    *why = NULL;
    if (code != EX_OK || in == LISTS)
        return code;
    *why = lists[in].domains;
    if (lists[in].recipients == NULL)
        return EX_OK;
    tables = wb_site_value(site, lists[in].recipients);
    if (*tables != '\0')
        code = know_all(site, tables, domain, &all, err);
    if (*tables == '\0' || all)
        *why = NULL;
    return code;
}
