#include "milter/decision.h"

#include <string.h>

#include "milter/base/log.h"

enum { DIGEST_SHOWN = 8 }; /* enough to tell two configurations apart */

/* "<a@b>" and "a@b" alike are shown as <a@b>. */
static void add_address(struct wb_line *line, const char *address)
{
    size_t length = address != NULL ? strlen(address) : 0;

    if (length >= 2 && address[0] == '<' && address[length - 1] == '>') {
        address++;
        length -= 2;
    }
    wb_line_add_text(line, "<");
    wb_line_add_untrusted(line, address, length, false);
    wb_line_add_text(line, ">");
}

static void add_word(struct wb_line *line, const char *text)
{
    wb_line_add_untrusted(line, text, strlen(text), false);
}

static void begin(struct wb_line *line, const struct wb_envelope *env)
{
    line->used = 0;
    if (env->queue_id == NULL)
        wb_line_add_text(line, "NOQUEUE");
    else
        add_word(line, env->queue_id);
    wb_line_add_text(line, ": from=");
    add_address(line, env->sender.text);
}

static void add_to(struct wb_line *line, const char *recipient)
{
    wb_line_add_text(line, " to=");
    add_address(line, recipient);
}

static void add_name(struct wb_line *line, const char *key, const char *name)
{
    wb_line_add_text(line, key);
    add_word(line, name);
}

static void add_known(struct wb_line *line, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        add_name(line, key, text);
}

/* What the decision was made from, and by which configuration. */
static void add_facts(struct wb_line *line, const struct wb_conf *conf,
                      const struct wb_envelope *env,
                      const struct wb_recipient *r)
{
    add_known(line, " client=", env->client);
    add_known(line, " login=", env->login);
    add_known(line, " listener=", env->listener);
    if (r != NULL)
        add_known(line, " mailer=", r->mailer);
    if (conf != NULL)
        wb_line_add(line, " conf=%.*s", DIGEST_SHOWN, conf->digest);
}

/* head: how each line of this message begins. */
static void log_recipient(const struct wb_conf *conf,
                          const struct wb_envelope *env,
                          const struct wb_line *head,
                          const struct wb_recipient_plan *r,
                          const struct wb_plan *plan, struct wb_lines *lines)
{
    struct wb_line line;

    line.used = head->used;
    memcpy(line.text, head->text, head->used);
    add_to(&line,
           r->original != NULL ? r->original : r->recipient->address.text);
    add_name(&line, " class=", wb_class_name(r->class));
    if (r->kind != NULL)
        add_name(&line, " kind=", r->kind);
    if (r->rule != NULL)
        add_name(&line, " rule=", r->rule->name);
    if (r->route != NULL)
        add_name(&line, " route=", r->route->name);
    if (r->webhook != NULL)
        add_name(&line, " webhook=", r->webhook->name);
    if (r->filter != NULL)
        add_name(&line, " filter=", r->filter);
    if (plan->sender_to != NULL) {
        wb_line_add_text(&line, " sender=");
        add_address(&line, plan->sender_to);
        add_name(&line, " return_path=", plan->return_path->name);
    }
    if (plan->from_header != NULL) {
        wb_line_add_text(&line, " from_header=");
        add_address(&line, plan->from_of->from_address.text);
    }
    if (plan->breaks_dkim)
        wb_line_add_text(&line, " dkim=broken");
    if (r->class == WB_CLASS_BOUNCE && r->webhook == NULL &&
        r->rewritten != NULL) {
        wb_line_add_text(&line, " becomes=");
        add_address(&line, r->rewritten);
    }
    if (plan->passes > 1)
        wb_line_add(&line, " passes=%u", plan->passes);
    add_facts(&line, conf, env, r->recipient);
    wb_lines_add(lines, &line);
}

static void add_reply(struct wb_line *line, const struct wb_reply *reply)
{
    wb_line_add(line, " reply=\"%s %s ", reply->code, reply->enhanced);
    wb_line_add_untrusted(line, reply->text, strlen(reply->text), true);
    wb_line_add_text(line, "\"");
}

void wb_decision_log_refusal(const struct wb_conf *conf,
                             const struct wb_envelope *env,
                             const char *recipient,
                             const struct wb_reply *reply)
{
    struct wb_line line;

    begin(&line, env);
    if (recipient != NULL)
        add_to(&line, recipient);
    else if (env->recipient_count > 0)
        add_to(&line, env->recipients[0].given);
    if (recipient == NULL)
        wb_line_add(&line, " nrcpt=%zu", env->recipient_count);
    add_reply(&line, reply);
    add_facts(&line, conf, env, NULL);
    wb_log(LOG_INFO, "%s", line.text);
}

void wb_decision_log_visit(const char *listener, const char *client,
                           const struct wb_reply *reply)
{
    struct wb_line line = {.used = 0};

    wb_line_add(&line, "NOQUEUE: listener=");
    add_word(&line, listener != NULL ? listener : "");
    add_name(&line, " client=", client != NULL ? client : "unknown");
    add_reply(&line, reply);
    wb_log(LOG_INFO, "%s", line.text);
}

bool wb_decision_is_told(const struct wb_plan *plan, size_t i)
{
    return !plan->is_partial || plan->recipients[i].rewritten != NULL;
}

void wb_decision_log(const struct wb_conf *conf, const struct wb_envelope *env,
                     const struct wb_plan *plan)
{
    struct wb_line head;
    struct wb_lines lines;

    lines.used = 0;
    if (plan->decision != WB_ACCEPT) {
        wb_decision_log_refusal(conf, env, NULL, &plan->reply);
        return;
    }
    begin(&head, env);
    for (size_t i = 0; i < env->recipient_count; i++)
        if (wb_decision_is_told(plan, i))
            log_recipient(conf, env, &head, &plan->recipients[i], plan, &lines);
    wb_lines_end(&lines);
}
