/* What the MTA must be told, without its words: which recipient suffix goes
 * to which service and nexthop. */
#ifndef WB_MAPS_ENTRIES_H
#define WB_MAPS_ENTRIES_H

#include "conf/conf.h"

/* Routes with the same TLS, mechanism and trusted certificates share one
 * service of the MTA: services are dear, nexthops are cheap. */
struct wb_service {
    const char *name;      /* "waybill-starttls-plain" */
    const char *passwords; /* its file, "sasl-starttls-plain"; NULL: none */
    enum wb_tls tls;
    enum wb_auth auth;
    const char *ca_file; /* NULL: the system's */
};

/* One way out. */
struct wb_way {
    const struct wb_route *route;
    const char *host;     /* lower case */
    size_t service;       /* index into services */
    size_t slot;          /* which account of this host, port and kind */
    const char *nexthop;  /* "[host]:587"; one account has one in a service */
    const char *password; /* NULL: no authentication */
    bool shares_nexthop;  /* an earlier way has the same account */
    const char *down;     /* why no mail may take it now; NULL: it may */
};

struct wb_entries {
    const struct wb_conf *conf;
    struct wb_service *services;
    size_t service_count;
    struct wb_way *ways;
    size_t way_count;
    const char **inbound_domains; /* each once */
    size_t inbound_count;
    const char **bounce_domains;
    size_t bounce_count;
};

/* Accounts on one host and port are told apart by zero-padding the port. */
enum { WB_PADDINGS = 15 };

/* What a route without ca_file trusts. */
#define WB_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

/* Build the entries and read the password files. Lives in pool and points
 * into conf.
 * A route keeps its nexthop when routes are added after it.
 * Returns EX_OK, or what wb_password_read returns, or EX_CONFIG, with *err. */
int wb_entries_make(const struct wb_conf *conf, struct wb_pool *pool,
                    struct wb_entries *out, struct wb_err *err);

/* Is there a route that is used only after a POP login? */
bool wb_entries_have_pop(const struct wb_entries *entries);

#endif
