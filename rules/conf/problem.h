/* What is wrong with a configuration: collected, then shown all at once. */
#ifndef WB_CONF_PROBLEM_H
#define WB_CONF_PROBLEM_H

#include <stddef.h>
#include <stdio.h>

enum wb_severity { WB_WARNING, WB_ERROR };

struct wb_problem {
    enum wb_severity severity;
    char *file;
    unsigned line; /* 0: the file as a whole */
    char *option;  /* "port", "route docomo" ...; NULL: none */
    char *text;    /* "what is wrong; what would be right" */
};

struct wb_problems {
    struct wb_problem *items;
    size_t count;
    size_t error_count;
    int out_of_memory; /* a problem could not be stored: counts as an error */
};

/* Add one; file, option and the formatted text are copied. */
void wb_problem_add(struct wb_problems *list, enum wb_severity severity,
                    const char *file, unsigned line, const char *option,
                    const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* One line each, sorted by file and line:
 *     waybill.conf:12: port: "5x7" is not a number; 1 to 65535 is right
 * A warning has "warning: " after the place; control characters become '?'. */
void wb_problems_print(struct wb_problems *list, FILE *out);

void wb_problems_free(struct wb_problems *list);

#endif
