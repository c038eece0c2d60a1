/* The DNS records that a configuration needs, and what receivers will make of
 * the mail: found out once, then printed as a zone or as JSON.
 *
 * A configuration names domains, not the mail that will come. So everything
 * here is about sender domains, and what they may meet: where only some of a
 * domain's senders, some logins or a regular expression decide, both ways are
 * taken to be possible.
 *
 * Like the map commands this ends the program when out of memory. */
#ifndef WB_DNS_DNS_H
#define WB_DNS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "conf/conf.h"

enum { WB_DNS_MX_PREFERENCE = 10 };

enum wb_dns_sender_kind {
    WB_DNS_NAMED,
    WB_DNS_BELOW, /* ".example.com": any subdomain */
    WB_DNS_OTHER, /* any domain that is not named */
};

/* A domain that sends, or that stands for many. */
struct wb_dns_sender {
    enum wb_dns_sender_kind kind;
    const char *name;   /* as configured, without a dot in front; "" for
                         * WB_DNS_OTHER */
    const char *shown;  /* "example.com", "SUB.example.com", "DOMAIN" */
    const char *sample; /* one such domain, for the code that decides */
};

/* Whose machine hands the mail to the world? */
enum wb_dns_way {
    WB_DNS_OWN,     /* this host, or a relay of the same organization */
    WB_DNS_RELAY,   /* somebody else's, which knows us by our address */
    WB_DNS_ACCOUNT, /* somebody else's, by an account there */
};

enum wb_dns_alignment { WB_DNS_NOT_ALIGNED, WB_DNS_RELAXED, WB_DNS_STRICT };

/* A route and a return path that mail of a sender may get. Domains are in
 * lower case and A-labels, but for SUB and DOMAIN, which stand for any. */
struct wb_dns_meeting {
    const struct wb_dns_sender *sender;
    const struct wb_route *route;
    const struct wb_return_path *return_path;
    enum wb_dns_way way;
    const char *from;         /* the domain of the header From */
    const char *organization; /* that it belongs to */
    const char *returns;      /* the domain of the return path */
    enum wb_dns_alignment alignment;
    bool is_unseen; /* no SPF mechanism can be told for one of its hosts */
};

/* One who sends, in an SPF record. */
struct wb_dns_mechanism {
    const char *text; /* "mx", "a:NAME", "ip4:ADDRESS"; NULL: an address that
                       * the world does not see */
    const char *host; /* the relay's, as configured; NULL: this host */
    const struct wb_route **routes;
    size_t route_count;
    bool is_foreign;  /* somebody else's service */
    bool is_left_out; /* it would be one look-up too many */
};

/* An SPF record (RFC 7208). */
struct wb_dns_spf {
    struct wb_dns_mechanism *mechanisms;
    size_t count;
    size_t left_out;  /* how many of them */
    bool has_more;    /* than are worth listing */
    bool is_strict;   /* -all, else ~all */
    const char *text; /* "v=spf1 mx -all" */
};

/* A domain, and what it is to the configuration. */
struct wb_dns_name {
    const char *domain;
    bool is_template; /* with SUB or DOMAIN in it */
    bool is_return;   /* some return path leads there */
    bool is_bounce;   /* bounces has it */
    bool is_inbound;
    bool is_sender;
    bool is_kept; /* mail that leaves returns there, to mailboxes of its own */
    const struct wb_return_path
        *return_path;      /* the first by name that leads there */
    struct wb_dns_spf spf; /* of those that send with it; text is NULL when
                            * nobody does */
};

struct wb_dns {
    struct wb_pool *pool;
    const struct wb_conf *conf;
    const char *host; /* where mail comes in: a name with a dot, lower case */
    bool is_host_given;
    const void *suffixes;          /* the public suffix list, domain.c's */
    struct wb_dns_sender *senders; /* by name, those for many last */
    size_t sender_count;
    struct wb_dns_meeting *meetings; /* by sender; what can be told in one
                                      * breath stands together */
    size_t meeting_count;
    struct wb_dns_name *names; /* by domain, templates last */
    size_t name_count;
    const char **warnings;
    size_t warning_count;
};

/* ---- finding out: each fills its part of dns, in this order ------------- */

void wb_dns_find_senders(struct wb_dns *dns);
void wb_dns_find_meetings(struct wb_dns *dns);
void wb_dns_find_names(struct wb_dns *dns);

/* The SPF record of name, of whose domain the given meetings return. */
void wb_dns_find_spf(struct wb_dns *dns, struct wb_dns_name *name,
                     const struct wb_dns_meeting *const *meetings,
                     size_t count);

/* ---- telling ------------------------------------------------------------ */

void wb_dns_zone(const struct wb_dns *dns, FILE *out);

/* The object that the manual page describes. Returns EX_OK or EX_OSERR. */
int wb_dns_json(const struct wb_dns *dns, FILE *out);

/* "own", "relay", "account". */
const char *wb_dns_way_name(enum wb_dns_way way);

/* The DMARC record (RFC 7489) of a domain that sends. In dns->pool. */
const char *wb_dns_dmarc(const struct wb_dns *dns, const char *domain);

/* Does mail come in for name, so that it needs an MX record? */
bool wb_dns_needs_mx(const struct wb_dns_name *name);

/* ---- what the parts share ----------------------------------------------- */

/* Remember something that the admin must look at. */
void wb_dns_warn(struct wb_dns *dns, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How closely a list names all mail of a sender, and at most some of it. */
struct wb_dns_named {
    enum wb_specificity surely, perhaps; /* perhaps >= surely */
};

struct wb_dns_named wb_dns_names(const struct wb_addrlist *list,
                                 const struct wb_dns_sender *sender);

/* Make room for one more element, zeroed. array is NULL or what this returned.
 * Returns the array, which may have moved within the pool. */
void *wb_dns_push(struct wb_pool *pool, void *array, size_t *count,
                  size_t octets);

/* way.c */

/* The hosts that a route hands mail to, as configured; NULL is this host.
 * out has room for wb_dns_hosts_most. Returns how many. */
size_t wb_dns_hosts(const struct wb_dns *dns, const struct wb_route *route,
                    const char **out);
size_t wb_dns_hosts_most(const struct wb_dns *dns);

/* Does a route's host belong to the organization of this host, or of domain,
 * which sends by it? */
bool wb_dns_is_own(const struct wb_dns *dns, const struct wb_route *route,
                   const char *host, const char *domain);
enum wb_dns_way wb_dns_way_of(const struct wb_dns *dns,
                              const struct wb_route *route, const char *domain);

/* The SPF mechanism for mail that a host sends: the one that its provider
 * tells (a preset's spf), "a:NAME", "ip4:ADDRESS"; NULL when its address is
 * none that the world sees. */
const char *wb_dns_sends(const struct wb_dns *dns, const char *host);

/* domain.c */

/* Returns EX_OK, or EX_UNAVAILABLE when there is no public suffix list; with
 * *err. Close with wb_dns_close. */
int wb_dns_open(struct wb_dns *dns, struct wb_err *err);
void wb_dns_close(struct wb_dns *dns);

/* The domain below a public suffix that a domain belongs to (RFC 7489, 3.2);
 * itself where it is such a suffix. In dns->pool. */
const char *wb_dns_organization(const struct wb_dns *dns, const char *domain);

/* A name as the DNS has it: in lower case, A-labels (RFC 5890). NULL when it
 * has no such form. In dns->pool. */
const char *wb_dns_ascii(const struct wb_dns *dns, const char *name);

#endif
