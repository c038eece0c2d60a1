/* The file that the site's .mc includes, at its end.
 *
 * The macros of cf/README put each piece where it belongs, so that the site's
 * own LOCAL_ rules stay as they are: Sendmail appends rules to a ruleset of the
 * same name. Ours come first, by way of the diversions 96 and 97, lest a rule
 * for all mail catches what is marked; and they leave the workspace as they
 * found it when the mail is none of waybill's. What is data stands in tables,
 * out of reach of m4. */
#include <string.h>

#include "tool/maps/memory.h"
#include "tool/sendmail/sendmail.h"

static void begin(FILE *f, const struct wb_sendmail *s)
{
    fprintf(f,
            WB_FILE_MARK WB_VERSION
            " (waybill maps, waybill apply) from %s.\n"
            "# Do not edit: the next apply writes it anew.\n"
            "divert(0)dnl\n",
            s->conf->path);
}

static bool any_tls(const struct wb_sendmail *s, enum wb_tls tls)
{
    for (size_t i = 0; i < s->way_count; i++) {
        if (s->ways[i].route->tls == tls)
            return true;
    }
    return false;
}

/* Two accounts on one host must not meet on one kept connection. */
static bool shares_host(const struct wb_sendmail *s)
{
    for (size_t i = 0; i < s->way_count; i++) {
        const struct wb_route *r = s->ways[i].route;

        if (r->tls != WB_TLS_IMPLICIT && r != s->ways[i].mailer->like)
            return true;
    }
    return false;
}

/* Sendmail uses no mechanism that is not in its list. */
static void mechanisms(FILE *f, const struct wb_sendmail *s)
{
    static const struct {
        enum wb_auth auth;
        const char *name;
    } all[] = {{WB_AUTH_PLAIN, "PLAIN"},
               {WB_AUTH_LOGIN, "LOGIN"},
               {WB_AUTH_CRAM_MD5, "CRAM-MD5"},
               {WB_AUTH_NTLM, "NTLM"}};
    bool is_first = true;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool is_used = false;

        for (size_t w = 0; w < s->way_count; w++) {
            enum wb_auth auth = s->ways[w].route->auth;

            is_used |= auth == all[i].auth ||
                       (auth == WB_AUTH_ANY && all[i].auth != WB_AUTH_NTLM);
        }
        if (is_used && is_first)
            fputs("ifdef(`confAUTH_MECHANISMS', `', "
                  "`define(`confAUTH_MECHANISMS', "
                  "`EXTERNAL GSSAPI DIGEST-MD5 CRAM-MD5')')dnl\n",
                  f);
        if (is_used)
            fprintf(f,
                    "ifelse(index(` 'confAUTH_MECHANISMS` ', ` %s '), `-1', "
                    "`define(`confAUTH_MECHANISMS', defn("
                    "`confAUTH_MECHANISMS')` %s')')dnl\n",
                    all[i].name, all[i].name);
        is_first &= !is_used;
    }
}

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

static void trust(FILE *f, const struct wb_sendmail *s)
{
    const char *ca = NULL;

    for (size_t i = 0; i < s->way_count; i++) {
        if (s->ways[i].route->tls == WB_TLS_STARTTLS)
            ca = s->ways[i].route->ca_file;
    }
    if (!any_tls(s, WB_TLS_STARTTLS))
        return;
    fprintf(f,
            "ifdef(`confCACERT', `', `define(`confCACERT', `%s')')dnl\n"
            "ifdef(`confCACERT_PATH', `', `define(`confCACERT_PATH', "
            "`%s')')dnl\n",
            ca == NULL ? SYSTEM_CA : ca, s->where);
}

/* With the whole path. */
static const char *socket_of(struct wb_pool *pool, const struct wb_conf *conf,
                             const char *socket)
{
    const char *rest = strchr(socket, ':') + 1;

    if (strncmp(socket, "inet", 4) == 0)
        return strchr(socket, '@') != NULL
                   ? socket
                   : wb_say(pool, "%s@127.0.0.1", socket);
    return wb_say(pool, "unix:%s",
                  (const char *)wb_must(
                      (void *)(uintptr_t)wb_conf_queue_path(conf, pool, rest)));
}

