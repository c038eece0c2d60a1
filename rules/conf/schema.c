#include "conf/schema.h"

#include <string.h>

#include "conf/conf.h"
#include "conf/preset.h"

#define COUNT(array)    (sizeof(array) / sizeof *(array))
#define IN(type, field) offsetof(struct type, field)

/* A row says only what is its own. */
#define ROW(t, n, at, ...)                                                     \
    {                                                                          \
        .name = (n), .type = WB_TYPE_##t, .offset = (at), __VA_ARGS__          \
    }

static const struct wb_word mta_words[] = {{"postfix", WB_MTA_POSTFIX, false},
                                           {"sendmail", WB_MTA_SENDMAIL, false},
                                           {0}};
static const struct wb_word attach_words[] = {
    {"before_queue", WB_BEFORE_QUEUE, false},
    {"after_queue", WB_AFTER_QUEUE, false},
    {0}};
static const struct wb_word tls_words[] = {{"none", WB_TLS_NONE, false},
                                           {"starttls", WB_TLS_STARTTLS, false},
                                           {"tls", WB_TLS_IMPLICIT, false},
                                           {"ssl", WB_TLS_IMPLICIT, true},
                                           {0}};
static const struct wb_word auth_words[] = {
    {"none", WB_AUTH_NONE, false},
    {"plain", WB_AUTH_PLAIN, false},
    {"login", WB_AUTH_LOGIN, false},
    {"cram-md5", WB_AUTH_CRAM_MD5, false},
    {"ntlm", WB_AUTH_NTLM, false},
    {"any", WB_AUTH_ANY, false},
    {0}};
static const struct wb_word mode_words[] = {
    {"keep", WB_RETURN_KEEP, false}, {"domain", WB_RETURN_DOMAIN, false},
    {"batv", WB_RETURN_BATV, false}, {"srs", WB_RETURN_SRS, false},
    {"verp", WB_RETURN_VERP, false}, {0}};
static const struct wb_word overflow_words[] = {
    {"reject", WB_OVERFLOW_REJECT, false},
    {"plain", WB_OVERFLOW_PLAIN, false},
    {0}};
static const struct wb_word reply_to_words[] = {
    {"original", WB_REPLY_TO_ORIGINAL, false},
    {"keep", WB_REPLY_TO_KEEP, false},
    {0}};
static const struct wb_word match_on_words[] = {
    {"header", WB_ON_HEADER, false},
    {"envelope", WB_ON_ENVELOPE, false},
    {"either", WB_ON_EITHER, false},
    {0}};
static const struct wb_word unmatched_words[] = {
    {"reject", WB_UNMATCHED_REJECT, false},
    {"deliver", WB_UNMATCHED_DELIVER, false},
    {0}};
static const struct wb_word class_words[] = {
    {"inbound", WB_LISTENER_INBOUND, false},
    {"outbound", WB_LISTENER_OUTBOUND, false},
    {0}};
static const struct wb_word deliver_words[] = {
    {"webhook", WB_TO_WEBHOOK, false},
    {"sender", WB_TO_SENDER, false},
    {"address", WB_TO_ADDRESS, false},
    {0}};
static const struct wb_word replies_words[] = {
    {"webhook", WB_TO_WEBHOOK, false},
    {"sender", WB_TO_SENDER, false},
    {"address", WB_TO_ADDRESS, false},
    {"reject", WB_TO_NOBODY, false},
    {0}};
static const struct wb_word account_words[] = {
    {"address", WB_ACCOUNT_ADDRESS, false},
    {"local", WB_ACCOUNT_LOCAL, false},
    {"account", WB_ACCOUNT_ID, false},
    {0}};
static const struct wb_word format_words[] = {
    {"cmc", WB_FORMAT_CMC, false},
    {"cmc-json", WB_FORMAT_CMC_JSON, false},
    {"mailgun", WB_FORMAT_MAILGUN, false},
    {"raw", WB_FORMAT_RAW, false},
    {0}};
static const struct wb_word client_error_words[] = {
    {"retry", WB_CLIENT_ERROR_RETRY, false},
    {"reject", WB_CLIENT_ERROR_REJECT, false},
    {0}};
static const struct wb_word report_words[] = {
    {"webhook", WB_REPORT_WEBHOOK, false},
    {"log", WB_REPORT_LOG, false},
    {"both", WB_REPORT_BOTH, false},
    {0}};

