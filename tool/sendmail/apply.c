/* `waybill maps` and `waybill apply` for Sendmail. */
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/mta.h"
#include "tool/sendmail/sendmail.h"

static int files(const struct wb_conf *conf, struct wb_pool *pool,
                 const char *directory, struct wb_files *out,
                 struct wb_err *err)
{
    struct wb_sendmail s;
    int code = wb_sendmail_make(conf, pool, &s, err);

    (void)directory;
    if (code == EX_OK)
        wb_sendmail_files(&s, pool, false, out);
    return code;
}

static int apply(const struct wb_conf *conf, struct wb_pool *pool,
                 const struct wb_apply_request *request, struct wb_err *err)
{
    (void)conf, (void)pool, (void)request;
    return wb_err_set(err, EX_CONFIG, "not yet");
}

const struct wb_mta_tools wb_sendmail_tools = {files, apply};
