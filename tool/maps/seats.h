/* Which account has which nexthop.
 *
 * Accounts on one host and port are told apart by zero-padding the port; where
 * the paddings give out, the next accounts get a service of their own. A seat
 * is one padding at a place: a kind of service, a host and a port.
 *
 * Seats stay. From the writing of new tables until the last process ends that
 * read the old ones, both are in use, so that no nexthop may change its account
 * from one apply to the next. The tables that are there are therefore read
 * first: an account keeps the seat it has, and a new one gets none that another
 * one had there. Without tables, seats follow from the order of the routes. */
#ifndef WB_MAPS_SEATS_H
#define WB_MAPS_SEATS_H

#include <stdbool.h>

#include "base/err.h"
#include "tool/maps/keyed.h"

enum {
    WB_PADDINGS = 60,       /* seats at a place in one service; below 64 */
    WB_NUMBERS_MOST = 1000, /* services of one kind */
};

/* A relay and the account at it. */
struct wb_stop {
    const char *host; /* lower case; an address in brackets */
    unsigned port;
    const char *username; /* NULL: no login */
    const char *password;
};

/* An account's seat. */
struct wb_seat {
    const char *nexthop; /* "[host]:0587" */
    const char *username;
    const char *password;
    struct wb_seat *next; /* for who asks */
};

struct wb_seating {
    struct wb_pool *pool;
    struct wb_keyed places;
    struct wb_keyed accounts; /* of a place, by name and password */
    struct wb_keyed users;    /* of a place, by name */
};

/* Begin with the seats in the password tables in directory; NULL, or a
 * directory that is missing: with none.
 * Returns what wb_remember returns, with *err. */
int wb_seating_open(struct wb_seating *s, struct wb_pool *pool,
                    const char *directory, struct wb_err *err);
void wb_seating_close(struct wb_seating *s);

/* In which service of that kind, counted from 0, do all the stops have a seat
 * or room for one? WB_NUMBERS_MOST: in none. No two stops are the same. */
size_t wb_seats_choose(struct wb_seating *s, const char *kind,
                       const struct wb_stop *stops, size_t count);

/* The seat of a stop in that service, which wb_seats_choose chose.
 * *is_new: nobody had asked for it yet. Lives in the pool. */
struct wb_seat *wb_seats_take(struct wb_seating *s, const char *kind,
                              size_t number, const struct wb_stop *stop,
                              bool *is_new);

/* The name of the password table of service number of a kind. */
const char *wb_seats_file(struct wb_pool *pool, const char *kind,
                          size_t number);

#endif
