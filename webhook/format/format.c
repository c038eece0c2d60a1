#include "webhook/format/format.h"

#include <string.h>
#include <sysexits.h>

#include "webhook/format/json.h"

static int out_of_memory(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "out of memory");
}

int wb_format_header(struct wb_form *f, const char *name,
                     const struct wb_mime *m, const char *header,
                     struct wb_err *err)
{
    const char *text = wb_mime_text(m, header);

    if (text == NULL)
        return out_of_memory(err);
    wb_form_text(f, name, text);
    return EX_OK;
}

static void put_field(FILE *out, const char *name, const char *value,
                      enum wb_row row)
{
    fputs(row == WB_ROW_OBJECT ? "{\"name\":" : "[", out);
    wb_json_string(out, name);
    fputs(row == WB_ROW_OBJECT ? ",\"value\":" : ",", out);
    wb_json_string(out, value);
    fputc(row == WB_ROW_OBJECT ? '}' : ']', out);
}

static int put_fields(FILE *out, const struct wb_fields *fields,
                      enum wb_row row)
{
    struct wb_pool *scratch = wb_pool_new(0);
    int rc = scratch != NULL ? EX_OK : EX_OSERR;

    for (size_t i = 0; i < fields->count && rc == EX_OK; i++) {
        const char *value = wb_field_text(scratch, fields->items[i].value);

        if (i > 0)
            fputc(',', out);
        if (value != NULL)
            put_field(out, fields->items[i].name, value, row);
        else
            rc = EX_OSERR;
        wb_pool_reset(scratch);
    }
    wb_pool_free(scratch);
    return rc;
}

int wb_format_headers(struct wb_form *f, const char *name,
                      const struct wb_mime *m, enum wb_row row,
                      struct wb_err *err)
{
    int rc;

    wb_form_begin_json(f, name);
    fputc('[', f->out);
    rc = put_fields(f->out, wb_mime_fields(m), row);
    fputc(']', f->out);
    wb_form_end_json(f);
    return rc == EX_OK ? rc : out_of_memory(err);
}

int wb_format_body(struct wb_form *f, const char *name, const struct wb_mime *m,
                   enum wb_part_kind kind, struct wb_err *err)
{
    struct wb_sink out;
    int rc;

    if (!wb_mime_has_body(m, kind))
        return EX_OK;
    out = wb_form_begin_text(f, name);
    rc = wb_mime_read_body(m, kind, &out, err);
    wb_form_end_text(f);
    return rc;
}

static const char *name_of(struct wb_pool *p, const struct wb_part *part,
                           size_t number)
{
    if (part->name != NULL)
        return part->name;
    if (strcmp(part->type, "message/rfc822") == 0)
        return wb_pool_printf(p, "message%zu.eml", number);
    return wb_pool_printf(p, "attachment%zu", number);
}

static int put_attachment(struct wb_form *f, const char *prefix, size_t number,
                          const struct wb_mime *m, struct wb_pool *p,
                          struct wb_err *err)
{
    const struct wb_part *part = wb_mime_attachment(m, number - 1);
    const char *field = wb_pool_printf(p, "%s%zu", prefix, number);
    const char *name = name_of(p, part, number);
    struct wb_sink out;
    int rc;

    if (field == NULL || name == NULL)
        return out_of_memory(err);
    out = wb_form_begin_file(f, field, name, part->type);
    rc = wb_mime_read_part(m, part, &out, err);
    wb_form_end_file(f);
    return rc;
}

int wb_format_attachments(struct wb_form *f, const char *prefix,
                          const struct wb_mime *m, struct wb_err *err)
{
    struct wb_pool *scratch = wb_pool_new(0);
    int rc = scratch != NULL ? EX_OK : out_of_memory(err);

    for (size_t i = 1; i <= wb_mime_attachment_count(m) && rc == EX_OK; i++) {
        rc = put_attachment(f, prefix, i, m, scratch, err);
        wb_pool_reset(scratch);
    }
    wb_pool_free(scratch);
    return rc;
}
