#include "plan/actions.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "plan/from.h"

enum { FOLD_AT_OCTETS = 70 };

bool wb_actions_owns_header(const struct wb_conf *conf, const char *name)
{
    return strncasecmp(name, WB_HEADER_PREFIX, strlen(WB_HEADER_PREFIX)) == 0 ||
           strcasecmp(name, conf->tag_header) == 0;
}

const char *wb_actions_esmtp(struct wb_pool *p, const struct wb_recipient *r)
{
    const char *orcpt = r->orcpt;

    if (orcpt == NULL) {
        const char *xtext = wb_xtext_encode(p, r->address.text);

        orcpt = xtext == NULL ? NULL : wb_pool_join(p, "rfc822;", xtext, NULL);
    }
    if (orcpt == NULL)
        return NULL;
    if (r->notify == NULL)
        return wb_pool_join(p, "ORCPT=", orcpt, NULL);
    return wb_pool_join(p, "ORCPT=", orcpt, " NOTIFY=", r->notify, NULL);
}

static void push(struct wb_plan *plan, enum wb_action_kind kind,
                 const char *text, const char *extra, unsigned index)
{
    plan->actions[plan->action_count++] = (struct wb_action){
        .kind = kind, .text = text, .extra = extra, .index = index};
}

/* Which of the headers of its name is headers[at]? From 1. */
static unsigned occurrence(const struct wb_envelope *env, size_t at)
{
    unsigned n = 1;

    for (size_t i = 0; i < at; i++)
        if (strcasecmp(env->headers[i].name, env->headers[at].name) == 0)
            n++;
    return n;
}

/* From the last to the first, so that the numbers of the others hold. */
static void delete_own_headers(const struct wb_conf *conf,
                               const struct wb_envelope *env,
                               struct wb_plan *plan)
{
    for (size_t i = env->header_count; i-- > 0;)
        if (wb_actions_owns_header(conf, env->headers[i].name))
            push(plan, WB_DELETE_HEADER, env->headers[i].name, NULL,
                 occurrence(env, i));
}

/* The first From changes; what would speak for somebody else goes. */
static int change_from(const struct wb_envelope *env, struct wb_pool *p,
                       struct wb_plan *plan)
{
    bool has_from = false;

    if (wb_from_decide(env, p, plan) != EX_OK)
        return EX_OSERR;
    for (size_t i = env->header_count; plan->from_header != NULL && i-- > 0;) {
        const char *name = env->headers[i].name;
        bool is_from = strcasecmp(name, "From") == 0;

        has_from = has_from || is_from;
        if ((is_from && occurrence(env, i) > 1) ||
            strcasecmp(name, "Sender") == 0)
            push(plan, WB_DELETE_HEADER, name, NULL, occurrence(env, i));
    }
    if (has_from)
        push(plan, WB_CHANGE_HEADER, "From", plan->from_header, 1);
    else if (plan->from_header != NULL)
        push(plan, WB_ADD_HEADER, "From", plan->from_header, 0);
    if (plan->reply_to != NULL)
        push(plan, WB_ADD_HEADER, "Reply-To", plan->reply_to, 0);
    return EX_OK;
}

/* A list of words under construction, folded before it grows too wide. */
struct list {
    char *text; /* room for every word with ", " and a fold */
    size_t length;
    size_t line_length;
};

static void add_word(struct list *l, const char *word)
{
    size_t octets = strlen(word);

    if (l->length > 0) {
        bool fold = l->line_length + octets > FOLD_AT_OCTETS;

        strcpy(l->text + l->length, fold ? ",\n " : ", ");
        l->length += fold ? 3 : 2;
        l->line_length = fold ? 1 : l->line_length + 2;
    }
    memcpy(l->text + l->length, word, octets + 1);
    l->length += octets;
    l->line_length += octets;
}

/* The routes of the message in the order of its recipients, each once:
 * "docomo, bulk". "" when nothing is routed; NULL when out of memory. */
