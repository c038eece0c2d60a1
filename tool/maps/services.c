/* The services that waybill adds to master.cf. */
#include <string.h>

#include "tool/maps/files.h"
#include "tool/maps/memory.h"
#include "tool/maps/service.h"

/* those that need a password and nothing else */
static const char password_mechanisms[] =
    "plain,login,cram-md5,digest-md5,ntlm,scram-sha-1,scram-sha-224,"
    "scram-sha-256,scram-sha-384,scram-sha-512";

static const char *const mechanisms[] = {
    [WB_AUTH_PLAIN] = "plain",           [WB_AUTH_LOGIN] = "login",
    [WB_AUTH_CRAM_MD5] = "cram-md5",     [WB_AUTH_NTLM] = "ntlm",
    [WB_AUTH_ANY] = password_mechanisms,
};

/* A path stands for itself. */
static const char *path(struct wb_pool *pool, const char *text)
{
    return wb_substitute(pool, text, "$", "$$");
}

/* As smtp(8) opens them before it drops root's rights, 0600 is enough. Any
 * kind of key may stand here, and none of the site's own goes with it. */
static void certificate_options(FILE *f, struct wb_pool *pool,
                                const struct wb_route *like)
{
    static const struct setting others[] = {{"smtp_tls_chain_files", ""},
                                            {"smtp_tls_dcert_file", ""},
                                            {"smtp_tls_eccert_file", ""},
                                            {0}};

    if (like->cert_file == NULL)
        return;
    option(f, "smtp_tls_cert_file", path(pool, like->cert_file));
    option(f, "smtp_tls_key_file", path(pool, like->key_file));
    options(f, others);
}

static void tls_options(FILE *f, struct wb_pool *pool,
                        const struct wb_service *s)
{
    const char *ca = s->like->ca_file;

    option(f, "smtp_tls_policy_maps", "");
    option(f, "smtp_tls_wrappermode",
           s->like->tls == WB_TLS_IMPLICIT ? "yes" : "no");
    if (s->like->tls == WB_TLS_NONE) {
        option(f, "smtp_tls_security_level", "none");
        return;
    }
    option(f, "smtp_tls_security_level", "secure");
    option(f, "smtp_tls_secure_cert_match", "nexthop");
    option(f, "smtp_tls_CApath", "");
    option(f, "smtp_tls_CAfile", ca != NULL ? path(pool, ca) : WB_SYSTEM_CA);
    certificate_options(f, pool, s->like);
}

static void auth_options(FILE *f, struct wb_pool *pool,
                         const struct wb_service *s)
{
    if (s->like->auth == WB_AUTH_NONE) {
        option(f, "smtp_sasl_auth_enable", "no");
        return;
    }
    option(f, "smtp_sasl_auth_enable", "yes");
    option(f, "smtp_sasl_password_maps",
           wb_say(pool, "texthash:$waybill_directory/%s", s->passwords));
    option(f, "smtp_sasl_mechanism_filter", mechanisms[s->like->auth]);
    option(f, "smtp_sasl_security_options", "noanonymous");
    option(f, "smtp_sasl_tls_security_options", "noanonymous");
    option(f, "smtp_sasl_tls_verified_security_options", "noanonymous");
    /* a wrong password, too, waits or falls over to the next relay */
    option(f, "smtp_sasl_auth_soft_bounce", "yes");
    /* a refusal of one account must not be remembered for another */
    option(f, "smtp_sasl_auth_cache_name", "");
}

static struct wb_master_service route_service(struct wb_pool *pool,
                                              const struct wb_service *s)
{
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "%s unix - - n - - smtp\n", s->name);
    option(t.file, "syslog_name", wb_say(pool, "postfix/%s", s->name));
    option(t.file, "smtp_generic_maps", "$waybill_generic_maps");
    option(t.file, "smtp_sender_dependent_authentication", "no");
    option(t.file, "smtp_fallback_relay", "");
    tls_options(t.file, pool, s);
    auth_options(t.file, pool, s);
    return entry(pool, s->name, "unix", &t);
}

