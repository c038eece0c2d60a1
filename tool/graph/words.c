#include "tool/graph/words.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { MOST_CHARS = 100 };

static void put_more(FILE *out, size_t count, size_t max_entries)
{
    if (count > max_entries)
        fprintf(out, " and %zu more", count - max_entries);
}

static void put_entry(FILE *out, wb_put *put, const struct wb_addrspec *e)
{
    if (e->kind == WB_NAMED_SUBDOMAIN)
        put(out, ".", 1);
    if (e->kind == WB_NAMED_REGEX)
        put(out, "/", 1);
    put(out, e->kind == WB_NAMED_ANY ? "*" : e->text, MOST_CHARS);
    if (e->kind == WB_NAMED_REGEX)
        put(out, "/", 1);
}

void wb_put_addresses(FILE *out, wb_put *put, const struct wb_addrlist *list,
                      size_t max_entries)
{
    for (size_t i = 0; i < list->count && i < max_entries; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_entry(out, put, &list->entries[i]);
    }
    put_more(out, list->count, max_entries);
}

void wb_put_strings(FILE *out, wb_put *put, const struct wb_strings *list,
                    size_t max_entries)
{
    for (size_t i = 0; i < list->count && i < max_entries; i++) {
        fputs(i > 0 ? ", " : "", out);
        put(out, list->items[i], MOST_CHARS);
    }
    put_more(out, list->count, max_entries);
}

/* IPv4 is kept as ::ffff:a.b.c.d. */
static void put_network(FILE *out, wb_put *put, const struct wb_network *n)
{
    static const uint8_t v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool is_v4 = n->prefix_bits >= 96 && memcmp(n->octets, v4, sizeof v4) == 0;
    unsigned bits = is_v4 ? n->prefix_bits - 96 : n->prefix_bits;
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6,
                    is_v4 ? n->octets + sizeof v4 : n->octets, text,
                    sizeof text);
    put(out, text, sizeof text);
    if (bits < (is_v4 ? 32 : 128))
        fprintf(out, "/%u", bits);
}

void wb_put_networks(FILE *out, wb_put *put, const struct wb_network *list,
                     size_t count, size_t max_entries)
{
    for (size_t i = 0; i < count && i < max_entries; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_network(out, put, &list[i]);
    }
    put_more(out, count, max_entries);
}

const char *wb_tls_word(enum wb_tls tls)
{
    static const char *const words[] = {[WB_TLS_NONE] = "no TLS",
                                        [WB_TLS_STARTTLS] = "STARTTLS",
                                        [WB_TLS_IMPLICIT] = "TLS"};

    return words[tls];
}

const char *wb_auth_word(enum wb_auth auth)
{
    static const char *const words[] = {
        [WB_AUTH_NONE] = "none",   [WB_AUTH_PLAIN] = "PLAIN",
        [WB_AUTH_LOGIN] = "LOGIN", [WB_AUTH_CRAM_MD5] = "CRAM-MD5",
        [WB_AUTH_NTLM] = "NTLM",   [WB_AUTH_ANY] = "any"};

    return words[auth];
}

const char *wb_deliver_word(enum wb_bounces_to where)
{
    static const char *const words[] = {[WB_TO_WEBHOOK] = "to the webhook",
                                        [WB_TO_SENDER] = "to the sender",
                                        [WB_TO_ADDRESS] = "to one mailbox",
                                        [WB_TO_NOBODY] = "refused"};

    return words[where];
}
