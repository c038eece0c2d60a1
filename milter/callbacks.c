#include "milter/callbacks.h"

#include <libmilter/mfapi.h>

#include "milter/actions.h"
#include "milter/gather.h"
#include "milter/negotiate.h"
#include "milter/session.h"

static char *symbol(SMFICTX *ctx, const char *name)
{
    return smfi_getsymval(ctx, (char *)(uintptr_t)name);
}

/* libmilter keeps the values of one MAIL or RCPT for the next one, when the
 * MTA sends none with that: without this, a recipient that the MTA could not
 * resolve would be taken for one like the last. */
static void spend(char *value)
{
    if (value != NULL)
        *value = '\0';
}

/* The session, made when there is none yet; NULL when out of memory. */
static struct wb_session *session_of(SMFICTX *ctx)
{
    struct wb_session *s = smfi_getpriv(ctx);

    if (s != NULL)
        return s;
    s = wb_session_new();
    if (s != NULL && smfi_setpriv(ctx, s) != MI_SUCCESS) {
        wb_session_free(s);
        s = NULL;
    }
    return s;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions,
                             unsigned long offered_protocol,
                             unsigned long offered_2, unsigned long offered_3,
                             unsigned long *actions, unsigned long *protocol,
                             unsigned long *f2, unsigned long *f3)
{
    struct wb_session *s = session_of(ctx);

    (void)offered_2;
    (void)offered_3;
    *f2 = 0;
    *f3 = 0;
    return s ? wb_negotiate(ctx, s, offered_actions, offered_protocol, actions,
                            protocol)
             : SMFIS_REJECT;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *peer)
{
    struct wb_session *s = session_of(ctx);
    const struct wb_reply *refusal;

    (void)name;
    if (s == NULL)
        return SMFIS_TEMPFAIL;
    refusal = wb_session_connect(s, peer, symbol(ctx, "{client_addr}"),
                                 symbol(ctx, "{daemon_name}"));
    if (refusal != NULL)
        return wb_actions_reply(ctx, refusal);
    return wb_session_connect_replies(s) ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    struct wb_session *s = session_of(ctx);
    char *login = symbol(ctx, "{auth_authen}");
    char *resolved = symbol(ctx, "{mail_addr}");

    if (s == NULL)
        return SMFIS_TEMPFAIL;
    wb_session_mail(s, argv, login, resolved, symbol(ctx, "i"));
    spend(login);
    spend(resolved);
    return SMFIS_NOREPLY;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
    struct wb_session *s = session_of(ctx);
    char *mailer = symbol(ctx, "{rcpt_mailer}");
    char *host = symbol(ctx, "{rcpt_host}");
    char *resolved = symbol(ctx, "{rcpt_addr}");
    const struct wb_recipient macros = {
        .mailer = mailer, .host = host, .resolved = resolved};
    const struct wb_reply *refusal;

    if (s == NULL)
        return SMFIS_TEMPFAIL;
    refusal = wb_session_rcpt(s, argv, &macros);
    spend(mailer);
    spend(host);
    spend(resolved);
    if (refusal != NULL)
        return wb_actions_reply(ctx, refusal);
    return wb_session_recipient_replies(s) ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

/* Asked for only where a listener has an interval, and over TCP (see
 * milter/negotiate.c). A callback that waits holds
 * a thread of libmilter's, which starts another one for whoever comes next. */
static sfsistat on_data(SMFICTX *ctx)
{
    struct wb_session *s = session_of(ctx);
    const struct wb_reply *late;

    if (s == NULL)
        return SMFIS_TEMPFAIL;
    late = wb_session_data(s);
    return late != NULL ? wb_actions_reply(ctx, late) : SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct wb_session *s = session_of(ctx);

    if (s == NULL)
        return SMFIS_TEMPFAIL;
    wb_session_header(s, name, value);
    return SMFIS_NOREPLY;
}

/* See milter/negotiate.c. */
static sfsistat on_end_of_headers(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *octets, size_t count)
{
    struct wb_session *s = session_of(ctx);

    if (s == NULL)
        return SMFIS_TEMPFAIL;
    wb_session_body(s, octets, count);
    return SMFIS_NOREPLY;
}

static sfsistat replace_body(SMFICTX *ctx, struct wb_session *s)
{
    size_t count;
    const void *body = wb_session_new_body(s, &count);

    return body == NULL ? SMFIS_CONTINUE : wb_actions_body(ctx, body, count);
}

static sfsistat on_end(SMFICTX *ctx)
{
    struct wb_session *s = session_of(ctx);
    struct wb_plan plan;
    sfsistat answer;

    if (s == NULL)
        return SMFIS_TEMPFAIL;
    wb_session_decide(s, symbol(ctx, "i"), &plan);
    answer = wb_actions_do(ctx, &plan);
    if (answer == SMFIS_CONTINUE)
        answer = replace_body(ctx, s);
    wb_session_reset(s);
    return answer;
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct wb_session *s = smfi_getpriv(ctx);

    if (s != NULL)
        wb_session_reset(s);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    wb_gather_drop();
    wb_session_free(smfi_getpriv(ctx));
    (void)smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

bool wb_callbacks_register(void)
{
    static char name[] = "waybill-milter";
    struct smfiDesc filter = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = WB_NEEDED_ACTIONS | SMFIF_CHGBODY,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_data = on_data,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_headers,
        .xxfi_body = on_body,
        .xxfi_eom = on_end,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    return smfi_register(filter) == MI_SUCCESS;
}