/* waybill's two listeners and the milter, which is not at the site's own
 * listeners any more when it is taken out. */
static void daemons(FILE *f, const struct wb_sendmail *s, struct wb_pool *pool,
                    bool is_leaving)
{
    static const char *const names[] = {"waybill-loopback", "waybill-again"};
    const char *listeners[] = {s->conf->loopback_listener,
                               s->conf->again_listener};

    /* with one of ours, the one that is there by default would be gone */
    fputs("ifelse(defn(`_DPO_'), `', `DAEMON_OPTIONS(`Name=MTA')')dnl\n", f);
    for (size_t i = 0; i < 2; i++) {
        const char *host = wb_postfix_listener_host(pool, listeners[i]);

        fprintf(f,
                "DAEMON_OPTIONS(`Name=%s, Family=%s, Addr=%s, Port=%s, "
                "InputMailFilters=waybill')dnl\n",
                names[i], strchr(host, ':') != NULL ? "inet6" : "inet", host,
                strrchr(listeners[i], ':') + 1);
    }
    fprintf(f,
            "%s(`waybill', `S=%s, F=T, "
            "T=C:30s;S:30s;R:1m;E:5m')dnl\n",
            is_leaving ? "MAIL_FILTER" : "INPUT_MAIL_FILTER",
            socket_of(pool, s->conf, s->conf->socket));
}

/* A second pass has one recipient, which Sendmail would write into the header
 * with its mark. */
static void received(FILE *f)
{
    fputs("ifelse(index(defn(`_REC_TLS_'), `$?u'), `-1', `', "
          "index(defn(`_REC_END_'), `$.$b'), `-1', `',\n"
          "`define(`_REC_TLS_', patsubst(defn(`_REC_TLS_'), `\\$\\?u$', "
          "`$?{wbMarked}; $|$?u'))"
          "define(`_REC_END_', patsubst(defn(`_REC_END_'), `\\$\\.\\$b', "
          "`$.$.$b'))')dnl\n",
          f);
}

/* Class P: names that are never looked up in the DNS. */
static void options(FILE *f, const struct wb_sendmail *s)
{
    fprintf(f,
            "LOCAL_CONFIG\n"
            "# waybill: its tables, and the domains whose mail it takes in\n"
            "Kwbmail hash %s/mailertable\n"
            "Kwbauth hash %s/authinfo\n"
            "Kwbtls hash %s/tls\n"
            "Kwbdequote dequote\n"
            "Kwbset macro\n"
            "CPwaybill.invalid\n",
            s->where, s->where, s->where);
    for (size_t i = 0; i < s->domains.count; i++)
        fprintf(f, "C{WbOwn}`%s'\n", s->domains.items[i]);
    if (any_tls(s, WB_TLS_STARTTLS))
        fputs("O SetCertAltnames=True\n", f);
}

/* The recipient as it was. An address that cannot bear a suffix is carried
 * whole as a quoted local part. */
static void rewriting(FILE *f)
{
    fputs("MAILER_DEFINITIONS\n"
          "# waybill: a recipient without its mark\n"
          "SWbEnvTo\n"
          "R$+ < @ x . $- . $- . waybill . invalid . > $*\t"
          "$: $>canonify $(wbdequote $1 $)\n"
          "R$+ < @ $+ . $- . $- . waybill . invalid . > $*\t"
          "$: $1 < @ $2 . > $5\n"
          "R$*\t$: $>EnvToSMTP $1\n"
          "\n",
          f);
}

/* An address in brackets is so for Sendmail, too; a name in brackets has no MX
 * looked up. */
static const char *host(struct wb_pool *pool, const char *name)
{
    if (name[0] != '[')
        return wb_say(pool, "[%s]", name);
    return strchr(name, ':') == NULL ? name
                                     : wb_say(pool, "[IPv6:%s", name + 1);
}

static const char *bare(struct wb_pool *pool, const char *name)
{
    return name[0] == '[' ? wb_slice(pool, name, 1, strlen(name) - 1) : name;
}

