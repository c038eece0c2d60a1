/* Where octets go that are made piece by piece. */
#ifndef WB_MIME_SINK_H
#define WB_MIME_SINK_H

#include <stddef.h>
#include <sysexits.h>

struct wb_sink {
    /* Take count octets. Returns EX_OK, or a code that stops whoever calls it,
     * and that they return in turn. */
    int (*put)(void *to, const char *octets, size_t count);
    void *to;
};

static inline int wb_sink_put(const struct wb_sink *sink, const char *octets,
                              size_t count)
{
    return sink->put(sink->to, octets, count);
}

static inline int wb_sink_drop(void *to, const char *octets, size_t count)
{
    (void)to;
    (void)octets;
    (void)count;
    return EX_OK;
}

/* For who only wants to know whether something can be read. */
static const struct wb_sink wb_sink_nowhere = {wb_sink_drop, NULL};

#endif
