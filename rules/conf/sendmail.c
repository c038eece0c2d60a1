/* What mta = sendmail changes: the defaults, and what Sendmail cannot do. */
#include <string.h>

#include "conf/check.h"

/* Texts whose default differs; the schema has Postfix's. Nobody but root gets
 * into Sendmail's queue, so sockets lie elsewhere. */
static const struct {
    const char *name;
    size_t offset;
    const char *text;
} defaults[] = {
    {"socket_group", offsetof(struct wb_conf, socket_group), NULL},
    {"queue_directory", offsetof(struct wb_conf, queue_directory), "/run"},
    {"mta_config", offsetof(struct wb_conf, mta_config), "/etc/mail"},
};

/* Its mailers that speak SMTP to other hosts. */
static const char *const mailers[] = {"esmtp", "smtp", "smtp8", "dsmtp",
                                      "relay"};

enum { MAILERS = sizeof mailers / sizeof *mailers };

static void set_defaults(struct wb_checker *c, const struct wb_raw_section *top)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (!wb_raw_find(top, defaults[i].name))
            *(const char **)((char *)c->conf + defaults[i].offset) =
                defaults[i].text;
    if (!wb_raw_find(top, "outbound_mailers"))
        c->conf->outbound_mailers =
            (struct wb_strings){(const char **)(uintptr_t)mailers, MAILERS};
}

/* Sendmail's configuration parts words at these, and has no quotes of its
 * own. */
static void check_words(struct wb_checker *c, const struct wb_raw_section *raw,
                        const char *const *names)
{
    for (; *names; names++) {
        const char *text = wb_raw_text(raw, *names);

        if (text && strpbrk(text, " \t`',;$\"\\|#()"))
            wb_option_tell(c, wb_raw_find(raw, *names),
                           "\"%s\" holds a character that Sendmail's "
                           "configuration parts words by; letters, digits and "
                           "/._- are right",
                           text);
    }
}

void wb_sendmail_check_top(struct wb_checker *c,
                           const struct wb_raw_section *top)
{
    static const char *const paths[] = {"socket", "lmtp_socket",
                                        "queue_directory", "mta_config", NULL};

    if (c->conf->mta != WB_MTA_SENDMAIL)
        return;
    set_defaults(c, top);
    check_words(c, top, paths);
    if (c->conf->attach == WB_AFTER_QUEUE)
        wb_option_tell(c, wb_raw_find(top, "attach"),
                       "Sendmail has no content filter behind its queue; "
                       "before_queue is right");
    if (c->conf->loopback_milters.count > 0)
        wb_option_tell(c, wb_raw_find(top, "loopback_milters"),
                       "is Postfix's; a signer belongs into Sendmail's own "
                       ".mc, as an INPUT_MAIL_FILTER behind waybill's");
}

/* With STARTTLS Sendmail verifies by one set of certificates for all. */
static void check_ca_file(struct wb_checker *c,
                          const struct wb_raw_section *raw,
                          const struct wb_route *r)
{
    const struct wb_conf *conf = c->conf;

    for (size_t i = 0; r->tls == WB_TLS_STARTTLS && i + 1 < conf->route_count;
         i++) {
        const struct wb_route *other = &conf->routes[i];
        bool is_same = r->ca_file && other->ca_file
                           ? strcmp(r->ca_file, other->ca_file) == 0
                           : r->ca_file == other->ca_file;

        if (other->is_direct || other->tls != WB_TLS_STARTTLS)
            continue;
        if (is_same)
            return;
        wb_problem_add(c->problems, WB_ERROR, raw->file,
                       r->ca_file ? wb_raw_find(raw, "ca_file")->line
                                  : raw->line,
                       "ca_file",
                       "differs from that of route %s (%s:%u), and Sendmail "
                       "has one for all routes with tls = starttls; one file "
                       "that holds both is right",
                       other->name, other->origin.file, other->origin.line);
        return;
    }
}

