#include "milter/negotiate.h"

#include <string.h>

#include "milter/base/log.h"
#include "milter/current.h"

/* Steps that waybill has no use for. */
static const unsigned long unused_steps = SMFIP_NOHELO | SMFIP_NOUNKNOWN;

/* Steps that need no reply: what is wrong there is told at the end. libmilter
 * shows them as offered by every MTA, and sends the reply itself to one that
 * does wait for it. */
static const unsigned long silent_steps =
    SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;

struct symbols {
    int stage;
    const char *names;
};

/* "i" stands with the recipients' so that the list is never empty: an MTA
 * that has nothing to say sends no list, and the last one would stay. */
static const struct symbols symbols[] = {
    {SMFIM_CONNECT, "{daemon_name} {client_addr}"},
    {SMFIM_ENVFROM, "i {auth_authen} {mail_addr}"},
    {SMFIM_ENVRCPT, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}"},
    {SMFIM_EOM, "i"},
};

static bool ask_for_symbols(SMFICTX *ctx)
{
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
        if (smfi_setsymlist(ctx, symbols[i].stage,
                            (char *)(uintptr_t)symbols[i].names) != MI_SUCCESS)
            return false;
    return true;
}

/* What the configuration in force asks for: replies to recipients, the body,
 * whose octets are counted, and DATA, only to be answered: Postfix sends what
 * it has when it comes to DATA, and the headers later. Over TCP, with no answer
 * to carry the acknowledgement of the first, Nagle's algorithm and the delay of
 * the acknowledgement would hold the headers back for 40 ms. After DATA
 * libmilter does not take the end of a message without headers, but for EOH. */
struct needs {
    bool replies, body, data;
};

static struct needs current_needs(void)
{
    const struct wb_conf *conf = wb_current_ref();
    struct needs needs = {false, false, false};

    if (conf == NULL)
        return needs;
    needs.replies = wb_plan_may_reject_early(conf);
    needs.body = conf->limits_size;
    needs.data = strncmp(conf->socket, "unix:", 5) != 0;
    wb_conf_unref(conf);
    return needs;
}

sfsistat wb_negotiate(SMFICTX *ctx, struct wb_session *s,
                      unsigned long offered_actions,
                      unsigned long offered_protocol, unsigned long *actions,
                      unsigned long *protocol)
{
    const struct needs needs = current_needs();
    unsigned long wanted = unused_steps | silent_steps;

    if ((offered_actions & WB_NEEDED_ACTIONS) != WB_NEEDED_ACTIONS) {
        wb_log(LOG_ERR,
               "the MTA offers the actions 0x%lx of the milter protocol, "
               "0x%lx are needed: connection refused",
               offered_actions, (unsigned long)WB_NEEDED_ACTIONS);
        return SMFIS_REJECT;
    }
    if (!needs.replies)
        wanted |= SMFIP_NR_RCPT;
    if (!needs.body)
        wanted |= SMFIP_NOBODY;
    if (!needs.data)
        wanted |= SMFIP_NODATA | SMFIP_NOEOH;
    *actions = WB_NEEDED_ACTIONS | (offered_actions & SMFIF_SETSYMLIST);
    *protocol = wanted & offered_protocol;
    wb_session_set_recipient_replies(s, (*protocol & SMFIP_NR_RCPT) == 0);
    wb_session_set_body(s, (*protocol & SMFIP_NOBODY) == 0);
    if ((offered_actions & SMFIF_SETSYMLIST) != 0 && !ask_for_symbols(ctx)) {
        wb_log(LOG_ERR, "out of memory: connection refused");
        return SMFIS_REJECT;
    }
    return SMFIS_CONTINUE;
}
