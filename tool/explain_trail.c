/* waybill explain --queue-id: why a message went where it went. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tool/explain.h"
#include "tool/trail/queue.h"
#include "tool/trail/trail.h"

struct story {
    const struct wb_conf *conf;
    struct wb_pool *p;
    struct wb_trail trail;
    const char *source;
    json_t *queue; /* NULL: not known, for the reason in err */
    struct wb_err err;
};

/* ---- for people ---- */

static void field(const char *name, const char *value)
{
    printf("  %-11s %s\n", name, value);
}

static bool is_hex(const char *text)
{
    return text[0] == '\\' && text[1] == 'x' &&
           isxdigit((unsigned char)text[2]) && isxdigit((unsigned char)text[3]);
}

/* Is it name, as the log writes it, with "\xHH" for what is not plain? */
static bool is_logged_as(const char *name, const char *logged)
{
    for (; *name != '\0'; name++) {
        char hex[] = {0, 0, 0};
        bool is_escaped = is_hex(logged);

        if (is_escaped)
            memcpy(hex, logged + 2, 2);
        if (is_escaped ? strtoul(hex, NULL, 16) != (unsigned char)*name
                       : *logged != *name)
            return false;
        logged += is_escaped ? 4 : 1;
    }
    return *logged == '\0';
}

static const struct wb_rule *find_rule(const struct wb_conf *conf,
                                       const char *logged)
{
    for (size_t i = 0; i < conf->rules.count; i++)
        if (is_logged_as(conf->rules.rules[i].name, logged))
            return &conf->rules.rules[i];
    return NULL;
}

/* What the names of the line stand for now. */
static void show_rule(const struct wb_conf *conf, const char *name)
{
    const struct wb_rule *rule = find_rule(conf, name);

    if (rule == NULL)
        printf("  %-11s %s (not configured any more)\n", "rule", name);
    else
        printf("  %-11s %s (%s:%u, priority %d)\n", "rule", name,
               rule->origin.file, rule->origin.line, rule->priority);
}

static void show_route(const struct wb_conf *conf, const char *name)
{
    const struct wb_route *route = wb_conf_route(conf, name);

    if (route == NULL)
        printf("  %-11s %s (not configured any more)\n", "route", name);
    else if (route->is_direct)
        field("route", "direct: as the MTA would do without waybill");
    else
        printf("  %-11s %s: %s port %u\n", "route", name, route->host,
               route->port);
}

static bool is_same_conf(const struct story *s, const struct wb_trail_line *l)
{
    const char *then = wb_trail_field(l, "conf");

    return then == NULL || strncmp(then, s->conf->digest, strlen(then)) == 0;
}

static void show_decision(const struct story *s, const struct wb_trail_line *l)
{
    const char *to = wb_trail_field(l, "to");

    printf("recipient <%s>\n", to != NULL ? to : "");
    if (*l->logged != '\0')
        field("decided", l->logged);
    for (size_t i = 0; i < l->field_count; i++) {
        const struct wb_trail_field *f = &l->fields[i];

        if (strcmp(f->key, "to") == 0)
            continue;
        if (strcmp(f->key, "rule") == 0)
            show_rule(s->conf, f->value);
        else if (strcmp(f->key, "route") == 0)
            show_route(s->conf, f->value);
        else
            field(f->key, f->value);
    }
    if (!is_same_conf(s, l))
        field("but", "the configuration has changed since; its rule and route "
                     "are shown as they are now");
}

static void show_delivery(const struct story *s, const struct wb_trail_line *l)
{
    printf("delivery\n");
    field("logged", l->logged);
    field("it", wb_trail_hide(s->p, l->text));
}

