/* Fields and their names are those of Customers Mail Cloud's Inbound webhook,
 * so that its receivers work unchanged. */
#include <sysexits.h>

#include "webhook/format/format.h"

static void put_envelope(struct wb_form *f,
                         const struct wb_payload_facts *facts)
{
    if (facts->api_key != NULL)
        wb_form_text(f, "api_key", facts->api_key);
    wb_form_text(f, "server_composition", facts->server_composition);
    wb_form_text(f, "filter", facts->filter);
    wb_form_text(f, "envelope-from", facts->envelope_from);
    wb_form_text(f, "envelope-to", facts->envelope_to);
}

int wb_format_cmc(struct wb_form *f, const struct wb_payload_facts *facts,
                  const struct wb_mime *m, struct wb_err *err)
{
    int rc;

    put_envelope(f, facts);
    wb_form_number(f, "attachments", wb_mime_attachment_count(m));
    rc = wb_format_headers(f, "headers", m, WB_ROW_OBJECT, err);
    if (rc == EX_OK)
        rc = wb_format_header(f, "subject", m, "Subject", err);
    if (rc == EX_OK)
        rc = wb_format_body(f, "text", m, WB_PART_PLAIN, err);
    if (rc == EX_OK)
        rc = wb_format_body(f, "html", m, WB_PART_HTML, err);
    if (rc == EX_OK && !f->is_json)
        rc = wb_format_attachments(f, "attachment", m, err);
    return rc;
}