void wb_sendmail_check_route(struct wb_checker *c,
                             const struct wb_raw_section *raw,
                             const struct wb_route *r)
{
    static const char *const files[] = {"ca_file", "cert_file", "key_file",
                                        NULL};

    if (c->conf->mta != WB_MTA_SENDMAIL)
        return;
    if (wb_raw_text(raw, "rate"))
        wb_option_tell(
            c, wb_raw_find(raw, "rate"),
            "Sendmail has no pace for a route; leave it out, or take "
            "mta = postfix");
    if (wb_raw_text(raw, "concurrency"))
        wb_option_tell(
            c, wb_raw_find(raw, "concurrency"),
            "Sendmail has no limit of connections for a route; leave it "
            "out, or take mta = postfix");
    if (wb_raw_text(raw, "pop_before_smtp"))
        wb_option_tell(
            c, wb_raw_find(raw, "pop_before_smtp"),
            "is not supported with Sendmail; leave it out, or take "
            "mta = postfix");
    if (r->tls == WB_TLS_STARTTLS && r->host && *r->host == '[')
        wb_option_tell(c, wb_raw_find(raw, "host"),
                       "\"%s\" is an address, and with tls = starttls "
                       "Sendmail looks for a name in the certificate; the "
                       "relay's name, or tls = tls, is right",
                       r->host);
    check_words(c, raw, files);
    check_ca_file(c, raw, r);
}

const char *wb_sendmail_fallback_fault(const struct wb_conf *conf,
                                       const struct wb_route *route,
                                       const struct wb_relay *relay)
{
    bool is_same_account =
        !relay->username || !route->username ||
        (strcmp(relay->username, route->username) == 0 &&
         strcmp(relay->password_file, route->password_file) == 0);

    if (conf->mta != WB_MTA_SENDMAIL)
        return NULL;
    if (route->tls == WB_TLS_IMPLICIT)
        return "cannot be tried: with tls = tls Sendmail reaches one host "
               "only; leave it out";
    if (route->tls == WB_TLS_STARTTLS && *relay->host == '[')
        return "is an address, and with tls = starttls Sendmail looks for a "
               "name in the certificate; the relay's name is right";
    if (relay->port != route->port)
        return "has another port than its route, and Sendmail has one for "
               "all hosts of a mailer; the same port is right";
    return is_same_account ? NULL
                           : "has another account than its route, and "
                             "Sendmail has one for all hosts of a mailer; the "
                             "same account is right";
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool wb_route_shares_mailer(const struct wb_route *a, const struct wb_route *b)
{
    bool is_pipe = a->tls == WB_TLS_IMPLICIT;

    if (!same_text(a->host, b->host) || a->port != b->port ||
        is_pipe != (b->tls == WB_TLS_IMPLICIT) ||
        a->max_recipients != b->max_recipients ||
        a->fallback_count != b->fallback_count)
        return false;
    for (size_t i = 0; i < a->fallback_count; i++)
        if (strcmp(a->fallbacks[i].host, b->fallbacks[i].host) != 0)
            return false;
    return !is_pipe || (same_text(a->ca_file, b->ca_file) &&
                        same_text(a->cert_file, b->cert_file) &&
                        same_text(a->key_file, b->key_file));
}

/* Is there no route before the one at index whose mailer it can use? */
static bool needs_mailer(const struct wb_conf *conf, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!conf->routes[i].is_direct &&
            wb_route_shares_mailer(&conf->routes[i], &conf->routes[index]))
            return false;
    return !conf->routes[index].is_direct;
}

void wb_sendmail_check_routes(struct wb_checker *c)
{
    const struct wb_conf *conf = c->conf;
    size_t count = 0;

    if (conf->mta != WB_MTA_SENDMAIL)
        return;
    for (size_t i = 0; i < conf->route_count && count <= WB_MAILERS_MOST; i++) {
        const struct wb_route *r = &conf->routes[i];

        count += needs_mailer(conf, i);
        if (count > WB_MAILERS_MOST)
            wb_problem_add(c->problems, WB_ERROR, r->origin.file,
                           r->origin.line, "host",
                           "is the %zuth pair of host and port, and Sendmail "
                           "has room for %d; fewer relays (with any number of "
                           "accounts), or mta = postfix, are right",
                           count, WB_MAILERS_MOST);
    }
}
