/* The services that waybill adds to master.cf. */
#include <string.h>

#include "tool/maps/files.h"
#include "tool/maps/memory.h"

static const char *const mechanisms[] = {
    [WB_AUTH_PLAIN] = "plain",
    [WB_AUTH_LOGIN] = "login",
};

static void option(FILE *f, const char *name, const char *value)
{
    if (strpbrk(value, " \t{}") != NULL)
        fprintf(f, "  -o { %s = %s }\n", name, value);
    else
        fprintf(f, "  -o %s=%s\n", name, value);
}

struct setting {
    const char *name, *value;
};

static void options(FILE *f, const struct setting *s)
{
    for (; s->name != NULL; s++)
        option(f, s->name, s->value);
}

static void tls_options(FILE *f, const struct wb_service *s)
{
    option(f, "smtp_tls_policy_maps", "");
    option(f, "smtp_tls_wrappermode", s->tls == WB_TLS_IMPLICIT ? "yes" : "no");
    if (s->tls == WB_TLS_NONE) {
        option(f, "smtp_tls_security_level", "none");
        return;
    }
    option(f, "smtp_tls_security_level", "secure");
    option(f, "smtp_tls_secure_cert_match", "nexthop");
    option(f, "smtp_tls_CApath", "");
    option(f, "smtp_tls_CAfile",
           s->ca_file != NULL ? s->ca_file : WB_SYSTEM_CA);
}

static void auth_options(FILE *f, struct wb_pool *pool,
                         const struct wb_service *s)
{
    if (s->auth == WB_AUTH_NONE) {
        option(f, "smtp_sasl_auth_enable", "no");
        return;
    }
    option(f, "smtp_sasl_auth_enable", "yes");
    option(f, "smtp_sasl_password_maps",
           wb_say(pool, "texthash:$waybill_directory/%s", s->passwords));
    option(f, "smtp_sasl_mechanism_filter", mechanisms[s->auth]);
    option(f, "smtp_sasl_security_options", "noanonymous");
    option(f, "smtp_sasl_tls_security_options", "noanonymous");
    /* a refusal of one account must not be remembered for another */
    option(f, "smtp_sasl_auth_cache_name", "");
}

static struct wb_master_service entry(struct wb_pool *pool, const char *name,
                                      const char *type, struct wb_text *t)
{
    return (struct wb_master_service){wb_say(pool, "%s/%s", name, type),
                                      wb_text_close(t, pool)};
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
    tls_options(t.file, s);
    auth_options(t.file, pool, s);
    return entry(pool, s->name, "unix", &t);
}

const char *wb_postfix_listener_host(struct wb_pool *pool,
                                     const struct wb_conf *conf)
{
    const char *text = conf->loopback_listener;
    const char *colon = strrchr(text, ':');
    size_t end = colon == NULL ? strlen(text) : (size_t)(colon - text);

    if (text[0] == '[' && end >= 2)
        return wb_slice(pool, text, 1, end - 1);
    return wb_slice(pool, text, 0, end);
}

