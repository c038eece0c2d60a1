#include "plan/making.h"

#include <string.h>
#include <sysexits.h>

#include "plan/actions.h"
#include "plan/suffix.h"

int wb_making_reply(struct wb_reply *out, struct wb_pool *p, const char *code,
                    const char *enhanced, const char *about, const char *text)
{
    struct wb_err line;
    char *copy;

    if (about != NULL)
        wb_err_set(&line, EX_OK, "<%s>: %s", about, text);
    else
        wb_err_set(&line, EX_OK, "%s", text);
    copy = wb_pool_strndup(p, line.text, WB_REPLY_MAX_OCTETS);
    if (copy == NULL)
        return EX_OSERR;
    /* libmilter takes the text as a format, and a reply is ASCII. */
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '%' || (unsigned char)*c >= 0x7f)
            *c = '?';
    *out = (struct wb_reply){code, enhanced, copy};
    return EX_OK;
}

int wb_making_decide(struct wb_making *m, enum wb_decision decision,
                     const char *code, const char *enhanced, const char *about,
                     const char *text)
{
    /* The first recipient that cannot be accepted speaks for the message. */
    if (m->plan->decision != WB_ACCEPT)
        return EX_OK;
    m->plan->decision = decision;
    return wb_making_reply(&m->plan->reply, m->p, code, enhanced, about, text);
}

int wb_making_cannot_tell(struct wb_making *m, const char *why)
{
    return wb_making_decide(m, WB_TEMPFAIL, "451", "4.3.0", NULL, why);
}

static bool is_by(const struct wb_envelope *env, const char *listener)
{
    return env->listener != NULL && strcmp(env->listener, listener) == 0;
}

bool wb_making_is_loopback(const struct wb_envelope *env)
{
    return is_by(env, WB_LOOPBACK_LISTENER);
}

bool wb_making_is_second_pass(const struct wb_envelope *env)
{
    return is_by(env, WB_AGAIN_LISTENER);
}

bool wb_plan_is_own_bounce(const struct wb_envelope *env)
{
    return is_by(env, WB_BOUNCE_LISTENER);
}

enum wb_place wb_making_place(const struct wb_conf *conf,
                              const struct wb_envelope *env)
{
    if (wb_plan_is_own_bounce(env))
        return WB_PLACE_OWN_BOUNCE;
    return conf->attach == WB_BEFORE_QUEUE || wb_making_is_loopback(env) ||
                   wb_making_is_second_pass(env)
               ? WB_PLACE_WHOLE
               : WB_PLACE_FRONT;
}

int wb_making_check_form(struct wb_making *m, const struct wb_recipient_plan *r,
                         bool by_us)
{
    const struct wb_address *to = &r->recipient->address;

    return wb_suffix_can_carry(to, by_us)
               ? EX_OK
               : wb_making_decide(m, WB_REJECT, "553", "5.1.3", to->text,
                                  "an address of this form cannot be routed");
}

/* Sendmail answers with nonsense where an address is longer. */
enum { SENDMAIL_MAX_OCTETS = 250 };

int wb_making_rewrite(struct wb_making *m, struct wb_recipient_plan *r,
                      const char *text, const struct wb_recipient *of)
{
    r->rewritten = text;
    r->esmtp = wb_actions_esmtp(m->p, of);
    if (r->rewritten == NULL || r->esmtp == NULL)
        return EX_OSERR;
    if (m->conf->mta != WB_MTA_SENDMAIL || strlen(text) <= SENDMAIL_MAX_OCTETS)
        return EX_OK;
    return wb_making_decide(m, WB_REJECT, "553", "5.1.3",
                            r->recipient->address.text,
                            "too long an address to be routed by Sendmail");
}

int wb_making_mark(struct wb_making *m, struct wb_recipient_plan *r,
                   const struct wb_webhook *webhook, const char *filter)
{
    if (m->place == WB_PLACE_FRONT)
        return EX_OK;
    if (wb_making_check_form(m, r, true) != EX_OK)
        return EX_OSERR;
    r->webhook = webhook;
    r->filter = filter;
    return wb_making_rewrite(m, r,
                             wb_suffix_for_hook(m->conf, m->p,
                                                &r->recipient->address, webhook,
                                                filter),
                             r->recipient);
}