static const struct wb_option top_options[] = {
    ROW(WORD, "mta", IN(wb_conf, mta), .words = mta_words,
        .fallback = "postfix", .help = "the MTA that relays"),
    ROW(WORD, "attach", IN(wb_conf, attach), .words = attach_words,
        .fallback = "before_queue",
        .help = "where the milter sits: before or after the MTA's queue"),
    ROW(TEXT, "socket", IN(wb_conf, socket),
        .fallback = "unix:waybill/milter.sock",
        .help = "where the MTA reaches the milter; a relative path lies "
                "below queue_directory"),
    ROW(TEXT, "socket_group", IN(wb_conf, socket_group), .fallback = "postfix",
        .help = "group of the socket; empty: as started"),
    ROW(MODE, "socket_mode", IN(wb_conf, socket_mode), .fallback = "0660",
        .help = "mode of the socket, octal"),
    ROW(TEXT, "queue_directory", IN(wb_conf, queue_directory),
        .fallback = "/var/spool/postfix", .help = "the MTA's queue directory"),
    ROW(TEXT, "mta_config", IN(wb_conf, mta_config), .fallback = "/etc/postfix",
        .help = "the MTA's configuration directory"),
    ROW(TEXT, "loopback_listener", IN(wb_conf, loopback_listener),
        .fallback = "127.0.0.1:10028",
        .help = "address and port of the generated listener for mail of the "
                "MTA itself"),
    ROW(LIST, "loopback_milters", IN(wb_conf, loopback_milters),
        .help = "further milters of that listener, behind waybill: signers"),
    ROW(TEXT, "again_listener", IN(wb_conf, again_listener),
        .fallback = "127.0.0.1:10029",
        .help = "address and port of the generated listener for second "
                "passes"),
    ROW(TEXT, "lmtp_socket", IN(wb_conf, lmtp_socket),
        .fallback = "unix:waybill-lmtp/lmtp.sock",
        .help = "where the MTA reaches waybill-lmtp"),
    ROW(TEXT, "lmtp_user", IN(wb_conf, lmtp_user), .fallback = "waybill-lmtp",
        .help = "user that waybill-lmtp becomes; empty: as started"),
    ROW(TEXT, "lmtp_pid_file", IN(wb_conf, lmtp_pid_file),
        .fallback = "/run/waybill-lmtp/waybill-lmtp.pid",
        .help = "file for waybill-lmtp's process id; empty: none"),
    ROW(NUMBER, "lmtp_max_connections", IN(wb_conf, lmtp_max_connections),
        .min = 1, .max = 1000, .fallback = "250",
        .help = "connections of the MTA at one time; each may post"),
    ROW(TEXT, "spool_directory", IN(wb_conf, spool_directory),
        .fallback = "/var/tmp",
        .help = "where waybill-lmtp keeps messages while it posts them"),
    ROW(TEXT, "user", IN(wb_conf, user), .fallback = "waybill",
        .help = "user that the milter becomes; empty: as started"),
    ROW(TEXT, "pid_file", IN(wb_conf, pid_file),
        .fallback = "/run/waybill/waybill-milter.pid",
        .help = "file for the milter's process id; empty: none"),
    ROW(TEXT, "control_socket", IN(wb_conf, control_socket),
        .fallback = "/run/waybill/control.sock",
        .help = "socket of `waybill reload` and `waybill status`"),
    ROW(TEXT, "control_group", IN(wb_conf, control_group),
        .help = "group that may ask for the status; empty: none"),
    ROW(LIST, "notify", IN(wb_conf, notify),
        .help = "addresses that are told when a route begins or ceases to "
                "fail"),
    ROW(PATH, "state_file", IN(wb_conf, state_file),
        .fallback = "/var/lib/waybill/routes.json",
        .help = "what `waybill pop-login` and `waybill test` remember"),
    ROW(PATH, "secret_file", WB_NOT_STORED, .fallback = "secret",
        .help = "keys, one a line: the first signs, all verify"),
    ROW(TEXT, "tag_header", IN(wb_conf, tag_header),
        .fallback = "X-Waybill-Route",
        .help = "header that tells the routes of a message"),
    ROW(NETWORKS, "networks", IN(wb_conf, networks),
        .count_offset = IN(wb_conf, network_count),
        .fallback = "127.0.0.0/8, ::1/128",
        .help = "own clients, beside authenticated ones"),
    ROW(LOWER, "outbound_mailers", IN(wb_conf, outbound_mailers),
        .fallback = "smtp",
        .help = "the MTA's mailers whose recipients are routed"),
    ROW(LIST, "relayhosts", IN(wb_conf, relayhosts),
        .help = "nexthops that are the MTA's default"),
    ROW(WORD, "inbound_unmatched", IN(wb_conf, inbound_unmatched),
        .words = unmatched_words, .fallback = "reject",
        .help = "what happens to mail that no inbound section matches"),
    ROW(NUMBER, "match_limit", IN(wb_conf, match_limit), .min = 1000,
        .max = 10000000, .fallback = "100000",
        .help = "PCRE2's match limit, for one match"),
    ROW(NUMBER, "match_budget_ms", IN(wb_conf, match_budget_ms), .min = 1,
        .max = 10000, .fallback = "100",
        .help = "CPU time for all patterns of one message"),
    ROW(SIZE, "header_max_octets", IN(wb_conf, header_max_octets), .min = 1024,
        .max = 1048576, .fallback = "102400",
        .help = "the longest header value that can be judged; Postfix cuts at "
                "102400"),
    ROW(SIZE, "message_max_kb", IN(wb_conf, message_max_octets), .min = 64,
        .max = 1048576, .scale = 1024, .fallback = "4096",
        .help = "memory for one message's recipients and headers"),
    ROW(NUMBER, "message_max_recipients", IN(wb_conf, message_max_recipients),
        .min = 1, .max = 1000000, .fallback = "10000",
        .help = "recipients of one message"),
    ROW(NUMBER, "message_max_headers", IN(wb_conf, message_max_headers),
        .min = 1, .max = 100000, .fallback = "1000",
        .help = "header fields of one message that something reads"),
    ROW(LIST, "include", WB_NOT_STORED,
        .help = "more files, read after this one; * and ? are understood"),
    ROW(LIST, "rule_table", WB_NOT_STORED, .help = "tables with a rule a row"),
    ROW(LIST, "route_table", WB_NOT_STORED,
        .help = "tables with a route a row"),
    ROW(LIST, "inbound_table", WB_NOT_STORED,
        .help = "tables with an inbound section a row"),
};

