#include "tests/bench/wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { LENGTH_OCTETS = 4, FIRST_ROOM = 4096 };

static void make_room(struct wire *w, size_t more)
{
    size_t room = w->room > 0 ? w->room : FIRST_ROOM;

    while (room < w->used + more)
        room *= 2;
    if (room == w->room)
        return;
    w->octets = realloc(w->octets, room);
    if (w->octets == NULL) {
        fputs("load: out of memory\n", stderr);
        exit(EX_OSERR);
    }
    w->room = room;
}

void wire_add(struct wire *w, const void *octets, size_t count)
{
    make_room(w, count);
    memcpy(w->octets + w->used, octets, count);
    w->used += count;
}

void wire_add_text(struct wire *w, const char *text)
{
    wire_add(w, text, strlen(text) + 1);
}

void wire_add_number(struct wire *w, uint32_t number)
{
    uint32_t octets = htonl(number);

    wire_add(w, &octets, sizeof octets);
}

void wire_begin(struct wire *w, char command)
{
    w->packet = w->used;
    wire_add_number(w, 0);
    wire_add(w, &command, 1);
}

void wire_end(struct wire *w)
{
    uint32_t length = htonl((uint32_t)(w->used - w->packet - LENGTH_OCTETS));

    memcpy(w->octets + w->packet, &length, sizeof length);
}

void wire_command(struct wire *w, char command)
{
    wire_begin(w, command);
    wire_end(w);
}

void wire_drop(struct wire *w, size_t count)
{
    if (count < w->used)
        memmove(w->octets, w->octets + count, w->used - count);
    w->used -= count;
}

uint32_t wire_number(const char *octets)
{
    uint32_t number;

    memcpy(&number, octets, sizeof number);
    return ntohl(number);
}

bool wire_is_whole(const char *octets, size_t count, size_t *length)
{
    if (count < LENGTH_OCTETS)
        return false;
    *length = wire_number(octets);
    return count - LENGTH_OCTETS >= *length;
}
