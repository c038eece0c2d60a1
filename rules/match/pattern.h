/* Regular expressions (PCRE2, JIT), bounded so that no message can hold a
 * thread for long. */
#ifndef WB_MATCH_PATTERN_H
#define WB_MATCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What a criterion answers. WB_RETRY: cannot tell (a limit was hit, or out of
 * memory); it becomes a temporary failure, never a "no". */
enum wb_verdict { WB_NO, WB_YES, WB_RETRY };

/* CPU time that one message may spend in patterns and among very many
 * rules. */
struct wb_budget {
    uint32_t match_limit; /* PCRE2's match limit, per match */
    uint64_t limit_ns;    /* for the message */
    uint64_t used_ns;
    uint64_t free_ns; /* went into compiling, for all messages to come */
    uint64_t (*clock_ns)(void); /* monotonic; wb_budget_cpu_clock or a test's */
    const char *cause; /* of the first WB_RETRY, as a clause; NULL: none yet */
};

/* Tell why something cannot be told. Returns WB_RETRY. */
enum wb_verdict wb_budget_retry(struct wb_budget *budget, const char *cause);

/* The calling thread's CPU time in ns. */
uint64_t wb_budget_cpu_clock(void);

struct wb_pattern;

/* Take source (caseless unless it says (?-i), UTF-8, JIT where the CPU has
 * it). It is compiled twice: now, to see whether it is right, and when it is
 * first tried, since compiled code takes 2 KB, and of 100,000 patterns few are
 * ever tried.
 * Returns EX_OK, EX_DATAERR with the place of the fault in *err, or
 * EX_OSERR. The caller frees *out with wb_pattern_free. */
int wb_pattern_new(const char *source, struct wb_pattern **out,
                   struct wb_err *err);
void wb_pattern_free(struct wb_pattern *pattern);

/* Lives as long as the pattern. */
const char *wb_pattern_source(const struct wb_pattern *pattern);

/* Does the pattern match somewhere in subject? Any number of threads may ask
 * at a time. Invalid UTF-8 in subject
 * matches nothing at that place but is no error. */
enum wb_verdict wb_pattern_search(const struct wb_pattern *pattern,
                                  const char *subject,
                                  struct wb_budget *budget);

/* Does the pattern match the whole of subject? */
enum wb_verdict wb_pattern_is_whole(const struct wb_pattern *pattern,
                                    const char *subject,
                                    struct wb_budget *budget);

#endif
