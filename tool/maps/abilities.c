/* Can this Postfix do what the routes ask for? */
#include <stdlib.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/site.h"

/* Several nexthops in one entry of a table. */
static bool has_fallback(const struct wb_site *site)
{
    char *dot;
    unsigned long major =
        strtoul(wb_site_value(site, "mail_version"), &dot, 10);

    return major > 3 ||
           (major == 3 && strtoul(dot + (*dot == '.'), NULL, 10) >= 5);
}

/* Processes of one service, each of which has one connection; 0: no limit. */
static unsigned long process_limit(const struct wb_site *site)
{
    return strtoul(wb_site_value(site, "default_process_limit"), NULL, 10);
}

int wb_site_check_routes(struct wb_site *site, const struct wb_entries *entries,
                         struct wb_problems *problems, struct wb_err *err)
{
    bool can_fall_back = has_fallback(site);
    unsigned long limit = process_limit(site);

    for (size_t i = 0; i < entries->way_count; i++) {
        const struct wb_route *r = entries->ways[i].route;
        const char *label = wb_say(site->pool, "route %s", r->name);

        if (r->fallback_count > 0 && !can_fall_back)
            wb_problem_add(problems, WB_ERROR, r->origin.file, r->origin.line,
                           label,
                           "Postfix %s has no fallback; 3.5 or later is right",
                           wb_site_value(site, "mail_version"));
        if (limit > 0 && r->concurrency > limit)
            wb_problem_add(problems, WB_ERROR, r->origin.file, r->origin.line,
                           label,
                           "concurrency = %u cannot be reached: main.cf has "
                           "default_process_limit = %lu, which is the most",
                           r->concurrency, limit);
    }
    return wb_site_check_sasl(site, entries, problems, err);
}
