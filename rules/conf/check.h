/* What the parts of the checker share: raw text in, a configuration out. */
#ifndef WB_CONF_CHECK_H
#define WB_CONF_CHECK_H

#include <stdatomic.h>

#include "conf/conf.h"
#include "conf/names.h"
#include "conf/raw.h"
#include "conf/schema.h"

/* What a struct wb_conf that is handed out stands in. */
struct wb_loaded {
    struct wb_conf conf; /* first: the one is found from the other */
    atomic_uint references;
    struct wb_pool *pool; /* all strings and small arrays */
    void *kept;           /* a program's own; NULL: nothing */
    void (*free_kept)(void *);
    struct wb_name_index {
        const char *name;
        const void *item;
    } * routes, *listeners; /* sorted by name */
};

/* The presets that were asked for so far. */
struct wb_shelf {
    struct wb_names names;    /* index: into items */
    struct wb_preset **items; /* NULL: faulty, and told */
    size_t count;
    struct wb_strings folders; /* where their files are; empty: not known */
};

struct wb_checker {
    struct wb_loaded *loaded;
    struct wb_conf *conf;
    struct wb_pool *pool;    /* the configuration's */
    struct wb_pool *kept;    /* until the check ends */
    struct wb_pool *scratch; /* until the section at hand is checked */
    struct wb_problems *problems;
    const char *path; /* of waybill.conf, as it was given */
    enum wb_conf_use use;
    bool is_broken;      /* what seems to be missing may stand in unread text */
    bool lacks_sections; /* so what is referred to may be there after all */
    bool is_out_of_memory;
    size_t order; /* of rules, in the order of the files */
    struct wb_names routes, return_paths, webhooks, inbounds, listeners, rules;
    struct wb_names headers; /* that criteria read, lower case */
    struct wb_names files;   /* one copy of each path */
    struct wb_shelf presets;
    struct wb_digest *digest;
    const struct wb_raw_section *bounces; /* the first one */
    const char **matches;                 /* each inbound's match, as text */
    struct wb_fallback *fallbacks;        /* to be resolved; fallback.c */
    size_t fallback_count;
};

/* Check raw and build loaded->conf from it. Only usable when no error was
 * added to problems. Returns false when out of memory. */
bool wb_conf_check(const struct wb_raw *raw, enum wb_conf_use use,
                   struct wb_loaded *loaded, struct wb_problems *problems);

/* warn.c: warn of what is there but can have no effect. The rules must be
 * sorted. */
void wb_conf_warn(struct wb_checker *c);

/* sections.c: check all sections of raw, and the tables that top, its options
 * outside of sections, names. */
void wb_sections_check(struct wb_checker *c, const struct wb_raw *raw,
                       const struct wb_raw_section *top);

/* The milter must hand this header over: something reads it. */
void wb_header_want(struct wb_checker *c, const char *name);

/* The same for the name that option has; a wrong one is told. */
void wb_header_name_take(struct wb_checker *c,
                         const struct wb_raw_option *option, const char *name);

/* Compile the value i of option into *out; what is wrong is told. */
void wb_pattern_take(struct wb_checker *c, const struct wb_raw_option *option,
                     size_t i, struct wb_pattern **out);

/* Tell what is wrong with a section as a whole. */
void wb_section_tell(struct wb_checker *c, const struct wb_raw_section *raw,
                     const char *text);

/* Tell that an option that there must be is empty or missing, unless it is
 * there; in half a file it may only be unread. */
void wb_section_require(struct wb_checker *c, const struct wb_raw_section *raw,
                        const char *name, bool is_there);

/* Where a section stands. Lives with the configuration. */
struct wb_origin wb_section_origin(struct wb_checker *c,
                                   const struct wb_raw_section *raw);

/* Take the section's name for the item at index, in lower case if it is to be
 * a label. Returns NULL when out of memory (noted); what is wrong is told. */
const char *wb_section_name(struct wb_checker *c,
                            const struct wb_raw_section *raw, bool is_label,
                            struct wb_names *names, size_t index);

/* route.c, bounces.c, inbound.c: check one section of its kind, and add it to
 * the configuration. */
void wb_route_check(struct wb_checker *c, const struct wb_raw_section *raw);
void wb_bounces_section_check(struct wb_checker *c,
                              const struct wb_raw_section *raw);
void wb_inbound_check(struct wb_checker *c, const struct wb_raw_section *raw);

/* from.c: what a route says of its mail's sender. */

/* from and reply_to. */
void wb_from_check(struct wb_checker *c, const struct wb_raw_section *raw,
                   struct wb_route *r);

/* return_path where it is an address: one that is written there, the account's
 * or the one in from, which is the default. Call after wb_from_check.
 * Returns whether it is; false: a section is named, or none. */
bool wb_return_address_check(struct wb_checker *c,
                             const struct wb_raw_section *raw,
                             struct wb_route *r);

/* Would a route's return_path of this name not be taken for a section? */
bool wb_return_path_is_reserved(const char *name);

/* listener.c: what a converted listener section says beyond its class. */
void wb_listener_check_section(struct wb_checker *c,
                               const struct wb_raw_section *raw,
                               struct wb_listener *l);

/* listener.c: how listeners go together, and with the domains of inbound and
 * bounces. Asked when all sections are read. */
void wb_listeners_check(struct wb_checker *c, const struct wb_raw *raw);

/* check.c: does one of these networks hold every address? */
bool wb_networks_hold_all(const struct wb_network *networks, size_t count);

/* bounces.c: can bounces go where their section says? Asked when all sections
 * are read. */
void wb_bounces_check(struct wb_checker *c);

