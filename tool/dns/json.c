/* The same as data. */
#include <jansson.h>
#include <sysexits.h>

#include "tool/dns/dns.h"
#include "tool/maps/memory.h"

const char *wb_dns_way_name(enum wb_dns_way way)
{
    static const char *const names[] = {[WB_DNS_OWN] = "own",
                                        [WB_DNS_RELAY] = "relay",
                                        [WB_DNS_ACCOUNT] = "account"};

    return names[way];
}

static const char *alignment_name(enum wb_dns_alignment alignment)
{
    static const char *const names[] = {[WB_DNS_NOT_ALIGNED] = "none",
                                        [WB_DNS_RELAXED] = "relaxed",
                                        [WB_DNS_STRICT] = "strict"};

    return names[alignment];
}

static void add_record(json_t *list, const char *name, const char *type,
                       const char *value)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", name,
                                          "type", type, "value", value));
}

static void add_name(const struct wb_dns *dns, json_t *list,
                     const struct wb_dns_name *name)
{
    if (wb_dns_needs_mx(name))
        add_record(list, name->domain, "MX",
                   wb_say(dns->pool, "%d %s", WB_DNS_MX_PREFERENCE, dns->host));
    if (wb_dns_needs_mx(name) && name->spf.text != NULL)
        add_record(list, name->domain, "TXT", name->spf.text);
    if (name->is_sender)
        add_record(list, wb_say(dns->pool, "_dmarc.%s", name->domain), "TXT",
                   wb_dns_dmarc(dns, name->domain));
}

static json_t *records(const struct wb_dns *dns, bool of_templates)
{
    json_t *list = json_array();

    for (size_t i = 0; i < dns->name_count; i++)
        if (dns->names[i].is_template == of_templates)
            add_name(dns, list, &dns->names[i]);
    return list;
}

static json_t *routes(const struct wb_dns_mechanism *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->route_count; i++)
        json_array_append_new(list, json_string(m->routes[i]->name));
    return list;
}

static json_t *mechanisms(const struct wb_dns_spf *spf)
{
    json_t *list = json_array();

    for (size_t i = 0; i < spf->count; i++) {
        const struct wb_dns_mechanism *m = &spf->mechanisms[i];

        json_array_append_new(
            list, json_pack("{s:s?, s:s?, s:o, s:b, s:b}", "mechanism", m->text,
                            "host", m->host, "routes", routes(m), "foreign",
                            m->is_foreign, "left_out", m->is_left_out));
    }
    return list;
}

static json_t *senders(const struct wb_dns *dns)
{
    json_t *list = json_array();

    for (size_t i = 0; i < dns->name_count; i++) {
        const struct wb_dns_name *name = &dns->names[i];

        if (name->spf.text != NULL)
            json_array_append_new(
                list,
                json_pack("{s:s, s:b, s:s, s:o}", "domain", name->domain,
                          "merge", !wb_dns_needs_mx(name) || name->is_sender,
                          "record", name->spf.text, "mechanisms",
                          mechanisms(&name->spf)));
    }
    return list;
}

static json_t *alignment(const struct wb_dns *dns)
{
    json_t *list = json_array();

    for (size_t i = 0; i < dns->meeting_count; i++) {
        const struct wb_dns_meeting *m = &dns->meetings[i];

        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "sender",
                      m->sender->shown, "route", m->route->name, "way",
                      wb_dns_way_name(m->way), "return_path",
                      m->return_path->name, "from", m->from, "returns",
                      m->returns, "spf_alignment", alignment_name(m->alignment),
                      "dmarc_by_spf", m->alignment != WB_DNS_NOT_ALIGNED,
                      "unseen", m->is_unseen));
    }
    return list;
}

static json_t *warnings(const struct wb_dns *dns)
{
    json_t *list = json_array();

    for (size_t i = 0; i < dns->warning_count; i++)
        json_array_append_new(list, json_string(dns->warnings[i]));
    return list;
}

int wb_dns_json(const struct wb_dns *dns, FILE *out)
{
    json_t *root = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o}", "host", dns->host, "records",
        records(dns, false), "templates", records(dns, true), "spf",
        senders(dns), "alignment", alignment(dns), "warnings", warnings(dns));
    int rc = root == NULL ? -1 : json_dumpf(root, out, JSON_INDENT(2));

    json_decref(root);
    fputc('\n', out);
    return rc == 0 ? EX_OK : EX_OSERR;
}