const char *wb_postfix_listener_host(struct wb_pool *pool, const char *listener)
{
    const char *colon = strrchr(listener, ':');
    size_t end = colon == NULL ? strlen(listener) : (size_t)(colon - listener);

    if (listener[0] == '[' && end >= 2)
        return wb_slice(pool, listener, 1, end - 1);
    return wb_slice(pool, listener, 0, end);
}

/* The client of one of waybill's listeners. */
static struct wb_master_service
hop_service(struct wb_pool *pool, const char *name, const char *listener)
{
    static const struct setting plain[] = {
        {"smtp_send_xforward_command", "yes"},
        {"disable_mime_output_conversion", "yes"},
        {"smtp_generic_maps", ""},
        {"smtp_header_checks", ""},
        {"smtp_mime_header_checks", ""},
        {"smtp_nested_header_checks", ""},
        {"smtp_body_checks", ""},
        {"smtp_line_length_limit", "0"}, /* else long lines are cut in two */
        {"smtp_discard_ehlo_keywords", ""},
        {"smtp_discard_ehlo_keyword_address_maps", ""},
        {"smtp_fallback_relay", ""},
        /* a session whose milter broke tempfails until it ends: a new one a
         * message finds the milter that was started again */
        {"smtp_connection_cache_on_demand", "no"},
        {"smtp_connection_cache_destinations", ""},
        {"smtp_sasl_auth_enable", "no"},
        {"smtp_tls_policy_maps", ""},
        {"smtp_tls_wrappermode", "no"},
        {"smtp_tls_security_level", "none"},
        {0}};
    const char *host = wb_postfix_listener_host(pool, listener);
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "%s unix - - n - - smtp\n", name);
    option(t.file, "syslog_name", wb_say(pool, "postfix/%s", name));
    /* mynetworks of the listener knows only itself */
    option(t.file,
           strchr(host, ':') ? "smtp_bind_address6" : "smtp_bind_address",
           host);
    options(t.file, plain);
    return entry(pool, name, "unix", &t);
}

/* waybill's milter first, so that signers sign what it leaves behind. */
static const char *with_signers(struct wb_pool *pool,
                                const struct wb_conf *conf, const char *list)
{
    for (size_t i = 0; i < conf->loopback_milters.count; i++)
        list = wb_say(
            pool, "%s,%s", list,
            wb_postfix_socket(pool, conf, conf->loopback_milters.items[i]));
    return list;
}

/* One of waybill's listeners; own: what sets it apart from the other. */
static struct wb_master_service listener_service(struct wb_pool *pool,
                                                 const char *name,
                                                 const char *listener,
                                                 const struct setting *own)
{
    static const struct setting open_to_us[] = {
        {"smtpd_milter_maps", ""},
        {"smtpd_upstream_proxy_protocol", ""},
        {"smtpd_proxy_filter", ""},
        {"content_filter", ""},
        {"receive_override_options",
         "no_unknown_recipient_checks,no_address_mappings"},
        {"cleanup_service_name", "waybill-cleanup-hop"},
        /* it was kept on the way in, and the hop adds a header */
        {"message_size_limit", "0"},
        {"smtpd_client_restrictions", ""},
        {"smtpd_helo_required", "no"},
        {"smtpd_helo_restrictions", ""},
        {"smtpd_sender_restrictions", ""},
        {"smtpd_relay_restrictions", "permit_mynetworks,reject"},
        {"smtpd_data_restrictions", ""},
        {"smtpd_end_of_data_restrictions", ""},
        {"smtpd_reject_unlisted_sender", "no"},
        {"local_header_rewrite_clients", ""},
        {"smtpd_discard_ehlo_keywords", ""},
        {"smtpd_discard_ehlo_keyword_address_maps", ""},
        {"smtpd_tls_security_level", "none"},
        {"smtpd_tls_wrappermode", "no"},
        {"smtpd_sasl_auth_enable", "no"},
        {"smtpd_client_connection_count_limit", "0"},
        {"smtpd_client_connection_rate_limit", "0"},
        {"smtpd_client_message_rate_limit", "0"},
        {"smtpd_client_recipient_rate_limit", "0"},
        {"smtpd_error_sleep_time", "0"},
        {"smtpd_soft_error_limit", "1001"},
        {"smtpd_hard_error_limit", "1000"},
        {0}};
    const char *host = wb_postfix_listener_host(pool, listener);
    const char *network = strchr(host, ':') ? wb_say(pool, "[%s]/128", host)
                                            : wb_say(pool, "%s/32", host);
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "%s inet n - n - - smtpd\n", listener);
    option(t.file, "syslog_name", wb_say(pool, "postfix/%s", name));
    option(t.file, "mynetworks", network);
    option(t.file, "smtpd_authorized_xforward_hosts", network);
    option(t.file, "milter_macro_daemon_name", name);
    options(t.file, own);
    options(t.file, open_to_us);
    return entry(pool, listener, "inet", &t);
}

