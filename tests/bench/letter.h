/* The messages that the load consists of, and the answer that each must get.
 *
 * Message m is for rule n = m * 7919 mod rules: its To header is
 * <info@mailform(n).example.com>, and its recipients are u(i)@d(k).bench.test
 * with k = n + 10 i mod rules. So a filter with one rule for each domain, or
 * one for each To, has to find another one for every message, while all
 * recipients of a message end in the same decimal digit. */
#ifndef WB_BENCH_LETTER_H
#define WB_BENCH_LETTER_H

#include "tests/bench/wire.h"

/* What stands for one octet of base32 (RFC 4648, lower case) in an answer. */
#define LETTER_ANY_BASE32 '\x01'

enum {
    LETTER_STAGES = 7, /* SMFIM_CONNECT and so on */
    LETTER_ADDRESS_MAX_OCTETS = 64,
};

/* What was agreed at the negotiation. */
struct letter_terms {
    uint32_t steps;               /* SMFIP_* */
    char *symbols[LETTER_STAGES]; /* names of macros; NULL: Postfix's own */
};

/* Which letters. */
struct letters {
    unsigned recipients; /* of each, from 1 on */
    unsigned rules;      /* from 1 on */
    char *answer;        /* the text that letter_answer reads; NULL: none */
};

/* Append the event of a new connection, CONNECT (0) or HELO (1), or one of the
 * message, with macros before it, as Postfix does. Steps of a message: MAIL, a
 * RCPT each, DATA, a HEADER each, EOH, BODY, EOM. Returns whether a reply is
 * due. What the filter does not want is left out, and no reply is due. */
bool letter_greet(const struct letter_terms *t, int event, struct wire *out);
bool letter_event(const struct letters *l, const struct letter_terms *t,
                  uint64_t message, unsigned step, struct wire *out);

/* Postfix hands a message on to another process after DATA, and sends what it
 * has so far. */
unsigned letter_step_of_data(const struct letters *l);
unsigned letter_step_of_end(const struct letters *l);

/* Write recipient i of a message, without brackets. */
void letter_recipient(const struct letters *l, uint64_t message, unsigned i,
                      char out[LETTER_ADDRESS_MAX_OCTETS]);

/* Append the packets that must come before the verdict, from l->answer, which
 * has a line for each, its words separated by tabs:
 *     addheader NAME VALUE | chgfrom ADDRESS | delrcpt ADDRESS |
 *     addrcpt ADDRESS [ESMTP]
 * A run of lines that begin with "*" comes once for each recipient. %r is the
 * recipient, %d the last digit of its rule's number, %l eight octets of base32.
 * Returns NULL, or the line that is not understood. */
const char *letter_answer(const struct letters *l, uint64_t message,
                          struct wire *out);

#endif
