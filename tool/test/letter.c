#include "tool/test/letter.h"

#include <openssl/rand.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "match/matcher.h"
#include "plan/return_path.h"
#include "tool/maps/memory.h"

/* Most providers let an account send from its own address only. */
static const char *own_address(const struct wb_conf *conf,
                               const struct wb_route *route)
{
    if (route->from != NULL)
        return route->from_address.text;
    if (route->username != NULL && strchr(route->username, '@') != NULL)
        return route->username;
    return conf->notify.count > 0 ? conf->notify.items[0] : NULL;
}

static int parse(struct wb_pool *pool, const char *option, const char *text,
                 struct wb_address *out, struct wb_err *err)
{
    struct wb_err why = {""};

    if (wb_address_parse(pool, text, out, &why) != EX_OK)
        return wb_err_set(err, EX_DATAERR, "%s <%s>: %s", option, text,
                          why.text);
    if (out->domain == NULL)
        return wb_err_set(err, EX_DATAERR, "%s <%s>: has no domain", option,
                          text);
    return EX_OK;
}

/* What becomes of the sender, as in the milter. */
static int apply_return_path(const struct wb_conf *conf,
                             const struct wb_route *route,
                             const struct wb_envelope *env,
                             const struct wb_address *to, struct wb_pool *pool,
                             const char **out, struct wb_err *err)
{
    const struct wb_budget budget = {
        .match_limit = conf->match_limit,
        .limit_ns = conf->match_budget_ms * UINT64_C(1000000),
        .clock_ns = wb_budget_cpu_clock,
    };
    struct wb_matcher matcher;
    const struct wb_return_path *rp;

    if (!wb_matcher_begin(&matcher, env, &budget, conf->header_max_octets,
                          pool))
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (wb_return_path_choose(conf, &matcher, route, &rp) == WB_RETRY)
        return wb_err_set(err, EX_TEMPFAIL,
                          "<%s>: a pattern of its return path hit its limit",
                          env->sender.text);
    return wb_return_path_apply(conf, rp, env, to, pool, out, err);
}

const char *wb_mail_date(struct wb_pool *pool, int64_t at_s)
{
    char text[40] = "";
    time_t at = (time_t)at_s;
    struct tm tm;

    if (localtime_r(&at, &tm) != NULL)
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z", &tm);
    return wb_say(pool, "%s", text);
}

static const char *message_id(struct wb_pool *pool, int64_t now_s,
                              const char *domain)
{
    uint64_t random = 0;

    RAND_bytes((unsigned char *)&random, sizeof random);
    return wb_say(pool, "<waybill.%lld.%016llx@%s>", (long long)now_s,
                  (unsigned long long)random, domain);
}

/* The route's own header From, as the milter sets it, or the sender. */
static const char *from_lines(const struct wb_route *route,
                              const struct wb_address *from,
                              struct wb_pool *pool)
{
    const char *own = route->from;

    if (own == NULL)
        return wb_say(pool, "From: <%s>\r\n", from->text);
    own = wb_substitute(pool, own, "\n", "\r\n");
    if (route->reply_to == WB_REPLY_TO_KEEP ||
        strcmp(route->from_address.text, from->text) == 0)
        return wb_say(pool, "From: %s\r\n", own);
    return wb_say(pool, "From: %s\r\nReply-To: <%s>\r\n", own, from->text);
}

/* How people are told by which of the route's relays it came. */
static const char *way_of(const struct wb_route *route, size_t fallback,
                          struct wb_pool *pool)
{
    return fallback == 0
               ? route->name
               : wb_say(pool, "%s, fallback %zu", route->name, fallback);
}

static const char *write_letter(const struct wb_conf *conf,
                                const struct wb_route *route, size_t fallback,
                                const struct wb_address *from,
                                const struct wb_address *to, int64_t now_s,
                                struct wb_pool *pool)
{
    return wb_say(pool,
                  "%s"
                  "To: <%s>\r\n"
                  "Subject: [waybill] test mail by route %s\r\n"
                  "Date: %s\r\n"
                  "Message-ID: %s\r\n"
                  "Auto-Submitted: auto-generated\r\n"
                  "%s: %s\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=us-ascii\r\n"
                  "\r\n"
                  "This is a test mail by route %s: whoever reads it knows "
                  "that the route works.\r\n",
                  from_lines(route, from, pool), to->text,
                  way_of(route, fallback, pool), wb_mail_date(pool, now_s),
                  message_id(pool, now_s, from->domain), conf->tag_header,
                  route->name, route->name);
}

int wb_test_mail_make(const struct wb_conf *conf, const struct wb_route *route,
                      size_t fallback, const char *from, const char *to,
                      int64_t now_s, struct wb_pool *pool,
                      struct wb_test_mail *out, struct wb_err *err)
{
    struct wb_envelope env = {.now_s = now_s, .client = "127.0.0.1"};
    struct wb_address recipient;
    int code;

    if (from == NULL)
        from = own_address(conf, route);
    if (from == NULL)
        return wb_err_set(err, EX_USAGE,
                          "route %s has no sender of its own; --from ADDRESS "
                          "is needed",
                          route->name);
    code = parse(pool, "--from", from, &env.sender, err);
    if (code == EX_OK)
        code = parse(pool, "--to", to, &recipient, err);
    if (code == EX_OK)
        code = apply_return_path(conf, route, &env, &recipient, pool,
                                 &out->sender, err);
    if (code != EX_OK)
        return code;
    out->from = env.sender.text;
    out->recipient = recipient.text;
    out->letter = write_letter(conf, route, fallback, &env.sender, &recipient,
                               now_s, pool);
    return EX_OK;
}
