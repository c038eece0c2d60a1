/* Which domains does the configuration know as senders? */
#include <stdlib.h>
#include <string.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

#define ANY_DOMAIN "domain.invalid"

enum { FIRST_ROOM = 16 };

void *wb_dns_push(struct wb_pool *pool, void *array, size_t *count,
                  size_t octets)
{
    /* full at every power of two: then it moves to twice the room */
    bool is_full = *count >= FIRST_ROOM && (*count & (*count - 1)) == 0;
    void *grown = array;

    if (array == NULL)
        grown = wb_must(wb_pool_array(pool, FIRST_ROOM, octets));
    else if (is_full) {
        grown = wb_must(wb_pool_array(pool, *count * 2, octets));
        memcpy(grown, array, *count * octets);
    }
    ++*count;
    return grown;
}

static void add(struct wb_dns *dns, enum wb_dns_sender_kind kind,
                const char *name)
{
    dns->senders = wb_dns_push(dns->pool, dns->senders, &dns->sender_count,
                               sizeof *dns->senders);
    dns->senders[dns->sender_count - 1] =
        (struct wb_dns_sender){.kind = kind, .name = name};
}

static void add_entry(struct wb_dns *dns, const struct wb_addrspec *entry)
{
    const char *at = strrchr(entry->text, '@');

    if (entry->kind == WB_NAMED_ADDRESS && at[1] != '[')
        add(dns, WB_DNS_NAMED, at + 1);
    else if (entry->kind == WB_NAMED_DOMAIN)
        add(dns, WB_DNS_NAMED, entry->text);
    else if (entry->kind == WB_NAMED_SUBDOMAIN)
        add(dns, WB_DNS_BELOW, entry->text);
    else if (entry->kind != WB_NAMED_ADDRESS)
        add(dns, WB_DNS_OTHER, "");
}

static void add_list(struct wb_dns *dns, const struct wb_addrlist *list)
{
    for (size_t i = 0; i < list->count; i++)
        add_entry(dns, &list->entries[i]);
    if (list->count == 0)
        add(dns, WB_DNS_OTHER, "");
}

static int by_name(const void *a, const void *b)
{
    const struct wb_dns_sender *x = a, *y = b;

    return x->kind != y->kind ? (int)x->kind - (int)y->kind
                              : strcmp(x->name, y->name);
}

/* Returns false for a name that cannot stand in the DNS. */
static bool show(struct wb_dns *dns, struct wb_dns_sender *s)
{
    const char *ascii = wb_dns_ascii(dns, s->name);

    if (ascii == NULL) {
        wb_dns_warn(dns, "\"%s\" has no form in the DNS and is left out",
                    s->name);
        return false;
    }
    switch (s->kind) {
    case WB_DNS_NAMED:
        s->sample = s->name;
        s->shown = ascii;
        break;
    case WB_DNS_BELOW:
        s->sample = wb_say(dns->pool, "sub.%s", s->name);
        s->shown = wb_say(dns->pool, "SUB.%s", ascii);
        break;
    case WB_DNS_OTHER:
        s->sample = ANY_DOMAIN;
        s->shown = "DOMAIN";
        break;
    }
    return true;
}

/* Sort, keep one of each, and fill in the rest. */
static void settle(struct wb_dns *dns)
{
    size_t kept = 0;

    qsort(dns->senders, dns->sender_count, sizeof *dns->senders, by_name);
    for (size_t i = 0; i < dns->sender_count; i++) {
        if (i > 0 && by_name(&dns->senders[i - 1], &dns->senders[i]) == 0)
            continue;
        dns->senders[kept] = dns->senders[i];
        kept += show(dns, &dns->senders[kept]);
    }
    dns->sender_count = kept;
}

void wb_dns_find_senders(struct wb_dns *dns)
{
    const struct wb_conf *conf = dns->conf;

    /* [0] is "keep", for everybody */
    for (size_t i = 1; i < conf->return_path_count; i++)
        add_list(dns, &conf->return_paths[i].senders);
    for (size_t i = 0; i < conf->rules.count; i++)
        add_list(dns, &conf->rules.rules[i].senders);
    if (dns->sender_count > 0)
        settle(dns);
}

/* ---- does a list name a sender? ----------------------------------------- */

static bool is_at(const char *address, const char *domain)
{
    return strcmp(strrchr(address, '@') + 1, domain) == 0;
}

/* Does entry name all mail of s? Some of it, perhaps, is WB_RETRY. */
static enum wb_verdict names(const struct wb_addrspec *entry,
                             const struct wb_dns_sender *s)
{
    bool is_named = s->kind == WB_DNS_NAMED;
    bool is_hit = false;

    switch (entry->kind) {
    case WB_NAMED_ADDRESS:
        return is_named && is_at(entry->text, s->name) ? WB_RETRY : WB_NO;
    case WB_NAMED_DOMAIN:
        is_hit = is_named && strcmp(entry->text, s->name) == 0;
        break;
    case WB_NAMED_SUBDOMAIN:
        is_hit = (is_named && wb_domain_is_below(s->name, entry->text)) ||
                 (s->kind == WB_DNS_BELOW &&
                  (strcmp(s->name, entry->text) == 0 ||
                   wb_domain_is_below(s->name, entry->text)));
        break;
    case WB_NAMED_REGEX:
        return WB_RETRY;
    case WB_NAMED_ANY:
        return WB_YES;
    case WB_NAMED_NOT:
        break;
    }
    return is_hit ? WB_YES : WB_NO;
}

struct wb_dns_named wb_dns_names(const struct wb_addrlist *list,
                                 const struct wb_dns_sender *sender)
{
    struct wb_dns_named found = {WB_NAMED_NOT, WB_NAMED_NOT};

    if (list->count == 0)
        return (struct wb_dns_named){WB_NAMED_ANY, WB_NAMED_ANY};
    for (size_t i = 0; i < list->count; i++) {
        const struct wb_addrspec *entry = &list->entries[i];
        enum wb_verdict v = names(entry, sender);

        if (v != WB_NO && entry->kind > found.perhaps)
            found.perhaps = entry->kind;
        if (v == WB_YES && entry->kind > found.surely)
            found.surely = entry->kind;
    }
    return found;
}
