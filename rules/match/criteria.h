/* The forms that lists of addresses and clients take in the configuration. */
#ifndef WB_MATCH_CRITERIA_H
#define WB_MATCH_CRITERIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/address.h"
#include "match/pattern.h"

/* How closely a list names an address; the larger, the more specific. */
enum wb_specificity {
    WB_NAMED_NOT = 0,
    WB_NAMED_ANY,       /* "*", or the rule has no such list */
    WB_NAMED_REGEX,     /* "/regex/" */
    WB_NAMED_SUBDOMAIN, /* ".dom" */
    WB_NAMED_DOMAIN,    /* "dom" */
    WB_NAMED_ADDRESS,   /* "user@dom" */
};

/* One entry of an address list. */
struct wb_addrspec {
    enum wb_specificity kind;
    const char *text;           /* lower case; ".dom" without its dot */
    struct wb_pattern *pattern; /* WB_NAMED_REGEX only; owned by the entry */
};

struct wb_addrlist {
    struct wb_addrspec *entries;
    size_t count;
};

/* Parse "user@dom", "dom", ".dom", "*" or "/regex/". Strings live in p;
 * wb_addrlist_free frees the patterns.
 * Returns EX_OK, EX_DATAERR with what would be right in *err, or EX_OSERR. */
int wb_addrspec_parse(struct wb_pool *p, const char *text,
                      struct wb_addrspec *out, struct wb_err *err);
void wb_addrlist_free(struct wb_addrlist *list);

/* The closest entry that names a. An empty list names everything
 * (WB_NAMED_ANY). *named is set with WB_YES only; *entry (NULL allowed)
 * becomes the entry, NULL for an empty list. Case is ignored. The null
 * sender is named by "*" and by a regex that matches "". */
enum wb_verdict wb_addrlist_names(const struct wb_addrlist *list,
                                  const struct wb_address *a,
                                  struct wb_budget *budget,
                                  enum wb_specificity *named,
                                  const struct wb_addrspec **entry);

/* An IPv4 or IPv6 network. IPv4 is kept as ::ffff:a.b.c.d. */
struct wb_network {
    uint8_t octets[16];
    unsigned prefix_bits; /* 0 to 128 */
};

/* Parse "192.0.2.0/24", "2001:db8::/32" or a single address; "[...]" around
 * the address is allowed. Host bits that are set are refused.
 * Returns EX_OK or EX_DATAERR with *err. */
int wb_network_parse(const char *text, struct wb_network *out,
                     struct wb_err *err);

/* The network of this one client (an address in text form). False: it is
 * none. */
bool wb_network_of_client(const char *client, struct wb_network *out);

/* Does client (an address in text form, NULL: none) lie in one of networks? */
bool wb_networks_hold(const struct wb_network *networks, size_t count,
                      const char *client);

#endif
