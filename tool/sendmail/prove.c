/* Ask Sendmail itself where mail would go. */
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/run.h"
#include "tool/sendmail/site.h"

/* What is asked, and what the answer must begin with. */
static void ask(FILE *f, const struct wb_sendmail *s)
{
    const struct wb_secret *secret = &s->conf->secret;

    for (size_t k = 0; k < secret->count; k++) {
        for (size_t i = 0; i < s->way_count; i++)
            fprintf(f, "3,0 probe@example.com.%s.%s.waybill.invalid\n",
                    s->ways[i].route->name, secret->keys[k].label);
    }
    fputs("WbEnvTo probe < @ example.com.route.label.waybill.invalid. >\n", f);
}

static const char *route_of(const struct wb_sendmail *s, size_t probe,
                            struct wb_pool *pool)
{
    const struct wb_mailer_way *way = &s->ways[probe % s->way_count];

    return wb_say(pool, "$# %s $@ [ %s ] $: probe", way->mailer->name,
                  way->route->name);
}

/* The next line "parse   returns: ..." at or after text; NULL: none. */
static const char *next_answer(const char *text, const char *ruleset)
{
    static const char returns[] = "returns: ";
    const char *at = text;

    while ((at = strstr(at, ruleset)) != NULL) {
        const char *end = at + strlen(ruleset);
        const char *answer = end + strspn(end, " ");

        if ((at == text || at[-1] == '\n') &&
            strncmp(answer, returns, strlen(returns)) == 0)
            return answer + strlen(returns);
        at = end;
    }
    return NULL;
}

static int check_answers(const struct wb_sendmail *s, struct wb_pool *pool,
                         const char *text, struct wb_err *err)
{
    static const char plain[] = "probe < @ example . com . >";
    size_t probes = s->way_count * s->conf->secret.count;
    const char *at = text;

    for (size_t i = 0; i < probes; i++) {
        const char *wanted = route_of(s, i, pool);

        at = next_answer(at, "parse");
        if (at == NULL || strncmp(at, wanted, strlen(wanted)) != 0)
            return wb_err_set(err, EX_CONFIG,
                              "mail of route %s would not take its way: is "
                              "the include line the last of the .mc, and does "
                              "no rule of LOCAL_RULE_0 before it catch "
                              "waybill.invalid?",
                              s->ways[i % s->way_count].route->name);
    }
    at = next_answer(text, "WbEnvTo");
    if (at == NULL || strncmp(at, plain, strlen(plain)) != 0)
        return wb_err_set(err, EX_CONFIG,
                          "recipients would leave with waybill's mark: is "
                          "WbEnvTo defined elsewhere, too?");
    return EX_OK;
}

/* "x.cf: line 12: unknown mailer": NULL when there is none. */
static const char *complaint(struct wb_pool *pool, const char *text,
                             const char *path)
{
    const char *at = strstr(text, wb_say(pool, "%s: line ", path));

    return at == NULL ? NULL : wb_slice(pool, at, 0, strcspn(at, "\n"));
}

int wb_sm_prove(struct wb_sm_site *site, const char *path,
                const struct wb_sendmail *s, struct wb_err *err)
{
    const char *const argv[] = {"sendmail", "-bt",
                                wb_say(site->pool, "-C%s", path), NULL};
    struct wb_run run = {.argv = argv};
    struct wb_text t;
    const char *wrong;
    int code;

    wb_text_open(&t);
    if (s != NULL)
        ask(t.file, s);
    run.input = wb_text_close(&t, site->pool);
    code = wb_run(site->pool, &run, err);
    if (code != EX_OK)
        return code;
    wrong = complaint(site->pool, run.errors, path);
    if (wrong == NULL)
        wrong = complaint(site->pool, run.out, path);
    if (wrong != NULL)
        return wb_err_set(err, EX_CONFIG, "sendmail -bt: %s", wrong);
    if (run.status != 0)
        return wb_err_set(err, EX_CONFIG, "sendmail -bt: %s",
                          wb_run_errors(site->pool, &run));
    return s == NULL ? EX_OK : check_answers(s, site->pool, run.out, err);
}
