/* Memory of the map commands. They are short-lived: everything lives in one
 * pool, and running out of it ends the program with EX_OSERR, which is safe at
 * any point because an install can be taken up again. */
#ifndef WB_MAPS_MEMORY_H
#define WB_MAPS_MEMORY_H

#include <stddef.h>
#include <stdio.h>

#include "base/pool.h"

/* p, or the end of the program when it is NULL. */
void *wb_must(void *p);

/* Text below construction: write to file, then close. */
struct wb_text {
    FILE *file;
    char *octets;
    size_t count;
};

/* Begin a text; ends the program when out of memory. */
void wb_text_open(struct wb_text *t);

/* The finished text, NUL-terminated, in pool. */
char *wb_text_close(struct wb_text *t, struct wb_pool *pool);

/* Formatted text in pool, never NULL. */
char *wb_say(struct wb_pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The octets [start, end) of text. */
char *wb_slice(struct wb_pool *pool, const char *text, size_t start,
               size_t end);

/* text with the octets [start, end) replaced by with. */
char *wb_splice(struct wb_pool *pool, const char *text, size_t start,
                size_t end, const char *with);

/* text with every occurrence of from replaced by to. */
char *wb_substitute(struct wb_pool *pool, const char *text, const char *from,
                    const char *to);

#endif
