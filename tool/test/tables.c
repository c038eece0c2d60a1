#include "tool/test/tables.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/postconf.h"

static struct wb_fault fault(enum wb_cause cause, const char *text)
{
    return (struct wb_fault){
        .step = WB_STEP_TABLES, .cause = cause, .text = text};
}

static const char *probe(const struct wb_tables *t, const struct wb_route *r,
                         size_t key)
{
    return wb_say(t->pool, "probe@example.invalid.%s.%s." WB_SUFFIX_DOMAIN,
                  r->name, t->conf->secret.keys[key].label);
}

static char *probes(const struct wb_tables *t)
{
    struct wb_text k;

    wb_text_open(&k);
    for (size_t i = 0; i < t->conf->secret.count; i++)
        for (size_t j = 0; j < t->entries.way_count; j++)
            fprintf(k.file, "%s\n", probe(t, t->entries.ways[j].route, i));
    return wb_text_close(&k, t->pool);
}

/* By key; of one key, what was answered first. */
static int compare_answers(const void *a, const void *b)
{
    const struct wb_answer *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order != 0 ? order : (x->value > y->value) - (x->value < y->value);
}

static int compare_key(const void *key, const void *answer)
{
    return strcmp(key, ((const struct wb_answer *)answer)->key);
}

/* Cut "key TAB value" lines apart, in place. The first answer to a key is the
 * one that counts, as it is for Postfix. */
static struct wb_answers sort_answers(struct wb_pool *pool, char *text)
{
    struct wb_answers all = {0};
    size_t lines = 0, kept = 0;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    all.items = wb_must(wb_pool_array(pool, lines + 1, sizeof *all.items));
    for (char *line, *rest = text; (line = strsep(&rest, "\n")) != NULL;) {
        char *tab = strchr(line, '\t');

        if (tab == NULL)
            continue;
        *tab = '\0';
        all.items[all.count++] = (struct wb_answer){line, tab + 1};
    }
    qsort(all.items, all.count, sizeof *all.items, compare_answers);
    for (size_t i = 0; i < all.count; i++)
        if (kept == 0 || strcmp(all.items[kept - 1].key, all.items[i].key) != 0)
            all.items[kept++] = all.items[i];
    all.count = kept;
    return all;
}

/* The value of key, or NULL. */
static const char *answer_to(const struct wb_answers *answers, const char *key)
{
    const struct wb_answer *found =
        answers->count == 0 ? NULL
                            : bsearch(key, answers->items, answers->count,
                                      sizeof *answers->items, compare_key);

    return found == NULL ? NULL : found->value;
}

/* What transport_maps answers to the probes, up to waybill's own table: what
 * stands before it may answer first. */
static int ask_transport(struct wb_tables *t, struct wb_err *err)
{
    const char *own = wb_say(t->pool, "pcre:%s/transport.pcre", t->site.maps);
    const char *const name = "transport_maps", *maps = "";
    const char *keys = probes(t);
    struct wb_strings tables;
    struct wb_text answers;
    int code = wb_postconf_values(t->pool, t->site.dir, &name, 1, &maps, err);

    tables = wb_cf_list(t->pool, maps);
    wb_text_open(&answers);
    for (size_t i = 0; code == EX_OK && i < tables.count; i++) {
        const char *table = tables.items[i];
        char *answer = NULL;

        if (strncmp(table, "proxy:", 6) == 0)
            table += 6;
        code = wb_table_ask(t->pool, t->site.dir, table, keys, &answer, err);
        if (code == EX_OK)
            fputs(answer, answers.file);
        if (strcmp(table, own) == 0)
            break;
    }
    t->transport = sort_answers(t->pool, wb_text_close(&answers, t->pool));
    return code;
}

static int ask_passwords(struct wb_tables *t, struct wb_err *err)
{
    const struct wb_entries *e = &t->entries;
    int code = EX_OK;

    t->passwords =
        wb_must(wb_pool_array(t->pool, e->service_count, sizeof *t->passwords));
    for (size_t i = 0; i < e->service_count && code == EX_OK; i++) {
        const struct wb_service *service = e->services[i];
        struct wb_text keys;
        char *answer = NULL;

        if (service->passwords == NULL)
            continue;
        wb_text_open(&keys);
        for (const struct wb_seat *s = service->seats; s != NULL; s = s->next)
            fprintf(keys.file, "%s\n", s->nexthop);
        code = wb_table_ask(
            t->pool, t->site.dir,
            wb_say(t->pool, "texthash:%s/%s", t->site.maps, service->passwords),
            wb_text_close(&keys, t->pool), &answer, err);
        if (code == EX_OK)
            t->passwords[i] = sort_answers(t->pool, answer);
    }
    return code;
}

