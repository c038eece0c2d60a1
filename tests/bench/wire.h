/* Packets of the milter protocol, under construction and as they come in.
 * A packet is a length (4 octets, network order), a command octet and data;
 * strings in it end in NUL. */
#ifndef WB_BENCH_WIRE_H
#define WB_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets that grow. Zero it before use; free octets at the end. */
struct wire {
    char *octets;
    size_t used;
    size_t room;
    size_t packet; /* where the packet under construction begins */
};

/* Memory that is not there ends the program. */
void wire_add(struct wire *w, const void *octets, size_t count);
void wire_add_text(struct wire *w, const char *text); /* with its NUL */
void wire_add_number(struct wire *w, uint32_t number);

void wire_begin(struct wire *w, char command);
void wire_end(struct wire *w);

/* A packet without data. */
void wire_command(struct wire *w, char command);

/* Drop the first count octets. */
void wire_drop(struct wire *w, size_t count);

uint32_t wire_number(const char *octets);

/* Does a whole packet stand at octets? Then its command and data are *length
 * octets from octets + 4 on. */
bool wire_is_whole(const char *octets, size_t count, size_t *length);

#endif