static const struct wb_option route_options[] = {
    ROW(TEXT, "preset", WB_NOT_STORED,
        .help = "what is known of a provider; `waybill presets` lists them"),
    ROW(TEXT, "host", IN(wb_route, host),
        .help = "the relay: a name, or an address in brackets"),
    ROW(NUMBER, "port", IN(wb_route, port), .min = 1, .max = 65535,
        .help = "25, or 587 with starttls, or 465 with tls"),
    ROW(WORD, "tls", IN(wb_route, tls), .words = tls_words,
        .help = "starttls with a username, else none"),
    ROW(PATH, "ca_file", IN(wb_route, ca_file),
        .help = "certificates to trust; without it the system's"),
    ROW(PATH, "cert_file", IN(wb_route, cert_file),
        .help = "certificate to show to the relay"),
    ROW(PATH, "key_file", IN(wb_route, key_file), .help = "its key, mode 0600"),
    ROW(WORD, "auth", IN(wb_route, auth), .words = auth_words,
        .help = "plain with a username, else none"),
    ROW(TEXT, "username", IN(wb_route, username), .help = "the account"),
    ROW(PATH, "password_file", IN(wb_route, password_file),
        .help = "file with the password, mode 0600"),
    ROW(FLAG, "allow_cleartext", IN(wb_route, allow_cleartext),
        .fallback = "no",
        .help = "the password may cross a connection without TLS"),
    ROW(LIST, "fallback", WB_NOT_STORED,
        .help = "relays to try in turn: [host]:port, or a route's name"),
    ROW(TEXT, "rate", WB_NOT_STORED,
        .help = "messages a second, minute or hour: 10/minute"),
    ROW(NUMBER, "concurrency", IN(wb_route, concurrency), .min = 1, .max = 100,
        .help = "connections to the relay at a time"),
    ROW(NUMBER, "max_recipients", IN(wb_route, max_recipients), .min = 1,
        .max = 1000, .help = "recipients of one message to the relay"),
    ROW(SIZE, "max_size_kb", IN(wb_route, max_octets), .min = 1, .max = 2097151,
        .scale = 1024, .help = "the largest message; a larger one is refused"),
    ROW(TEXT, "pop_before_smtp", WB_NOT_STORED,
        .help = "POP3 server at which to log in first: pop3s:// or pop3://"),
    ROW(TEXT, "pop_interval", WB_NOT_STORED, .fallback = "5m",
        .help = "how long such a login is good for: 1m to 60m"),
    ROW(TEXT, "return_path", WB_NOT_STORED,
        .help = "a return_path, keep, from, account, or an address; without "
                "it from, or else the sender decides"),
    ROW(TEXT, "from", WB_NOT_STORED,
        .help = "the header From of its mail; without it From stays"),
    ROW(WORD, "reply_to", IN(wb_route, reply_to), .words = reply_to_words,
        .fallback = "original",
        .help = "where replies go: to the original From, or as they were"),
};

