#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "conf/check.h"
#include "mail/header.h"

static const char small_letters[] = "abcdefghijklmnopqrstuvwxyz";
static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

static bool is_ipv4(const char *text)
{
    struct in_addr address;

    return inet_pton(AF_INET, text, &address) == 1;
}

bool wb_host_is_bare_address(const char *text)
{
    struct in6_addr address;

    return is_ipv4(text) || inet_pton(AF_INET6, text, &address) == 1;
}

/* "[192.0.2.1]" or "[2001:db8::1]" */
static bool is_bracketed_address(const char *text)
{
    size_t length = strlen(text);
    char inner[INET6_ADDRSTRLEN] = "";

    if (length < 3 || length - 2 >= sizeof inner || text[0] != '[' ||
        text[length - 1] != ']')
        return false;
    memcpy(inner, text + 1, length - 2);
    return wb_host_is_bare_address(inner);
}

const char *wb_host_fault(const char *text)
{
    const char *end = text + strlen(text);
    const char *colon = strrchr(text, ':');

    if (is_bracketed_address(text) || wb_host_is_bare_address(text))
        return NULL;
    if (strstr(text, "://"))
        return "has a scheme; the name alone, or ssl:// before it, is right";
    if (colon && colon[1] && colon[1 + strspn(colon + 1, digits)] == '\0' &&
        (colon == strchr(text, ':') || colon[-1] == ']'))
        return "holds a port; host = \"NAME\" and port = NUMBER are right";
    if (*text == '[')
        return "is not an address in brackets; a name stands without them "
               "(its MX is never looked up)";
    if (end > text && end[-1] == '.')
        return "ends with a dot, which stops Postfix's smtp(8); leave it out";
    return wb_domain_is_valid(text) ? NULL
                                    : "is not a host name; "
                                      "\"smtp.example.com\" or "
                                      "\"[192.0.2.1]\" is right";
}

const char *wb_domain_fault(const char *text)
{
    const char *end = text + strlen(text);

    if (end > text && end[-1] == '.')
        return "ends with a dot; leave it out";
    if (strchr(text, '@'))
        return "is an address; a domain alone is right";
    return wb_domain_is_valid(text) ? NULL
                                    : "is not a domain; \"example.com\" is "
                                      "right";
}

static bool is_reserved(const char *text)
{
    return strcasecmp(text, "again") == 0 || strcasecmp(text, "hook") == 0 ||
           strcasecmp(text, "waybill") == 0;
}

const char *wb_label_fault(const char *text)
{
    size_t length = strlen(text);

    if (is_reserved(text))
        return "is reserved; take another name";
    if (length == 0 || length > 63)
        return "is not a name of 1 to 63 letters, digits and hyphens";
    for (const char *s = text; *s; s++)
        if (!strchr(small_letters, *s) && !strchr(capitals, *s) &&
            !strchr(digits, *s) && *s != '-')
            return "is not a DNS label; letters, digits and hyphens are right";
    if (text[0] == '-' || text[length - 1] == '-')
        return "is not a DNS label; it may not begin or end with a hyphen";
    return NULL;
}

const char *wb_title_fault(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > 100)
        return "is not a name of 1 to 100 octets";
    for (const char *s = text; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return "holds a control character; leave it out";
    return NULL;
}

/* The part of a URL between "//" and the next '/', '?' or '#'. */
static const char *authority_of(struct wb_pool *scratch, const char *text)
{
    const char *begin = strstr(text, "://") + 3;

    return wb_pool_strndup(scratch, begin, strcspn(begin, "/?#"));
}

bool wb_port_take(char *authority, unsigned *port)
{
    char *bracket = strrchr(authority, ']');
    char *colon = strrchr(bracket ? bracket : authority, ':');

    *port = 0;
    if (!colon)
        return true;
    *colon = '\0';
    if (colon[1 + strspn(colon + 1, digits)] || strlen(colon + 1) > 5)
        return false;
    *port = (unsigned)strtoul(colon + 1, NULL, 10);
    return *port >= 1 && *port <= 65535;
}

