/* The checked configuration: immutable, refcounted, shared by all threads. */
#ifndef WB_CONF_CONF_H
#define WB_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/digest.h"
#include "conf/preset.h"
#include "conf/problem.h"
#include "conf/secret.h"
#include "mail/address.h"
#include "match/rule.h"

enum wb_mta { WB_MTA_POSTFIX, WB_MTA_SENDMAIL };
enum wb_attach { WB_BEFORE_QUEUE, WB_AFTER_QUEUE };
enum wb_tls { WB_TLS_NONE, WB_TLS_STARTTLS, WB_TLS_IMPLICIT };
enum wb_auth {
    WB_AUTH_NONE,
    WB_AUTH_PLAIN,
    WB_AUTH_LOGIN,
    WB_AUTH_CRAM_MD5,
    WB_AUTH_NTLM,
    WB_AUTH_ANY /* the best that both sides have */
};
enum wb_return_mode {
    WB_RETURN_KEEP,
    WB_RETURN_DOMAIN,
    WB_RETURN_BATV,
    WB_RETURN_SRS,
    WB_RETURN_VERP,
    WB_RETURN_ADDRESS /* a route's own: "from", "account" or an address */
};
enum wb_reply_to { WB_REPLY_TO_ORIGINAL, WB_REPLY_TO_KEEP };
enum wb_overflow { WB_OVERFLOW_REJECT, WB_OVERFLOW_PLAIN };
enum wb_match_on { WB_ON_HEADER, WB_ON_ENVELOPE, WB_ON_EITHER };
enum wb_unmatched { WB_UNMATCHED_REJECT, WB_UNMATCHED_DELIVER };
enum wb_bounces_to {
    WB_TO_WEBHOOK,
    WB_TO_SENDER,  /* the original sender of what bounced */
    WB_TO_ADDRESS, /* one mailbox */
    WB_TO_NOBODY   /* refused */
};
enum wb_listener_class { WB_LISTENER_INBOUND, WB_LISTENER_OUTBOUND };
enum wb_format {
    WB_FORMAT_CMC,
    WB_FORMAT_CMC_JSON,
    WB_FORMAT_MAILGUN,
    WB_FORMAT_RAW
};
enum wb_report { WB_REPORT_WEBHOOK, WB_REPORT_LOG, WB_REPORT_BOTH };
enum wb_client_error { WB_CLIENT_ERROR_RETRY, WB_CLIENT_ERROR_REJECT };

/* Where a route's mail goes when the relays before it do not take it. Its TLS
 * and authentication are the route's. */
struct wb_relay {
    const char *host; /* as a route's */
    unsigned port;
    const char *username;
    const char *password_file;
};

/* A login at a POP3 server, which opens a relay for a while. */
struct wb_pop {
    const char *host; /* as a route's; NULL: none is needed */
    unsigned port;
    enum wb_tls tls;
    bool is_tls_optional; /* STLS only where it is offered */
    const char *username, *password_file;
    unsigned interval_s; /* how long a login is good for */
};

/* A way out. The built-in route "direct" has is_direct and no host. */
struct wb_route {
    const char *name; /* a DNS label, lower case */
    struct wb_origin origin;
    bool is_direct;
    const struct wb_preset *preset; /* NULL: none */
    const char *host; /* name or "[192.0.2.1]"; no MX look-up is made */
    unsigned port;
    enum wb_tls tls;
    const char *ca_file;              /* NULL: the system's */
    const char *cert_file, *key_file; /* of the client; NULL: the MTA's own */
    enum wb_auth auth;
    const char *username;      /* NULL with WB_AUTH_NONE */
    const char *password_file; /* absolute; NULL with WB_AUTH_NONE */
    bool allow_cleartext; /* a password may cross a connection without TLS */
    const struct wb_relay *fallbacks; /* in this order */
    size_t fallback_count;
    unsigned delay_s;        /* between messages; 0: none */
    unsigned concurrency;    /* connections at a time; 0: the MTA's default */
    unsigned max_recipients; /* of a message; 0: the MTA's default */
    size_t max_octets;       /* of a message; 0: no limit */
    struct wb_pop pop;       /* POP before SMTP */
    const struct wb_return_path *return_path; /* NULL: chosen by the sender */
    const char *from; /* the header From of its mail, encoded and folded (LF
                       * and white space); NULL: From stays */
    struct wb_address from_address; /* the one in it */
    enum wb_reply_to reply_to;      /* what becomes of the From before it */
};

struct wb_return_path {
    const char *name; /* "keep" is built in */
    struct wb_origin origin;
    enum wb_return_mode mode;
    const char *address;       /* WB_RETURN_ADDRESS only, without "<>" */
    const char *domain;        /* "return.example.com" or "return.%d" */
    enum wb_overflow overflow; /* when the local part would be too long */
    unsigned max_age_days;     /* of signed return addresses */
    struct wb_addrlist senders;
    struct wb_strings logins;
    struct wb_strings listeners;
};

