#include "plan/from.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/header.h"
#include "mail/mailbox.h"

bool wb_from_is_same(const struct wb_route *a, const struct wb_route *b)
{
    if (a->from == NULL || b->from == NULL)
        return a->from == b->from;
    return strcmp(a->from, b->from) == 0 && a->reply_to == b->reply_to;
}

/* What the message has of the headers that matter here. */
struct headers {
    const char *from; /* the first one's value; NULL: none */
    bool has_others;  /* a second From, or a Sender */
    bool has_reply_to;
    bool is_signed;
};

static struct headers look(const struct wb_envelope *env)
{
    struct headers h = {.from = NULL};

    for (size_t i = 0; i < env->header_count; i++) {
        const char *name = env->headers[i].name;

        if (strcasecmp(name, "From") == 0 && h.from == NULL)
            h.from = env->headers[i].value;
        else if (strcasecmp(name, "From") == 0 ||
                 strcasecmp(name, "Sender") == 0)
            h.has_others = true;
        else if (strcasecmp(name, "Reply-To") == 0)
            h.has_reply_to = true;
        else if (strcasecmp(name, "DKIM-Signature") == 0)
            h.is_signed = true;
    }
    return h;
}

/* Can somebody be answered at this From, other than at address? */
static int is_worth_a_reply(struct wb_pool *p, const char *from,
                            const struct wb_address *address, bool *out)
{
    const char *own =
        wb_pool_printf(p, "%s@%s", address->local, address->domain);
    const char *const *found;
    size_t count;

    if (own == NULL || wb_header_addresses(p, from, 2, &found, &count) != EX_OK)
        return EX_OSERR;
    *out = count > 1 || (count == 1 && strcasecmp(found[0], own) != 0);
    return EX_OK;
}

/* from: unfolded */
static int move_to_reply_to(const char *from, struct wb_pool *p,
                            struct wb_plan *plan)
{
    bool is_worth_it = false;

    if (is_worth_a_reply(p, from, &plan->from_of->from_address, &is_worth_it) !=
        EX_OK)
        return EX_OSERR;
    if (!is_worth_it)
        return EX_OK;
    plan->reply_to = wb_header_fold(p, "Reply-To", from);
    return plan->reply_to != NULL ? EX_OK : EX_OSERR;
}

static char *unfold(struct wb_pool *p, const char *value)
{
    return wb_header_unfold(p, value, strlen(value));
}

int wb_from_decide(const struct wb_envelope *env, struct wb_pool *p,
                   struct wb_plan *plan)
{
    const struct wb_route *route = plan->from_of;
    const struct headers h = look(env);
    const char *before, *after;

    if (route == NULL)
        return EX_OK;
    before = unfold(p, h.from != NULL ? h.from : "");
    after = unfold(p, route->from);
    if (before == NULL || after == NULL)
        return EX_OSERR;
    if (strcmp(before, after) == 0 && !h.has_others)
        return EX_OK;
    plan->from_header = route->from;
    plan->breaks_dkim = h.is_signed;
    if (h.has_reply_to || route->reply_to == WB_REPLY_TO_KEEP)
        return EX_OK;
    return move_to_reply_to(before, p, plan);
}
