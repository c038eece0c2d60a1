#include "tool/watch/notice.h"

#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/postconf.h"
#include "tool/maps/run.h"
#include "tool/test/letter.h"

/* So many are described; of the rest only the number is told. */
enum { MOST_ROUTES = 50, MOST_WORDS = 500, MOST_NAMES = 3 };

struct notice {
    const struct wb_conf *conf;
    struct wb_pool *pool;
    int64_t now_s;
    struct wb_route_state **changed;
    size_t count;
    size_t failing; /* of them */
};

/* The failure of a route that fails, or NULL. */
static const struct wb_condition *failure(const struct wb_conf *conf,
                                          const struct wb_route_state *r)
{
    const struct wb_route *route = wb_conf_route(conf, r->name);

    if (route == NULL)
        return NULL;
    if (route->pop.host != NULL && r->pop.failures > 0)
        return &r->pop;
    return r->test.failures > 0 ? &r->test : NULL;
}

/* Of a route that was taken out of the configuration nobody knows whether it
 * works. */
static bool is_to_tell(const struct notice *n, const struct wb_route_state *r)
{
    bool is_failing = failure(n->conf, r) != NULL;
    int64_t age_s = n->now_s - r->told_s;

    return wb_conf_route(n->conf, r->name) != NULL &&
           is_failing != r->is_told_failing &&
           (r->told_s == 0 || age_s < 0 || age_s >= WB_NOTICE_PAUSE_S);
}

static void collect(struct notice *n, struct wb_watch *w)
{
    n->changed = wb_must(
        wb_pool_array(n->pool, w->count + 1, sizeof(struct wb_route_state *)));
    for (size_t i = 0; i < w->count; i++) {
        struct wb_route_state *r = &w->routes[i];

        if (!is_to_tell(n, r))
            continue;
        r->is_told_failing = failure(n->conf, r) != NULL;
        r->told_s = n->now_s;
        n->failing += r->is_told_failing;
        n->changed[n->count++] = r;
    }
}

/* ---- the message -----------------------------------------------------------
 */

/* "docomo, au and 3 more" of those that fail, or of those that do not */
static const char *names(const struct notice *n, bool of_failing)
{
    size_t total = of_failing ? n->failing : n->count - n->failing, told = 0;
    struct wb_text t;

    wb_text_open(&t);
    for (size_t i = 0; i < n->count && told < MOST_NAMES; i++)
        if (n->changed[i]->is_told_failing == of_failing)
            fprintf(t.file, "%s%s", told++ > 0 ? ", " : "",
                    n->changed[i]->name);
    if (total > told)
        fprintf(t.file, " and %zu more", total - told);
    return wb_text_close(&t, n->pool);
}

static const char *subject(const struct notice *n)
{
    size_t well = n->count - n->failing;
    const char *bad = wb_say(n->pool, "failing: %s", names(n, true));
    const char *good = wb_say(n->pool, "working again: %s", names(n, false));

    if (n->failing == 0)
        return good;
    return well == 0 ? bad : wb_say(n->pool, "%s; %s", bad, good);
}

/* The server's words must not end the message or begin a header. */
static void field(FILE *out, const char *name, const char *text)
{
    size_t octets = strnlen(text, MOST_WORDS);

    fprintf(out, "  %-8s ", name);
    for (size_t i = 0; i < octets; i++)
        if (text[i] == '\n')
            fprintf(out, "\n  %-8s ", "");
        else
            fputc(text[i], out);
    fputc('\n', out);
}

static void describe(const struct notice *n, const struct wb_route_state *r,
                     FILE *out)
{
    const struct wb_condition *c = failure(n->conf, r);

    if (c == NULL) {
        fprintf(out, "\nroute %s works again.\n", r->name);
        return;
    }
    fprintf(out, "\nroute %s has been failing since %s.\n", r->name,
            wb_mail_date(n->pool, c->since_s));
    field(out, "step", wb_say(n->pool, "%s (%s)", c->step, c->kind));
    field(out, "reply", c->words);
    field(out, "hint", c->hint);
}

static void recipients(const struct notice *n, FILE *out)
{
    for (size_t i = 0; i < n->conf->notify.count; i++)
        fprintf(out, "%s<%s>", i > 0 ? ",\n " : "", n->conf->notify.items[i]);
}

static const char *compose(const struct notice *n, const char *host)
{
    size_t told = n->count < MOST_ROUTES ? n->count : MOST_ROUTES;
    struct wb_text t;

    wb_text_open(&t);
    fprintf(t.file, "From: waybill <postmaster@%s>\nTo: ", host);
    recipients(n, t.file);
    fprintf(t.file,
            "\nSubject: [waybill] %s\n"
            "Date: %s\n"
            "Auto-Submitted: auto-generated\n"
            "MIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: 8bit\n"
            "\n"
            "This is waybill on %s.\n",
            subject(n), wb_mail_date(n->pool, n->now_s), host);
    for (size_t i = 0; i < told; i++)
        describe(n, n->changed[i], t.file);
    if (n->count > told)
        fprintf(t.file, "\nThere are %zu more.\n", n->count - told);
    fputs("\nYou are told again when this changes, not before.\n", t.file);
    return wb_text_close(&t, n->pool);
}

static int send_mail(const struct notice *n, const char *dir,
                     struct wb_err *err)
{
    static const char *const names_asked[] = {"sendmail_path", "myhostname"};
    size_t count = n->conf->notify.count;
    const char **argv =
        wb_must(wb_pool_array(n->pool, count + 8, sizeof *argv));
    const char *values[2];
    struct wb_run run = {.argv = argv};
    int code = wb_postconf_values(n->pool, dir, names_asked, 2, values, err);

    if (code != EX_OK)
        return code;
    memcpy(argv, ((const char *[]){values[0], "-C", dir, "-i", "-f", "", "--"}),
           7 * sizeof *argv);
    memcpy(argv + 7, n->conf->notify.items, count * sizeof *argv);
    run.input = compose(n, values[1]);
    code = wb_run(n->pool, &run, err);
    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_UNAVAILABLE, "%s: %s", values[0],
                          wb_run_errors(n->pool, &run));
    return code;
}

int wb_notice_settle(struct wb_watch *w, const struct wb_conf *conf,
                     const char *dir, int64_t now_s, struct wb_err *err)
{
    struct notice n = {.conf = conf, .pool = w->pool, .now_s = now_s};
    int code;

    if (conf->notify.count > 0)
        collect(&n, w);
    code = wb_watch_write(w, conf, conf->state_file, err);
    if (code != EX_OK || n.count == 0)
        return code;
    code = send_mail(&n, dir, err);
    if (code == EX_OK)
        return EX_OK;
    /* they do not know it after all: to be told when the pause is over */
    for (size_t i = 0; i < n.count; i++)
        n.changed[i]->is_told_failing = !n.changed[i]->is_told_failing;
    wb_watch_write(w, conf, conf->state_file, NULL);
    return code;
}