static const char *tag_value(const struct wb_conf *conf, struct wb_pool *p,
                             const struct wb_envelope *env,
                             const struct wb_plan *plan)
{
    bool *seen = wb_pool_array(p, conf->route_count, sizeof *seen);
    struct list list = {0};
    size_t room = 1;

    for (size_t i = 0; i < env->recipient_count; i++)
        if (plan->recipients[i].route != NULL)
            room += strlen(plan->recipients[i].route->name) + 3;
    list.text = wb_pool_alloc(p, room);
    if (seen == NULL || list.text == NULL)
        return NULL;
    for (size_t i = 0; i < env->recipient_count; i++) {
        const struct wb_route *route = plan->recipients[i].route;

        if (route == NULL || seen[route - conf->routes])
            continue;
        seen[route - conf->routes] = true;
        add_word(&list, route->name);
    }
    return list.text;
}

static int add_tag(const struct wb_conf *conf, const struct wb_envelope *env,
                   struct wb_pool *p, struct wb_plan *plan)
{
    const char *value;

    /* each second pass makes its own */
    if (plan->passes > 1)
        return EX_OK;
    value = tag_value(conf, p, env, plan);
    if (value == NULL)
        return EX_OSERR;
    if (*value != '\0')
        push(plan, WB_ADD_HEADER, conf->tag_header, value, 0);
    return EX_OK;
}

static bool is_first_mark(const struct wb_plan *plan, size_t at)
{
    const struct wb_recipient_plan *r = &plan->recipients[at];

    for (size_t i = 0; i < at; i++)
        if (plan->recipients[i].webhook == r->webhook &&
            strcmp(plan->recipients[i].filter, r->filter) == 0)
            return false;
    return true;
}

static int add_marks(const struct wb_envelope *env, struct wb_pool *p,
                     struct wb_plan *plan)
{
    for (size_t i = 0; i < env->recipient_count; i++) {
        const struct wb_recipient_plan *r = &plan->recipients[i];
        const char *value;

        if (r->webhook == NULL || !is_first_mark(plan, i))
            continue;
        value = wb_pool_printf(p, "%s; filter=%s", r->webhook->name, r->filter);
        if (value == NULL)
            return EX_OSERR;
        push(plan, WB_ADD_HEADER, WB_WEBHOOK_HEADER, value, 0);
    }
    return EX_OK;
}

static void add_bounces(const struct wb_envelope *env, struct wb_plan *plan)
{
    for (size_t i = 0; i < env->recipient_count; i++)
        if (plan->recipients[i].bounce != NULL)
            push(plan, WB_ADD_HEADER, WB_BOUNCE_HEADER,
                 plan->recipients[i].bounce, 0);
}

static const char *in_brackets(struct wb_pool *p, const char *address)
{
    return wb_pool_join(p, "<", address, ">", NULL);
}

static int change_envelope(const struct wb_envelope *env, struct wb_pool *p,
                           struct wb_plan *plan)
{
    if (plan->sender_to != NULL) {
        const char *sender = in_brackets(p, plan->sender_to);

        if (sender == NULL)
            return EX_OSERR;
        push(plan, WB_CHANGE_SENDER, sender, NULL, 0);
    }
    for (size_t i = 0; i < env->recipient_count; i++) {
        const struct wb_recipient_plan *r = &plan->recipients[i];
        const char *added;

        if (r->rewritten == NULL)
            continue;
        added = in_brackets(p, r->rewritten);
        if (added == NULL)
            return EX_OSERR;
        push(plan, WB_DELETE_RECIPIENT, r->recipient->given, NULL, 0);
        push(plan, WB_ADD_RECIPIENT, added, r->esmtp, 0);
    }
    return EX_OK;
}

int wb_actions_make(const struct wb_conf *conf, const struct wb_envelope *env,
                    struct wb_pool *p, struct wb_plan *plan, struct wb_err *err)
{
    /* Each header once, the tag, From and Reply-To, two marks and two changes
     * a recipient, and the sender. */
    size_t most = env->header_count + 3 + 4 * env->recipient_count + 1;

    plan->action_count = 0;
    plan->actions = wb_pool_array(p, most, sizeof plan->actions[0]);
    if (plan->actions == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    delete_own_headers(conf, env, plan);
    if (change_from(env, p, plan) != EX_OK ||
        add_tag(conf, env, p, plan) != EX_OK ||
        add_marks(env, p, plan) != EX_OK)
        return wb_err_set(err, EX_OSERR, "out of memory");
    add_bounces(env, plan);
    if (change_envelope(env, p, plan) != EX_OK)
        return wb_err_set(err, EX_OSERR, "out of memory");
    return EX_OK;
}
