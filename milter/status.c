#include "milter/status.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "milter/current.h"
#include "milter/stats.h"

enum { NAME_MAX_OCTETS = 100 }; /* as the configuration allows */

static const char *const verdicts[] = {
    [WB_ACCEPT] = "accept", [WB_TEMPFAIL] = "tempfail", [WB_REJECT] = "reject"};

static json_int_t read_count(const atomic_ullong *count)
{
    return (json_int_t)atomic_load_explicit(count, memory_order_relaxed);
}

static json_int_t read_signed(const atomic_llong *count)
{
    return (json_int_t)atomic_load_explicit(count, memory_order_relaxed);
}

/* A name as UTF-8, which JSON and Prometheus ask for: where it is none, what is
 * no ASCII becomes \xHH, so that no two names become one. The string that holds
 * it is freed by the caller; NULL when out of memory. */
static json_t *name_of(const char *name)
{
    json_t *whole = json_string(name);
    char text[NAME_MAX_OCTETS * 4 + 1] = "";
    size_t used = 0;

    if (whole != NULL)
        return whole;
    for (; *name != '\0' && used + 4 < sizeof text; name++) {
        unsigned octet = (unsigned char)*name;

        used += (size_t)snprintf(text + used, sizeof text - used,
                                 octet < 0x80 ? "%c" : "\\x%02X", octet);
    }
    return json_string(text);
}

/* Of a huge table of rules most are never met, and would only fill the answer.
 */
static bool is_shown(const struct wb_counts *counts, const struct wb_count *c)
{
    return counts->count <= WB_STATUS_RULES_MAX || read_count(&c->messages) > 0;
}

/* ---- JSON ---- */

static json_t *counts_json(const struct wb_counts *counts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < counts->count; i++) {
        const struct wb_count *c = counts->items[i];

        if (is_shown(counts, c))
            json_array_append_new(
                list, json_pack("{s:o, s:I, s:I}", "name", name_of(c->name),
                                "messages", read_count(&c->messages),
                                "recipients", read_count(&c->recipients)));
    }
    return list;
}

static json_t *verdicts_json(const struct wb_totals *t)
{
    json_t *out = json_object();

    for (size_t i = 0; i < WB_DECISIONS; i++)
        json_object_set_new(out, verdicts[i],
                            json_integer(read_count(&t->messages[i])));
    return out;
}

static json_t *classes_json(const struct wb_totals *t)
{
    json_t *out = json_object();

    for (size_t i = 0; i < WB_CLASSES; i++)
        json_object_set_new(out, wb_class_name((enum wb_class)i),
                            json_integer(read_count(&t->recipients[i])));
    json_object_set_new(out, "refused",
                        json_integer(read_count(&t->refused_recipients)));
    return out;
}

static json_t *time_or_null(json_int_t at_s)
{
    return at_s > 0 ? json_integer(at_s) : json_null();
}

static json_t *errors_json(void)
{
    struct wb_error errors[WB_ERRORS_KEPT];
    size_t count = wb_stats_errors(errors);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *text = json_string(errors[i].text);

        json_array_append_new(
            list,
            json_pack("{s:I, s:o}", "at", (json_int_t)errors[i].at_s, "text",
                      text != NULL ? text : json_string("(not UTF-8)")));
    }
    return list;
}

static json_t *conf_json(const struct wb_conf *conf, const struct wb_totals *t)
{
    json_t *path = json_string(conf->path);

    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I}", "path",
                     path != NULL ? path : json_string("(not UTF-8)"), "digest",
                     conf->digest, "loaded", read_signed(&t->loaded_s), "rules",
                     (json_int_t)conf->rules.count, "routes",
                     (json_int_t)conf->route_count, "webhooks",
                     (json_int_t)conf->webhook_count);
}

static json_t *status(const struct wb_conf *conf)
{
    const struct wb_totals *t = wb_stats_totals();
    const struct wb_tally *tally = wb_stats_tally(conf);

    return json_pack(
        "{s:s, s:I, s:I, s:I, s:o, s:{s:I, s:I, s:o}, s:{s:I, s:I}, s:o, s:o, "
        "s:o, s:o, s:o, s:I, s:o}",
        "version", WB_VERSION, "pid", (json_int_t)getpid(), "started",
        (json_int_t)wb_stats_started_s(), "uptime_s",
        (json_int_t)wb_stats_uptime_s(), "configuration", conf_json(conf, t),
        "reloads", "taken", read_count(&t->reloads_taken), "refused",
        read_count(&t->reloads_refused), "last_refused",
        time_or_null(read_signed(&t->refused_s)), "connections", "now",
        read_signed(&t->connections_now), "total", read_count(&t->connections),
        "messages", verdicts_json(t), "recipients", classes_json(t), "rules",
        counts_json(&tally->rules), "routes", counts_json(&tally->routes),
        "webhooks", counts_json(&tally->webhooks), "error_count",
        read_count(&t->errors), "errors", errors_json());
}

