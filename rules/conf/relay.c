/* The checks of what a route says of its relays. */
#include "conf/check.h"

static void tell_route(struct wb_checker *c, enum wb_severity severity,
                       const struct wb_raw_section *raw, const char *text)
{
    const char *label =
        wb_pool_printf(c->scratch, "route %s", raw->title ? raw->title : "");

    if (label)
        wb_problem_add(c->problems, severity, raw->file, raw->line, label, "%s",
                       text);
    else
        c->is_out_of_memory = true;
}

void wb_route_check_cleartext(struct wb_checker *c,
                              const struct wb_raw_section *raw,
                              const struct wb_route *r)
{
    if (r->tls != WB_TLS_NONE || r->auth == WB_AUTH_NONE || r->allow_cleartext)
        return;
    if (r->auth == WB_AUTH_CRAM_MD5 || r->auth == WB_AUTH_NTLM)
        tell_route(c, WB_WARNING, raw,
                   "without TLS whoever listens can try passwords on what "
                   "crosses the network; tls = starttls, or allow_cleartext = "
                   "yes, is right");
    else
        tell_route(c, WB_ERROR, raw,
                   "the password would cross the network in clear; tls = "
                   "starttls, or allow_cleartext = yes, is right");
}
