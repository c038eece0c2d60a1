#include "base/pool.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_OCTETS = 8192, ALIGNMENT = _Alignof(max_align_t) };

struct chunk {
    struct chunk *next;
    size_t size;
    size_t used;
    max_align_t octets[];
};

struct wb_pool {
    struct chunk *chunks; /* the first one is the one in use */
    size_t max_octets;    /* 0: no bound */
    size_t used;
};

struct wb_pool *wb_pool_new(size_t max_octets)
{
    struct wb_pool *p = calloc(1, sizeof *p);

    if (p != NULL)
        p->max_octets = max_octets;
    return p;
}

static void free_chunks(struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;

        free(c);
        c = next;
    }
}

void wb_pool_free(struct wb_pool *p)
{
    if (p == NULL)
        return;
    free_chunks(p->chunks);
    free(p);
}

void wb_pool_reset(struct wb_pool *p)
{
    struct chunk *keep = p->chunks;

    p->used = 0;
    if (keep == NULL)
        return;
    free_chunks(keep->next);
    keep->next = NULL;
    if (keep->size > CHUNK_OCTETS) {
        /* One huge message must not hold its memory for ever. */
        free(keep);
        p->chunks = NULL;
        return;
    }
    keep->used = 0;
}

size_t wb_pool_used(const struct wb_pool *p)
{
    return p->used;
}

static struct chunk *add_chunk(struct wb_pool *p, size_t octets)
{
    size_t size = octets > CHUNK_OCTETS ? octets : CHUNK_OCTETS;
    struct chunk *c;

    if (size > SIZE_MAX - sizeof *c)
        return NULL;
    c = malloc(sizeof *c + size);
    if (c == NULL)
        return NULL;
    c->size = size;
    c->used = 0;
    c->next = p->chunks;
    p->chunks = c;
    return c;
}

void *wb_pool_alloc(struct wb_pool *p, size_t octets)
{
    struct chunk *c = p->chunks;
    size_t rounded;
    char *memory;

    if (octets > SIZE_MAX - (ALIGNMENT - 1))
        return NULL;
    rounded = (octets + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (p->max_octets != 0 && rounded > p->max_octets - p->used)
        return NULL;
    if (c == NULL || rounded > c->size - c->used)
        c = add_chunk(p, rounded);
    if (c == NULL)
        return NULL;
    memory = (char *)c->octets + c->used;
    c->used += rounded;
    p->used += rounded;
    return memset(memory, 0, octets);
}

void *wb_pool_array(struct wb_pool *p, size_t count, size_t octets_each)
{
    if (octets_each != 0 && count > SIZE_MAX / octets_each)
        return NULL;
    return wb_pool_alloc(p, count * octets_each);
}

char *wb_pool_strndup(struct wb_pool *p, const char *s, size_t max_octets)
{
    size_t length = strnlen(s, max_octets);
    char *copy = wb_pool_alloc(p, length + 1);

    if (copy != NULL)
        memcpy(copy, s, length);
    return copy;
}

char *wb_pool_strdup(struct wb_pool *p, const char *s)
{
    return wb_pool_strndup(p, s, SIZE_MAX - 1);
}

char *wb_pool_join(struct wb_pool *p, const char *first, ...)
{
    size_t octets = 0;
    char *text, *end;
    va_list args;

    va_start(args, first);
    for (const char *s = first; s != NULL; s = va_arg(args, const char *))
        octets += strlen(s);
    va_end(args);
    text = wb_pool_alloc(p, octets + 1);
    if (text == NULL)
        return NULL;
    end = text;
    va_start(args, first);
    for (const char *s = first; s != NULL; s = va_arg(args, const char *))
        end = stpcpy(end, s);
    va_end(args);
    return text;
}

char *wb_pool_printf(struct wb_pool *p, const char *format, ...)
{
    char most[256]; /* long enough for nearly all */
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vsnprintf(most, sizeof most, format, args);
    va_end(args);
    if (length < 0)
        return NULL;
    if ((size_t)length < sizeof most)
        return wb_pool_strdup(p, most);
    text = wb_pool_alloc(p, (size_t)length + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

char *wb_pool_strlower(struct wb_pool *p, const char *s)
{
    char *copy = wb_pool_strdup(p, s);

    for (char *c = copy; c != NULL && *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}