enum { WB_SIGNING_KEYS_MAX = 2 };

struct x509_store_st; /* OpenSSL's X509_STORE */

struct wb_webhook {
    const char *name; /* a DNS label, lower case */
    struct wb_origin origin;
    const char *url; /* https, or http with allow_private only */
    enum wb_format format;
    const char *server_composition; /* NULL: the name of this host */
    const char *username;           /* NULL: no Basic authentication */
    bool allow_private;             /* addresses that are not public, too */
    unsigned timeout_s, connect_timeout_s;
    unsigned concurrency; /* posts at one time */
    enum wb_client_error client_error;
    size_t max_octets; /* of a message */

    /* files, absolute; NULL: none. With WB_USE_LMTP and WB_USE_CHECK, what
     * they hold stands below. */
    const char *api_key_file, *signing_key_file, *password_file, *token_file;
    const char *ca_file;
    const char *api_key, *password, *token;            /* without line end */
    const char *signing_keys[WB_SIGNING_KEYS_MAX + 1]; /* ended by NULL */
    struct x509_store_st *trust; /* NULL: the system's certificates */
};

struct wb_inbound {
    const char *name; /* a DNS label, lower case: the FILTER of its mail */
    struct wb_origin origin;
    struct wb_strings domains; /* lower case */
    const char *header_name;   /* NULL with WB_ON_ENVELOPE */
    struct wb_pattern *pattern;
    enum wb_match_on match_on;
    const struct wb_webhook *webhook;
};

/* A domain of inbound sections. */
struct wb_inbound_domain {
    const char *name;
    bool reads_headers; /* one of its sections may match by a header */
};

struct wb_bounces {
    struct wb_origin origin;          /* line 0: there is no such section */
    struct wb_strings domains;        /* lower case, sorted */
    enum wb_bounces_to deliver;       /* bounces; never WB_TO_NOBODY */
    enum wb_bounces_to replies;       /* what else comes to them */
    const struct wb_webhook *webhook; /* NULL: nothing goes to one */
    const char *address;              /* NULL: nothing goes to one */
    enum wb_report report;            /* where what failed is told */
    const char *log_file; /* absolute; NULL with WB_REPORT_WEBHOOK */
    bool port_25;         /* the MTA's other services take them, too */
};

/* A service of the MTA's that mail comes in by. With a class alone it is the
 * admin's own, and nothing below class holds for it; else the tool generates
 * it, and the milter keeps its limits. */
struct wb_listener {
    const char *name; /* {daemon_name}; a DNS label where it is generated */
    struct wb_origin origin;
    enum wb_listener_class class;
    bool is_generated;
    const char *address; /* without brackets; NULL: wherever the MTA listens */
    unsigned port;
    unsigned max_connections;
    unsigned interval_ms; /* between messages; 0: none */
    unsigned max_wait_s;  /* for an interval to pass */
    size_t max_octets;    /* of a message; 0: the MTA's own limit */
    bool has_bounce_domains, has_inbound_domains;      /* else it takes all */
    struct wb_strings bounce_domains, inbound_domains; /* lower case */
    struct wb_network *networks; /* of its clients; none: any, or none but who
                                  * logs in */
    size_t network_count;
    bool takes_logins;
    bool takes_proxy; /* its clients stand behind a proxy that says who they
                       * are */
};

struct wb_conf {
    const char *path;
    char digest[WB_CONF_DIGEST_OCTETS + 1]; /* of what it says */
    enum wb_mta mta;
    enum wb_attach attach;

    /* where the daemon and the MTA meet */
    const char *socket; /* "unix:waybill/milter.sock", "inet:8894@127.0.0.1" */
    const char *socket_group; /* NULL: as started */
    mode_t socket_mode;
    const char *queue_directory;   /* relative sockets lie below it */
    const char *mta_config;        /* default of --mta-config */
    const char *loopback_listener; /* "127.0.0.1:10028" */
    const char *again_listener;    /* "127.0.0.1:10029" */
    const char *lmtp_socket;       /* "unix:waybill-lmtp/lmtp.sock" */
    const char *user;              /* NULL: stay as started */
    const char *pid_file;
    const char *control_socket;
    const char *control_group; /* may ask it for the status; NULL: nobody */
    /* behind waybill at loopback_listener; written as socket */
    struct wb_strings loopback_milters;

    /* waybill-lmtp */
    const char *lmtp_user;     /* NULL: stay as started */
    const char *lmtp_pid_file; /* NULL: none */
    unsigned lmtp_max_connections;
    const char *spool_directory; /* for messages while they are posted */
    struct wb_strings notify;    /* addresses to tell when routes fail */
    const char *state_file; /* what routes did last; see tool/watch/state.h */

