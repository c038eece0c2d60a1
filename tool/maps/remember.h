/* The seats that the password tables of an earlier apply gave. */
#ifndef WB_MAPS_REMEMBER_H
#define WB_MAPS_REMEMBER_H

#include "base/err.h"
#include "base/pool.h"

struct wb_old_seat {
    const char *place; /* "starttls-plain [host]:587" */
    size_t number;     /* of the service, from 0 */
    unsigned padding;
    const char *username, *password;
};

typedef void wb_old_seat_function(void *context, const struct wb_old_seat *);

/* Call function for each row of each password table of waybill's in directory,
 * which may be NULL or missing. Rows that waybill would not write are left
 * out. The strings live in pool.
 * Returns EX_OK, or EX_NOINPUT or EX_DATAERR with *err for a table that cannot
 * be read. */
int wb_remember(struct wb_pool *pool, const char *directory,
                wb_old_seat_function *function, void *context,
                struct wb_err *err);

#endif