static struct wb_master_service in_service(struct wb_pool *pool,
                                           const struct wb_conf *conf)
{
    static const struct setting plain[] = {
        {"smtp_send_xforward_command", "yes"},
        {"disable_mime_output_conversion", "yes"},
        {"smtp_generic_maps", ""},
        {"smtp_header_checks", ""},
        {"smtp_mime_header_checks", ""},
        {"smtp_nested_header_checks", ""},
        {"smtp_body_checks", ""},
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
    const char *host = wb_postfix_listener_host(pool, conf);
    struct wb_text t;

    wb_text_open(&t);
    fputs("waybill-in unix - - n - - smtp\n", t.file);
    option(t.file, "syslog_name", "postfix/waybill-in");
    /* mynetworks of the listener knows only itself */
    option(t.file,
           strchr(host, ':') ? "smtp_bind_address6" : "smtp_bind_address",
           host);
    options(t.file, plain);
    return entry(pool, "waybill-in", "unix", &t);
}

static struct wb_master_service loopback_service(struct wb_pool *pool,
                                                 const struct wb_conf *conf)
{
    static const struct setting open_to_us[] = {
        {"milter_macro_daemon_name", WB_LOOPBACK_LISTENER},
        {"smtpd_milters", "$waybill_milters"},
        {"smtpd_milter_maps", ""},
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
        {"smtpd_recipient_restrictions",
         "$waybill_loopback_restrictions,permit_mynetworks,reject"},
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
    const char *host = wb_postfix_listener_host(pool, conf);
    const char *own = strchr(host, ':') ? wb_say(pool, "[%s]/128", host)
                                        : wb_say(pool, "%s/32", host);
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "%s inet n - n - - smtpd\n", conf->loopback_listener);
    option(t.file, "syslog_name", "postfix/" WB_LOOPBACK_LISTENER);
    option(t.file, "mynetworks", own);
    option(t.file, "smtpd_authorized_xforward_hosts", own);
    options(t.file, open_to_us);
    return entry(pool, conf->loopback_listener, "inet", &t);
}

/* waybill-lmtp reads the mark itself: nothing is stripped. */
static struct wb_master_service lmtp_service(struct wb_pool *pool)
{
    static const struct setting as_it_is[] = {
        {"syslog_name", "postfix/waybill-lmtp"},
        {"lmtp_generic_maps", ""},
        {"lmtp_header_checks", ""},
        {"lmtp_body_checks", ""},
        {"lmtp_discard_lhlo_keywords", ""},
        {"lmtp_sasl_auth_enable", "no"},
        {"lmtp_tls_policy_maps", ""},
        {"lmtp_tls_security_level", "none"},
        {"lmtp_fallback_relay", ""},
        {0}};
    struct wb_text t;

    wb_text_open(&t);
    fputs("waybill-lmtp unix - - n - - lmtp\n", t.file);
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

static struct wb_master_service cleanup_service(struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    fputs("waybill-cleanup-bounce unix n - n - 0 cleanup\n", t.file);
    option(t.file, "syslog_name", "postfix/waybill-cleanup-bounce");
    option(t.file, "body_checks", "$waybill_dsn_body_checks");
    option(t.file, "header_checks", "$waybill_dsn_header_checks");
    option(t.file, "mime_header_checks", "$waybill_dsn_mime_header_checks");
    option(t.file, "nested_header_checks", "$waybill_dsn_nested_header_checks");
    option(t.file, "non_smtpd_milters", "$waybill_dsn_milters");
    option(t.file, "recipient_canonical_maps", "$waybill_dsn_canonical_maps");
    return entry(pool, "waybill-cleanup-bounce", "unix", &t);
}

struct wb_master_service *wb_postfix_services(const struct wb_entries *e,
                                              struct wb_pool *pool,
                                              size_t *count)
{
    struct wb_master_service *all =
        wb_must(wb_pool_array(pool, e->service_count + 5, sizeof *all));
    size_t n = 0;

    for (size_t i = 0; i < e->service_count; i++)
        all[n++] = route_service(pool, &e->services[i]);
    all[n++] = in_service(pool, e->conf);
    all[n++] = loopback_service(pool, e->conf);
    if (e->conf->webhook_count > 0)
        all[n++] = lmtp_service(pool);
    all[n++] = hop_cleanup_service(pool);
    all[n++] = cleanup_service(pool);
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

const char *wb_postfix_hop(struct wb_pool *pool, const struct wb_conf *conf)
{
    const char *text = conf->loopback_listener;
    const char *colon = strrchr(text, ':');

    if (text[0] == '[' || colon == NULL)
        return wb_say(pool, "waybill-in:%s", text);
    return wb_say(pool, "waybill-in:[%.*s]%s", (int)(colon - text), text,
                  colon);
}
