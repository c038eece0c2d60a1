/* The records as a zone (RFC 1035, 5.1), to be pasted: absolute names, and all
 * that is no record behind ";". */
#include <string.h>

#include "plan/return_path.h"
#include "tool/dns/dns.h"

enum {
    STRING_MAX_OCTETS = 255, /* RFC 1035, 3.3.14 */
    MOST_ROUTES = 8,         /* that a line names */
    NAME_COLUMNS = 32,
    MECHANISM_COLUMNS = 28,
    HEADING_COLUMNS = 80,
};

/* text: lines, the first without its ";"; NULL: none. */
static void heading(FILE *out, const char *title, const char *text)
{
    int octets = fprintf(out, "\n\n; ---- %s ", title) - 2;

    while (octets++ < HEADING_COLUMNS)
        fputc('-', out);
    fputc('\n', out);
    if (text != NULL)
        fprintf(out, "; %s\n", text);
}

/* ---- records ------------------------------------------------------------ */

/* begin: "" or "; " */
static void begin_record(FILE *out, const char *begin, const char *before,
                         const char *name, const char *type)
{
    int octets = fprintf(out, "%s%s%s.", begin, before, name);

    fprintf(out, "%*s IN %-3s ",
            NAME_COLUMNS > octets ? NAME_COLUMNS - octets : 0, "", type);
}

static void mx_record(FILE *out, const char *begin, const char *name,
                      const char *host)
{
    begin_record(out, begin, "", name, "MX");
    fprintf(out, "%d %s.\n", WB_DNS_MX_PREFERENCE, host);
}

static void text_record(FILE *out, const char *begin, const char *before,
                        const char *name, const char *text)
{
    begin_record(out, begin, before, name, "TXT");
    for (size_t left = strlen(text); left > 0;) {
        size_t octets = left < STRING_MAX_OCTETS ? left : STRING_MAX_OCTETS;

        fprintf(out, "\"%.*s\"%s", (int)octets, text, left > octets ? " " : "");
        text += octets;
        left -= octets;
    }
    fputc('\n', out);
}

/* ---- SPF ---------------------------------------------------------------- */

