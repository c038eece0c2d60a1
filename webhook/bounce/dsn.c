/* Reports of a defined form: delivery status (RFC 3464), feedback (RFC 5965),
 * and the original that comes with them (RFC 6522). */
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "webhook/bounce/reader.h"

enum { MOST_FIELDS = 200, MOST_GROUPS = 2 * WB_BOUNCE_ITEMS_MAX };

/* ---- fields ------------------------------------------------------------- */

/* The text of "type; text" (RFC 3464, 2.1.2), or of a plain value, on one
 * line. "" where there is no such field. */
static int typed(struct wb_bounce_reader *r, const struct wb_fields *fields,
                 const char *name, const char **out)
{
    const char *value = wb_fields_get(fields, name);
    const char *semicolon = value != NULL ? strchr(value, ';') : NULL;

    *out = "";
    if (value == NULL)
        return EX_OK;
    value = semicolon != NULL ? semicolon + 1 : value;
    *out = wb_field_text(r->p, value);
    if (*out != NULL)
        *out = wb_bounce_line(r->p, *out);
    return *out != NULL ? EX_OK : wb_bounce_no_memory(r->err);
}

static int address(struct wb_bounce_reader *r, const struct wb_fields *fields,
                   const char *name, const char **out)
{
    const char *value = wb_fields_get(fields, name);

    *out = value != NULL ? wb_bounce_address(r->p, value) : "";
    return *out != NULL ? EX_OK : wb_bounce_no_memory(r->err);
}

/* ---- delivery status ---------------------------------------------------- */

static enum wb_bounce_kind kind_of(const char *action,
                                   const struct wb_bounce *b)
{
    if (strcasecmp(action, "delayed") == 0)
        return WB_BOUNCE_DELAYED;
    if (strcasecmp(action, "delivered") == 0 ||
        strcasecmp(action, "relayed") == 0 ||
        strcasecmp(action, "expanded") == 0)
        return WB_BOUNCE_DELIVERED;
    return wb_bounce_classify(b->code, b->reason);
}

/* Status, unless it is vague and the server's words are not. */
static int take_code(struct wb_bounce_reader *r, const char *status,
                     struct wb_bounce *b)
{
    char said[WB_BOUNCE_CODE_OCTETS], words[WB_BOUNCE_CODE_OCTETS];
    bool is_vague;

    wb_bounce_find_code(status, said);
    wb_bounce_find_code(b->reason, words);
    is_vague = *said == '\0' || strcmp(said + 1, ".0.0") == 0;
    b->code = wb_pool_strdup(r->p, is_vague && *words != '\0' ? words : said);
    return b->code != NULL ? EX_OK : wb_bounce_no_memory(r->err);
}

static int take_recipient(struct wb_bounce_reader *r,
                          const struct wb_fields *fields)
{
    const char *action, *status, *original;
    struct wb_bounce *b;
    int rc;

    if (wb_fields_get(fields, "Final-Recipient") == NULL &&
        wb_fields_get(fields, "Original-Recipient") == NULL &&
        wb_fields_get(fields, "Action") == NULL)
        return EX_OK;
    b = wb_bounce_add(r, &rc);
    if (b == NULL)
        return rc;
    rc = typed(r, fields, "Action", &action);
    if (rc == EX_OK)
        rc = typed(r, fields, "Status", &status);
    if (rc == EX_OK)
        rc = typed(r, fields, "Diagnostic-Code", &b->reason);
    if (rc == EX_OK)
        rc = typed(r, fields, "Remote-MTA", &b->remote_mta);
    if (rc == EX_OK)
        rc = address(r, fields, "Final-Recipient", &b->final_recipient);
    if (rc == EX_OK)
        rc = address(r, fields, "Original-Recipient", &original);
    if (rc == EX_OK)
        rc = take_code(r, status, b);
    if (rc != EX_OK)
        return rc;
    b->recipient = *original != '\0' ? original : b->final_recipient;
    if (*b->reason == '\0')
        b->reason = status;
    b->kind = kind_of(action, b);
    return EX_OK;
}

static size_t line_octets(const char *text)
{
    size_t n = strcspn(text, "\n");

    return text[n] == '\n' ? n + 1 : n;
}

/* Groups of fields with empty lines between: the first is about the message,
 * the others about a recipient each. */
