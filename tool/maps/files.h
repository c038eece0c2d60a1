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

/* Is there mail that comes in for waybill: to an inbound or bounce domain?
 * Then the milter sees the bounces that Postfix makes, too. */
bool wb_postfix_takes_mail(const struct wb_entries *entries);

/* Does the milter sit at the site's own SMTP services? Behind the queue, only
 * for mail that comes in. */
bool wb_postfix_has_front(const struct wb_entries *entries);

/* One service of master.cf. */
struct wb_master_service {
    const char *key;  /* "waybill-in/unix" */
    const char *text; /* the entry with its -o lines, ends with a newline */
};

/* The services that waybill adds to master.cf; *count of them, in pool. */
struct wb_master_service *wb_postfix_services(const struct wb_entries *entries,
                                              struct wb_pool *pool,
                                              size_t *count);

/* intake.c: the services of the listeners that waybill generates, at most one
 * more than there are. Returns how many were put into out. */
size_t wb_intake_services(const struct wb_entries *entries,
                          struct wb_pool *pool, struct wb_master_service *out);

/* Where such a listener listens, as master.cf names its service: "10026",
 * "192.0.2.1:10026" or "[::1]:10026". */
const char *wb_intake_name(struct wb_pool *pool, const struct wb_listener *l);

/* "192.0.2.0/24" or "2001:db8::/32". */
const char *wb_network_text(struct wb_pool *pool, const struct wb_network *n);

/* How many messages Postfix hands to waybill-lmtp at one time: as many as the
 * webhooks together take, and waybill-lmtp serves. */
unsigned wb_postfix_lmtp_width(const struct wb_conf *conf);

/* "unix:waybill/milter.sock" or "inet:8894@127.0.0.1" as Postfix writes it:
 * "inet:127.0.0.1:8894". A path below the queue directory becomes relative,
 * which is right inside and outside the chroot. */
const char *wb_postfix_socket(struct wb_pool *pool, const struct wb_conf *conf,
                              const char *socket);

/* The content_filter of the hop through the loopback listener:
 * "waybill-in:[127.0.0.1]:10028". */
const char *wb_postfix_hop(struct wb_pool *pool, const struct wb_conf *conf);

/* The way to the listener for second passes: "waybill-again:[127.0.0.1]:10029".
 */
const char *wb_postfix_again(struct wb_pool *pool, const struct wb_conf *conf);

/* The host of a listener, "127.0.0.1:10028" or "[::1]:10028", without
 * brackets. */
const char *wb_postfix_listener_host(struct wb_pool *pool,
                                     const char *listener);

/* What mail to waybill's domains is told while it is taken out. */
#define WB_TAKEN_OUT "waybill is being taken out"

#endif
