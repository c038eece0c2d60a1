/* One connection of the MTA's side: negotiates, gives one message after the
 * other as Postfix does, and checks every answer. What is written is gathered
 * until a reply is due, or the message is handed on. */
#ifndef WB_BENCH_CLIENT_H
#define WB_BENCH_CLIENT_H

#include <sys/socket.h>

#include "tests/bench/letter.h"

/* The same for all connections. */
struct load {
    const struct letters *letters;
    struct sockaddr_storage address;
    socklen_t address_octets;
    uint64_t next_message; /* its number */
    uint64_t last_message; /* none is begun from here on */
    bool is_ending;        /* none is begun any more */
    void *report_to;
    /* A message got its answer, so many ns after its first octet. */
    void (*report)(void *report_to, uint64_t ns);
};

struct client;

/* Connect and begin to negotiate. Returns NULL with errno set. */
struct client *client_new(struct load *load);
void client_free(struct client *c);
int client_descriptor(const struct client *c);

enum client_state { CLIENT_BUSY, CLIENT_DONE, CLIENT_FAILED };

/* The descriptor can be read: read and go on. CLIENT_DONE: no message is left,
 * and the connection has been ended. CLIENT_FAILED: a wrong answer, told on
 * stderr. */
enum client_state client_read(struct client *c);

uint64_t client_now_ns(void);

#endif
