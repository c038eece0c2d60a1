#include "tool/watch/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/publish.h"

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 100 };

/* ---- reading ---------------------------------------------------------------
 */

static const char *text_of(struct wb_pool *pool, const json_t *object,
                           const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : wb_say(pool, "%s", text);
}

/* 0 for what is no such number. */
static int64_t number_of(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));

    return n > 0 ? (int64_t)n : 0;
}

static struct wb_condition read_condition(struct wb_pool *pool,
                                          const json_t *object)
{
    int64_t failures = number_of(object, "failures");

    return (struct wb_condition){
        .last_s = number_of(object, "last"),
        .since_s = number_of(object, "since"),
        .failures = failures > 1000000 ? 1000000 : (unsigned)failures,
        .kind = text_of(pool, object, "kind"),
        .step = text_of(pool, object, "step"),
        .words = text_of(pool, object, "words"),
        .hint = text_of(pool, object, "hint"),
    };
}

static void read_routes(struct wb_watch *w, json_t *routes)
{
    const char *name;
    json_t *object;

    json_object_foreach(routes, name, object)
    {
        struct wb_route_state *r = wb_watch_route(w, name);

        r->account = text_of(w->pool, object, "account");
        r->pop = read_condition(w->pool, json_object_get(object, "pop"));
        r->test = read_condition(w->pool, json_object_get(object, "test"));
        r->is_told_failing =
            json_is_true(json_object_get(object, "told_failing"));
        r->told_s = number_of(object, "told");
    }
}

int wb_watch_read(struct wb_pool *pool, const char *path, struct wb_watch *out,
                  struct wb_err *err)
{
    json_error_t why;
    json_t *root;
    char *text;
    int code = wb_file_read(pool, path, &text, err);

    *out = (struct wb_watch){.pool = pool};
    if (code != EX_OK || text == NULL)
        return code;
    root = json_loads(text, 0, &why);
    if (root == NULL)
        return wb_err_set(err, EX_DATAERR, "%s:%d: %s; it will be made anew",
                          path, why.line, why.text);
    out->must_reload = json_is_true(json_object_get(root, "must_reload"));
    read_routes(out, json_object_get(root, "routes"));
    json_decref(root);
    return EX_OK;
}

/* ---- writing ---------------------------------------------------------------
 */

static json_t *condition_object(const struct wb_condition *c)
{
    return json_pack("{s:I, s:I, s:i, s:s, s:s, s:s, s:s}", "last",
                     (json_int_t)c->last_s, "since", (json_int_t)c->since_s,
                     "failures", (int)c->failures, "kind", c->kind, "step",
                     c->step, "words", c->words, "hint", c->hint);
}

/* What was never looked at is left out. */
static json_t *route_object(const struct wb_route_state *r)
{
    json_t *object =
        json_pack("{s:s, s:b, s:I}", "account", r->account, "told_failing",
                  r->is_told_failing, "told", (json_int_t)r->told_s);

    if (r->pop.last_s > 0)
        json_object_set_new(object, "pop", condition_object(&r->pop));
    if (r->test.last_s > 0)
        json_object_set_new(object, "test", condition_object(&r->test));
    return object;
}

int wb_watch_write(const struct wb_watch *w, const struct wb_conf *conf,
                   const char *path, struct wb_err *err)
{
    json_t *routes = json_object();
    json_t *root;
    char *text;
    int code;

    for (size_t i = 0; i < w->count; i++)
        if (wb_conf_route(conf, w->routes[i].name) != NULL)
            json_object_set_new(routes, w->routes[i].name,
                                route_object(&w->routes[i]));
    root = json_pack("{s:b, s:o}", "must_reload", w->must_reload, "routes",
                     routes);
    text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    code =
        wb_file_write(w->pool, path, wb_say(w->pool, "%s\n", text), 0600, err);
    free(text);
    return code;
}

/* ---- one writer at a time --------------------------------------------------
 */

static const char *folder_of(struct wb_pool *pool, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL || slash == path
               ? "/"
               : wb_slice(pool, path, 0, (size_t)(slash - path));
}

static bool try_lock(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

int wb_watch_lock(struct wb_pool *pool, const char *path, int *fd,
                  struct wb_err *err)
{
    const char *dir = folder_of(pool, path);

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", dir, strerror(errno));
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return wb_err_set(err, EX_CANTCREAT, "%s: %s", dir, strerror(errno));
    if (try_lock(*fd))
        return EX_OK;
    close(*fd);
    *fd = -1;
    return wb_err_set(err, EX_TEMPFAIL,
                      "%s: another waybill is at work; try again when it is "
                      "done",
                      dir);
}

/* ---- one route -------------------------------------------------------------
 */

const struct wb_route_state *wb_watch_find(const struct wb_watch *w,
                                           const char *name)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->routes[i].name, name) == 0)
            return &w->routes[i];
    return NULL;
}

static const struct wb_condition unknown = {
    .kind = "", .step = "", .words = "", .hint = ""};

/* Twice as much: what is given up stays in the pool. */
static void make_room(struct wb_watch *w)
{
    struct wb_route_state *all;

    w->room = 2 * w->room + 16;
    all = wb_must(wb_pool_array(w->pool, w->room, sizeof *all));
    if (w->count > 0)
        memcpy(all, w->routes, w->count * sizeof *all);
    w->routes = all;
}

struct wb_route_state *wb_watch_route(struct wb_watch *w, const char *name)
{
    struct wb_route_state *all =
        (struct wb_route_state *)wb_watch_find(w, name);

    if (all != NULL)
        return all;
    if (w->count == w->room)
        make_room(w);
    all = &w->routes[w->count++];
    *all = (struct wb_route_state){.name = wb_say(w->pool, "%s", name),
                                   .account = "",
                                   .pop = unknown,
                                   .test = unknown};
    return all;
}

void wb_condition_note(struct wb_condition *c, const struct wb_fault *fault,
                       const char *step, int64_t now_s)
{
    bool was_failing = c->failures > 0;
    bool is_failing = fault->cause != WB_CAUSE_NONE;
    unsigned failures = is_failing ? c->failures + 1 : 0;
    int64_t since_s =
        was_failing == is_failing && c->last_s > 0 ? c->since_s : now_s;
    const struct wb_hint *hint = is_failing ? wb_hint_find(fault) : NULL;

    *c = unknown;
    c->last_s = now_s;
    c->since_s = since_s;
    c->failures = failures;
    if (!is_failing)
        return;
    c->kind = wb_failure_name(hint->kind);
    c->step = step;
    c->words = fault->text;
    c->hint = hint->text;
}
