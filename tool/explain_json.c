#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "plan/return_path.h"
#include "tool/explain.h"

/* Text from mail need not be UTF-8, which JSON must be: a bad octet becomes
 * U+FFFD rather than an error. */
static json_t *string(const char *text)
{
    json_t *whole, *mended;
    char *copy, *o;
    size_t n = 0;

    if (text == NULL)
        return json_null();
    whole = json_string(text);
    if (whole != NULL)
        return whole;
    for (const char *c = text; *c != '\0'; c++)
        n += (unsigned char)*c < 0x80 ? 1 : 3;
    o = copy = malloc(n + 1);
    if (copy == NULL)
        return NULL;
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x80) {
            *o++ = *c;
        } else {
            *o++ = '\xef';
            *o++ = '\xbf';
            *o++ = '\xbd';
        }
    }
    *o = '\0';
    mended = json_string(copy);
    free(copy);
    return mended;
}

static json_t *sender(const struct wb_envelope *env, const struct wb_plan *plan)
{
    bool moves = plan->sender_to != NULL;

    return json_pack(
        "{s:o, s:o, s:s, s:o}", "from", string(env->sender.text), "to",
        string(moves ? plan->sender_to : env->sender.text), "mode",
        wb_return_mode_name(moves ? plan->return_path->mode : WB_RETURN_KEEP),
        "return_path", string(moves ? plan->return_path->name : NULL));
}

/* What became of the sender for one recipient: what made it, if it moves. */
static const char *moved_by(const struct wb_envelope *env,
                            const struct wb_recipient_plan *r)
{
    if (r->return_path == NULL || r->sender == NULL ||
        strcmp(r->sender, env->sender.text) == 0)
        return NULL;
    return r->return_path->name;
}

static json_t *recipient(const struct wb_envelope *env,
                         const struct wb_recipient_plan *r, bool is_accepted)
{
    return json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "recipient",
        string(r->recipient->address.text), "class", wb_class_name(r->class),
        "kind", string(r->kind), "rule",
        string(r->rule != NULL ? r->rule->name : NULL), "route",
        string(r->route != NULL ? r->route->name : NULL), "webhook",
        string(r->webhook != NULL ? r->webhook->name : NULL), "filter",
        string(r->filter), "rewritten",
        string(is_accepted ? r->rewritten : NULL), "sender", string(r->sender),
        "return_path", string(moved_by(env, r)));
}

static json_t *recipients(const struct wb_envelope *env,
                          const struct wb_plan *plan)
{
    json_t *list = json_array();

    for (size_t i = 0; i < env->recipient_count; i++)
        json_array_append_new(list, recipient(env, &plan->recipients[i],
                                              plan->decision == WB_ACCEPT));
    return list;
}

static json_t *headers(const struct wb_plan *plan)
{
    json_t *list = json_array();

    for (size_t i = 0; i < plan->action_count; i++) {
        const struct wb_action *a = &plan->actions[i];

        if (a->kind == WB_CHANGE_HEADER)
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:o, s:i}", "action", "change",
                                "name", string(a->text), "value",
                                string(a->extra), "index", (int)a->index));
        else if (a->kind == WB_DELETE_HEADER)
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:i}", "action", "delete", "name",
                                string(a->text), "index", (int)a->index));
        else if (a->kind == WB_ADD_HEADER)
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:o}", "action", "add", "name",
                                string(a->text), "value", string(a->extra)));
    }
    return list;
}

static json_t *losses(const struct wb_envelope *env, const struct wb_plan *plan)
{
    json_t *list = json_array();

    for (size_t i = 0; i < env->recipient_count; i++) {
        const struct wb_recipient_plan *r = &plan->recipients[i];

        for (size_t k = 0; k < r->loss_count; k++)
            json_array_append_new(
                list, json_pack("{s:o, s:o, s:s}", "recipient",
                                string(r->recipient->address.text), "rule",
                                string(r->losses[k].rule->name), "why",
                                r->losses[k].why));
    }
    return list;
}

int wb_explain_json(FILE *out, const struct wb_envelope *env,
                    const struct wb_plan *plan)
{
    json_t *root =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o}", "verdict",
                  wb_explain_verdict(plan->decision), "sender",
                  sender(env, plan), "from_header", string(plan->from_header),
                  "reply_to", string(plan->reply_to), "dkim",
                  string(plan->breaks_dkim ? "broken" : NULL), "passes",
                  (int)plan->passes, "recipients", recipients(env, plan),
                  "headers", headers(plan), "lost", losses(env, plan));
    int rc = root == NULL ? -1 : 0;

    if (rc == 0 && plan->decision != WB_ACCEPT)
        rc = json_object_set_new(root, "reply",
                                 json_sprintf("%s %s %s", plan->reply.code,
                                              plan->reply.enhanced,
                                              plan->reply.text));
    if (rc == 0)
        rc = json_dumpf(root, out, JSON_INDENT(2));
    json_decref(root);
    fputc('\n', out);
    return rc == 0 ? EX_OK : EX_OSERR;
}
