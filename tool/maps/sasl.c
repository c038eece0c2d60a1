/* Can Postfix log in as the routes say? It does so by the Cyrus SASL library,
 * whose mechanisms are plug-ins that packages bring apart; so the library
 * itself is asked, as smtp(8) asks it. */
#include <sasl/sasl.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/run.h"
#include "tool/maps/site.h"

#define PACKAGES                                                               \
    "Debian's package libsasl2-modules brings it (elsewhere "                  \
    "cyrus-sasl-plain, -md5, -ntlm)"

static const char *const names[] = {
    [WB_AUTH_PLAIN] = "PLAIN",
    [WB_AUTH_LOGIN] = "LOGIN",
    [WB_AUTH_CRAM_MD5] = "CRAM-MD5",
    [WB_AUTH_NTLM] = "NTLM",
};

/* The names of the library's mechanisms; none if it does not start. What it
 * has to say of its plug-ins goes to syslog. */
static struct wb_strings mechanisms(struct wb_pool *pool)
{
    const char **all = NULL, **copies;
    size_t count = 0;

    if (sasl_client_init(NULL) == SASL_OK)
        all = sasl_global_listmech();
    while (all != NULL && all[count] != NULL)
        count++;
    copies = wb_must(wb_pool_array(pool, count + 1, sizeof *copies));
    for (size_t i = 0; i < count; i++)
        copies[i] = wb_must(wb_pool_strdup(pool, all[i]));
    sasl_client_done();
    return (struct wb_strings){copies, count};
}

static bool has(const struct wb_strings *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcasecmp(list->items[i], name) == 0)
            return true;
    }
    return false;
}

/* One mechanism that "any" can take is enough: which of them the relay will
 * offer nobody knows. */
static bool has_any(const struct wb_strings *list)
{
    for (enum wb_auth auth = WB_AUTH_PLAIN; auth < WB_AUTH_ANY; auth++) {
        if (has(list, names[auth]))
            return true;
    }
    return false;
}

/* Each mechanism once, at the first route that asks for it. */
static void check_mechanisms(const struct wb_entries *e, struct wb_pool *pool,
                             struct wb_problems *problems)
{
    struct wb_strings there = mechanisms(pool);
    bool is_told[WB_AUTH_ANY + 1] = {false};

    for (size_t i = 0; i < e->way_count; i++) {
        const struct wb_route *route = e->ways[i].route;
        bool is_any = route->auth == WB_AUTH_ANY;

        if (route->auth == WB_AUTH_NONE || is_told[route->auth])
            continue;
        is_told[route->auth] = true;
        if (is_any ? has_any(&there) : has(&there, names[route->auth]))
            continue;
        wb_problem_add(
            problems, WB_ERROR, route->origin.file, route->origin.line,
            wb_say(pool, "route %s", route->name),
            "the SASL library has no %s, so Postfix cannot log "
            "in; " PACKAGES,
            is_any ? "mechanism with a password" : names[route->auth]);
    }
}

static bool needs_login(const struct wb_entries *e)
{
    for (size_t i = 0; i < e->way_count; i++) {
        if (e->ways[i].route->auth != WB_AUTH_NONE)
            return true;
    }
    return false;
}

int wb_site_check_sasl(struct wb_site *site, const struct wb_entries *entries,
                       struct wb_problems *problems, struct wb_err *err)
{
    const char *const argv[] = {"postconf", "-c", site->stage, "-A", NULL};
    struct wb_run run = {.argv = argv};
    struct wb_strings types;
    int code;

    if (!needs_login(entries))
        return EX_OK;
    code = wb_run(site->pool, &run, err);
    if (code != EX_OK)
        return code;
    types = wb_cf_list(site->pool, run.out);
    if (!has(&types, "cyrus"))
        wb_problem_add(problems, WB_ERROR, site->main_cf, 0, NULL,
                       "this Postfix was built without Cyrus SASL, so it "
                       "cannot log in at relays; one that says cyrus to "
                       "postconf -A is right");
    else
        check_mechanisms(entries, site->pool, problems);
    return EX_OK;
}
