#include "tool/maps/seats.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tool/maps/memory.h"
#include "tool/maps/remember.h"

/* Which paddings are used up at a place, a bit each, service by service. */
struct place {
    const char *key; /* "starttls-plain [host]:587" */
    uint64_t *used;
    size_t room;  /* of used */
    size_t first; /* no service before it has a free one */
};

#define FULL ((UINT64_C(1) << WB_PADDINGS) - 1)

/* A seat that is taken or was. */
struct chair {
    size_t number;
    unsigned padding;
    const struct owner *account; /* that has it or had it */
    struct wb_seat *seat;        /* NULL: it is only remembered */
};

struct link {
    struct chair *chair;
    struct link *next;
};

/* An account of a place, or all accounts of one name there. */
struct owner {
    const char *key;
    struct link *links;
};

static const char *place_key(struct wb_pool *pool, const char *kind,
                             const struct wb_stop *stop)
{
    bool is_literal = stop->host[0] == '[';

    return wb_say(pool, "%s %s%s%s:%u", kind, is_literal ? "" : "[", stop->host,
                  is_literal ? "" : "]", stop->port);
}

/* What the trees have of a stop. */
struct known {
    struct place *place;
    struct owner *account, *user;
};

static struct owner *owner_of(struct wb_keyed *owners, struct wb_pool *pool,
                              const char *key)
{
    return wb_keyed_get(owners, pool, key, sizeof(struct owner));
}

static struct known know(struct wb_seating *s, const char *place,
                         const char *username, const char *password)
{
    const char *user =
        wb_say(s->pool, "%s\n%s", place, username == NULL ? "" : username);
    const char *account =
        wb_say(s->pool, "%s\n%s", user, password == NULL ? "" : password);

    return (struct known){
        wb_keyed_get(&s->places, s->pool, place, sizeof(struct place)),
        owner_of(&s->accounts, s->pool, account),
        owner_of(&s->users, s->pool, user)};
}

static void link_to(struct wb_pool *pool, struct owner *owner,
                    struct chair *chair)
{
    struct link *made = wb_must(wb_pool_alloc(pool, sizeof *made));

    *made = (struct link){chair, owner->links};
    owner->links = made;
}

static void use(struct wb_pool *pool, struct place *place, size_t number,
                unsigned padding)
{
    if (number >= place->room) {
        size_t room = 2 * (number + 1);
        uint64_t *used = wb_must(wb_pool_array(pool, room, sizeof *used));

        if (place->room > 0)
            memcpy(used, place->used, place->room * sizeof *used);
        place->used = used;
        place->room = room;
    }
    place->used[number] |= UINT64_C(1) << padding;
    while (place->first < place->room && place->used[place->first] == FULL)
        place->first++;
}

static struct chair *add_chair(struct wb_pool *pool, struct known *k,
                               size_t number, unsigned padding)
{
    struct chair *made = wb_must(wb_pool_alloc(pool, sizeof *made));

    *made = (struct chair){
        .number = number, .padding = padding, .account = k->account};
    use(pool, k->place, number, padding);
    link_to(pool, k->account, made);
    link_to(pool, k->user, made);
    return made;
}

static void remember(void *context, const struct wb_old_seat *old)
{
    struct wb_seating *s = context;
    struct known k;

    if (old->padding >= WB_PADDINGS || old->number >= WB_NUMBERS_MOST)
        return;
    k = know(s, old->place, old->username, old->password);
    if (old->number < k.place->room &&
        k.place->used[old->number] >> old->padding & 1)
        return; /* the same twice */
    add_chair(s->pool, &k, old->number, old->padding);
}

int wb_seating_open(struct wb_seating *s, struct wb_pool *pool,
                    const char *directory, struct wb_err *err)
{
    *s = (struct wb_seating){.pool = pool};
    return wb_remember(pool, directory, remember, s, err);
}

void wb_seating_close(struct wb_seating *s)
{
    wb_keyed_free(&s->places);
    wb_keyed_free(&s->accounts);
    wb_keyed_free(&s->users);
}

/* The account's own chair in that service: one that it has taken, or had; else
 * one that it had with another password. */
