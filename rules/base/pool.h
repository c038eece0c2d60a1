/* An arena: everything that belongs to one message, or to one configuration,
 * is allocated from one pool and freed with it. */
#ifndef WB_BASE_POOL_H
#define WB_BASE_POOL_H

#include <stddef.h>

struct wb_pool;

/* Make an empty pool. max_octets bounds what it will ever hand out; 0 means
 * no bound. Returns NULL when out of memory. The caller frees it with
 * wb_pool_free. */
struct wb_pool *wb_pool_new(size_t max_octets);

/* Free the pool and all that was allocated from it. NULL is allowed. */
void wb_pool_free(struct wb_pool *p);

/* Forget all allocations but keep some memory for the next message. */
void wb_pool_reset(struct wb_pool *p);

/* Octets handed out since the pool was made or reset. */
size_t wb_pool_used(const struct wb_pool *p);

/* The allocators return zeroed memory that is aligned for any object, or
 * NULL when out of memory or past the pool's bound. A size of 0 is allowed
 * and returns a valid pointer. */
void *wb_pool_alloc(struct wb_pool *p, size_t octets);
void *wb_pool_array(struct wb_pool *p, size_t count, size_t octets_each);

/* Copies live in p. s must not be NULL; wb_pool_strndup reads at most
 * max_octets of it. NULL when out of memory. */
char *wb_pool_strdup(struct wb_pool *p, const char *s);
char *wb_pool_strndup(struct wb_pool *p, const char *s, size_t max_octets);

/* All texts, up to the NULL that ends them, as one. wb_pool_printf does the
 * same and more, but takes ten times as long. */
char *wb_pool_join(struct wb_pool *p, const char *first, ...)
    __attribute__((sentinel));
char *wb_pool_printf(struct wb_pool *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copy s with A-Z folded to a-z and every other octet as it is (RFC 4343:
 * DNS compares ASCII case only). */
char *wb_pool_strlower(struct wb_pool *p, const char *s);

#endif
