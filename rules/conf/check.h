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
    struct wb_name_index {
        const char *name;
        const void *item;
    } * routes, *listeners; /* sorted by name */
};

struct wb_checker {
    struct wb_loaded *loaded;
    struct wb_conf *conf;
    struct wb_pool *pool;    /* the configuration's */
    struct wb_pool *kept;    /* until the check ends */
    struct wb_pool *scratch; /* until the section at hand is checked */
    struct wb_problems *problems;
    enum wb_conf_use use;
    bool is_broken;      /* what seems to be missing may stand in unread text */
    bool lacks_sections; /* so what is referred to may be there after all */
    bool is_out_of_memory;
    size_t order; /* of rules, in the order of the files */
    struct wb_names routes, return_paths, webhooks, inbounds, listeners, rules;
    struct wb_names headers;              /* that criteria read, lower case */
    struct wb_names files;                /* one copy of each path */
    const struct wb_raw_section *bounces; /* the first one */
    const char **matches;                 /* each inbound's match, as text */
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
