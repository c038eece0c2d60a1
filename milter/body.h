/* The body of a bounce that the MTA made, so that no mark leaves in it. */
#ifndef WB_MILTER_BODY_H
#define WB_MILTER_BODY_H

#include <stdbool.h>
#include <stddef.h>

struct wb_body {
    char *octets;
    size_t count, room;
    size_t most; /* 0: it is not kept */
    bool is_cut; /* there was more than most */
};

/* Keep what is added, most octets of it; what is longer is cut where a mark
 * has to go: marks stand in front, and the mail that is returned last. */
void wb_body_keep(struct wb_body *b, size_t most);
void wb_body_add(struct wb_body *b, const void *octets, size_t count);

/* The body without marks; NULL: there were none. Out of memory is a cut. */
const void *wb_body_clean(struct wb_body *b, size_t *count);

/* Free it, and keep nothing from now on. */
void wb_body_drop(struct wb_body *b);

#endif