void wb_status_json(FILE *out)
{
    const struct wb_conf *conf = wb_current_ref();
    json_t *root = conf != NULL ? status(conf) : NULL;

    if (root != NULL && json_dumpf(root, out, JSON_COMPACT) == 0)
        fputc('\n', out);
    json_decref(root);
    if (conf != NULL)
        wb_conf_unref(conf);
}

/* ---- Prometheus ---- */

static void head(FILE *out, const char *name, const char *type,
                 const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void plain(FILE *out, const char *name, const char *type,
                  const char *help, json_int_t value)
{
    head(out, name, type, help);
    fprintf(out, "%s %lld\n", name, (long long)value);
}

/* A label's value. */
static void put_value(FILE *out, const char *text)
{
    json_t *name = name_of(text);

    for (const char *c = json_string_value(name); c != NULL && *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else
            fputc(*c, out);
    json_decref(name);
}

static void one(FILE *out, const char *name, const char *label,
                const char *value, json_int_t count)
{
    fprintf(out, "%s{%s=\"", name, label);
    put_value(out, value);
    fprintf(out, "\"} %lld\n", (long long)count);
}

/* Two metrics of the rules, the routes or the webhooks. */
static void counts_metrics(FILE *out, const struct wb_counts *counts,
                           const char *what)
{
    char name[64], help[128];

    for (int i = 0; i < 2; i++) {
        const char *unit = i == 0 ? "messages" : "recipients";

        snprintf(name, sizeof name, "waybill_%s_%s_total", what, unit);
        snprintf(help, sizeof help, "Accepted %s with this %s.", unit, what);
        head(out, name, "counter", help);
        for (size_t k = 0; k < counts->count; k++) {
            const struct wb_count *c = counts->items[k];

            if (is_shown(counts, c))
                one(out, name, what, c->name,
                    read_count(i == 0 ? &c->messages : &c->recipients));
        }
    }
}

static void daemon_metrics(FILE *out, const struct wb_conf *conf,
                           const struct wb_totals *t)
{
    head(out, "waybill_build_info", "gauge", "The milter's version.");
    one(out, "waybill_build_info", "version", WB_VERSION, 1);
    head(out, "waybill_configuration_info", "gauge",
         "Digest of the configuration in force.");
    one(out, "waybill_configuration_info", "digest", conf->digest, 1);
    plain(out, "waybill_configuration_loaded_timestamp_seconds", "gauge",
          "When the configuration in force was loaded.",
          read_signed(&t->loaded_s));
    plain(out, "waybill_start_timestamp_seconds", "gauge",
          "When the milter started.", (json_int_t)wb_stats_started_s());
    head(out, "waybill_reloads_total", "counter", "Reloads, by their end.");
    one(out, "waybill_reloads_total", "result", "taken",
        read_count(&t->reloads_taken));
    one(out, "waybill_reloads_total", "result", "refused",
        read_count(&t->reloads_refused));
    plain(out, "waybill_connections", "gauge",
          "Connections of the MTA at this moment.",
          read_signed(&t->connections_now));
    plain(out, "waybill_connections_opened_total", "counter",
          "Connections of the MTA so far.", read_count(&t->connections));
    plain(out, "waybill_errors_total", "counter", "Errors logged.",
          read_count(&t->errors));
}

static void mail_metrics(FILE *out, const struct wb_totals *t)
{
    head(out, "waybill_messages_total", "counter",
         "Messages decided on, by verdict.");
    for (size_t i = 0; i < WB_DECISIONS; i++)
        one(out, "waybill_messages_total", "verdict", verdicts[i],
            read_count(&t->messages[i]));
    head(out, "waybill_recipients_total", "counter",
         "Recipients of accepted messages, by class.");
    for (size_t i = 0; i < WB_CLASSES; i++)
        one(out, "waybill_recipients_total", "class",
            wb_class_name((enum wb_class)i), read_count(&t->recipients[i]));
    plain(out, "waybill_recipients_refused_total", "counter",
          "Recipients refused by themselves.",
          read_count(&t->refused_recipients));
}

void wb_status_metrics(FILE *out)
{
    const struct wb_conf *conf = wb_current_ref();
    const struct wb_tally *tally = conf != NULL ? wb_stats_tally(conf) : NULL;

    if (tally != NULL) {
        daemon_metrics(out, conf, wb_stats_totals());
        mail_metrics(out, wb_stats_totals());
        counts_metrics(out, &tally->rules, "rule");
        counts_metrics(out, &tally->routes, "route");
        counts_metrics(out, &tally->webhooks, "webhook");
    }
    if (conf != NULL)
        wb_conf_unref(conf);
}
