/* Which queued mail still needs waybill's tables? */
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/run.h"

/* What is looked for in each recipient. */
struct search {
    const char *tail; /* how the address ends */
    const char *hop;  /* part of the reason for its delay; NULL: no matter */
};

static bool ends_with(const char *text, const char *tail)
{
    size_t octets = strlen(text), wanted = strlen(tail);

    return octets >= wanted && strcasecmp(text + octets - wanted, tail) == 0;
}

static bool is_wanted(const struct search *s, const json_t *recipient)
{
    const char *address =
        json_string_value(json_object_get(recipient, "address"));
    const char *reason =
        json_string_value(json_object_get(recipient, "delay_reason"));

    if (address != NULL && ends_with(address, s->tail))
        return true;
    return s->hop != NULL && reason != NULL && strstr(reason, s->hop) != NULL &&
           strstr(reason, WB_TAKEN_OUT) == NULL;
}

static bool holds_wanted(const struct search *s, const char *line)
{
    json_t *message = json_loads(line, 0, NULL);
    const json_t *recipients = json_object_get(message, "recipients");
    const json_t *recipient;
    size_t i;
    bool found = false;

    json_array_foreach(recipients, i, recipient)
    {
        found |= is_wanted(s, recipient);
    }
    json_decref(message);
    return found;
}

/* A queue that was never started holds nothing. */
static bool has_queue(struct wb_site *site)
{
    const char *queue = wb_site_value(site, "queue_directory");

    return access(wb_say(site->pool, "%s/deferred", queue), F_OK) == 0 ||
           access(wb_say(site->pool, "%s/active", queue), F_OK) == 0;
}

static int count_wanted(struct wb_site *site, const struct search *s,
                        size_t *count, struct wb_err *err)
{
    const char *const argv[] = {"postqueue", "-c", site->dir, "-j", NULL};
    struct wb_run run = {.argv = argv};
    char *save = NULL;
    int code;

    *count = 0;
    if (!has_queue(site))
        return EX_OK;
    code = wb_run(site->pool, &run, err);
    if (code != EX_OK)
        return code;
    if (run.status != 0)
        return wb_err_set(err, EX_UNAVAILABLE, "postqueue: %s",
                          wb_run_errors(site->pool, &run));
    for (char *line = strtok_r(run.out, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save))
        *count += holds_wanted(s, line);
    return EX_OK;
}

/* "waybill-in:[127.0.0.1]:10028" is told as "127.0.0.1[127.0.0.1]:10028". */
int wb_queue_count(struct wb_site *site, const char *hop, size_t *count,
                   struct wb_err *err)
{
    struct search s = {"waybill.invalid",
                       hop == NULL ? NULL : strchr(hop, '[')};

    return count_wanted(site, &s, count, err);
}

int wb_queue_count_label(struct wb_site *site, const char *label, size_t *count,
                         struct wb_err *err)
{
    struct search s = {wb_say(site->pool, ".%s." WB_SUFFIX_DOMAIN, label),
                       NULL};

    return count_wanted(site, &s, count, err);
}

static bool is_known(const struct wb_conf *conf, const char *label)
{
    for (size_t i = 0; i < conf->secret.count; i++) {
        if (strcmp(conf->secret.keys[i].label, label) == 0)
            return true;
    }
    return false;
}

/* The labels of the installed tables: strip.pcre has each in every row. */
int wb_queue_check_labels(struct wb_site *site, const struct wb_conf *conf,
                          struct wb_err *err)
{
    static const char mark[] = "\\.waybill\\.invalid$/";
    char *text;
    int code = wb_file_read(site->pool,
                            wb_say(site->pool, "%s/strip.pcre", site->maps),
                            &text, err);

    if (code != EX_OK || text == NULL)
        return code;
    for (const char *at = text; (at = strstr(at, mark)) != NULL; at++) {
        size_t end = (size_t)(at - text), count = 0;
        const char *label;

        if (end < WB_LABEL_OCTETS)
            continue;
        label = wb_slice(site->pool, text, end - WB_LABEL_OCTETS, end);
        if (is_known(conf, label))
            continue;
        code = wb_queue_count_label(site, label, &count, err);
        if (code != EX_OK)
            return code;
        if (count > 0)
            return wb_err_set(err, EX_TEMPFAIL,
                              "%zu queued message%s marked under a key that "
                              "secret_file no longer has, and would bounce; "
                              "keep that key as a later line until the queue "
                              "has drained",
                              count, count == 1 ? " is" : "s are");
    }
    return EX_OK;
}
