/* Mail that comes back to a return address. */
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/actions.h"
#include "plan/inbound.h"
#include "plan/making.h"
#include "plan/reply.h"
#include "plan/return_path.h"
#include "plan/suffix.h"

#define ONLY_BOUNCES   "only bounces, from the null sender, come back here"
#define NO_REPLIES     "only bounces come back here; replies are not read"
#define LEADS_BACK     "its sender is in such a domain, too; mail would go round"
#define NOBODY_KNOWN   "no return_path tells whose return address this is"
#define UNKNOWN_SENDER "SENDER" /* explain without the secret */

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

/* Mark what a return address told. A postmaster is none. */
static int set_mark(struct wb_making *m, struct wb_recipient_plan *r,
                    const struct wb_address *to, const struct wb_token *t)
{
    if (t->sender.text == NULL || wb_return_path_is_postmaster(to))
        return EX_OK;
    r->bounce = bounce_mark(m->p, t);
    return r->bounce != NULL ? EX_OK : EX_OSERR;
}

/* Unsigned addresses can be made up by anybody: only what cannot be answered
 * is taken there. NULL when address is good for this sender. */
static const char *refusal(const struct wb_envelope *env,
                           const struct wb_address *address,
                           const struct wb_token *t)
{
    /* it was good when it came in: a queue may have kept it overnight */
    bool is_late =
        t->verdict == WB_TOKEN_IS_EXPIRED && wb_making_is_loopback(env);

    if (t->verdict != WB_TOKEN_IS_VALID && !is_late)
        return refusals[t->verdict];
    if (t->kind == WB_TOKEN_NONE && !wb_address_is_null(&env->sender) &&
        !wb_return_path_is_postmaster(address))
        return ONLY_BOUNCES;
    return NULL;
}

/* Would mail to it come back to where it is decided on? */
static bool leads_back(const struct wb_conf *conf, const struct wb_address *a)
{
    return wb_suffix_is_in(a, NULL) || a->domain == NULL ||
           wb_strings_hold_sorted(&conf->bounces.domains, a->domain) ||
           wb_inbound_has_domain(conf, a->domain);
}

/* ---- where it goes ------------------------------------------------------- */

/* ORCPT is how it will be known again, so it must be the return address: with
 * one that a stranger chose, his mail would be taken for our own. */
static int send_to(struct wb_making *m, struct wb_recipient_plan *r,
                   const char *address)
{
    struct wb_recipient was = *r->recipient;

    was.orcpt = NULL;
    r->rewritten = address;
    r->esmtp = wb_actions_esmtp(m->p, &was);
    return r->esmtp != NULL ? EX_OK : EX_OSERR;
}

static int send_home(struct wb_making *m, struct wb_recipient_plan *r,
                     const struct wb_address *sender)
{
    const struct wb_address *to = &r->recipient->address;
    bool is_known = sender->text != NULL;

    if (is_known && !leads_back(m->conf, sender))
        return send_to(m, r, sender->text);
    /* Mail to it must arrive (RFC 5321, 4.5.1), if at this host's own. */
    if (wb_return_path_is_postmaster(to))
        return send_to(m, r, "postmaster");
    if (is_known)
        return wb_making_decide(m, WB_REJECT, "550", "5.1.2", to->text,
                                LEADS_BACK);
    if (m->conf->secret.count == 0)
        return send_to(m, r, UNKNOWN_SENDER);
    return wb_making_decide(m, WB_TEMPFAIL, "451", "4.3.5", to->text,
                            NOBODY_KNOWN);
}

static int send_on(struct wb_making *m, struct wb_recipient_plan *r,
                   enum wb_bounces_to where, const struct wb_token *t)
{
    const struct wb_bounces *b = &m->conf->bounces;

    switch (where) {
    case WB_TO_WEBHOOK:
        return wb_making_mark(m, r, b->webhook, WB_BOUNCES_FILTER);
    case WB_TO_SENDER:
        return send_home(m, r, &t->sender);
    case WB_TO_ADDRESS:
        return send_to(m, r, b->address);
    case WB_TO_NOBODY:
        break;
    }
    return wb_making_decide(m, WB_REJECT, "550", "5.7.1",
                            r->recipient->address.text, NO_REPLIES);
}

/* A postmaster's mail goes as a reply does, and is never refused. */
static int choose_where(struct wb_making *m, struct wb_recipient_plan *r,
                        enum wb_bounces_to *where)
{
    const struct wb_bounces *b = &m->conf->bounces;
    bool is_postmaster = wb_return_path_is_postmaster(&r->recipient->address);
    bool is_reply = true;
    int rc = is_postmaster ? EX_OK : wb_reply_tell(m->env, m->p, &is_reply);

    r->kind = is_reply ? "reply" : "bounce";
    *where = is_reply ? b->replies : b->deliver;
    if (is_postmaster && *where == WB_TO_NOBODY)
        *where = b->deliver;
    return rc;
}

int wb_making_bounce(struct wb_making *m, struct wb_recipient_plan *r)
{
    const struct wb_address *to = &r->recipient->address;
    enum wb_bounces_to where;
    const char *why_not;
    struct wb_token token;
    struct wb_err why = {""};
    int rc =
        wb_return_path_read(m->conf, to, m->env->now_s, m->p, &token, &why);

    r->class = WB_CLASS_BOUNCE;
    if (rc != EX_OK && m->conf->secret.count > 0)
        return wb_making_cannot_tell(m, why.text);
    /* explain without the secret cannot judge a token: it shows the way */
    why_not = rc == EX_OK ? refusal(m->env, to, &token) : NULL;
    if (why_not != NULL)
        return wb_making_decide(m, WB_REJECT, "550", "5.7.1", to->text,
                                why_not);
    rc = set_mark(m, r, to, &token);
    if (rc == EX_OK)
        rc = choose_where(m, r, &where);
    return rc == EX_OK ? send_on(m, r, where, &token) : rc;
}