    /* deciding */
    const char *tag_header;
    struct wb_network *networks;
    size_t network_count;
    struct wb_strings outbound_mailers; /* lower case */
    struct wb_strings relayhosts; /* nexthops that are the MTA's default */
    enum wb_unmatched inbound_unmatched;
    const char *secret_file;
    struct wb_secret secret;

    /* bounds */
    uint32_t match_limit;
    uint32_t match_budget_ms;
    size_t header_max_octets;
    size_t message_max_octets; /* of memory, for one message's facts */
    uint32_t message_max_recipients;
    uint32_t message_max_headers; /* of those that something reads */

    struct wb_route *routes; /* routes[0] is "direct" */
    size_t route_count;
    bool limits_size; /* some route has max_octets */
    struct wb_rules rules;
    struct wb_return_path *return_paths; /* [0] is "keep" */
    size_t return_path_count;
    struct wb_webhook *webhooks;
    size_t webhook_count;
    struct wb_inbound *inbounds;
    size_t inbound_count;
    struct wb_inbound_domain *inbound_domains; /* sorted */
    size_t inbound_domain_count;
    struct wb_index *inbound_index; /* NULL: every section is tried */
    struct wb_bounces bounces;
    struct wb_listener *listeners;
    size_t listener_count;

    /* lower-case names of the headers that some criterion reads, sorted */
    struct wb_strings wanted_headers;
};

/* What the caller will do with it decides which files are looked at. */
enum wb_conf_use {
    WB_USE_DAEMON,  /* the secret must be readable; password files are not
                       touched */
    WB_USE_LMTP,    /* the same, and the files of webhooks are read */
    WB_USE_EXPLAIN, /* no secret: secret.count is 0 and that is no error */
    WB_USE_CHECK,   /* all files are looked at; an unreadable one is an error */
};

/* Read path and everything that it includes, check all of it, and compile it.
 * problems: zeroed by the caller, gets every error and warning, freed by the
 *           caller with wb_problems_free.
 * out:      the configuration with one reference, or NULL on error.
 * Returns EX_OK (there may be warnings), EX_CONFIG, or EX_OSERR. */
int wb_conf_load(const char *path, enum wb_conf_use use, struct wb_conf **out,
                 struct wb_problems *problems);

/* References may be taken and dropped by any thread; the last one frees. */
struct wb_conf *wb_conf_ref(const struct wb_conf *conf);
void wb_conf_unref(const struct wb_conf *conf);

/* What a program keeps beside a configuration, for as long as that lives:
 * freed with it by free_kept. Call once, before another thread sees conf. */
void wb_conf_keep(struct wb_conf *conf, void *kept, void (*free_kept)(void *));

/* It; NULL when there is none. */
void *wb_conf_kept(const struct wb_conf *conf);

/* Are there references beside the caller's? */
bool wb_conf_is_shared(const struct wb_conf *conf);

/* path as seen from the root: a relative one lies below queue_directory.
 * Lives in p; NULL when out of memory. */
const char *wb_conf_queue_path(const struct wb_conf *conf, struct wb_pool *p,
                               const char *path);

/* Lower-case names: NULL or false when there is none. */
const struct wb_route *wb_conf_route(const struct wb_conf *conf,
                                     const char *name);
const struct wb_listener *wb_conf_listener(const struct wb_conf *conf,
                                           const char *name);
const struct wb_webhook *wb_conf_webhook(const struct wb_conf *conf,
                                         const char *name);
/* Sendmail bears 25 mailers; this is what is left beside its own and
 * waybill's. */
enum { WB_MAILERS_MOST = 13 };

/* Can one mailer of Sendmail serve both routes, but for the account? */
bool wb_route_shares_mailer(const struct wb_route *a, const struct wb_route *b);

bool wb_strings_hold(const struct wb_strings *list, const char *text);

/* The same for a list in lower case that strcmp has sorted. */
bool wb_strings_hold_sorted(const struct wb_strings *list, const char *text);

/* The domain (lower case) as one of inbound sections; NULL: it is none. */
const struct wb_inbound_domain *
wb_conf_inbound_domain(const struct wb_conf *conf, const char *domain);

/* The daemon name of the generated loopback listener: its clients are the
 * MTA itself. */
#define WB_LOOPBACK_LISTENER "waybill-loopback"

/* The daemon name under which the MTA shows the bounces that it makes itself:
 * it tells no {rcpt_mailer} there. */
#define WB_BOUNCE_LISTENER "waybill-bounce"

/* The daemon name of the generated listener for second passes: what comes in
 * by it bears the mark of a first one. */
#define WB_AGAIN_LISTENER "waybill-again"

/* The filter of bounces: no inbound section has this name. */
#define WB_BOUNCES_FILTER "bounces"

/* The domain below which every name is waybill's own (RFC 6761: never in the
 * DNS). */
#define WB_SUFFIX_DOMAIN "waybill.invalid"

#endif
