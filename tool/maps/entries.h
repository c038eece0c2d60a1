/* What the MTA must be told, without its words: which recipient suffix goes
 * to which service and nexthop. */
#ifndef WB_MAPS_ENTRIES_H
#define WB_MAPS_ENTRIES_H

#include "conf/conf.h"
#include "tool/maps/seats.h"

/* Routes with the same TLS, mechanism and trusted certificates share one
 * service of the MTA: services are dear, nexthops are cheap. */
struct wb_service {
    const char *key;       /* for wb_keyed */
    const char *name;      /* "waybill-starttls-plain" */
    const char *passwords; /* its file, "sasl-starttls-plain"; NULL: none */
    const struct wb_route *like; /* its first: all have its kind */
    struct wb_seat *seats;       /* its accounts, each once */
    struct wb_seat *last;
};

/* One way out. */
struct wb_way {
    const struct wb_route *route;
    const struct wb_service *service;
    const char *nexthop; /* "[host]:587", or several with commas, to be tried
                            in turn */
    const char *down;    /* why no mail may take it now; NULL: it may */
};

struct wb_entries {
    const struct wb_conf *conf;
    struct wb_service **services;
    size_t service_count;
    struct wb_way *ways;
    size_t way_count;
    const char **inbound_domains; /* each once */
    size_t inbound_count;
    const char **bounce_domains;
    size_t bounce_count;
};

/* What Postfix bears: each costs three descriptors and its own processes. */
enum { WB_SERVICES_MOST = 1000 };

/* What a route without ca_file trusts. */
#define WB_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

/* Build the entries and read the password files. Lives in pool and points
 * into conf.
 * directory: where the tables of an earlier run lie; accounts keep the nexthops
 * that they have there (seats.h). NULL: there are none.
 * Returns EX_OK, or what wb_password_read or wb_seating_open returns, or
 * EX_CONFIG when the routes need too many services, with *err. */
int wb_entries_make(const struct wb_conf *conf, struct wb_pool *pool,
                    const char *directory, struct wb_entries *out,
                    struct wb_err *err);

/* Is there a route that is used only after a POP login? */
bool wb_entries_have_pop(const struct wb_entries *entries);

/* The inbound and bounce domains alone; e->conf is set. */
void wb_entries_add_domains(struct wb_entries *e, struct wb_pool *pool);

#endif
