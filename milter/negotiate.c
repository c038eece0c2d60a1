#include "milter/negotiate.h"

#include <string.h>

#include "milter/base/log.h"
#include "milter/current.h"

/* Steps that waybill has no use for. */
static const unsigned long unused_steps = SMFIP_NOHELO | SMFIP_NOUNKNOWN;

/* Steps between which libmilter loses its way when one is left out: a message
 * without any header that begins with DATA has to have the end of headers, or
 * its end is never answered. */
static const unsigned long data_steps = SMFIP_NODATA | SMFIP_NOEOH;

/* Steps that need no reply: what is wrong there is told at the end. libmilter
 * shows them as offered by every MTA, and sends the reply itself to one that
 * does wait for it. */
static const unsigned long silent_steps =
    SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;

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

/* What the configuration in force asks for: replies to connections and to
 * recipients, DATA, and the body, whose octets are counted. */
struct needs {
    bool connect, replies, data, body, new_body;
};

/* DATA is asked for to wait before it, and over TCP only to be answered: Postfix
 * sends what it has when it comes to DATA, and the headers later. With no answer
 * to carry the acknowledgement of the first, Nagle's algorithm and the delay of
 * the acknowledgement would hold the headers back for 40 ms. */
static struct needs current_needs(void)
{
    const struct wb_conf *conf = wb_current_ref();
    struct needs needs = {.body = false};

    if (conf == NULL)
        return needs;
    needs.replies = wb_plan_may_reject_early(conf);
    needs.new_body = conf->mta == WB_MTA_SENDMAIL;
    needs.body = conf->limits_size || needs.new_body;
    needs.data = strncmp(conf->socket, "unix:", 5) != 0;
    for (size_t i = 0; i < conf->listener_count; i++) {
        needs.connect |= conf->listeners[i].is_generated;
        needs.data |= conf->listeners[i].interval_ms > 0;
    }
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
    if (!needs.connect)
        wanted |= SMFIP_NR_CONN;
    if (!needs.data)
        wanted |= data_steps;
    if (!needs.replies)
        wanted |= SMFIP_NR_RCPT;
    if (!needs.body)
        wanted |= SMFIP_NOBODY;
    *actions = WB_NEEDED_ACTIONS | (offered_actions & SMFIF_SETSYMLIST);
    if (needs.new_body)
        *actions |= offered_actions & SMFIF_CHGBODY;
    *protocol = wanted & offered_protocol;
    wb_session_set_connect_replies(s, (*protocol & SMFIP_NR_CONN) == 0);
    wb_session_set_recipient_replies(s, (*protocol & SMFIP_NR_RCPT) == 0);
    wb_session_set_body(s, (*protocol & SMFIP_NOBODY) == 0);
    if ((offered_actions & SMFIF_SETSYMLIST) != 0 && !ask_for_symbols(ctx)) {
        wb_log(LOG_ERR, "out of memory: connection refused");
        return SMFIS_REJECT;
    }
    return SMFIS_CONTINUE;
}