static void list_routes(FILE *out, const struct wb_route *const *routes,
                        size_t count)
{
    fprintf(out, "route%s ", count == 1 ? "" : "s");
    for (size_t i = 0; i < count && i < MOST_ROUTES; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", routes[i]->name);
    if (count > MOST_ROUTES)
        fprintf(out, " and %zu more", count - MOST_ROUTES);
}

static void list_mechanism(FILE *out, const struct wb_dns_mechanism *m)
{
    if (m->text == NULL)
        fprintf(out, ";   %-*s ", MECHANISM_COLUMNS, "ip4: or ip6:");
    else
        fprintf(out, ";   %-*s ", MECHANISM_COLUMNS, m->text);
    if (m->host == NULL)
        fputs("this host, ", out);
    list_routes(out, m->routes, m->route_count);
    fputc('\n', out);
    if (m->text == NULL)
        fprintf(out,
                ";     %s is not seen from outside: add the address that it "
                "sends from\n",
                m->host);
    else if (m->is_left_out)
        fputs(";     left out, one DNS look-up too many: add its addresses, as "
              "ip4: and ip6:\n",
              out);
    else if (m->is_foreign && strncmp(m->text, "include:", 8) != 0)
        fputs(";     somebody else's service: ask for its include: and put "
              "that in its place\n",
              out);
}

static void list_mechanisms(FILE *out, const struct wb_dns_name *name)
{
    const struct wb_dns_spf *spf = &name->spf;

    for (size_t i = 0; i < spf->count; i++)
        list_mechanism(out, &spf->mechanisms[i]);
    if (spf->has_more)
        fputs(";   and more, which are left out as well\n", out);
}

static void explain_end(FILE *out, const struct wb_dns_spf *spf)
{
    fputs(spf->is_strict
              ? ";   -all: nobody else sends with it\n"
              : ";   ~all: what is not named is suspicious; make it -all when "
                "the record is complete\n",
          out);
}

/* ---- where mail comes back ---------------------------------------------- */

static void tell_purpose(FILE *out, const struct wb_dns_name *name)
{
    fprintf(out, "\n; %s:", name->domain);
    if (name->is_return)
        fprintf(out, " return path %s, mode %s", name->return_path->name,
                wb_return_mode_name(name->return_path->mode));
    else if (name->is_bounce)
        fputs(" bounces; no return path here leads there", out);
    if (name->is_inbound)
        fprintf(out, "%s inbound mail",
                name->is_return || name->is_bounce ? "," : "");
    fputc('\n', out);
    if (name->is_return && !name->is_bounce)
        fputs(";   not in bounces: what comes back is left to the MTA\n", out);
    if (name->is_sender)
        fputs(";   it sends, too: if it has MX or SPF records, put these and "
              "those together\n",
              out);
}

static void tell_name(const struct wb_dns *dns, FILE *out, const char *begin,
                      const struct wb_dns_name *name)
{
    tell_purpose(out, name);
    mx_record(out, begin, name->domain, dns->host);
    if (name->spf.text == NULL)
        return;
    list_mechanisms(out, name);
    explain_end(out, &name->spf);
    text_record(out, begin, "", name->domain, name->spf.text);
}

static void tell_names(const struct wb_dns *dns, FILE *out)
{
    bool is_first = true;

    for (size_t i = 0; i < dns->name_count; i++) {
        if (!wb_dns_needs_mx(&dns->names[i]) || dns->names[i].is_template)
            continue;
        if (is_first)
            heading(out, "where mail comes in", NULL);
        is_first = false;
        tell_name(dns, out, "", &dns->names[i]);
    }
}

/* ---- what sender domains need ------------------------------------------- */

static void tell_kept(const struct wb_dns *dns, FILE *out)
{
    bool is_first = true;

    for (size_t i = 0; i < dns->name_count; i++) {
        const struct wb_dns_name *name = &dns->names[i];

        if (!name->is_kept || name->is_template || wb_dns_needs_mx(name))
            continue;
        if (is_first)
            heading(out,
                    "domains that mail leaves with, and comes back to, as "
                    "they are",
                    "A domain has one SPF record: what is there must come to "
                    "hold this.");
        is_first = false;
        fprintf(out, "\n; %s\n", name->domain);
        list_mechanisms(out, name);
        text_record(out, "; ", "", name->domain, name->spf.text);
    }
}

static void tell_dmarc(const struct wb_dns *dns, FILE *out)
{
    bool is_first = true;

    for (size_t i = 0; i < dns->name_count; i++) {
        const struct wb_dns_name *name = &dns->names[i];

        if (!name->is_sender || name->is_template)
            continue;
        if (is_first)
            heading(out, "DMARC",
                    "p=none only asks for reports. When they show that all of "
                    "your mail passes,\n"
                    "; go on to p=quarantine, then p=reject. Keep a record "
                    "that is there already.\n");
        is_first = false;
        text_record(out, "", "_dmarc.", name->domain,
                    wb_dns_dmarc(dns, name->domain));
    }
}

static void tell_template(const struct wb_dns *dns, FILE *out,
                          const struct wb_dns_name *name)
{
    if (name->is_return) {
        tell_name(dns, out, "; ", name);
    } else {
        fprintf(out, "\n; %s\n", name->domain);
        list_mechanisms(out, name);
        if (name->spf.text != NULL)
            text_record(out, "; ", "", name->domain, name->spf.text);
    }
    if (name->is_sender)
        text_record(out, "; ", "_dmarc.", name->domain,
                    wb_dns_dmarc(dns, name->domain));
}

static void tell_templates(const struct wb_dns *dns, FILE *out)
{
    bool is_first = true;

    for (size_t i = 0; i < dns->name_count; i++) {
        if (!dns->names[i].is_template)
            continue;
        if (is_first)
            heading(out, "senders that the configuration does not name",
                    "For every DOMAIN, and every SUB, whose mail you send.");
        is_first = false;
        tell_template(dns, out, &dns->names[i]);
    }
}

/* ---- what receivers will find ------------------------------------------- */

static void tell_spf_alignment(FILE *out, const struct wb_dns_meeting *m)
{
    fputs(";   SPF    ", out);
    switch (m->alignment) {
    case WB_DNS_STRICT:
        fputs("aligned, even strictly\n", out);
        break;
    case WB_DNS_RELAXED:
        fprintf(out, "aligned, as both belong to %s; not with aspf=s\n",
                m->organization);
        break;
    case WB_DNS_NOT_ALIGNED:
        fprintf(out, "not aligned: %s does not belong to %s\n", m->returns,
                m->organization);
        break;
    }
    if (m->is_unseen)
        fputs(";          and passes only when its address is added to the "
              "record\n",
              out);
}

static bool is_same_group(const struct wb_dns_meeting *a,
                          const struct wb_dns_meeting *b)
{
    return a->sender == b->sender && a->return_path == b->return_path &&
           a->way == b->way && a->is_unseen == b->is_unseen &&
           strcmp(a->from, b->from) == 0 && strcmp(a->returns, b->returns) == 0;
}

/* Returns how many meetings were told of. */
static size_t tell_group(FILE *out, const struct wb_dns_meeting *m, size_t left)
{
    const struct wb_route *routes[MOST_ROUTES];
    size_t count = 0;

    for (; count < left && is_same_group(m, &m[count]); count++)
        if (count < MOST_ROUTES)
            routes[count] = m[count].route;
    fprintf(out, "\n; %s, by ", m->sender->shown);
    list_routes(out, routes, count);
    fprintf(out, " (%s)\n", wb_dns_way_name(m->way));
    fprintf(out, ";   From @%s, return path @%s (%s)\n", m->from, m->returns,
            m->return_path->name);
    tell_spf_alignment(out, m);
    if (strcmp(m->from, m->sender->shown) != 0)
        fprintf(out,
                ";   DKIM   by whoever signs for %s, behind waybill: d=%s\n",
                m->from, m->from);
    else
        fprintf(out, ";   DKIM   sign behind waybill, with d=%s\n", m->from);
    fprintf(out, ";   DMARC  %s\n",
            m->alignment != WB_DNS_NOT_ALIGNED
                ? "can hold: by SPF, and by DKIM, which alone outlives "
                  "forwarding"
                : "cannot hold by SPF, whatever the record; by DKIM it can");
    return count;
}

static const char *const verdicts[] = {
    [WB_DNS_OWN] =
        "; own: this host, or a relay of yours\n"
        ";   SPF    yes, by the records above\n"
        ";   DKIM   if you sign (OpenDKIM, rspamd); waybill does not\n"
        ";   DMARC  by SPF where that is aligned, by DKIM wherever you sign\n",
    [WB_DNS_RELAY] =
        "; relay: somebody else's\n"
        ";   SPF    once the record has what they send from, which only they "
        "know\n"
        ";   DKIM   if you sign, or they do for your domain\n"
        ";   DMARC  by SPF where that is aligned, by DKIM wherever one signs\n",
    [WB_DNS_ACCOUNT] =
        "; account: at a provider\n"
        ";   SPF    if they leave your return path alone, and their include: "
        "is in the record\n"
        ";   DKIM   if they sign for your domain, or you sign and they change "
        "nothing\n"
        ";   DMARC  usually possible with your own domain; not where they "
        "write their own\n"
        ";          return path and sign as themselves. Bounces then go to "
        "the account.\n",
};

static void tell_verdicts(const struct wb_dns *dns, FILE *out)
{
    bool is_used[sizeof verdicts / sizeof verdicts[0]] = {false};

    for (size_t i = 0; i < dns->meeting_count; i++)
        is_used[dns->meetings[i].way] = true;
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (is_used[i])
            fprintf(out, "\n%s", verdicts[i]);
}

static void tell_alignment(const struct wb_dns *dns, FILE *out)
{
    size_t told = 0;

    if (dns->meeting_count == 0)
        return;
    heading(out, "what receivers will find",
            "DMARC holds when SPF or DKIM passes for a domain that is aligned: "
            "of the\n"
            "; organization that the header From belongs to. Where a route "
            "has no From of its\n"
            "; own, it is taken to have the domain of the envelope sender.");
    while (told < dns->meeting_count)
        told +=
            tell_group(out, &dns->meetings[told], dns->meeting_count - told);
    tell_verdicts(dns, out);
}

void wb_dns_zone(const struct wb_dns *dns, FILE *out)
{
    fprintf(out,
            "; DNS records for %s, by waybill dns.\n"
            "; Mail comes in at %s (%s). It needs A or AAAA records,\n"
            "; and its addresses a PTR record that leads back.\n",
            dns->conf->path, dns->host,
            dns->is_host_given ? "--host"
                               : "this host's name; --host says another");
    tell_names(dns, out);
    tell_kept(dns, out);
    tell_dmarc(dns, out);
    tell_templates(dns, out);
    tell_alignment(dns, out);
}
