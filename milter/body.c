#include "milter/body.h"

#include <stdlib.h>
#include <string.h>

#include "plan/unmark.h"

enum { FIRST_OCTETS = 16384 };

void wb_body_keep(struct wb_body *b, size_t most)
{
    wb_body_drop(b);
    b->most = most;
}

/* Room for count more octets, or for as many as there may be. */
static void make_room(struct wb_body *b, size_t count)
{
    size_t wanted = b->room == 0 ? FIRST_OCTETS : b->room;
    char *larger;

    while (wanted < b->count + count)
        wanted *= 2;
    if (wanted > b->most)
        wanted = b->most;
    if (wanted <= b->room)
        return;
    larger = realloc(b->octets, wanted);
    if (larger == NULL)
        return;
    b->octets = larger;
    b->room = wanted;
}

void wb_body_add(struct wb_body *b, const void *octets, size_t count)
{
    if (b->most == 0 || b->is_cut)
        return;
    make_room(b, count);
    if (count > b->room - b->count) {
        count = b->room - b->count;
        b->is_cut = true;
    }
    if (count > 0)
        memcpy(b->octets + b->count, octets, count);
    b->count += count;
}

const void *wb_body_clean(struct wb_body *b, size_t *count)
{
    *count = b->count == 0 ? 0 : wb_unmark(b->octets, b->count);
    return *count == b->count ? NULL : b->octets;
}

void wb_body_drop(struct wb_body *b)
{
    free(b->octets);
    *b = (struct wb_body){.octets = NULL};
}
