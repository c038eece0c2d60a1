#define PCRE2_CODE_UNIT_WIDTH 8
#include "match/pattern.h"

#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

/* Of one match without JIT; with it, a match has 32 KB of stack. */
enum { HEAP_LIMIT_KB = 4096 };

struct wb_pattern {
    _Atomic(pcre2_code *) code; /* NULL: not tried yet */
    char source[];
};

uint64_t wb_budget_cpu_clock(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

enum wb_verdict wb_budget_retry(struct wb_budget *budget, const char *cause)
{
    if (budget->cause == NULL)
        budget->cause = cause;
    return WB_RETRY;
}

static pcre2_code *compile(const char *source, int *fault, size_t *offset)
{
    /* MATCH_INVALID_UTF: mail is full of octets that are not UTF-8, and they
     * must neither match nor stop the search. */
    const uint32_t options =
        PCRE2_CASELESS | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;

    return pcre2_compile((PCRE2_SPTR)source, PCRE2_ZERO_TERMINATED, options,
                         fault, offset, NULL);
}

static int check(const char *source, struct wb_err *err)
{
    PCRE2_UCHAR message[128];
    PCRE2_SIZE offset;
    int fault;
    pcre2_code *code = compile(source, &fault, &offset);

    if (code != NULL) {
        pcre2_code_free(code);
        return EX_OK;
    }
    if (fault == PCRE2_ERROR_HEAP_FAILED)
        return wb_err_set(err, EX_OSERR, "out of memory");
    pcre2_get_error_message(fault, message, sizeof message);
    return wb_err_set(err, EX_DATAERR,
                      "\"%s\" is not a regular expression: %s at "
                      "character %zu",
                      source, (const char *)message, (size_t)offset + 1);
}

int wb_pattern_new(const char *source, struct wb_pattern **out,
                   struct wb_err *err)
{
    size_t octets = strlen(source) + 1;
    struct wb_pattern *pattern;
    int rc;

    *out = NULL;
    if ((rc = check(source, err)) != EX_OK)
        return rc;
    pattern = malloc(sizeof *pattern + octets);
    if (pattern == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    atomic_init(&pattern->code, NULL);
    memcpy(pattern->source, source, octets);
    *out = pattern;
    return EX_OK;
}

void wb_pattern_free(struct wb_pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(atomic_load_explicit(&pattern->code, memory_order_acquire));
    free(pattern);
}

const char *wb_pattern_source(const struct wb_pattern *pattern)
{
    return pattern->source;
}

/* Of two threads that compile it at a time the first one's code stays. */
static const pcre2_code *compile_now(struct wb_pattern *pattern,
                                     struct wb_budget *budget)
{
    uint64_t start = budget->clock_ns();
    pcre2_code *none = NULL, *made;
    PCRE2_SIZE offset;
    int fault;

    made = compile(pattern->source, &fault, &offset);
    if (made == NULL)
        return NULL;
    /* Without JIT (a CPU or a kernel that forbids it) the interpreter gives
     * the same answers. */
    (void)pcre2_jit_compile(made, PCRE2_JIT_COMPLETE);
    if (!atomic_compare_exchange_strong_explicit(&pattern->code, &none, made,
                                                 memory_order_acq_rel,
                                                 memory_order_acquire)) {
        pcre2_code_free(made);
        made = none;
    }
    budget->free_ns += budget->clock_ns() - start;
    return made;
}

static const pcre2_code *code_of(const struct wb_pattern *pattern,
                                 struct wb_budget *budget)
{
    /* constant to all but its code */
    struct wb_pattern *p = (struct wb_pattern *)pattern;
    const pcre2_code *code =
        atomic_load_explicit(&p->code, memory_order_acquire);

    return code != NULL ? code : compile_now(p, budget);
}

static enum wb_verdict match(const struct wb_pattern *pattern,
                             const char *subject, uint32_t options,
                             struct wb_budget *budget)
{
    pcre2_match_data *data;
    pcre2_match_context *context;
    const pcre2_code *code;
    uint64_t start;
    int rc = PCRE2_ERROR_NOMEMORY;

    if (budget->used_ns >= budget->limit_ns)
        return wb_budget_retry(budget, "patterns took too long");
    code = code_of(pattern, budget);
    if (code == NULL)
        return wb_budget_retry(budget, "out of memory");
    start = budget->clock_ns();
    data = pcre2_match_data_create(1, NULL);
    context = pcre2_match_context_create(NULL);
    if (data != NULL && context != NULL) {
        pcre2_set_match_limit(context, budget->match_limit);
        pcre2_set_heap_limit(context, HEAP_LIMIT_KB);
        rc = pcre2_match(code, (PCRE2_SPTR)subject, strlen(subject), 0, options,
                         data, context);
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    budget->used_ns += budget->clock_ns() - start;
    if (rc == PCRE2_ERROR_NOMATCH)
        return WB_NO;
    return rc < 0 ? wb_budget_retry(budget, rc == PCRE2_ERROR_NOMEMORY
                                                ? "out of memory"
                                                : "a pattern hit its limit")
                  : WB_YES;
}

enum wb_verdict wb_pattern_search(const struct wb_pattern *pattern,
                                  const char *subject, struct wb_budget *budget)
{
    return match(pattern, subject, 0, budget);
}

enum wb_verdict wb_pattern_is_whole(const struct wb_pattern *pattern,
                                    const char *subject,
                                    struct wb_budget *budget)
{
    return match(pattern, subject, PCRE2_ANCHORED | PCRE2_ENDANCHORED, budget);
}
