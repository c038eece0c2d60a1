/* The recipient of webhook mail, which tells the webhook. */
#ifndef WB_WEBHOOK_MARK_H
#define WB_WEBHOOK_MARK_H

#include "conf/conf.h"

struct wb_mark {
    const struct wb_webhook *webhook; /* NULL: it is not configured any more */
    const char *filter;
    const char *recipient; /* without the mark, as its sender wrote it */
};

/* Read "<u@dom.WEBHOOK.FILTER.MAC.hook.LABEL.waybill.invalid>" and verify its
 * MAC. u@dom alone is bound by WB_PATH_MAX_OCTETS. Lives in p.
 * Returns EX_OK; EX_DATAERR when it is not a mark of ours; or EX_OSERR. */
int wb_mark_read(const struct wb_conf *conf, struct wb_pool *p,
                 const char *path, struct wb_mark *out);

#endif