static struct wb_master_service loopback_service(struct wb_pool *pool,
                                                 const struct wb_conf *conf)
{
    const struct setting own[] = {
        {"smtpd_milters", with_signers(pool, conf, "$waybill_milters")},
        {"smtpd_recipient_restrictions",
         "$waybill_loopback_restrictions,permit_mynetworks,reject"},
        {"smtpd_recipient_limit", "1000"},
        {0}};

    return listener_service(pool, WB_LOOPBACK_LISTENER, conf->loopback_listener,
                            own);
}

/* Without the milter a marked recipient would come back here for ever: then
 * nothing is taken. */
static struct wb_master_service again_service(struct wb_pool *pool,
                                              const struct wb_conf *conf)
{
    const struct setting own[] = {
        {"smtpd_milters", with_signers(pool, conf, "$waybill_again_milters")},
        {"smtpd_recipient_restrictions",
         "${waybill_again_milters?{check_recipient_access "
         "pcre:$waybill_directory/again.pcre}:{defer}}, "
         "permit_mynetworks, reject"},
        {"smtpd_recipient_limit", "1"},
        {0}};

    return listener_service(pool, WB_AGAIN_LISTENER, conf->again_listener, own);
}

unsigned wb_postfix_lmtp_width(const struct wb_conf *conf)
{
    unsigned width = 0;

    for (size_t i = 0; i < conf->webhook_count; i++)
        if (width < conf->lmtp_max_connections)
            width += conf->webhooks[i].concurrency;
    return width < conf->lmtp_max_connections ? width
                                              : conf->lmtp_max_connections;
}

/* waybill-lmtp reads the mark itself: nothing is stripped. The message goes
 * there octet for octet, as signatures in it need; a post may take its time;
 * and what was posted is delivered (there is no DSN behind it). */
static struct wb_master_service lmtp_service(struct wb_pool *pool,
                                             const struct wb_conf *conf)
{
    static const struct setting as_it_is[] = {
        {"syslog_name", "postfix/waybill-lmtp"},
        {"lmtp_generic_maps", ""},
        {"lmtp_header_checks", ""},
        {"lmtp_mime_header_checks", ""},
        {"lmtp_nested_header_checks", ""},
        {"lmtp_body_checks", ""},
        {"lmtp_line_length_limit", "0"},
        {"lmtp_data_done_timeout", "600s"},
        {"lmtp_assume_final", "yes"},
        {"lmtp_send_xforward_command", "yes"},
        {"lmtp_discard_lhlo_keywords", ""},
        {"lmtp_sasl_auth_enable", "no"},
        {"lmtp_tls_policy_maps", ""},
        {"lmtp_tls_security_level", "none"},
        {"lmtp_fallback_relay", ""},
        {0}};
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "waybill-lmtp unix - - n - %u lmtp\n",
            wb_postfix_lmtp_width(conf));
    options(t.file, as_it_is);
    return entry(pool, "waybill-lmtp", "unix", &t);
}

static struct wb_master_service hop_cleanup_service(struct wb_pool *pool)
{
    static const struct setting own[] = {
        {"syslog_name", "postfix/waybill-cleanup-hop"},
        {"message_size_limit", "0"},
        {"disable_mime_input_processing", "yes"},
        {"header_checks", "pcre:$waybill_directory/hop.pcre"},
        {"mime_header_checks", ""},
        {"nested_header_checks", ""},
        {"body_checks", ""},
        {0}};
    struct wb_text t;

    wb_text_open(&t);
    fputs("waybill-cleanup-hop unix n - n - 0 cleanup\n", t.file);
    options(t.file, own);
    return entry(pool, "waybill-cleanup-hop", "unix", &t);
}

