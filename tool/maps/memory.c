#include "tool/maps/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void out_of_memory(void)
{
    fputs("waybill: out of memory\n", stderr);
    exit(EX_OSERR);
}

void *wb_must(void *p)
{
    if (p == NULL)
        out_of_memory();
    return p;
}

void wb_text_open(struct wb_text *t)
{
    *t = (struct wb_text){0};
    t->file = wb_must(open_memstream(&t->octets, &t->count));
}

char *wb_text_close(struct wb_text *t, struct wb_pool *pool)
{
    bool is_whole = ferror(t->file) == 0;
    char *copy;

    if (fclose(t->file) != 0 || !is_whole)
        out_of_memory();
    copy = wb_must(wb_pool_strndup(pool, t->octets, t->count));
    free(t->octets);
    *t = (struct wb_text){0};
    return copy;
}

char *wb_say(struct wb_pool *pool, const char *format, ...)
{
    struct wb_text t;
    va_list args;

    wb_text_open(&t);
    va_start(args, format);
    vfprintf(t.file, format, args);
    va_end(args);
    return wb_text_close(&t, pool);
}

char *wb_slice(struct wb_pool *pool, const char *text, size_t start, size_t end)
{
    return wb_must(wb_pool_strndup(pool, text + start, end - start));
}

char *wb_splice(struct wb_pool *pool, const char *text, size_t start,
                size_t end, const char *with)
{
    return wb_say(pool, "%.*s%s%s", (int)start, text, with, text + end);
}

char *wb_substitute(struct wb_pool *pool, const char *text, const char *from,
                    const char *to)
{
    size_t octets = strlen(from);
    struct wb_text t;
    const char *hit;

    wb_text_open(&t);
    while ((hit = strstr(text, from)) != NULL) {
        fprintf(t.file, "%.*s%s", (int)(hit - text), text, to);
        text = hit + octets;
    }
    fputs(text, t.file);
    return wb_text_close(&t, pool);
}