/* Sendmail has no TLS from the first octet as a client, but speaks SMTP to any
 * program whose arguments have no recipient. */
static void pipe_mailer(FILE *f, struct wb_pool *pool,
                        const struct wb_mailer *m)
{
    const struct wb_route *r = m->like;
    bool is_address = r->host[0] == '[';

    fprintf(f,
            "M`%s', P=/usr/bin/openssl, F=mDFMuXa8, "
            "S=EnvFromSMTP/HdrFromSMTP, R=WbEnvTo/HdrFromSMTP, E=\\r\\n, "
            "L=2040, T=DNS/RFC822/SMTP,%s\n"
            "\tA=openssl s_client -quiet -nocommands -verify_return_error "
            "-verify_%s `%s' -servername `%s' -CAfile `%s'",
            m->name,
            r->max_recipients > 0 ? wb_say(pool, " r=%u,", r->max_recipients)
                                  : "",
            is_address ? "ip" : "hostname", bare(pool, r->host),
            bare(pool, r->host), r->ca_file != NULL ? r->ca_file : SYSTEM_CA);
    if (r->cert_file != NULL)
        fprintf(f, " -cert `%s' -key `%s'", r->cert_file, r->key_file);
    fprintf(f, " -connect `%s:%u'\n", r->host, r->port);
}

static void smtp_mailer(FILE *f, struct wb_pool *pool,
                        const struct wb_mailer *m)
{
    const struct wb_route *r = m->like;

    fprintf(f,
            "M`%s', P=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, "
            "R=WbEnvTo/HdrFromSMTP, E=\\r\\n, L=2040, T=DNS/RFC822/SMTP,%s\n"
            "\tA=TCP `%s",
            m->name,
            r->max_recipients > 0 ? wb_say(pool, " r=%u,", r->max_recipients)
                                  : "",
            host(pool, r->host));
    for (size_t i = 0; i < r->fallback_count; i++)
        fprintf(f, ":%s", host(pool, r->fallbacks[i].host));
    fprintf(f, "' %u\n", r->port);
}

/* k: it is this host that answers. */
static void loopback_mailer(FILE *f, struct wb_pool *pool, const char *name,
                            const char *listener, const char *more)
{
    const char *address = wb_postfix_listener_host(pool, listener);

    fprintf(f,
            "M%s, P=[IPC], F=mDFMuXa8k, S=EnvFromSMTP/HdrFromSMTP, "
            "R=EnvToSMTP/HdrFromSMTP, E=\\r\\n, L=2040, "
            "T=DNS/RFC822/SMTP,%s\n\tA=TCP [%s%s] %s\n",
            name, more, strchr(address, ':') != NULL ? "IPv6:" : "", address,
            strrchr(listener, ':') + 1);
}

static void hook_mailer(FILE *f, struct wb_pool *pool,
                        const struct wb_conf *conf)
{
    const char *socket = socket_of(pool, conf, conf->lmtp_socket);
    const char *rest = strchr(socket, ':') + 1, *at = strchr(socket, '@');

    fputs("Mwb-hook, P=[IPC], F=mDFMlsSuXz8, S=EnvFromSMTP/HdrFromSMTP, "
          "R=EnvToSMTP/HdrFromSMTP, E=\\r\\n, L=2040, T=DNS/RFC822/SMTP,\n"
          "\tA=",
          f);
    if (at == NULL)
        fprintf(f, "FILE `%s'\n", rest);
    else
        fprintf(f, "TCP `[%s]' %.*s\n", at + 1, (int)(at - rest), rest);
}

static void mailers(FILE *f, const struct wb_sendmail *s, struct wb_pool *pool)
{
    rewriting(f);
    for (size_t i = 0; i < s->mailer_count; i++) {
        if (s->mailers[i].like->tls == WB_TLS_IMPLICIT)
            pipe_mailer(f, pool, &s->mailers[i]);
        else
            smtp_mailer(f, pool, &s->mailers[i]);
    }
    loopback_mailer(f, pool, "wb-hop", s->conf->loopback_listener, "");
    loopback_mailer(f, pool, "wb-again", s->conf->again_listener, " r=1,");
    if (s->conf->webhook_count > 0)
        hook_mailer(f, pool, s->conf);
}