bool wb_postfix_takes_mail(const struct wb_entries *e)
{
    return e->inbound_count + e->bounce_count > 0;
}

bool wb_postfix_has_front(const struct wb_entries *e)
{
    return e->conf->attach == WB_BEFORE_QUEUE || wb_postfix_takes_mail(e);
}

static struct wb_master_service cleanup_service(struct wb_pool *pool,
                                                const struct wb_entries *e)
{
    struct wb_text t;

    wb_text_open(&t);
    fputs("waybill-cleanup-bounce unix n - n - 0 cleanup\n", t.file);
    option(t.file, "syslog_name", "postfix/waybill-cleanup-bounce");
    option(t.file, "body_checks", "$waybill_dsn_body_checks");
    option(t.file, "header_checks", "$waybill_dsn_header_checks");
    option(t.file, "mime_header_checks", "$waybill_dsn_mime_header_checks");
    option(t.file, "nested_header_checks", "$waybill_dsn_nested_header_checks");
    if (wb_postfix_takes_mail(e))
        option(t.file, "milter_macro_daemon_name", WB_BOUNCE_LISTENER);
    option(t.file, "non_smtpd_milters", "$waybill_dsn_milters");
    option(t.file, "recipient_canonical_maps", "$waybill_dsn_canonical_maps");
    return entry(pool, "waybill-cleanup-bounce", "unix", &t);
}

struct wb_master_service *wb_postfix_services(const struct wb_entries *e,
                                              struct wb_pool *pool,
                                              size_t *count)
{
    struct wb_master_service *all = wb_must(wb_pool_array(
        pool, e->service_count + e->conf->listener_count + 8, sizeof *all));
    size_t n = 0;

    for (size_t i = 0; i < e->service_count; i++)
        all[n++] = route_service(pool, e->services[i]);
    all[n++] = hop_service(pool, "waybill-in", e->conf->loopback_listener);
    all[n++] = loopback_service(pool, e->conf);
    all[n++] = hop_service(pool, "waybill-again", e->conf->again_listener);
    all[n++] = again_service(pool, e->conf);
    if (e->conf->webhook_count > 0)
        all[n++] = lmtp_service(pool, e->conf);
    all[n++] = hop_cleanup_service(pool);
    n += wb_intake_services(e, pool, all + n);
    all[n++] = cleanup_service(pool, e);
    *count = n;
    return all;
}

const char *wb_postfix_socket(struct wb_pool *pool, const struct wb_conf *conf,
                              const char *socket)
{
    const char *rest = strchr(socket, ':');
    const char *at = strrchr(socket, '@');
    size_t octets = strlen(conf->queue_directory);

    if (rest == NULL)
        return socket;
    rest++;
    if (strncmp(socket, "inet", 4) == 0) {
        const char *host = at == NULL ? "127.0.0.1" : at + 1;
        int digits = at == NULL ? (int)strlen(rest) : (int)(at - rest);
        bool is_v6 = strchr(host, ':') != NULL && host[0] != '[';

        return wb_say(pool, "inet:%s%s%s:%.*s", is_v6 ? "[" : "", host,
                      is_v6 ? "]" : "", digits, rest);
    }
    if (strncmp(rest, conf->queue_directory, octets) == 0 &&
        rest[octets] == '/')
        rest += octets + 1;
    return wb_say(pool, "unix:%s", rest);
}

/* "127.0.0.1:10028" as a nexthop of service: no MX look-up. */
static const char *way_to(struct wb_pool *pool, const char *service,
                          const char *listener)
{
    const char *colon = strrchr(listener, ':');

    if (listener[0] == '[' || colon == NULL)
        return wb_say(pool, "%s:%s", service, listener);
    return wb_say(pool, "%s:[%.*s]%s", service, (int)(colon - listener),
                  listener, colon);
}

const char *wb_postfix_hop(struct wb_pool *pool, const struct wb_conf *conf)
{
    return way_to(pool, "waybill-in", conf->loopback_listener);
}

const char *wb_postfix_again(struct wb_pool *pool, const struct wb_conf *conf)
{
    return way_to(pool, "waybill-again", conf->again_listener);
}