/* ---- what was decided before --------------------------------------------- */

/* Read a return address of ours once more; its age does not matter any more.
 * *address and *token are {0} when it is none. */
static int read_again(struct wb_making *m, const char *text,
                      struct wb_address *address, struct wb_token *token)
{
    int rc = wb_address_parse(m->p, text, address, NULL);

    memset(token, 0, sizeof *token);
    if (rc == EX_OK && address->domain != NULL &&
        wb_strings_hold_sorted(&m->conf->bounces.domains, address->domain))
        rc = wb_return_path_read(m->conf, address, m->env->now_s, m->p, token,
                                 NULL);
    return rc == EX_OSERR ? rc : EX_OK;
}

/* A requeued bounce was judged when it came; only its mark is made anew. */
int wb_making_bounce_again(struct wb_making *m, struct wb_recipient_plan *r,
                           const char *original)
{
    struct wb_address to = {.text = NULL};
    struct wb_token token;
    int rc = read_again(m, original, &to, &token);

    return rc == EX_OK && to.local != NULL ? set_mark(m, r, &to, &token) : rc;
}

/* Does the message bear this mark, but for its age? */
static bool bears_mark(const struct wb_envelope *env, const char *mark)
{
    static const char age[] = "; age=";
    const char *end = strstr(mark, age);
    size_t octets = end != NULL ? (size_t)(end - mark) : strlen(mark);

    for (size_t i = 0; i < env->header_count; i++) {
        const struct wb_header *h = &env->headers[i];

        if (strcasecmp(h->name, WB_BOUNCE_HEADER) == 0 &&
            strncmp(h->value, mark, octets) == 0 &&
            (h->value[octets] == '\0' ||
             strncmp(h->value + octets, age, strlen(age)) == 0))
            return true;
    }
    return false;
}

/* Without a mark, where the return address did not tell the sender. */
static bool is_where_sent(const struct wb_making *m, const struct wb_address *a,
                          const struct wb_token *t)
{
    const char *address = m->conf->bounces.address;

    return (address != NULL && strcasecmp(a->text, address) == 0) ||
           (t->sender.text != NULL && strcasecmp(a->text, t->sender.text) == 0);
}

/* The return address that a recipient was before, by its ORCPT (RFC 3461, 4.2);
 * *from and *token are {0} when it was none. */
static int read_orcpt(struct wb_making *m, const char *orcpt,
                      struct wb_address *from, struct wb_token *token)
{
    static const char type[] = "rfc822;";
    const char *text;
    int rc;

    memset(from, 0, sizeof *from);
    memset(token, 0, sizeof *token);
    if (orcpt == NULL || strncasecmp(orcpt, type, strlen(type)) != 0)
        return EX_OK;
    rc = wb_xtext_decode(m->p, orcpt + strlen(type), &text);
    if (rc == EX_OK)
        rc = read_again(m, text, from, token);
    return rc == EX_OSERR ? rc : EX_OK;
}

int wb_making_came_home(struct wb_making *m, struct wb_recipient_plan *r,
                        bool *is_home)
{
    struct wb_address from;
    struct wb_token token;
    int rc = read_orcpt(m, r->recipient->orcpt, &from, &token);

    *is_home = false;
    if (rc != EX_OK || (token.verdict != WB_TOKEN_IS_VALID &&
                        token.verdict != WB_TOKEN_IS_EXPIRED))
        return rc;
    rc = set_mark(m, r, &from, &token);
    if (rc != EX_OK)
        return rc;
    *is_home = r->bounce != NULL
                   ? bears_mark(m->env, r->bounce)
                   : is_where_sent(m, &r->recipient->address, &token);
    if (*is_home)
        r->class = WB_CLASS_BOUNCE;
    else
        r->bounce = NULL;
    return EX_OK;
}

/* ---- at RCPT ------------------------------------------------------------- */

/* Would it be sent home whatever the message turns out to be? */
static bool goes_home(const struct wb_bounces *b)
{
    return b->deliver == WB_TO_SENDER &&
           (b->replies == WB_TO_SENDER || b->replies == WB_TO_NOBODY);
}

/* What is certain of a return address is told before the message comes. */
int wb_making_bounce_early(const struct wb_conf *conf,
                           const struct wb_envelope *env,
                           const struct wb_recipient *recipient,
                           struct wb_pool *p, enum wb_decision *decision,
                           struct wb_reply *out)
{
    const struct wb_address *to = &recipient->address;
    struct wb_token token;
    const char *why_not;

    /* What cannot be told now is told at the end of the message. */
    if (wb_return_path_read(conf, to, env->now_s, p, &token, NULL) != EX_OK)
        return EX_OK;
    why_not = refusal(env, to, &token);
    if (why_not != NULL) {
        *decision = WB_REJECT;
        return wb_making_reply(out, p, "550", "5.7.1", to->text, why_not);
    }
    if (goes_home(&conf->bounces) && !wb_return_path_is_postmaster(to) &&
        token.sender.text != NULL && leads_back(conf, &token.sender)) {
        *decision = WB_REJECT;
        return wb_making_reply(out, p, "550", "5.1.2", to->text, LEADS_BACK);
    }
    return EX_OK;
}