/* relay.c */

/* Refuse a password that would cross the network in clear, and warn of one
 * that can be guessed from what crosses it. r has a username. */
void wb_route_check_cleartext(struct wb_checker *c,
                              const struct wb_raw_section *raw,
                              const struct wb_route *r);

/* relay.c: rate, concurrency and max_recipients: what the MTA can keep. */
void wb_route_check_pace(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_route *r);

/* certificate.c: cert_file and key_file: they go together, and to each other.
 */
void wb_route_check_certificate(struct wb_checker *c,
                                const struct wb_raw_section *raw,
                                const struct wb_route *r);

/* route.c: host in lower case; an address in brackets, so that no MTA takes
 * it for a name. Lives in p; NULL when out of memory. */
const char *wb_host_canonical(struct wb_pool *p, const char *host);

/* fallback.c: keep the option of the route at index, and look up what it names
 * when all routes are known. */
void wb_fallback_take(struct wb_checker *c, const struct wb_raw_section *raw,
                      size_t index);
void wb_fallbacks_resolve(struct wb_checker *c);

/* sendmail.c: with mta = sendmail, the defaults that differ, and what Sendmail
 * cannot do; otherwise nothing. */
void wb_sendmail_check_top(struct wb_checker *c,
                           const struct wb_raw_section *top);
void wb_sendmail_check_route(struct wb_checker *c,
                             const struct wb_raw_section *raw,
                             const struct wb_route *r);

void wb_sendmail_check_routes(struct wb_checker *c);

/* Why relay cannot be a fallback of route there, as a clause to follow its
 * value; NULL: it can. */
const char *wb_sendmail_fallback_fault(const struct wb_conf *conf,
                                       const struct wb_route *route,
                                       const struct wb_relay *relay);

/* sections.c: look up what the value i of option refers to, and mark it as
 * used. NULL when there is no such name (told, as a what). */
struct wb_name *wb_refer(struct wb_checker *c,
                         const struct wb_raw_option *option, size_t i,
                         const char *what, const struct wb_names *names);

/* The same for an option of raw that is not a list; NULL without one. */
struct wb_name *wb_refer_one(struct wb_checker *c,
                             const struct wb_raw_section *raw,
                             const char *option, const char *what,
                             const struct wb_names *names);

/* webhook.c: check what a converted webhook section says beyond its name and
 * url, and read the files that it names. */
void wb_webhook_check(struct wb_checker *c, const struct wb_raw_section *raw,
                      struct wb_webhook *w);

/* convert.c */

/* Convert every option of raw, and the default of every one that is not
 * given, into the fields of target. Unknown options and wrong values are
 * told, and their fields stay as they were. */
void wb_section_convert(struct wb_checker *c,
                        const struct wb_schema_section *schema,
                        const struct wb_raw_section *raw, void *target);

/* Tell what is wrong with an option, at its first value. */
void wb_option_tell(struct wb_checker *c, const struct wb_raw_option *option,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The one value of an option that is not a list, or NULL when it is not given
 * or is empty. */
const char *wb_raw_text(const struct wb_raw_section *section, const char *name);

/* Copy into the configuration's pool; NULL only when out of memory (noted). */
const char *wb_checker_copy(struct wb_checker *c, const char *text);

/* An array that grows by one: returns it, or NULL when out of memory (noted)
 * with the old one still good. The new element is zeroed; *count counts it. */
void *wb_array_push(struct wb_checker *c, void *array, size_t *count,
                    size_t octets);

/* value.c: what a single value must look like. Each returns NULL when text is
 * right, or what is wrong with it and what would be right, as a clause to
 * follow the quoted value. */
bool wb_host_is_bare_address(const char *text); /* "192.0.2.1", "::1" */
const char *wb_host_fault(const char *text);
const char *wb_domain_fault(const char *text);
const char *wb_label_fault(const char *text); /* a route's, inbound's name */
const char *wb_title_fault(const char *text); /* any other's */
const char *wb_url_fault(struct wb_pool *scratch, const char *text);
const char *wb_socket_fault(const char *text);
const char *wb_loopback_fault(struct wb_pool *scratch, const char *text);
const char *wb_tag_header_fault(const char *text);
const char *wb_return_domain_fault(struct wb_pool *scratch, const char *text);

/* preset.c: the preset that a route's option names. Returns NULL when there is
 * none, or it is faulty, or out of memory (noted): each is told. */
const struct wb_preset *wb_preset_find(struct wb_checker *c,
                                       const struct wb_raw_option *option);
void wb_shelf_free(struct wb_shelf *shelf);

/* preset_route.c: raw, with preset's values where the route has none of its
 * own. Lives in the scratch pool; NULL when out of memory (noted). */
const struct wb_raw_section *wb_preset_fill(struct wb_checker *c,
                                            const struct wb_preset *preset,
                                            const struct wb_raw_section *raw);

/* Tell what in a filled route does not go with its preset. */
void wb_preset_judge(struct wb_checker *c, const struct wb_preset *preset,
                     const struct wb_raw_section *raw);

/* Take ":8080" off the end of "host:8080" or "[::1]:8080"; *port is 0 without
 * one. Returns false when it is no port. */
bool wb_port_take(char *authority, unsigned *port);

/* pop.c: POP before SMTP of a route. */
void wb_pop_check(struct wb_checker *c, const struct wb_raw_section *raw,
                  struct wb_route *route);

/* files.c: the files that a configuration names. */
void wb_secret_check(struct wb_checker *c, const struct wb_raw_section *top);
void wb_password_check(struct wb_checker *c, const struct wb_raw_option *option,
                       const char *path);

#endif
