/* What a route says of its mail's sender: the header From, and a return path
 * that is an address. */
#include <string.h>
#include <sysexits.h>

#include "conf/check.h"
#include "mail/mailbox.h"

#define FROM_IS_RIGHT "from = \"Name <user@example.com>\" is right"

static bool is_below_own(const char *domain)
{
    return strcmp(domain, WB_SUFFIX_DOMAIN) == 0 ||
           wb_domain_is_below(domain, WB_SUFFIX_DOMAIN);
}

/* Parse one mailbox of option. What is wrong is told. */
static bool parse(struct wb_checker *c, const struct wb_raw_option *option,
                  const char *text, struct wb_mailbox *out)
{
    struct wb_err err;
    int rc;

    if (strpbrk(text, "\r\n"))
        return false; /* told */
    rc = wb_mailbox_parse(c->pool, text, out, &err);
    if (rc == EX_OSERR)
        c->is_out_of_memory = true;
    else if (rc != EX_OK)
        wb_option_tell(c, option, "%s", err.text);
    else if (is_below_own(out->address.domain))
        wb_option_tell(c, option,
                       "\"%s\" is below " WB_SUFFIX_DOMAIN ", which is "
                       "waybill's own; another address is right",
                       out->address.text);
    else
        return true;
    return false;
}

/* The same for an address alone. */
static bool parse_address(struct wb_checker *c,
                          const struct wb_raw_option *option, const char *text,
                          const char **out)
{
    struct wb_mailbox mailbox;

    if (!parse(c, option, text, &mailbox))
        return false;
    *out = mailbox.address.text;
    if (mailbox.name)
        wb_option_tell(c, option, "\"%s\" has a name; \"%s\" alone is right",
                       text, *out);
    return !mailbox.name;
}

/* The first header From is replaced, further ones and Sender go, Reply-To may
 * be added, and a signature breaks. */
static void want_headers(struct wb_checker *c)
{
    static const char *const names[] = {"From", "Sender", "Reply-To",
                                        "DKIM-Signature"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        wb_header_want(c, names[i]);
}

static const void *noted(struct wb_checker *c, const void *allocated)
{
    if (!allocated)
        c->is_out_of_memory = true;
    return allocated;
}

void wb_from_check(struct wb_checker *c, const struct wb_raw_section *raw,
                   struct wb_route *r)
{
    const char *text = wb_raw_text(raw, "from");
    const struct wb_raw_option *reply_to = wb_raw_find(raw, "reply_to");
    struct wb_mailbox mailbox;

    if (reply_to && !text && !c->is_broken)
        wb_option_tell(c, reply_to,
                       "changes nothing without from; " FROM_IS_RIGHT);
    if (!text || !parse(c, wb_raw_find(raw, "from"), text, &mailbox))
        return;
    r->from = noted(c, wb_mailbox_format(c->pool, &mailbox));
    r->from_address = mailbox.address;
    want_headers(c);
}

bool wb_return_path_is_reserved(const char *name)
{
    return strcmp(name, "from") == 0 || strcmp(name, "account") == 0 ||
           strchr(name, '@');
}

/* A return path of this route's own, which names every sender. */
static void take_address(struct wb_checker *c, struct wb_route *r,
                         const char *name, const char *address)
{
    struct wb_return_path *made = wb_pool_alloc(c->pool, sizeof *made);

    if (!noted(c, made))
        return;
    made->name = name;
    made->origin = r->origin;
    made->mode = WB_RETURN_ADDRESS;
    made->address = address;
    r->return_path = made;
}

static void take_account(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_route *r)
{
    const struct wb_raw_option *option = wb_raw_find(raw, "return_path");
    const char *username = wb_raw_text(raw, "username");
    const char *address;

    if (!username && !c->is_broken)
        wb_option_tell(c, option,
                       "\"account\" needs a username; return_path = "
                       "\"user@example.com\" is right without");
    else if (username && !strchr(username, '@'))
        wb_option_tell(c, option,
                       "the username \"%s\" is no address; return_path = "
                       "\"%s@example.com\" is right",
                       username, username);
    else if (username && parse_address(c, option, username, &address))
        take_address(c, r, "account", address);
}

static void take_from(struct wb_checker *c, const struct wb_raw_section *raw,
                      struct wb_route *r)
{
    if (r->from)
        take_address(c, r, "from", r->from_address.text);
    else if (!wb_raw_text(raw, "from") && !c->is_broken)
        wb_option_tell(c, wb_raw_find(raw, "return_path"),
                       "\"from\" needs a from in this route; " FROM_IS_RIGHT);
}

bool wb_return_address_check(struct wb_checker *c,
                             const struct wb_raw_section *raw,
                             struct wb_route *r)
{
    const char *text = wb_raw_text(raw, "return_path");
    const char *address;

    if (text ? strcmp(text, "from") == 0 : r->from != NULL)
        take_from(c, raw, r);
    else if (!text || !wb_return_path_is_reserved(text))
        return false;
    else if (strcmp(text, "account") == 0)
        take_account(c, raw, r);
    else if (parse_address(c, wb_raw_find(raw, "return_path"), text, &address))
        take_address(c, r, address, address);
    return true;
}