static const struct wb_option rule_options[] = {
    ROW(NUMBER, "priority", IN(wb_rule, priority), .min = -1000000,
        .max = 1000000, .fallback = "100", .help = "the smaller number wins"),
    ROW(ADDRESSES, "recipients", IN(wb_rule, recipients),
        .help = "user@dom, dom, .dom, * or /regex/"),
    ROW(ADDRESSES, "senders", IN(wb_rule, senders),
        .help = "user@dom, dom, .dom, * or /regex/"),
    ROW(LIST, "logins", IN(wb_rule, logins), .help = "authenticated users"),
    ROW(NETWORKS, "clients", IN(wb_rule, clients),
        .count_offset = IN(wb_rule, client_count),
        .help = "addresses and networks of clients"),
    ROW(LIST, "listeners", IN(wb_rule, listeners),
        .help = "listeners that the mail came in by"),
    ROW(LIST, "header", WB_NOT_STORED, .help = "a header's name and a regex"),
    ROW(TEXT, "route", WB_NOT_STORED, .help = "the route that mail takes"),
};

static const struct wb_option return_path_options[] = {
    ROW(WORD, "mode", IN(wb_return_path, mode), .words = mode_words,
        .fallback = "domain", .help = "what becomes of the envelope sender"),
    ROW(TEXT, "domain", IN(wb_return_path, domain),
        .help = "the new domain; %d is the sender's"),
    ROW(WORD, "overflow", IN(wb_return_path, overflow), .words = overflow_words,
        .fallback = "reject",
        .help = "what happens where a signed address would be too long"),
    ROW(TEXT, "max_age", WB_NOT_STORED, .fallback = "10d",
        .help = "how long a signed address is good for: 1d to 365d"),
    ROW(ADDRESSES, "senders", IN(wb_return_path, senders),
        .help = "senders that it is for"),
    ROW(LIST, "logins", IN(wb_return_path, logins),
        .help = "authenticated users that it is for"),
    ROW(LIST, "listeners", IN(wb_return_path, listeners),
        .help = "listeners that it is for"),
};

static const struct wb_option inbound_options[] = {
    ROW(DOMAINS, "domains", IN(wb_inbound, domains),
        .help = "recipient domains that it is for"),
    ROW(TEXT, "header", IN(wb_inbound, header_name), .fallback = "To",
        .help = "header that match is tried on"),
    ROW(TEXT, "match", WB_NOT_STORED, .help = "a regex"),
    ROW(WORD, "match_on", IN(wb_inbound, match_on), .words = match_on_words,
        .fallback = "header",
        .help = "what match is tried on; the envelope is the recipient"),
    ROW(TEXT, "webhook", WB_NOT_STORED,
        .help = "the webhook that gets the mail"),
};

static const struct wb_option bounces_options[] = {
    ROW(DOMAINS, "domains", IN(wb_bounces, domains),
        .help = "return path domains, which bounces come back to"),
    ROW(WORD, "deliver", IN(wb_bounces, deliver), .words = deliver_words,
        .fallback = "webhook", .help = "where bounces go"),
    ROW(WORD, "replies", IN(wb_bounces, replies), .words = replies_words,
        .help = "where other mail to return addresses goes; as deliver"),
    ROW(TEXT, "webhook", WB_NOT_STORED,
        .help = "the webhook that gets bounces or replies"),
    ROW(TEXT, "address", IN(wb_bounces, address),
        .help = "the mailbox that gets bounces or replies"),
    ROW(WORD, "report", IN(wb_bounces, report), .words = report_words,
        .fallback = "webhook", .help = "where failures are told"),
    ROW(PATH, "log_file", IN(wb_bounces, log_file),
        .help = "file that gets a line of JSON a failure"),
    ROW(FLAG, "port_25", IN(wb_bounces, port_25), .fallback = "yes",
        .help = "taken by the MTA's ordinary services, beside listeners"),
};

