#define PCRE2_CODE_UNIT_WIDTH 8
#include "match/pattern.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

struct wb_pattern {
    pcre2_code *code;
};

uint64_t wb_budget_cpu_clock(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int wb_pattern_new(const char *source, struct wb_pattern **out,
                   struct wb_err *err)
{
    /* MATCH_INVALID_UTF: mail is full of octets that are not UTF-8, and they
     * must neither match nor stop the search. */
    const uint32_t options =
        PCRE2_CASELESS | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    struct wb_pattern *pattern = calloc(1, sizeof *pattern);
    PCRE2_UCHAR message[128];
    PCRE2_SIZE offset;
    int code;

    *out = NULL;
    if (pattern == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    pattern->code = pcre2_compile((PCRE2_SPTR)source, PCRE2_ZERO_TERMINATED,
                                  options, &code, &offset, NULL);
    if (pattern->code == NULL) {
        free(pattern);
        pcre2_get_error_message(code, message, sizeof message);
        return wb_err_set(err, EX_DATAERR,
                          "\"%s\" is not a regular expression: %s at "
                          "character %zu",
                          source, (const char *)message, (size_t)offset + 1);
    }
    /* Without JIT (a CPU or a kernel that forbids it) the interpreter gives
     * the same answers. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    *out = pattern;
    return EX_OK;
}

void wb_pattern_free(struct wb_pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

static enum wb_verdict match(const struct wb_pattern *pattern,
                             const char *subject, uint32_t options,
                             struct wb_budget *budget)
{
    pcre2_match_data *data;
    pcre2_match_context *context;
    uint64_t start;
    int rc = PCRE2_ERROR_NOMEMORY;

    if (budget->used_ns >= budget->limit_ns)
        return WB_RETRY;
    start = budget->clock_ns();
    data = pcre2_match_data_create(1, NULL);
    context = pcre2_match_context_create(NULL);
    if (data != NULL && context != NULL) {
        pcre2_set_match_limit(context, budget->match_limit);
        rc = pcre2_match(pattern->code, (PCRE2_SPTR)subject, strlen(subject), 0,
                         options, data, context);
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    budget->used_ns += budget->clock_ns() - start;
    if (rc == PCRE2_ERROR_NOMATCH)
        return WB_NO;
    return rc < 0 ? WB_RETRY : WB_YES;
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
