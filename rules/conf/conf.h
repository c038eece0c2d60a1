/* The checked configuration: immutable, refcounted, shared by all threads. */
#ifndef WB_CONF_CONF_H
#define WB_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/problem.h"
#include "conf/secret.h"
#include "match/rule.h"

enum wb_mta { WB_MTA_POSTFIX, WB_MTA_SENDMAIL };
enum wb_attach { WB_BEFORE_QUEUE, WB_AFTER_QUEUE };
enum wb_tls { WB_TLS_NONE, WB_TLS_STARTTLS, WB_TLS_IMPLICIT };
enum wb_auth { WB_AUTH_NONE, WB_AUTH_PLAIN, WB_AUTH_LOGIN };
enum wb_return_mode {
    WB_RETURN_KEEP,
    WB_RETURN_DOMAIN,
    WB_RETURN_BATV,
    WB_RETURN_SRS,
    WB_RETURN_VERP
};
enum wb_overflow { WB_OVERFLOW_REJECT, WB_OVERFLOW_PLAIN };
enum wb_match_on { WB_ON_HEADER, WB_ON_ENVELOPE, WB_ON_EITHER };
enum wb_unmatched { WB_UNMATCHED_REJECT, WB_UNMATCHED_DELIVER };
enum wb_listener_class { WB_LISTENER_INBOUND, WB_LISTENER_OUTBOUND };

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
    const char *host; /* name or "[192.0.2.1]"; no MX look-up is made */
    unsigned port;
    enum wb_tls tls;
    const char *ca_file; /* NULL: the system's */
    enum wb_auth auth;
    const char *username;      /* NULL with WB_AUTH_NONE */
    const char *password_file; /* absolute; NULL with WB_AUTH_NONE */
    bool allow_cleartext; /* a password may cross a connection without TLS */
    struct wb_pop pop;    /* POP before SMTP */
    const struct wb_return_path *return_path; /* NULL: chosen by the sender */
};

struct wb_return_path {
    const char *name; /* "keep" is built in */
    struct wb_origin origin;
    enum wb_return_mode mode;
    const char *domain;        /* "return.example.com" or "return.%d" */
    enum wb_overflow overflow; /* when the local part would be too long */
    unsigned max_age_days;     /* of signed return addresses */
    struct wb_addrlist senders;
    struct wb_strings logins;
    struct wb_strings listeners;
};

struct wb_webhook {
    const char *name; /* a DNS label, lower case */
    struct wb_origin origin;
    const char *url;
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

struct wb_bounces {
    struct wb_origin origin;   /* line 0: there is no such section */
    struct wb_strings domains; /* lower case */
    const struct wb_webhook *webhook;
};

struct wb_listener {
    const char *name;
    struct wb_origin origin;
    enum wb_listener_class class;
};

struct wb_conf {
    const char *path;
    enum wb_mta mta;
    enum wb_attach attach;

    /* where the daemon and the MTA meet */
    const char *socket; /* "unix:waybill/milter.sock", "inet:8894@127.0.0.1" */
    const char *socket_group; /* NULL: as started */
    mode_t socket_mode;
    const char *queue_directory;   /* relative sockets lie below it */
    const char *mta_config;        /* default of --mta-config */
    const char *loopback_listener; /* "127.0.0.1:10028" */
    const char *lmtp_socket;       /* "unix:waybill/lmtp.sock" */
    const char *user;              /* NULL: stay as started */
    const char *pid_file;
    const char *control_socket;
    struct wb_strings notify;      /* addresses to tell when routes fail */
    const char *state_file; /* what routes did last; see tool/watch/state.h */

    /* deciding */
    const char *tag_header;
    struct wb_network *networks;
    size_t network_count;
    struct wb_strings outbound_mailers; /* lower case */
    struct wb_strings relayhosts; /* nexthops that are the MTA's default */
    enum wb_unmatched inbound_unmatched;
    struct wb_secret secret;

    /* bounds */
    uint32_t match_limit;
    uint32_t match_budget_ms;
    size_t header_max_octets;
    size_t message_max_octets; /* of memory, for one message's facts */

    struct wb_route *routes; /* routes[0] is "direct" */
    size_t route_count;
    struct wb_rules rules;
    struct wb_return_path *return_paths; /* [0] is "keep" */
    size_t return_path_count;
    struct wb_webhook *webhooks;
    size_t webhook_count;
    struct wb_inbound *inbounds;
    size_t inbound_count;
    struct wb_bounces bounces;
    struct wb_listener *listeners;
    size_t listener_count;

    /* lower-case names of the headers that some criterion reads */
    struct wb_strings wanted_headers;
};

/* What the caller will do with it decides which files are looked at. */
enum wb_conf_use {
    WB_USE_DAEMON,  /* the secret must be readable; password files are not
                       touched */
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

/* path as seen from the root: a relative one lies below queue_directory.
 * Lives in p; NULL when out of memory. */
const char *wb_conf_queue_path(const struct wb_conf *conf, struct wb_pool *p,
                               const char *path);

/* Lower-case names: NULL or false when there is none. */
const struct wb_route *wb_conf_route(const struct wb_conf *conf,
                                     const char *name);
const struct wb_listener *wb_conf_listener(const struct wb_conf *conf,
                                           const char *name);
bool wb_strings_hold(const struct wb_strings *list, const char *text);

/* The daemon name of the generated loopback listener: its clients are the
 * MTA itself. */
#define WB_LOOPBACK_LISTENER "waybill-loopback"

/* The domain below which every name is waybill's own (RFC 6761: never in the
 * DNS). */
#define WB_SUFFIX_DOMAIN "waybill.invalid"

#endif