static const struct wb_option webhook_options[] = {
    ROW(TEXT, "url", IN(wb_webhook, url), .help = "https:// address"),
    ROW(WORD, "format", IN(wb_webhook, format), .words = format_words,
        .fallback = "cmc", .help = "what is posted"),
    ROW(TEXT, "server_composition", IN(wb_webhook, server_composition),
        .help = "the field of that name; without it this host's name"),
    ROW(PATH, "api_key_file", IN(wb_webhook, api_key_file),
        .help = "file with the key that is posted along"),
    ROW(PATH, "signing_key_file", IN(wb_webhook, signing_key_file),
        .help = "file with one or two keys that sign what is posted"),
    ROW(TEXT, "username", IN(wb_webhook, username),
        .help = "user of Basic authentication"),
    ROW(PATH, "password_file", IN(wb_webhook, password_file),
        .help = "file with that user's password"),
    ROW(PATH, "token_file", IN(wb_webhook, token_file),
        .help = "file with the token of Bearer authentication"),
    ROW(PATH, "ca_file", IN(wb_webhook, ca_file),
        .help = "certificates to trust; without it the system's"),
    ROW(FLAG, "allow_private", IN(wb_webhook, allow_private), .fallback = "no",
        .help = "addresses that are not public may be posted to"),
    ROW(NUMBER, "timeout_s", IN(wb_webhook, timeout_s), .min = 1, .max = 300,
        .fallback = "30", .help = "time for all of a post"),
    ROW(NUMBER, "connect_timeout_s", IN(wb_webhook, connect_timeout_s),
        .min = 1, .max = 60, .fallback = "10",
        .help = "time until it is connected, TLS included"),
    ROW(NUMBER, "concurrency", IN(wb_webhook, concurrency), .min = 1,
        .max = 1000, .fallback = "20", .help = "posts at one time"),
    ROW(WORD, "client_error", IN(wb_webhook, client_error),
        .words = client_error_words, .fallback = "retry",
        .help = "what a 4xx answer means that has no meaning of its own"),
    ROW(SIZE, "max_size_kb", IN(wb_webhook, max_octets), .min = 1,
        .max = 1048576, .scale = 1024, .fallback = "51200",
        .help = "the largest message"),
};

static const struct wb_option listener_options[] = {
    ROW(WORD, "class", IN(wb_listener, class), .words = class_words,
        .help = "whose mail comes in by it: inbound or outbound"),
    ROW(TEXT, "address", IN(wb_listener, address),
        .help = "where it listens; without it wherever the MTA does"),
    ROW(NUMBER, "port", IN(wb_listener, port), .min = 1, .max = 65535,
        .fallback = "10026", .help = "the port it listens on"),
    ROW(NUMBER, "max_connections", IN(wb_listener, max_connections), .min = 1,
        .max = 100, .fallback = "100", .help = "connections at one time"),
    ROW(NUMBER, "interval_ms", IN(wb_listener, interval_ms), .min = 10,
        .max = 10000, .help = "time between messages"),
    ROW(NUMBER, "max_wait_s", IN(wb_listener, max_wait_s), .min = 1, .max = 100,
        .fallback = "30",
        .help = "how long a message may wait for the interval"),
    ROW(SIZE, "max_size_kb", IN(wb_listener, max_octets), .min = 1,
        .max = 1048576, .scale = 1024, .help = "the largest message"),
    ROW(DOMAINS, "bounce_domains", IN(wb_listener, bounce_domains),
        .help = "the domains of bounces that it takes; without it all"),
    ROW(DOMAINS, "inbound_domains", IN(wb_listener, inbound_domains),
        .help = "the inbound domains that it takes; without it all"),
    ROW(NETWORKS, "networks", IN(wb_listener, networks),
        .count_offset = IN(wb_listener, network_count),
        .help = "clients that may send by it"),
    ROW(FLAG, "login", IN(wb_listener, takes_logins), .fallback = "no",
        .help = "clients that log in may send by it, too"),
    ROW(FLAG, "proxy_protocol", IN(wb_listener, takes_proxy), .fallback = "no",
        .help = "its clients stand behind a proxy that names them"),
};

