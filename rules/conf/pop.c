/* POP before SMTP: where to log in before a relay is used. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/check.h"

enum { MOST_MINUTES = 60, PORT_POP3 = 110, PORT_POP3S = 995 };

#define SHAPE "pop3s://HOST or pop3://HOST is right"

/* "pop3s://host", "pop3://host:port". What is wrong with it, or NULL. */
static const char *read_url(struct wb_checker *c, const char *text,
                            struct wb_pop *out)
{
    bool is_tls = strncasecmp(text, "pop3s://", 8) == 0;
    char *host;

    if (!is_tls && strncasecmp(text, "pop3://", 7) != 0)
        return "is not a POP3 server; " SHAPE;
    host = wb_pool_strlower(c->pool, strstr(text, "://") + 3);
    if (!host) {
        c->is_out_of_memory = true;
        return NULL;
    }
    if (strchr(host, '@'))
        return "holds a user name; username is the place for it";
    if (*host && host[strlen(host) - 1] == '/')
        host[strlen(host) - 1] = '\0';
    if (strchr(host, '/'))
        return "has a path; leave it out";
    if (!wb_port_take(host, &out->port))
        return "has a wrong port; 1 to 65535 is right";
    if (*host != '[' && strchr(host, ':'))
        return "holds an address without brackets; pop3s://[ADDRESS] is right";
    if (wb_host_fault(host))
        return "has no valid host; " SHAPE;
    out->host = host;
    out->tls = is_tls ? WB_TLS_IMPLICIT : WB_TLS_STARTTLS;
    if (!out->port)
        out->port = is_tls ? PORT_POP3S : PORT_POP3;
    return NULL;
}

/* "5m" */
static void check_interval(struct wb_checker *c,
                           const struct wb_raw_section *raw, struct wb_pop *pop)
{
    const char *text = wb_raw_text(raw, "pop_interval");
    char *end = NULL;
    unsigned long minutes;

    if (!text)
        text = "5m";
    minutes = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
    if (minutes < 1 || minutes > MOST_MINUTES || strcmp(end, "m") != 0)
        wb_option_tell(c, wb_raw_find(raw, "pop_interval"),
                       "\"%s\" is not a number of minutes; \"1m\" to \"%dm\" "
                       "is right",
                       text, MOST_MINUTES);
    else
        pop->interval_s = (unsigned)minutes * 60;
}

void wb_pop_check(struct wb_checker *c, const struct wb_raw_section *raw,
                  struct wb_route *route)
{
    const char *url = wb_raw_text(raw, "pop_before_smtp");
    struct wb_pop pop = {.username = route->username,
                         .password_file = route->password_file};
    const char *fault = url ? read_url(c, url, &pop) : NULL;

    if (!url && wb_raw_find(raw, "pop_interval") && !c->is_broken)
        wb_option_tell(c, wb_raw_find(raw, "pop_interval"),
                       "without pop_before_smtp; leave it out");
    if (!url)
        return;
    if (fault)
        wb_option_tell(c, wb_raw_find(raw, "pop_before_smtp"), "\"%s\" %s", url,
                       fault);
    check_interval(c, raw, &pop);
    if (!wb_raw_text(raw, "username") && !c->is_broken)
        wb_option_tell(c, wb_raw_find(raw, "pop_before_smtp"),
                       "without username; add username = NAME and "
                       "password_file = FILE");
    pop.is_tls_optional = pop.tls == WB_TLS_STARTTLS && route->allow_cleartext;
    route->pop = pop;
}
