#include "conf/problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Capacity is always the next power of two, so it needs no field. */
static struct wb_problem *next_item(struct wb_problems *list)
{
    size_t n = list->count;

    if (n == 0 || (n >= 8 && (n & (n - 1)) == 0)) {
        size_t room = n ? 2 * n : 8;
        void *items = reallocarray(list->items, room, sizeof *list->items);
        if (!items)
            return NULL;
        list->items = items;
    }
    return &list->items[n];
}

static void free_strings(struct wb_problem *problem)
{
    free(problem->file);
    free(problem->option);
    free(problem->text);
}

void wb_problem_add(struct wb_problems *list, enum wb_severity severity,
                    const char *file, unsigned line, const char *option,
                    const char *format, ...)
{
    struct wb_problem *slot = next_item(list);
    struct wb_problem made = {.severity = severity, .line = line};
    va_list args;

    va_start(args, format);
    if (vasprintf(&made.text, format, args) < 0)
        made.text = NULL;
    va_end(args);
    made.file = strdup(file);
    made.option = option ? strdup(option) : NULL;
    if (!slot || !made.text || !made.file || (option && !made.option)) {
        free_strings(&made);
        list->out_of_memory = 1;
        list->error_count++;
        return;
    }
    *slot = made;
    list->count++;
    if (severity == WB_ERROR)
        list->error_count++;
}

static int by_place(const void *a, const void *b)
{
    const struct wb_problem *x = *(const struct wb_problem *const *)a;
    const struct wb_problem *y = *(const struct wb_problem *const *)b;
    int order = strcmp(x->file, y->file);

    if (order == 0)
        order = (x->line > y->line) - (x->line < y->line);
    /* on one line: in the order in which they were found */
    return order ? order : (x > y) - (x < y);
}

static void print_clean(const char *s, FILE *out)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        putc(c < 0x20 || c == 0x7f ? '?' : c, out);
    }
}

static void print_one(const struct wb_problem *problem, FILE *out)
{
    print_clean(problem->file, out);
    if (problem->line)
        fprintf(out, ":%u", problem->line);
    fputs(problem->severity == WB_WARNING ? ": warning: " : ": ", out);
    if (problem->option) {
        print_clean(problem->option, out);
        fputs(": ", out);
    }
    print_clean(problem->text, out);
    putc('\n', out);
}

static void print_all(struct wb_problems *list, FILE *out)
{
    struct wb_problem **sorted = calloc(list->count + 1, sizeof *sorted);

    for (size_t i = 0; sorted && i < list->count; i++)
        sorted[i] = &list->items[i];
    if (sorted)
        qsort(sorted, list->count, sizeof *sorted, by_place);
    for (size_t i = 0; i < list->count; i++)
        print_one(sorted ? sorted[i] : &list->items[i], out);
    free(sorted);
    if (list->out_of_memory)
        fputs("out of memory; there may be more errors\n", out);
}

/* stderr has no buffer: every octet would be a system call. */
void wb_problems_print(struct wb_problems *list, FILE *out)
{
    char *text = NULL;
    size_t octets = 0;
    FILE *buffer = open_memstream(&text, &octets);

    print_all(list, buffer != NULL ? buffer : out);
    if (buffer != NULL && fclose(buffer) == 0)
        fwrite(text, 1, octets, out);
    else if (buffer != NULL)
        print_all(list, out);
    free(text);
}

void wb_problems_free(struct wb_problems *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_strings(&list->items[i]);
    free(list->items);
    *list = (struct wb_problems){0};
}