const char *wb_url_fault(struct wb_pool *scratch, const char *text)
{
    char *authority;
    unsigned port;

    if (strncasecmp(text, "https://", 8) != 0 &&
        strncasecmp(text, "http://", 7) != 0)
        return "is not a web address; https://HOST/PATH is right";
    for (const char *s = text; *s; s++)
        if ((unsigned char)*s <= 0x20 || *s == 0x7f)
            return "holds a blank or control character; write %20 for a blank";
    authority = (char *)authority_of(scratch, text);
    if (!authority)
        return "cannot be checked: out of memory";
    if (strchr(authority, '@'))
        return "holds a user name; leave out what stands before the @";
    if (!wb_port_take(authority, &port))
        return "has a wrong port; 1 to 65535 is right";
    if (!is_bracketed_address(authority) && !wb_domain_is_valid(authority))
        return "has no valid host; https://HOST/PATH is right";
    return NULL;
}

/* libmilter(3), smfi_setconn */
const char *wb_socket_fault(const char *text)
{
    static const char wrong[] = "is not a socket; \"unix:PATH\" or "
                                "\"inet:PORT@ADDRESS\" is right";
    const char *rest = strchr(text, ':');
    const char *at;
    unsigned long port;

    if (!rest || !rest[1])
        return wrong;
    rest++;
    if (strncmp(text, "unix:", 5) == 0)
        return strlen(rest) < 100 ? NULL
                                  : "is too long for the path of a socket; "
                                    "at most 99 octets are right";
    if (strncmp(text, "inet:", 5) != 0 && strncmp(text, "inet6:", 6) != 0)
        return wrong;
    at = rest + strspn(rest, digits);
    port = strtoul(rest, NULL, 10);
    if (at == rest || *at != '@' || !at[1] || port < 1 || port > 65535)
        return wrong;
    return NULL;
}

const char *wb_loopback_fault(struct wb_pool *scratch, const char *text)
{
    static const char wrong[] = "is not a loopback address and port; "
                                "\"127.0.0.1:PORT\" is right";
    char *host = wb_pool_strdup(scratch, text);
    const char *colon = strrchr(text, ':');
    unsigned port;

    if (!host)
        return "cannot be checked: out of memory";
    if (!colon || !colon[1] || !wb_port_take(host, &port))
        return wrong;
    if (strcmp(host, "[::1]") == 0 ||
        (is_ipv4(host) && strncmp(host, "127.", 4) == 0))
        return NULL;
    return wrong;
}

const char *wb_tag_header_fault(const char *text)
{
    static const char *const taken[] = {"From",
                                        "Sender",
                                        "Reply-To",
                                        "To",
                                        "Cc",
                                        "Bcc",
                                        "Subject",
                                        "Date",
                                        "Message-ID",
                                        "In-Reply-To",
                                        "References",
                                        "Received",
                                        "Return-Path",
                                        "Comments",
                                        "Keywords",
                                        "MIME-Version",
                                        "X-Waybill-Webhook"};
    static const char *const taken_families[] = {
        "Content-", "Resent-",   "List-",          "DKIM-",
        "ARC-",     "Received-", "Authentication-"};

    if (!wb_header_name_is_valid(text))
        return "is not a header name; letters, digits and hyphens are right";
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcasecmp(text, taken[i]) == 0)
            return "has a meaning of its own; a name such as "
                   "\"X-Waybill-Route\" is right";
    for (size_t i = 0; i < sizeof taken_families / sizeof *taken_families; i++)
        if (strncasecmp(text, taken_families[i], strlen(taken_families[i])) ==
            0)
            return "has a meaning of its own; a name such as "
                   "\"X-Waybill-Route\" is right";
    return NULL;
}

const char *wb_return_domain_fault(struct wb_pool *scratch, const char *text)
{
    const char *percent = strchr(text, '%');
    const char *sample = text;

    if (percent) {
        if (percent[1] != 'd')
            return "has a % that is not %d; %d is the sender's domain";
        if (strchr(percent + 1, '%'))
            return "has more than one %d; one is right";
        sample = wb_pool_printf(scratch, "%.*sexample.com%s",
                                (int)(percent - text), text, percent + 2);
        /* "return.%dom" would be a valid name by accident */
        if (sample && ((percent > text && percent[-1] != '.') ||
                       (percent[2] && percent[2] != '.')))
            return "has a %d that is no label of its own; \"return.%d\" is "
                   "right";
    }
    return sample ? wb_domain_fault(sample)
                  : "cannot be checked: out of memory";
}