static struct chair *own_chair(const struct known *k, size_t number)
{
    for (struct link *l = k->account->links; l != NULL; l = l->next) {
        if (l->chair->number == number && l->chair->account == k->account)
            return l->chair;
    }
    for (struct link *l = k->user->links; l != NULL; l = l->next) {
        if (l->chair->number == number && l->chair->seat == NULL)
            return l->chair;
    }
    return NULL;
}

static unsigned free_count(const struct place *place, size_t number)
{
    uint64_t used = number < place->room ? place->used[number] : 0;

    return (unsigned)__builtin_popcountll(FULL & ~used);
}

static bool fits(const struct known *stops, size_t count, size_t number)
{
    for (size_t i = 0; i < count; i++) {
        unsigned wanted = 0;

        for (size_t j = 0; j <= i; j++)
            wanted += stops[j].place == stops[i].place &&
                      own_chair(&stops[j], number) == NULL;
        if (wanted > free_count(stops[i].place, number))
            return false;
    }
    return true;
}

/* The least number where the first stop has a chair and the others fit. */
static size_t among(const struct known *stops, size_t count,
                    const struct link *links)
{
    size_t best = WB_NUMBERS_MOST;

    for (; links != NULL; links = links->next) {
        size_t number = links->chair->number;

        if (number < best && own_chair(&stops[0], number) != NULL &&
            fits(stops, count, number))
            best = number;
    }
    return best;
}

size_t wb_seats_choose(struct wb_seating *s, const char *kind,
                       const struct wb_stop *stops, size_t count)
{
    struct known *all = wb_must(wb_pool_array(s->pool, count, sizeof *all));
    size_t number = 0, had;

    for (size_t i = 0; i < count; i++) {
        all[i] = know(s, place_key(s->pool, kind, &stops[i]), stops[i].username,
                      stops[i].password);
        if (all[i].place->first > number)
            number = all[i].place->first;
    }
    had = among(all, count, all[0].account->links);
    if (had == WB_NUMBERS_MOST)
        had = among(all, count, all[0].user->links);
    if (had != WB_NUMBERS_MOST)
        return had;
    while (number < WB_NUMBERS_MOST && !fits(all, count, number))
        number++;
    return number;
}

static unsigned free_padding(const struct place *place, size_t number)
{
    uint64_t used = number < place->room ? place->used[number] : 0;
    unsigned padding = 0;

    while (used >> padding & 1)
        padding++;
    return padding;
}

/* "starttls-plain [host]:587" with a padding of 1: "[host]:0587" */
static const char *nexthop(struct wb_pool *pool, const struct place *place,
                           unsigned padding)
{
    const char *at = strchr(place->key, ' ') + 1;
    const char *port = strrchr(at, ':') + 1;

    return wb_say(pool, "%.*s%0*lu", (int)(port - at), at,
                  (int)(strlen(port) + padding), strtoul(port, NULL, 10));
}

struct wb_seat *wb_seats_take(struct wb_seating *s, const char *kind,
                              size_t number, const struct wb_stop *stop,
                              bool *is_new)
{
    struct known k =
        know(s, place_key(s->pool, kind, stop), stop->username, stop->password);
    struct chair *chair = own_chair(&k, number);

    if (chair == NULL)
        chair = add_chair(s->pool, &k, number, free_padding(k.place, number));
    *is_new = chair->seat == NULL;
    if (!*is_new)
        return chair->seat;
    if (chair->account != k.account) {
        chair->account = k.account;
        link_to(s->pool, k.account, chair);
    }
    chair->seat = wb_must(wb_pool_alloc(s->pool, sizeof *chair->seat));
    *chair->seat =
        (struct wb_seat){.nexthop = nexthop(s->pool, k.place, chair->padding),
                         .username = stop->username,
                         .password = stop->password};
    return chair->seat;
}

const char *wb_seats_file(struct wb_pool *pool, const char *kind, size_t number)
{
    return number == 0 ? wb_say(pool, "sasl-%s", kind)
                       : wb_say(pool, "sasl-%s-%zu", kind, number + 1);
}
