#include "milter/actions.h"

#include "milter/base/log.h"
#include "milter/gather.h"

/* libmilter takes "char *" but changes nothing. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static int act(SMFICTX *ctx, const struct wb_action *a)
{
    switch (a->kind) {
    case WB_DELETE_RECIPIENT:
        return smfi_delrcpt(ctx, text(a->text));
    case WB_ADD_RECIPIENT:
        return smfi_addrcpt_par(ctx, text(a->text), text(a->extra));
    case WB_CHANGE_SENDER:
        return smfi_chgfrom(ctx, text(a->text), NULL);
    case WB_CHANGE_HEADER:
        return smfi_chgheader(ctx, text(a->text), (int)a->index,
                              text(a->extra));
    case WB_DELETE_HEADER:
        return smfi_chgheader(ctx, text(a->text), (int)a->index, NULL);
    case WB_ADD_HEADER:
        return smfi_addheader(ctx, text(a->text), text(a->extra));
    }
    return MI_FAILURE;
}

sfsistat wb_actions_reply(SMFICTX *ctx, const struct wb_reply *reply)
{
    /* When it fails the MTA takes its own text: no reason to fail. */
    (void)smfi_setreply(ctx, text(reply->code), text(reply->enhanced),
                        text(reply->text));
    return reply->code[0] == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static const struct wb_reply failed = {
    "451", "4.3.0", "Cannot change this message; try again later"};

sfsistat wb_actions_body(SMFICTX *ctx, const void *body, size_t octets)
{
    if (smfi_replacebody(ctx, (unsigned char *)(uintptr_t)body, (int)octets) ==
        MI_SUCCESS)
        return SMFIS_CONTINUE;
    wb_log(LOG_ERR, "the MTA did not take a new body");
    return wb_actions_reply(ctx, &failed);
}

sfsistat wb_actions_do(SMFICTX *ctx, const struct wb_plan *plan)
{
    if (plan->decision != WB_ACCEPT)
        return wb_actions_reply(ctx, &plan->reply);
    wb_gather_changes();
    for (size_t i = 0; i < plan->action_count; i++) {
        if (act(ctx, &plan->actions[i]) == MI_SUCCESS)
            continue;
        wb_log(LOG_ERR, "the MTA did not take change %zu of %zu", i + 1,
               plan->action_count);
        return wb_actions_reply(ctx, &failed);
    }
    return SMFIS_CONTINUE;
}