static void show_queue(const struct story *s)
{
    size_t i, k;
    json_t *m, *r;

    if (s->queue == NULL) {
        printf("queue\n  not known: %s\n", s->err.text);
        return;
    }
    if (json_array_size(s->queue) == 0)
        puts("queue\n  it is there no more");
    json_array_foreach(s->queue, i, m)
    {
        printf("queue %s\n  %s\n",
               json_string_value(json_object_get(m, "queue")),
               json_string_value(json_object_get(m, "queue_id")));
        json_array_foreach(json_object_get(m, "recipients"), k, r)
        {
            const char *why = json_string_value(json_object_get(r, "why"));

            printf("  <%s>%s%s\n",
                   json_string_value(json_object_get(r, "recipient")),
                   why != NULL ? ": " : "", why != NULL ? why : "");
        }
    }
}

static int show(const struct story *s)
{
    for (size_t i = 0; i < s->trail.id_count; i++) {
        const char *id = s->trail.ids[i];

        printf("message %s\n", id);
        for (size_t k = 0; k < s->trail.count; k++) {
            const struct wb_trail_line *l = &s->trail.lines[k];

            if (strcmp(l->queue_id, id) != 0)
                continue;
            if (l->is_decision)
                show_decision(s, l);
            else
                show_delivery(s, l);
        }
    }
    show_queue(s);
    if (s->trail.is_cut)
        puts("(there is more of it)");
    return EX_OK;
}

/* ---- for programs ---- */

/* Log lines are ASCII, but other programs' may be anything. */
static json_t *string(const char *text)
{
    json_t *made = json_string(text);

    return made != NULL ? made : json_string("(not UTF-8)");
}

static json_t *decision_json(const struct wb_trail_line *l)
{
    json_t *out = json_pack("{s:s, s:o}", "queue_id", l->queue_id, "logged",
                            string(l->logged));

    for (size_t i = 0; i < l->field_count; i++)
        json_object_set_new(out, l->fields[i].key, string(l->fields[i].value));
    return out;
}

static int dump(const struct story *s)
{
    json_t *decisions = json_array(), *deliveries = json_array();
    json_t *ids = json_array();
    json_t *root;
    int rc;

    for (size_t i = 0; i < s->trail.id_count; i++)
        json_array_append_new(ids, string(s->trail.ids[i]));
    for (size_t i = 0; i < s->trail.count; i++) {
        const struct wb_trail_line *l = &s->trail.lines[i];

        if (l->is_decision)
            json_array_append_new(decisions, decision_json(l));
        else
            json_array_append_new(
                deliveries,
                json_pack("{s:s, s:o, s:o}", "queue_id", l->queue_id, "logged",
                          string(l->logged), "text",
                          string(wb_trail_hide(s->p, l->text))));
    }
    root = json_pack("{s:o, s:o, s:o, s:O?, s:b}", "queue_ids", ids,
                     "decisions", decisions, "deliveries", deliveries, "queue",
                     s->queue, "is_cut", s->trail.is_cut);
    rc = root != NULL && json_dumpf(root, stdout, JSON_INDENT(2)) == 0
             ? EX_OK
             : EX_OSERR;
    putchar('\n');
    json_decref(root);
    return rc;
}

int wb_explain_trail(const struct wb_conf *conf, const char *log,
                     const char *queue_id, bool as_json, struct wb_pool *p,
                     struct wb_err *err)
{
    struct story s = {.conf = conf, .p = p};
    int rc;

    if (!wb_trail_is_id(queue_id))
        return wb_err_set(err, EX_DATAERR,
                          "\"%s\" is no queue id; letters and digits are right",
                          queue_id);
    rc = wb_trail_read(log, queue_id, p, &s.trail, &s.source, err);
    if (rc != EX_OK)
        return rc;
    if (s.trail.count == 0)
        return wb_err_set(err, EX_DATAERR,
                          "nothing on %s in %s; --log names another log, such "
                          "as the rotated one",
                          queue_id, s.source);
    s.queue = wb_queue_look(conf, s.trail.ids, s.trail.id_count, p, &s.err);
    rc = as_json ? dump(&s) : show(&s);
    json_decref(s.queue);
    return rc;
}
