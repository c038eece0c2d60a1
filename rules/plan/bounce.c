/* Mail that comes back to a return address. */
#include <string.h>
#include <sysexits.h>

#include "plan/making.h"
#include "plan/return_path.h"

static const char *const refusals[] = {
    [WB_TOKEN_IS_FOREIGN] = "return addresses of this domain are signed",
    [WB_TOKEN_IS_FORGED] = "this return address is not one of ours",
    [WB_TOKEN_IS_EXPIRED] = "this return address has expired",
};

/* "sender=<a@b>; recipient=<c@d>; age=3", as far as the address tells. */
static const char *bounce_mark(struct wb_pool *p, const struct wb_token *t)
{
    const char *mark = wb_pool_printf(p, "sender=<%s>", t->sender.text);

    if (mark != NULL && t->recipient.text != NULL)
        mark = wb_pool_printf(p, "%s; recipient=<%s>", mark, t->recipient.text);
    if (mark != NULL && t->age_days != WB_TOKEN_AGE_UNKNOWN)
        mark = wb_pool_printf(p, "%s; age=%d", mark, t->age_days);
    return mark;
}

int wb_making_bounce(struct wb_making *m, struct wb_recipient_plan *r)
{
    const struct wb_address *to = &r->recipient->address;
    struct wb_token token;
    struct wb_err why = {""};
    int rc =
        wb_return_path_read(m->conf, to, m->env->now_s, m->p, &token, &why);

    r->class = WB_CLASS_BOUNCE;
    /* explain without the secret cannot judge a token: it shows the way */
    if (rc != EX_OK && m->conf->secret.count > 0)
        return wb_making_cannot_tell(m, why.text);
    if (rc == EX_OK && token.verdict != WB_TOKEN_IS_VALID)
        return wb_making_decide(m, WB_REJECT, "550", "5.7.1", to->text,
                                refusals[token.verdict]);
    if (rc == EX_OK && token.sender.text != NULL) {
        r->bounce = bounce_mark(m->p, &token);
        if (r->bounce == NULL)
            return EX_OSERR;
    }
    return wb_making_mark(m, r, m->conf->bounces.webhook, WB_BOUNCES_FILTER);
}

/* A requeued bounce was judged when it came; only its mark is made anew. */
int wb_making_bounce_again(struct wb_making *m, struct wb_recipient_plan *r,
                           const char *original)
{
    struct wb_address to;
    struct wb_token token;
    int rc = wb_address_parse(m->p, original, &to, NULL);

    if (rc == EX_OK && to.domain != NULL)
        rc = wb_return_path_read(m->conf, &to, m->env->now_s, m->p, &token,
                                 NULL);
    if (rc != EX_OK || to.domain == NULL || token.sender.text == NULL)
        return rc == EX_OSERR ? rc : EX_OK;
    r->bounce = bounce_mark(m->p, &token);
    return r->bounce != NULL ? EX_OK : EX_OSERR;
}

/* A forged or expired return address is refused before the message comes. */
int wb_making_bounce_early(const struct wb_conf *conf,
                           const struct wb_envelope *env,
                           const struct wb_recipient *recipient,
                           struct wb_pool *p, enum wb_decision *decision,
                           struct wb_reply *out)
{
    struct wb_token token;

    /* What cannot be told now is told at the end of the message. */
    if (wb_return_path_read(conf, &recipient->address, env->now_s, p, &token,
                            NULL) != EX_OK ||
        token.verdict == WB_TOKEN_IS_VALID)
        return EX_OK;
    *decision = WB_REJECT;
    return wb_making_reply(out, p, "550", "5.7.1", recipient->address.text,
                           refusals[token.verdict]);
}
