#include "plan/reply.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/parameter.h"

/* The first header of that name; "" when there is none. */
static const char *header(const struct wb_envelope *env, const char *name)
{
    for (size_t i = 0; i < env->header_count; i++)
        if (strcasecmp(env->headers[i].name, name) == 0)
            return env->headers[i].value;
    return "";
}

/* RFC 6522: multipart/report; report-type=... "" for no report. */
static const char *report_type(const struct wb_envelope *env, struct wb_pool *p)
{
    const char *type = header(env, "Content-Type");
    const char *word = wb_field_word(p, type);

    if (word == NULL || strcmp(word, "multipart/report") != 0)
        return word == NULL ? NULL : "";
    return wb_field_parameter(p, type, "report-type");
}

int wb_reply_tell(const struct wb_envelope *env, struct wb_pool *p,
                  bool *is_reply)
{
    const char *report = report_type(env, p);
    const char *automatic = wb_field_word(p, header(env, "Auto-Submitted"));

    if (report == NULL || automatic == NULL)
        return EX_OSERR;
    /* Asked first: MTAs call their reports automatic replies, too. */
    if (strcmp(report, "delivery-status") == 0 ||
        strcmp(report, "feedback-report") == 0)
        *is_reply = false;
    else
        *is_reply = !wb_address_is_null(&env->sender) ||
                    strcmp(report, "disposition-notification") == 0 ||
                    strcmp(automatic, "auto-replied") == 0;
    return EX_OK;
}
