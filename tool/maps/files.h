/* The files that waybill generates. */
#ifndef WB_MAPS_FILES_H
#define WB_MAPS_FILES_H

#include <stdbool.h>

#include "tool/maps/entries.h"

struct wb_file {
    const char *name; /* inside the map directory */
    const char *text;
    bool has_passwords;
};

struct wb_files {
    struct wb_file *items;
    size_t count;
};

/* The first words of every generated file. */
#define WB_FILE_MARK "# Made by waybill "

/* The table of routes that are not used now: see way.down. Lives in pool. */
#define WB_DOWN_FILE "down.pcre"
const char *wb_postfix_down(const struct wb_entries *entries,
                            struct wb_pool *pool);

/* How its row for a route begins. */
const char *wb_postfix_row(struct wb_pool *pool, const struct wb_route *route,
                           const char *label);

/* The tables of Postfix: transport, strip, refuse, DSN, relay domains and
 * passwords. relay_domains: those of the inbound and bounce domains that
 * Postfix does not know by itself. with_fragments: also what belongs into
 * main.cf and master.cf, for those who install by hand.
 * Lives in pool. */
void wb_postfix_files(const struct wb_entries *entries, struct wb_pool *pool,
                      const struct wb_strings *relay_domains,
                      bool with_fragments, struct wb_files *out);

/* All inbound and bounce domains, as `waybill maps` takes them. */
struct wb_strings wb_postfix_domains(const struct wb_entries *entries,
                                     struct wb_pool *pool);

/* One service of master.cf. */
struct wb_master_service {
    const char *key;  /* "waybill-in/unix" */
    const char *text; /* the entry with its -o lines, ends with a newline */
};

/* The services that waybill adds to master.cf; *count of them, in pool. */
struct wb_master_service *wb_postfix_services(const struct wb_entries *entries,
                                              struct wb_pool *pool,
                                              size_t *count);

/* "unix:waybill/milter.sock" or "inet:8894@127.0.0.1" as Postfix writes it:
 * "inet:127.0.0.1:8894". A path below the queue directory becomes relative,
 * which is right inside and outside the chroot. */
const char *wb_postfix_socket(struct wb_pool *pool, const struct wb_conf *conf,
                              const char *socket);

/* The content_filter of the hop through the loopback listener:
 * "waybill-in:[127.0.0.1]:10028". */
const char *wb_postfix_hop(struct wb_pool *pool, const struct wb_conf *conf);

/* The host of loopback_listener, "127.0.0.1:10028" or "[::1]:10028", without
 * brackets. */
const char *wb_postfix_listener_host(struct wb_pool *pool,
                                     const struct wb_conf *conf);

/* What mail to waybill's domains is told while it is taken out. */
#define WB_TAKEN_OUT "waybill is being taken out"

#endif
