#include "webhook/format/event.h"

#include <time.h>

#include "webhook/format/json.h"

enum { TIME_OCTETS = 40 };

/* "2023-11-14 22:13:20", UTC. */
static const char *put_time(int64_t seconds, char out[TIME_OCTETS])
{
    time_t t = (time_t)seconds;
    struct tm utc;

    if (gmtime_r(&t, &utc) == NULL ||
        strftime(out, TIME_OCTETS, "%Y-%m-%d %H:%M:%S", &utc) == 0)
        *out = '\0';
    return out;
}

void wb_event_write(FILE *out, const struct wb_payload_facts *facts,
                    const struct wb_bounce_report *report,
                    const struct wb_bounce *b)
{
    char created[TIME_OCTETS];
    const char *const members[][2] = {
        {"created", put_time(report->created_s, created)},
        {"returnPath", facts->envelope_to},
        {"from", *report->sender != '\0' ? report->sender : report->from},
        {"to", b->recipient},
        {"messageId", report->message_id},
        {"reason", b->reason},
        {"senderIp", ""}, /* a bounce does not tell */
        {"sourceIp", ""},
        {"status", "bounced"},
        {"subject", report->subject},
        {"apiData", ""},
        {"id", facts->id},
        {"kind", wb_bounce_kind_name(b->kind)},
        {"code", b->code},
        {"finalRecipient", b->final_recipient},
        {"remoteMta", b->remote_mta},
    };

    fputc('{', out);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        wb_json_member(out, i == 0, members[i][0], members[i][1]);
    fputc('}', out);
}

void wb_format_event(struct wb_form *f, const struct wb_payload_facts *facts,
                     const struct wb_bounce_report *report)
{
    bool is_first = true;

    wb_form_text(f, "event_type", "bounces");
    wb_form_text(f, "server_composition", facts->server_composition);
    if (facts->api_key != NULL)
        wb_form_text(f, "api_key", facts->api_key);
    wb_form_begin_json(f, "event");
    fputs("{\"bounces\":[", f->out);
    for (size_t i = 0; i < report->count; i++) {
        if (!wb_bounce_is_failure(report->items[i].kind))
            continue;
        if (!is_first)
            fputc(',', f->out);
        is_first = false;
        wb_event_write(f->out, facts, report, &report->items[i]);
    }
    fputs("]}", f->out);
    wb_form_end_json(f);
}
