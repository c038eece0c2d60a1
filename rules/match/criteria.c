#include "match/criteria.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

static int parse_regex(struct wb_pool *p, const char *text,
                       struct wb_addrspec *out, struct wb_err *err)
{
    size_t length = strlen(text);
    char *source;

    if (length < 3 || text[length - 1] != '/')
        return wb_err_set(err, EX_DATAERR,
                          "\"%s\" has no closing slash; \"/regex/\" is right",
                          text);
    source = wb_pool_strndup(p, text + 1, length - 2);
    if (source == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    out->kind = WB_NAMED_REGEX;
    out->text = source;
    return wb_pattern_new(source, &out->pattern, err);
}

static int parse_address(struct wb_pool *p, const char *text,
                         struct wb_addrspec *out, struct wb_err *err)
{
    struct wb_address address;
    struct wb_err why;
    const char *plain;
    int rc = wb_address_parse(p, text, &address, &why);

    if (rc == EX_OSERR)
        return wb_err_set(err, rc, "%s", why.text);
    if (rc != EX_OK || address.domain == NULL)
        return wb_err_set(err, EX_DATAERR,
                          "\"%s\" is not an address; user@example.com is right",
                          text);
    /* Compared without regard to quoting, as the MTA delivers it. */
    plain = wb_pool_printf(p, "%s@%s", address.local, address.domain);
    out->kind = WB_NAMED_ADDRESS;
    out->text = plain == NULL ? NULL : wb_pool_strlower(p, plain);
    if (out->text == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    return EX_OK;
}

static int parse_domain(struct wb_pool *p, const char *text,
                        struct wb_addrspec *out, struct wb_err *err)
{
    out->kind = *text == '.' ? WB_NAMED_SUBDOMAIN : WB_NAMED_DOMAIN;
    out->text = wb_pool_strlower(p, text + (*text == '.'));
    if (out->text == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (!wb_domain_is_valid(out->text))
        return wb_err_set(err, EX_DATAERR,
                          "\"%s\" is not an address list entry; user@dom, "
                          "dom, .dom, * and /regex/ are right",
                          text);
    return EX_OK;
}

int wb_addrspec_parse(struct wb_pool *p, const char *text,
                      struct wb_addrspec *out, struct wb_err *err)
{
    memset(out, 0, sizeof *out);
    if (strcmp(text, "*") == 0) {
        out->kind = WB_NAMED_ANY;
        out->text = "*";
        return EX_OK;
    }
    if (*text == '/')
        return parse_regex(p, text, out, err);
    if (strchr(text, '@') != NULL)
        return parse_address(p, text, out, err);
    return parse_domain(p, text, out, err);
}

void wb_addrlist_free(struct wb_addrlist *list)
{
    for (size_t i = 0; i < list->count; i++) {
        wb_pattern_free(list->entries[i].pattern);
        list->entries[i].pattern = NULL;
    }
}

/* "local@domain" without quoting; the null sender is "". */
static bool is_text_of(const struct wb_address *a, const char *text)
{
    size_t length;

    if (a->local == NULL || a->domain == NULL)
        return false;
    length = strlen(a->local);
    return strncasecmp(text, a->local, length) == 0 && text[length] == '@' &&
           strcmp(text + length + 1, a->domain) == 0;
}

static enum wb_verdict names(const struct wb_addrspec *entry,
                             const struct wb_address *a,
                             struct wb_budget *budget)
{
    switch (entry->kind) {
    case WB_NAMED_ANY:
        return WB_YES;
    case WB_NAMED_REGEX:
        return wb_pattern_search(entry->pattern, a->text, budget);
    case WB_NAMED_SUBDOMAIN:
        return a->domain != NULL && wb_domain_is_below(a->domain, entry->text)
                   ? WB_YES
                   : WB_NO;
    case WB_NAMED_DOMAIN:
        return a->domain != NULL && strcmp(a->domain, entry->text) == 0 ? WB_YES
                                                                        : WB_NO;
    case WB_NAMED_ADDRESS:
        return is_text_of(a, entry->text) ? WB_YES : WB_NO;
    case WB_NAMED_NOT:
        break;
    }
    return WB_NO;
}

/* Of two entries that name an address, is a the closer one? Among ".dom"
 * entries the longer one is. */
static bool is_closer(const struct wb_addrspec *a, const struct wb_addrspec *b)
{
    if (b == NULL || a->kind != b->kind)
        return b == NULL || a->kind > b->kind;
    return a->kind == WB_NAMED_SUBDOMAIN && strlen(a->text) > strlen(b->text);
}

enum wb_verdict wb_addrlist_names(const struct wb_addrlist *list,
                                  const struct wb_address *a,
                                  struct wb_budget *budget,
                                  enum wb_specificity *named,
                                  const struct wb_addrspec **entry)
{
    const struct wb_addrspec *best = NULL;

    for (size_t i = 0; i < list->count; i++) {
        const struct wb_addrspec *e = &list->entries[i];
        enum wb_verdict v;

        /* A regex cannot improve on what is already closer. */
        if (!is_closer(e, best))
            continue;
        v = names(e, a, budget);
        if (v == WB_RETRY)
            return WB_RETRY;
        if (v == WB_YES)
            best = e;
    }
    if (entry != NULL)
        *entry = best;
    *named = best != NULL ? best->kind
                          : (list->count == 0 ? WB_NAMED_ANY : WB_NAMED_NOT);
    return *named == WB_NAMED_NOT ? WB_NO : WB_YES;
}

/* IPv4 as ::ffff:a.b.c.d, so that one comparison serves both. */
static bool parse_ip(const char *text, uint8_t octets[16], bool *is_v4)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *is_v4 = inet_pton(AF_INET, text, octets + 12) == 1;
    if (*is_v4)
        memcpy(octets, mapped, sizeof mapped);
    return *is_v4 || inet_pton(AF_INET6, text, octets) == 1;
}

static bool parse_prefix(const char *digits, unsigned max, unsigned *out)
{
    char *end;
    unsigned long value;

    if (*digits < '0' || *digits > '9')
        return false;
    value = strtoul(digits, &end, 10);
    *out = (unsigned)value;
    return *end == '\0' && value <= max;
}

static bool has_host_bits(const struct wb_network *n)
{
    for (unsigned bit = n->prefix_bits; bit < 128; bit++)
        if ((n->octets[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return true;
    return false;
}

int wb_network_parse(const char *text, struct wb_network *out,
                     struct wb_err *err)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    bool is_v4;

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= sizeof address)
        goto bad;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!parse_ip(address, out->octets, &is_v4))
        goto bad;
    out->prefix_bits = is_v4 ? 32 : 128;
    if (slash != NULL &&
        !parse_prefix(slash + 1, out->prefix_bits, &out->prefix_bits))
        goto bad;
    if (is_v4)
        out->prefix_bits += 96;
    if (has_host_bits(out))
        return wb_err_set(err, EX_DATAERR,
                          "\"%s\" has bits set behind its prefix; write the "
                          "first address of the network",
                          text);
    return EX_OK;
bad:
    return wb_err_set(err, EX_DATAERR,
                      "\"%s\" is not a network; 192.0.2.0/24, 2001:db8::/32 "
                      "or a single address is right",
                      text);
}

static bool holds(const struct wb_network *n, const uint8_t octets[16])
{
    unsigned whole = n->prefix_bits / 8;
    unsigned rest = n->prefix_bits % 8;

    if (memcmp(n->octets, octets, whole) != 0)
        return false;
    return rest == 0 || (n->octets[whole] ^ octets[whole]) >> (8 - rest) == 0;
}

bool wb_network_of_client(const char *client, struct wb_network *out)
{
    bool is_v4;

    out->prefix_bits = 128;
    return parse_ip(client, out->octets, &is_v4);
}

bool wb_networks_hold(const struct wb_network *networks, size_t count,
                      const char *client)
{
    uint8_t octets[16];
    bool is_v4;

    if (client == NULL || !parse_ip(client, octets, &is_v4))
        return false;
    for (size_t i = 0; i < count; i++)
        if (holds(&networks[i], octets))
            return true;
    return false;
}