/* Where a marked recipient goes. Mail to waybill's domains that it has not seen
 * goes to the listener where it does, and so does what Sendmail itself bounces,
 * which shows the marks: the recipient of a bounce is parsed while the host of
 * a route, which has a row in wbtls, is the last that was tried, and in a later
 * queue run the mail has come from "localhost" and no address. */
static void routing(FILE *f)
{
    fputs("LOCAL_RULE_0\n"
          "divert(96)undivert(3)divert(3)dnl\n"
          "# waybill: the login of a route\n"
          "Sauthinfo\n"
          "R$*\t$: $1 $| <$(wbauth Route:$&h $: ? $)>\n"
          "R$* $| <?>\t$: $1\n"
          "R$* $| <none>\t$@ no\n"
          "R$* $| <$+>\t$# $2\n"
          "# waybill: the certificate of a route\n"
          "Stls_clt_features\n"
          "R$*\t$: $1 $| $(wbtls $&h $: ? $)\n"
          "R$* $| $* | $+\t$@ $3\n"
          "R$* $| must $*\t$@ \"\"\n"
          "R$* $| $*\t$: $1\n"
          "# waybill: where a marked recipient goes\n"
          "SParseLocal\n"
          "R$+ < @ $+ . $- . $- . waybill . invalid . > $*\t"
          "$: <$(wbmail .$3.$4.waybill.invalid $: ? $)> "
          "$1 < @ $2 . $3 . $4 . waybill . invalid . > $5\n"
          "R<?> $+ < @ $+ . $- . waybill . invalid . > $*\t"
          "$: <$(wbmail .$3.waybill.invalid $: ? $)> "
          "$1 < @ $2 . $3 . waybill . invalid . > $4\n"
          "R<gone> $*\t$#error $@ 4.3.5 $: "
          "\"451 4.3.5 this route is not configured any more\"\n"
          "R<$- : $+> $+\t$# $1 $@ $2 $: $3\n"
          "R$* waybill . invalid $*\t$#error $@ 5.1.2 $: "
          "\"550 5.1.2 no such route\"\n"
          "R$+ < @ $={WbOwn} . > $*\t$# wb-hop $@ [own] $: $1 < @ $2 . > $3\n"
          "R$+ < @ $+ > $*\t$: <$&{addr_type} $| $(wbtls $&h $: ? $) $| $&_> "
          "$1 < @ $2 > $3\n"
          "R<e r $| ? $| localhost> $+\t$# wb-hop $@ [hop] $: $1\n"
          "R<e r $| ? $| $*> $+\t$: $2\n"
          "R<e r $| $+ $| $*> $+\t$# wb-hop $@ [hop] $: $3\n"
          "R<$*> $+\t$: $2\n"
          "undivert(96)dnl\n",
          f);
}

/* Clients can neither name a route nor are they refused where waybill takes
 * the mail in. */
