/* The checks of a section of inbound mail. */
#include <string.h>

#include "conf/check.h"

static const struct wb_webhook *webhook_of(struct wb_checker *c,
                                           const struct wb_raw_section *raw)
{
    const struct wb_name *name =
        wb_refer_one(c, raw, "webhook", "webhook", &c->webhooks);

    wb_section_require(c, raw, "webhook", wb_raw_text(raw, "webhook"));
    return name ? &c->conf->webhooks[name->index] : NULL;
}

static void refuse_bounce_domains(struct wb_checker *c,
                                  const struct wb_raw_section *raw)
{
    const struct wb_raw_option *o = wb_raw_find(raw, "domains");

    for (size_t i = 0; o && i < o->count; i++)
        if (wb_strings_hold(&c->conf->bounces.domains, o->values[i].text))
            wb_problem_add(
                c->problems, WB_ERROR, o->file, o->values[i].line, o->name,
                "\"%s\" is a domain of bounces (%s:%u); give each "
                "its own",
                o->values[i].text, c->bounces->file, c->bounces->line);
}

void wb_inbound_check(struct wb_checker *c, const struct wb_raw_section *raw)
{
    struct wb_conf *conf = c->conf;
    size_t index = conf->inbound_count, texts = index;
    const struct wb_raw_option *match = wb_raw_find(raw, "match");
    const struct wb_raw_option *header = wb_raw_find(raw, "header");
    struct wb_inbound *in = wb_array_push(
        c, conf->inbounds, &conf->inbound_count, sizeof *conf->inbounds);
    const char **matches =
        wb_array_push(c, c->matches, &texts, sizeof *c->matches);

    if (in)
        conf->inbounds = in;
    if (matches)
        c->matches = matches;
    if (!in || !matches)
        return;
    in += index;
    in->name = wb_section_name(c, raw, true, &c->inbounds, index);
    if (in->name && strcmp(in->name, WB_BOUNCES_FILTER) == 0)
        wb_section_tell(c, raw, "is reserved; take another name");
    in->origin = wb_section_origin(c, raw);
    wb_section_convert(c, wb_schema_section(raw->kind), raw, in);
    wb_section_require(c, raw, "domains", in->domains.count);
    wb_section_require(c, raw, "match", wb_raw_text(raw, "match"));
    refuse_bounce_domains(c, raw);
    if (wb_raw_text(raw, "match")) {
        wb_pattern_take(c, match, 0, &in->pattern);
        matches[index] = wb_checker_copy(c, match->values[0].text);
    }
    if (in->match_on == WB_ON_ENVELOPE)
        in->header_name = NULL;
    else if (in->header_name)
        wb_header_name_take(c, header, in->header_name);
    else
        wb_section_require(c, raw, "header", false);
    in->webhook = webhook_of(c, raw);
}
