#include "webhook/payload.h"

#include <sysexits.h>

#include "webhook/spool.h"

int wb_payload_write(enum wb_format format,
                     const struct wb_payload_facts *facts, int in_fd,
                     int out_fd, struct wb_pool *p, const char **content_type,
                     struct wb_err *err)
{
    (void)facts;
    (void)p;
    switch (format) {
    case WB_FORMAT_RAW:
        *content_type = "message/rfc822";
        return wb_spool_file_copy(in_fd, out_fd, err);
    case WB_FORMAT_CMC:
    case WB_FORMAT_MAILGUN:
        break;
    }
    return wb_err_set(err, EX_OSERR, "this format is not supported");
}
