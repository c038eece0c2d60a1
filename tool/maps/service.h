/* How an entry of master.cf is written; for services.c and intake.c alone. */
#ifndef WB_MAPS_SERVICE_H
#define WB_MAPS_SERVICE_H

#include <string.h>

#include "tool/maps/files.h"
#include "tool/maps/memory.h"

struct setting {
    const char *name, *value;
};

/* A line "-o name=value". */
static inline void option(FILE *f, const char *name, const char *value)
{
    if (strpbrk(value, " \t{}") != NULL)
        fprintf(f, "  -o { %s = %s }\n", name, value);
    else
        fprintf(f, "  -o %s=%s\n", name, value);
}

/* One for each; a NULL name ends them. */
static inline void options(FILE *f, const struct setting *s)
{
    for (; s->name != NULL; s++)
        option(f, s->name, s->value);
}

/* Close t, whose text is the entry of this service. */
static inline struct wb_master_service entry(struct wb_pool *pool,
                                             const char *name, const char *type,
                                             struct wb_text *t)
{
    return (struct wb_master_service){wb_say(pool, "%s/%s", name, type),
                                      wb_text_close(t, pool)};
}

#endif