static void recipients(FILE *f, bool is_leaving)
{
    fprintf(f,
            "LOCAL_RULESETS\n"
            "divert(97)undivert(9)divert(9)dnl\n"
            "# waybill: the mark is not for clients\n"
            "SWbCheckRcpt\n"
            "R$*\t$: $&{daemon_name} $| $>canonify $1\n"
            "Rwaybill-again $| $+\t$: $(wbset {wbMarked} $@ 1 $) "
            "waybill-again $| $1\n"
            "Rwaybill-loopback $| $+ . $- . waybill . invalid $*\t"
            "$: $(wbmail .$2.waybill.invalid $: ? $)\n"
            "Rwaybill-again $| $+ . again . $- . waybill . invalid $*\t"
            "$: $(wbmail .again.$2.waybill.invalid $: ? $)\n"
            "Rwaybill-again $| $*\t$#error $@ 5.1.2 $: "
            "\"550 5.1.2 only second passes come this way\"\n"
            "Rgone\t$#OK\n"
            "Rwb-again : $*\t$#OK\n"
            "R$* $| $* waybill . invalid $*\t$#error $@ 5.1.2 $: "
            "\"550 5.1.2 no such domain\"\n"
            "R?\t$#error $@ 5.1.2 $: \"550 5.1.2 no such domain\"\n"
            "Rwaybill-loopback $| $* < @ $={WbOwn} $* > $*\t$#OK\n"
            "R$* $| $* < @ $={WbOwn} . > $*\t%s\n"
            "R$* $| $* < @ $={WbOwn} > $*\t%s\n"
            "SLocal_check_rcpt\n"
            "R$*\t$: $1 $| $>WbCheckRcpt $1\n"
            "R$* $| $#$*\t$#$2\n"
            "R$* $| $*\t$: $1\n",
            is_leaving ? "$#error $@ 4.3.5 $: \"450 4.3.5 " WB_TAKEN_OUT "\""
                       : "$#OK",
            is_leaving ? "$#error $@ 4.3.5 $: \"450 4.3.5 " WB_TAKEN_OUT "\""
                       : "$#OK");
}

/* {auth_type} is what the client that sent the mail logged in by, until the
 * login at the relay sets it anew, for the connection: so it is "none" before
 * that. */
static void tls(FILE *f)
{
    fputs(
        "# waybill: TLS or none, by route\n"
        "LOCAL_TRY_TLS\n"
        "R$*\t$: $1 $| $(wbtls $&h $: ? $)\n"
        "R$* $| none\t$#error $@ 5.7.1 $: \"550 no TLS on this route\"\n"
        "R$* $| $*\t$: $1\n"
        "SWbName\n"
        "R/ $={cert_altnames} / $*\t$@ OK\n"
        "R/ $+ / $+\t$@ $>WbName / $2\n"
        "SWbTls\n"
        "R$*\t$: $(wbtls $&h $: ? $) $| $1\n"
        "R?$*\t$@ ?\n"
        "R$*\t$: $1 $(wbset {auth_type} $@ none $)\n"
        "Rmust $+ | $* $| OK\t$: must $1 $| OK\n"
        "Rmust $+ $| OK\t$: <$>WbName $1>\n"
        "R<OK>\t$@ OK\n"
        "R<$*>\t$#error $@ 4.7.5 $: \"454 4.7.5 the certificate of the "
        "relay has another name\"\n"
        "Rmust $*\t$#error $@ 4.7.5 $: \"454 4.7.5 verified TLS is "
        "required, verify=\" $&{verify}\n"
        "R$*\t$@ OK\n"
        "LOCAL_TLS_SERVER\n"
        "R$*\t$: $1 $| $>WbTls $1\n"
        "R$* $| $#$*\t$#$2\n"
        "R$* $| OK\t$#OK\n"
        "R$* $| $*\t$: $1\n"
        "# waybill: without its login the relay would refuse the mail for "
        "good\n"
        "LOCAL_TLS_RCPT\n"
        "R$*\t$: $1 $| <$(wbauth Route:$&h $: none $)> <$&{auth_type}>\n"
        "R$* $| <none> <$*>\t$: $1\n"
        "R$* $| <$+> <none>\t$#error $@ 4.7.0 $: \"454 4.7.0 the login at the "
        "relay failed\"\n"
        "R$* $| $*\t$: $1\n",
        f);
}

const char *wb_sendmail_m4(const struct wb_sendmail *s, struct wb_pool *pool,
                           bool is_leaving)
{
    struct wb_text t;

    wb_text_open(&t);
    begin(t.file, s);
    mechanisms(t.file, s);
    trust(t.file, s);
    if (shares_host(s))
        fputs("define(`confMCI_CACHE_SIZE', `0')dnl\n", t.file);
    daemons(t.file, s, pool, is_leaving);
    received(t.file);
    options(t.file, s);
    mailers(t.file, s, pool);
    routing(t.file);
    recipients(t.file, is_leaving);
    tls(t.file);
    fputs("divert(9)undivert(97)divert(0)dnl\n", t.file);
    return wb_text_close(&t, pool);
}