int wb_bounce_read_status(struct wb_bounce_reader *r, const char *text)
{
    int rc = EX_OK;

    for (size_t i = 0; rc == EX_OK && *text != '\0' && i < MOST_GROUPS; i++) {
        struct wb_fields fields;
        size_t used;

        if (wb_fields_read(r->p, text, strlen(text), MOST_FIELDS, &fields,
                           &used) != EX_OK)
            return wb_bounce_no_memory(r->err);
        if (wb_fields_get(&fields, "Reporting-MTA") != NULL)
            rc = typed(r, &fields, "Reporting-MTA", &r->out->reporting_mta);
        if (rc == EX_OK)
            rc = take_recipient(r, &fields);
        text += used > 0 ? used : line_octets(text); /* no field: skip it */
    }
    return rc;
}

static const struct wb_part *find_part(const struct wb_mime *m,
                                       const char *const *types)
{
    for (size_t i = 0; i < wb_mime_attachment_count(m); i++) {
        const struct wb_part *part = wb_mime_attachment(m, i);

        for (size_t k = 0; types[k] != NULL; k++)
            if (strcmp(part->type, types[k]) == 0)
                return part;
    }
    return NULL;
}

/* The fields of the first part of one of types; *part is NULL if there is
 * none. */
static int read_fields(struct wb_bounce_reader *r, const char *const *types,
                       const struct wb_part **part, struct wb_fields *fields)
{
    char *text;
    size_t used;
    int rc;

    *part = find_part(r->m, types);
    if (*part == NULL)
        return EX_OK;
    rc = wb_bounce_read_part(r, *part, &text);
    if (rc != EX_OK)
        return rc;
    return wb_fields_read(r->p, text, strlen(text), MOST_FIELDS, fields,
                          &used) == EX_OK
               ? EX_OK
               : wb_bounce_no_memory(r->err);
}

int wb_bounce_read_dsn(struct wb_bounce_reader *r)
{
    static const char *const types[] = {"message/delivery-status",
                                        "message/global-delivery-status", NULL};
    const struct wb_part *part = find_part(r->m, types);
    char *text;
    int rc;

    if (part == NULL)
        return EX_OK;
    rc = wb_bounce_read_part(r, part, &text);
    if (rc == EX_OK)
        rc = wb_bounce_read_status(r, text);
    if (r->out->count > 0)
        r->out->form = "dsn";
    return rc;
}

/* ---- complaints --------------------------------------------------------- */

/* "abuse report by feedback-agent" */
static int describe(struct wb_bounce_reader *r, const struct wb_fields *fields,
                    struct wb_bounce *b)
{
    const char *type, *agent;
    int rc = typed(r, fields, "Feedback-Type", &type);

    if (rc == EX_OK)
        rc = typed(r, fields, "User-Agent", &agent);
    if (rc != EX_OK)
        return rc;
    b->reason =
        wb_pool_printf(r->p, "complaint: %s", *type != '\0' ? type : "abuse");
    if (b->reason != NULL && *agent != '\0')
        b->reason = wb_pool_printf(r->p, "%s, by %s", b->reason, agent);
    return b->reason != NULL ? EX_OK : wb_bounce_no_memory(r->err);
}

int wb_bounce_read_complaint(struct wb_bounce_reader *r)
{
    static const char *const types[] = {"message/feedback-report", NULL};
    const struct wb_part *part;
    struct wb_fields fields;
    struct wb_bounce *b;
    int rc = read_fields(r, types, &part, &fields);

    if (rc != EX_OK || part == NULL)
        return rc;
    b = wb_bounce_add(r, &rc);
    if (b == NULL)
        return rc;
    b->kind = WB_BOUNCE_COMPLAINT;
    r->out->form = "arf";
    rc = address(r, &fields, "Original-Rcpt-To", &b->recipient);
    b->final_recipient = b->recipient;
    if (rc == EX_OK)
        rc = typed(r, &fields, "Reporting-MTA", &r->out->reporting_mta);
    return rc == EX_OK ? describe(r, &fields, b) : rc;
}

/* ---- the original ------------------------------------------------------- */

int wb_bounce_read_returned(struct wb_bounce_reader *r)
{
    static const char *const types[] = {
        "message/rfc822", "text/rfc822-headers",    "message/rfc822-headers",
        "message/global", "message/global-headers", NULL};
    const struct wb_part *part;
    struct wb_fields fields;
    int rc = read_fields(r, types, &part, &fields);

    if (rc != EX_OK || part == NULL)
        return rc;
    return wb_bounce_take_original(r, &fields);
}