static const struct wb_option preset_options[] = {
    ROW(TEXT, "title", IN(wb_preset, title), .help = "the provider's name"),
    ROW(TEXT, "host", IN(wb_preset, host),
        .help = "the relay; without it every route has its own"),
    ROW(TEXT, "host_hint", IN(wb_preset, host_hint),
        .help = "what a route's host must be, where that differs"),
    ROW(LIST, "ports", WB_NOT_STORED,
        .help = "\"465 tls\", \"587 starttls\" ...; the first is the default"),
    ROW(TEXT, "auth", IN(wb_preset, auth), .help = "as in a route"),
    ROW(WORD, "username", IN(wb_preset, username), .words = account_words,
        .help = "how the provider calls an account"),
    ROW(TEXT, "fixed_username", IN(wb_preset, fixed_username),
        .help = "the user name that everybody has"),
    ROW(TEXT, "no_password", IN(wb_preset, no_password),
        .help = "why a password cannot work"),
    ROW(FLAG, "needs_from", IN(wb_preset, needs_from), .fallback = "no",
        .help = "From must be the account's address, or becomes it"),
    ROW(TEXT, "rate", IN(wb_preset, rate), .help = "the pace that it bears"),
    ROW(NUMBER, "max_recipients", IN(wb_preset, max_recipients), .min = 1,
        .max = 1000000, .help = "recipients of a message"),
    ROW(NUMBER, "max_size_kb", IN(wb_preset, max_size_kb), .min = 1,
        .max = 1048576, .help = "size of a message, in units of 1024 octets"),
    ROW(TEXT, "spf", IN(wb_preset, spf),
        .help = "what an SPF record must have for the provider"),
    ROW(LIST, "limits", IN(wb_preset, limits),
        .help = "how much may be sent, in words"),
    ROW(LIST, "notes", IN(wb_preset, notes),
        .help = "what the provider does to From, bounces and so on"),
    ROW(LIST, "password_steps", IN(wb_preset, password_steps),
        .help = "how to get a password that works"),
    ROW(LIST, "source", IN(wb_preset, source), .help = "who says so"),
    ROW(TEXT, "checked", IN(wb_preset, checked),
        .help = "when the sources were read last"),
    ROW(TEXT, "unverified", IN(wb_preset, unverified),
        .help = "what is doubtful"),
};

#define SECTION(k, titled, single, rows, text)                                 \
    {                                                                          \
        .kind = (k), .has_title = (titled), .is_single = (single),             \
        .options = (rows), .count = COUNT(rows), .help = (text)                \
    }

static const struct wb_schema_section sections[] = {
    SECTION("", false, true, top_options, "what stands outside of sections"),
    SECTION("route", true, false, route_options, "a way out"),
    SECTION("rule", true, false, rule_options, "which mail takes which route"),
    SECTION("return_path", true, false, return_path_options,
            "what the envelope sender becomes"),
    SECTION("inbound", true, false, inbound_options,
            "which incoming mail goes to which webhook"),
    SECTION("bounces", false, true, bounces_options, "where bounces come back"),
    SECTION("webhook", true, false, webhook_options,
            "an address that mail is posted to"),
    SECTION("listener", true, false, listener_options,
            "an SMTP service of the MTA, by its daemon name"),
    {.kind = "preset",
     .has_title = true,
     .is_apart = true,
     .options = preset_options,
     .count = COUNT(preset_options),
     .help = "what is known of a provider"},
};

const struct wb_schema_section *wb_schema(size_t *count)
{
    *count = COUNT(sections);
    return sections;
}

const struct wb_schema_section *wb_schema_section(const char *kind)
{
    for (size_t i = 0; i < COUNT(sections); i++)
        if (strcmp(sections[i].kind, kind) == 0)
            return &sections[i];
    return NULL;
}

const struct wb_option *wb_schema_option(const struct wb_schema_section *in,
                                         const char *name)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->options[i].name, name) == 0)
            return &in->options[i];
    return NULL;
}

bool wb_option_is_list(const struct wb_option *option)
{
    return option->type >= WB_TYPE_LIST;
}