void wb_tables_open(struct wb_pool *pool, const struct wb_conf *conf,
                    const char *dir, struct wb_tables *out)
{
    struct wb_err err = {""};
    char *strip = NULL;
    int code;

    *out = (struct wb_tables){.pool = pool, .conf = conf};
    if (wb_site_open(pool, dir, &out->site, &err) != EX_OK) {
        out->fault = fault(WB_CAUSE_NOT_APPLIED, wb_say(pool, "%s", err.text));
        return;
    }
    if (!wb_cf_is_edited(out->site.main)) {
        out->fault = fault(
            WB_CAUSE_NOT_APPLIED,
            wb_say(pool, "%s has nothing of waybill's", out->site.main_cf));
        return;
    }
    code = wb_entries_make(conf, pool, out->site.maps, &out->entries, &err);
    if (code == EX_OK)
        code = ask_transport(out, &err);
    if (code == EX_OK)
        code = wb_table_ask(pool, out->site.dir,
                            wb_say(pool, "pcre:%s/strip.pcre", out->site.maps),
                            probes(out), &strip, &err);
    if (code == EX_OK)
        out->strip = sort_answers(pool, strip);
    if (code == EX_OK)
        code = ask_passwords(out, &err);
    if (code != EX_OK)
        out->fault = fault(WB_CAUSE_OTHER, wb_say(pool, "%s", err.text));
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Where mail with this key's label goes. */
static struct wb_fault judge_transport(const struct wb_tables *t,
                                       const struct wb_route *route, size_t key,
                                       const char *wanted)
{
    const char *address = probe(t, route, key);
    const char *answer = answer_to(&t->transport, address);
    const char *stripped = answer_to(&t->strip, address);

    if (answer == NULL)
        return fault(WB_CAUSE_TABLES_DIFFER,
                     "transport_maps has no answer for this route");
    if (begins(answer, "retry:4.7.0 "))
        return fault(WB_CAUSE_MARKED_DOWN, answer + strlen("retry:4.7.0 "));
    if (begins(answer, "retry:4.3.5") || begins(answer, "error:"))
        return fault(WB_CAUSE_NOT_APPLIED,
                     "the tables in Postfix do not have this route");
    if (strcmp(answer, wanted) != 0)
        return fault(WB_CAUSE_TABLES_DIFFER,
                     wb_say(t->pool, "transport_maps answers %s, not %s",
                            answer, wanted));
    if (stripped == NULL || strcmp(stripped, "probe@example.invalid") != 0)
        return fault(WB_CAUSE_TABLES_DIFFER,
                     "strip.pcre does not take waybill's mark off");
    return fault(WB_CAUSE_NONE, wanted);
}

static struct wb_fault judge_service(const struct wb_tables *t,
                                     const struct wb_service *service)
{
    const char *key = wb_say(t->pool, "%s/unix", service->name);
    const struct wb_cf_entry *is, *should = NULL;
    struct wb_master_service *all;
    struct wb_cf installed, ours;
    size_t count;

    wb_cf_parse(t->pool, WB_MASTER_CF, t->site.master, &installed);
    is = wb_cf_find(&installed, key);
    if (is == NULL)
        return fault(
            WB_CAUSE_TABLES_DIFFER,
            wb_say(t->pool, "master.cf has no service %s", service->name));
    all = wb_postfix_services(&t->entries, t->pool, &count);
    for (size_t i = 0; i < count && should == NULL; i++) {
        wb_cf_parse(t->pool, WB_MASTER_CF, all[i].text, &ours);
        should = wb_cf_find(&ours, key);
    }
    if (should == NULL || strcmp(wb_cf_join(t->pool, &installed, is),
                                 wb_cf_join(t->pool, &ours, should)) != 0)
        return fault(WB_CAUSE_TABLES_DIFFER,
                     wb_say(t->pool, "service %s in master.cf is another one",
                            service->name));
    return fault(WB_CAUSE_NONE, NULL);
}

/* Is it one of the nexthops that stand there with commas? */
static bool is_among(const char *nexthops, const char *one)
{
    size_t octets = strlen(one);

    for (const char *at = nexthops; *at != '\0';) {
        size_t each = strcspn(at, ",");

        if (each == octets && memcmp(at, one, octets) == 0)
            return true;
        at += each + (at[each] == ',');
    }
    return false;
}

static const struct wb_answers *answers_of(const struct wb_tables *t,
                                           const struct wb_service *service)
{
    size_t i = 0;

    while (t->entries.services[i] != service)
        i++;
    return &t->passwords[i];
}

/* The account at each of the route's relays. Nothing of one is told but that
 * it differs. */
static struct wb_fault judge_passwords(const struct wb_tables *t,
                                       const struct wb_way *way)
{
    const struct wb_service *service = way->service;
    const struct wb_answers *answers = answers_of(t, service);
    const struct wb_seat *seat = service->seats;

    for (; service->passwords != NULL && seat != NULL; seat = seat->next) {
        const char *answer = NULL, *wanted;

        if (!is_among(way->nexthop, seat->nexthop))
            continue;
        wanted = wb_say(t->pool, "%s:%s", seat->username, seat->password);
        answer = answer_to(answers, seat->nexthop);
        if (answer == NULL || strcmp(answer, wanted) != 0)
            return fault(
                WB_CAUSE_TABLES_DIFFER,
                wb_say(t->pool, "%s/%s has %s for %s", t->site.maps,
                       service->passwords,
                       answer == NULL ? "no account" : "another account",
                       seat->nexthop));
    }
    return fault(WB_CAUSE_NONE, NULL);
}

static const struct wb_way *way_of(const struct wb_tables *t,
                                   const struct wb_route *route)
{
    for (size_t i = 0; i < t->entries.way_count; i++)
        if (t->entries.ways[i].route == route)
            return &t->entries.ways[i];
    return NULL;
}

struct wb_fault wb_tables_judge(const struct wb_tables *t,
                                const struct wb_route *route)
{
    const struct wb_way *way;
    const char *wanted;
    struct wb_fault f;

    if (t->fault.cause != WB_CAUSE_NONE)
        return t->fault;
    way = wb_must((void *)way_of(t, route));
    wanted = wb_say(t->pool, "%s:%s", way->service->name, way->nexthop);
    for (size_t i = 0; i < t->conf->secret.count; i++) {
        f = judge_transport(t, route, i, wanted);
        if (f.cause != WB_CAUSE_NONE)
            return f;
    }
    f = judge_service(t, way->service);
    if (f.cause == WB_CAUSE_NONE)
        f = judge_passwords(t, way);
    if (f.cause == WB_CAUSE_NONE)
        f.text = wanted;
    return f;
}
