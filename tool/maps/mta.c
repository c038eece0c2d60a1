#include "tool/maps/mta.h"

const struct wb_mta_tools *wb_mta_tools(const struct wb_conf *conf)
{
    static const struct wb_mta_tools *const tools[] = {
        [WB_MTA_POSTFIX] = &wb_postfix_tools,
        [WB_MTA_SENDMAIL] = &wb_sendmail_tools,
    };

    return tools[conf->mta];
}
