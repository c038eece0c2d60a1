/* Does Postfix, as it is installed, do what is tested? A passing dialogue
 * means that mail is delivered only if it does. */
#ifndef WB_TEST_TABLES_H
#define WB_TEST_TABLES_H

#include "tool/maps/entries.h"
#include "tool/maps/site.h"
#include "tool/test/hints.h"

/* What a table answered, to be looked up by key. */
struct wb_answers {
    struct wb_answer {
        const char *key, *value;
    } * items; /* in the order of keys, each once */
    size_t count;
};

struct wb_tables {
    struct wb_pool *pool;
    const struct wb_conf *conf;
    struct wb_entries entries;
    struct wb_site site;   /* never staged: the installed files are asked */
    struct wb_fault fault; /* of all routes; WB_CAUSE_NONE: ask for each */
    struct wb_answers transport; /* to the probes */
    struct wb_answers strip;
    struct wb_answers *passwords; /* of each service; empty: it has none */
};

/* Ask the Postfix whose configuration is in dir for every route. What is
 * wrong with all of them is kept in out->fault. Lives in pool. */
void wb_tables_open(struct wb_pool *pool, const struct wb_conf *conf,
                    const char *dir, struct wb_tables *out);

/* What is wrong with this route; the cause is WB_CAUSE_NONE when nothing is,
 * and then text is where its mail goes: "service:nexthop". */
struct wb_fault wb_tables_judge(const struct wb_tables *tables,
                                const struct wb_route *route);

#endif
