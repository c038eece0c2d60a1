/* The checks of what a route says of its relays. */
#include <stdlib.h>
#include <string.h>

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

/* "10/minute": 10 and 60. */
static bool read_rate(const char *text, unsigned *count, unsigned *per_s)
{
    static const struct {
        const char *word;
        unsigned seconds;
    } units[] = {{"/second", 1}, {"/minute", 60}, {"/hour", 3600}};
    size_t figures = strspn(text, "0123456789");

    if (figures == 0 || figures > 9)
        return false;
    *count = (unsigned)strtoul(text, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        *per_s = units[i].seconds;
        if (strcmp(text + figures, units[i].word) == 0)
            return *count > 0;
    }
    return false;
}

/* The MTA paces in whole seconds. Returns those between two messages, or 0
 * (told). */
static unsigned read_delay(struct wb_checker *c,
                           const struct wb_raw_option *option)
{
    const char *text = option->values[0].text;
    const char *unit = strchr(text, '/');
    unsigned count, per_s, less, more;

    if (!read_rate(text, &count, &per_s)) {
        wb_option_tell(c, option,
                       "\"%s\" is not a rate; \"10/minute\" is right, "
                       "and so is a number by second or hour",
                       text);
        return 0;
    }
    if (count <= per_s && per_s % count == 0)
        return per_s / count;
    if (count > per_s) {
        wb_option_tell(c, option,
                       "\"%s\" is more than one message a second, which is "
                       "the most that Postfix can keep to; \"%u%s\" is "
                       "right, or no rate",
                       text, per_s, unit);
        return 0;
    }
    for (less = count; per_s % less; less--)
        ;
    for (more = count; per_s % more; more++)
        ;
    wb_option_tell(c, option,
                   "\"%s\" is no whole number of seconds a message; "
                   "\"%u%s\" or \"%u%s\" is right",
                   text, less, unit, more, unit);
    return 0;
}

void wb_route_check_pace(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_route *r)
{
    const struct wb_raw_option *rate = wb_raw_find(raw, "rate");
    const struct wb_raw_option *concurrency = wb_raw_find(raw, "concurrency");

    if (wb_raw_text(raw, "rate"))
        r->delay_s = read_delay(c, rate);
    if (r->delay_s && r->concurrency > 1)
        wb_option_tell(c, concurrency,
                       "with a rate there is one connection at a time; leave "
                       "it out");
    if (!r->delay_s && r->concurrency && r->max_recipients == 1)
        wb_option_tell(c, concurrency,
                       "Postfix cannot keep it with max_recipients = 1, where "
                       "it counts for each recipient; max_recipients = 2, or a "
                       "rate, is right");
    if (r->max_octets)
        c->conf->limits_size = true;
}
