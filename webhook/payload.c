#include "webhook/payload.h"

#include <sysexits.h>

#include "webhook/format/format.h"
#include "webhook/spool.h"

static int write_fields(enum wb_format format, struct wb_form *f,
                        const struct wb_payload_facts *facts,
                        const struct wb_mime *m, struct wb_err *err)
{
    int rc = format == WB_FORMAT_MAILGUN ? wb_format_mailgun(f, facts, m, err)
                                         : wb_format_cmc(f, facts, m, err);
    int close_rc = wb_form_close(f, err);

    return rc != EX_OK ? rc : close_rc;
}

static int write_form(enum wb_format format,
                      const struct wb_payload_facts *facts, int in_fd,
                      int out_fd, struct wb_pool *p, const char **content_type,
                      struct wb_err *err)
{
    struct wb_mime *m;
    struct wb_form f;
    int rc = wb_mime_open(in_fd, &m, err);

    if (rc != EX_OK)
        return rc;
    rc = wb_form_open(&f, out_fd, format == WB_FORMAT_CMC_JSON, p, content_type,
                      err);
    if (rc == EX_OK)
        rc = write_fields(format, &f, facts, m, err);
    wb_mime_free(m);
    return rc;
}

int wb_payload_write(enum wb_format format,
                     const struct wb_payload_facts *facts, int in_fd,
                     int out_fd, struct wb_pool *p, const char **content_type,
                     struct wb_err *err)
{
    if (format != WB_FORMAT_RAW)
        return write_form(format, facts, in_fd, out_fd, p, content_type, err);
    *content_type = "message/rfc822";
    return wb_spool_file_copy(in_fd, out_fd, err);
}
