/* main.cf and master.cf as text: edits that leave every other octet alone,
 * and can be taken back octet for octet.
 *
 * What is waybill's own can be told by name: parameters "waybill_*" and, of its
 * services, "waybill-*", services "waybill-*" and the loopback listener, references "$waybill_*" in front of
 * an admin's values, and a few -o options that point at those. */
#ifndef WB_MAPS_CF_H
#define WB_MAPS_CF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "tool/maps/files.h"

enum wb_cf_kind { WB_MAIN_CF, WB_MASTER_CF };

/* A logical line, from its first octet to past its last newline, with the
 * comments inside it. */
struct wb_cf_entry {
    const char *key; /* "transport_maps", or "smtp/inet" */
    size_t start, end;
};

struct wb_cf {
    enum wb_cf_kind kind;
    const char *text;
    struct wb_cf_entry *entries;
    size_t count;
};

/* Find the logical lines of text. Lives in pool. */
void wb_cf_parse(struct wb_pool *pool, enum wb_cf_kind kind, const char *text,
                 struct wb_cf *out);

/* The last entry of that name (the one in force), or NULL. */
const struct wb_cf_entry *wb_cf_find(const struct wb_cf *cf, const char *key);

/* The entry on one line, without comments: "name = value", or the fields and
 * options of a service. */
char *wb_cf_join(struct wb_pool *pool, const struct wb_cf *cf,
                 const struct wb_cf_entry *entry);

/* The value of a main.cf entry on one line. */
char *wb_cf_value(struct wb_pool *pool, const struct wb_cf *cf,
                  const struct wb_cf_entry *entry);

/* Put "$variable," in front of the value of the main.cf parameter name.
 * Returns the new text, or NULL when main.cf does not have the parameter. */
char *wb_main_prepend(struct wb_pool *pool, const char *text, const char *name,
                      const char *variable);

/* Set the value of a parameter that main.cf has. */
char *wb_main_set(struct wb_pool *pool, const char *text, const char *name,
                  const char *value);

/* The fields of a service. */
struct wb_master {
    const char *name, *type, *chroot, *command;
};

void wb_master_fields(struct wb_pool *pool, const struct wb_cf *cf,
                      const struct wb_cf_entry *entry, struct wb_master *out);

/* The value of the service's last "-o name=value" (also "-o { name = value
 * }"), or NULL when it has none. */
char *wb_master_option(struct wb_pool *pool, const struct wb_cf *cf,
                       const struct wb_cf_entry *entry, const char *name);

/* Put "$variable," in front of the value of every "-o name=..." of the
 * service; empty values stay empty unless even_empty. The new text. */
char *wb_master_prepend(struct wb_pool *pool, const char *text, const char *key,
                        const char *name, const char *variable,
                        bool even_empty);

/* Append "-o name=value" to a service that text has. The new text. */
char *wb_master_append(struct wb_pool *pool, const char *text, const char *key,
                       const char *name, const char *value);

/* By this smtpd_milters the service of a listener section is known again. */
#define WB_LISTENER_MILTERS "$waybill_listener_milters"

/* Append a block of waybill's own to the file. */
char *wb_cf_append_block(struct wb_pool *pool, const char *text,
                         const char *block);

/* reverted, what is left of text, without the line break that the block
 * needed. */
char *wb_cf_uncut(struct wb_pool *pool, const char *text, char *reverted);

/* The raw default of a main.cf parameter. */
typedef const char *wb_cf_default(void *context, const char *name);

/* text without anything of waybill's. default_of tells which parameters of
 * waybill's block stand there only because it refers to them. */
char *wb_main_revert(struct wb_pool *pool, const char *text,
                     wb_cf_default *default_of, void *context);
char *wb_master_revert(struct wb_pool *pool, const char *text);

/* Is there anything of waybill's in it? */
bool wb_cf_is_edited(const char *text);

/* The items of a list: separated by commas and white space, {} kept. */
struct wb_strings wb_cf_list(struct wb_pool *pool, const char *text);

#endif
