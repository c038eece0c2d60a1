#include "webhook/payload.h"

#include <string.h>
#include <sysexits.h>

#include "webhook/format/event.h"
#include "webhook/format/format.h"
#include "webhook/spool.h"

/* A bounce is told as an event. What came to a return path and is none, a
 * person's reply, is told as mail, so that it is not lost. */
static int write_cmc(struct wb_form *f, const struct wb_payload_facts *facts,
                     const struct wb_mime *m, struct wb_err *err)
{
    struct wb_bounce_report report;
    struct wb_pool *p;
    int rc;

    if (strcmp(facts->filter, WB_BOUNCES_FILTER) != 0)
        return wb_format_cmc(f, facts, m, err);
    p = wb_pool_new(0);
    if (p == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    rc = wb_bounce_read(m, facts->envelope_from, facts->now_s, p, &report, err);
    if (rc == EX_OK && wb_bounce_is_failure(report.kind))
        wb_format_event(f, facts, &report);
    else if (rc == EX_OK)
        rc = wb_format_cmc(f, facts, m, err);
    wb_pool_free(p);
    return rc;
}

static int write_form(enum wb_format format,
                      const struct wb_payload_facts *facts,
                      const struct wb_mime *m, int out_fd, struct wb_pool *p,
                      const char **content_type, struct wb_err *err)
{
    struct wb_form f;
    int close_rc, rc = wb_form_open(&f, out_fd, format == WB_FORMAT_CMC_JSON, p,
                                    content_type, err);

    if (rc != EX_OK)
        return rc;
    rc = format == WB_FORMAT_MAILGUN ? wb_format_mailgun(&f, facts, m, err)
                                     : write_cmc(&f, facts, m, err);
    close_rc = wb_form_close(&f, err);
    return rc != EX_OK ? rc : close_rc;
}

int wb_payload_write(enum wb_format format,
                     const struct wb_payload_facts *facts, int in_fd,
                     int out_fd, struct wb_pool *p, const char **content_type,
                     struct wb_err *err)
{
    struct wb_mime *m;
    int rc;

    if (format == WB_FORMAT_RAW) {
        *content_type = "message/rfc822";
        return wb_spool_file_copy(in_fd, out_fd, err);
    }
    rc = wb_mime_open(in_fd, &m, err);
    if (rc == EX_OK)
        rc = write_form(format, facts, m, out_fd, p, content_type, err);
    wb_mime_free(m);
    return rc;
}
