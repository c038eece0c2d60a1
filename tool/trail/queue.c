#include "tool/trail/queue.h"

#include <string.h>
#include <sysexits.h>

#include "tool/maps/run.h"
#include "tool/trail/trail.h"

static const char *text(const json_t *in, const char *key)
{
    return json_string_value(json_object_get(in, key));
}

static bool is_one_of(const char *id, const char *const *ids, size_t count)
{
    for (size_t i = 0; id != NULL && i < count; i++)
        if (strcmp(id, ids[i]) == 0)
            return true;
    return false;
}

static json_t *recipients(const json_t *message, struct wb_pool *p)
{
    json_t *list = json_array();
    size_t i;
    json_t *r;

    json_array_foreach(json_object_get(message, "recipients"), i, r)
    {
        const char *address = text(r, "address");

        json_array_append_new(
            list, json_pack("{s:s?, s:s?}", "recipient",
                            address != NULL ? wb_trail_hide(p, address) : NULL,
                            "why", text(r, "delay_reason")));
    }
    return list;
}

/* One line of postqueue -j. */
static void take(json_t *list, const char *line, size_t octets,
                 const char *const *ids, size_t count, struct wb_pool *p)
{
    json_t *message = json_loadb(line, octets, 0, NULL);
    const char *id = text(message, "queue_id");

    if (is_one_of(id, ids, count))
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:o}", "queue_id", id,
                                        "queue", text(message, "queue_name"),
                                        "recipients", recipients(message, p)));
    json_decref(message);
}

json_t *wb_queue_look(const struct wb_conf *conf, const char *const *ids,
                      size_t count, struct wb_pool *p, struct wb_err *err)
{
    const char *const argv[] = {"postqueue", "-c", conf->mta_config, "-j",
                                NULL};
    struct wb_run run = {.argv = argv};
    json_t *list;

    if (conf->mta != WB_MTA_POSTFIX) {
        wb_err_set(err, EX_UNAVAILABLE, "only Postfix can be asked");
        return NULL;
    }
    if (wb_run(p, &run, err) != EX_OK)
        return NULL;
    if (run.status != 0) {
        wb_err_set(err, EX_UNAVAILABLE, "%s", wb_run_errors(p, &run));
        return NULL;
    }
    list = json_array();
    for (const char *line = run.out; list != NULL && *line != '\0';) {
        size_t octets = strcspn(line, "\n");

        take(list, line, octets, ids, count, p);
        line += octets + (line[octets] == '\n');
    }
    return list;
}
