#include "webhook/answer.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

/* HTTP status (RFC 9110) to LMTP reply; the first row that holds it counts.
 * A status that stands nowhere is as odd as it is unknown: try again. */
static const struct status_row {
    long first, last;
    const char *code;
    const char *what;
} statuses[] = {
    {200, 299, "250 2.0.0", "posted"},
    {300, 399, "451 4.3.5", "redirects, which is not followed"},
    {406, 406, "554 5.6.0", "does not take this message"},
    {408, 408, "451 4.4.2", "timed out"},
    {410, 410, "550 5.1.6", "is gone"},
    {425, 425, "451 4.3.2", "does not take it yet"},
    {429, 429, "451 4.3.2", "is busy"},
    {400, 499, NULL, "refuses the request"}, /* client_error says */
    {503, 503, "451 4.3.2", "is busy"},
    {500, 599, "451 4.3.0", "failed"},
    {LONG_MIN, LONG_MAX, "451 4.3.0", "gave an answer that is not known"},
};

static const struct {
    const char *code;
    const char *what;
} ends[] = {
    [WB_POST_NO_NAME] = {"451 4.4.3", "its host cannot be looked up"},
    [WB_POST_NOT_PUBLIC] = {"451 4.3.5", "its address is not a public one"},
    [WB_POST_NO_ANSWER] = {"451 4.4.1", "does not answer"},
    [WB_POST_TLS] = {"451 4.7.5", "TLS failed"},
    [WB_POST_TIMEOUT] = {"451 4.4.2", "timed out"},
    [WB_POST_BROKEN] = {"451 4.4.2", "the connection broke"},
    [WB_POST_BUSY] = {"451 4.3.2", "is busy with other posts"},
    [WB_POST_TOO_LARGE] = {"552 5.3.4", "the message is too large for it"},
    [WB_POST_LOGGED] = {"250 2.0.0", "the bounce is in the log"},
    [WB_POST_LOCAL] = {"452 4.3.1", "resources are missing here"},
};

void wb_answer_set(struct wb_answer *answer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    /* cppcheck-suppress ctuuninitvar ; it is written here */
    if (vsnprintf(answer->text, sizeof answer->text, format, args) < 0)
        snprintf(answer->text, sizeof answer->text, "451 4.3.0 internal error");
    va_end(args);
    for (char *s = answer->text; *s != '\0'; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
}

static const struct status_row *row_of(long status)
{
    const struct status_row *row = statuses;

    while (status < row->first || status > row->last)
        row++;
    return row;
}

static void choose_by_status(const struct wb_webhook *webhook, long status,
                             const char *id, struct wb_answer *out)
{
    const struct status_row *row = row_of(status);
    const char *code = row->code;

    if (code == NULL)
        code = webhook->client_error == WB_CLIENT_ERROR_REJECT ? "554 5.3.0"
                                                               : "451 4.3.0";
    wb_answer_set(out, "%s webhook %s: %s (status %ld), id %s", code,
                  webhook->name, row->what, status, id);
}

void wb_answer_choose(const struct wb_webhook *webhook,
                      const struct wb_post_result *result, const char *id,
                      struct wb_answer *out)
{
    if (result->end == WB_POST_ANSWERED)
        choose_by_status(webhook, result->status, id, out);
    else
        wb_answer_set(out, "%s webhook %s: %s, id %s", ends[result->end].code,
                      webhook->name, ends[result->end].what, id);
}

bool wb_answer_is_done(const struct wb_answer *answer)
{
    return answer->text[0] == '2';
}

bool wb_answer_is_temporary(const struct wb_answer *answer)
{
    return answer->text[0] == '4';
}
