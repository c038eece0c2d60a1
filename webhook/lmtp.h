/* The server's side of LMTP (RFC 2033) as a state machine: octets go in;
 * replies, recipients and the message come out as calls. It knows no sockets,
 * no clock and no configuration. */
#ifndef WB_WEBHOOK_LMTP_H
#define WB_WEBHOOK_LMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "webhook/answer.h"

enum {
    WB_LMTP_LINE_MAX_OCTETS = 2048, /* of a command, CRLF included */
    WB_LMTP_RECIPIENTS_MAX = 100,   /* of a message (RFC 5321, 4.5.3.1.8) */
    WB_LMTP_FAULTS_MAX = 20,        /* wrong commands, then it hangs up */
    WB_LMTP_IDENT_MAX_OCTETS = 63,
};

/* What the machine asks of its owner. to is the owner's pointer. mail, rcpt
 * and end may take their time; no call may feed the machine. */
struct wb_lmtp_calls {
    /* Octets for the client: one or more whole reply lines. */
    void (*say)(void *to, const char *octets, size_t count);

    /* The largest message that will be taken. */
    uint64_t (*max_octets)(void *to);

    /* MAIL: a message begins. path: "<user@dom>" or "<>", as sent, without
     * control characters; size: what the client says, 0 if nothing. The
     * answer takes it (2xx) or refuses it; then forget is not called. */
    void (*mail)(void *to, const char *path, uint64_t size,
                 struct wb_answer *answer);

    /* RCPT, likewise. At most WB_LMTP_RECIPIENTS_MAX are taken. */
    void (*rcpt)(void *to, const char *path, struct wb_answer *answer);

    /* DATA: its content, in order and without dot-stuffing, as it comes. */
    void (*begin)(void *to);
    void (*content)(void *to, const char *octets, size_t count);

    /* The message is whole: give wb_lmtp_answer for each recipient that was
     * taken, in their order. is_too_large: it has more than max_octets; only
     * so many were handed over. */
    void (*end)(void *to, bool is_too_large);

    /* The message that mail began is over: after end, RSET, LHLO or QUIT. Not
     * called when the connection breaks. */
    void (*forget)(void *to);
};

struct wb_lmtp {
    const struct wb_lmtp_calls *calls;
    void *to;
    const char *host; /* the name that it greets with */

    /* the queue id that the client gave (XFORWARD IDENT), or "" */
    char ident[WB_LMTP_IDENT_MAX_OCTETS + 1];

    /* the rest is its own */
    char line[WB_LMTP_LINE_MAX_OCTETS + 1];
    size_t line_octets;
    bool is_line_too_long;
    bool has_greeted, has_sender, is_closing;
    unsigned recipients, answers_due, faults;
    enum wb_lmtp_place {
        WB_LMTP_COMMAND,
        WB_LMTP_LINE_START, /* these are places in the content of DATA */
        WB_LMTP_IN_LINE,
        WB_LMTP_CR,     /* ... CR */
        WB_LMTP_DOT,    /* CRLF . */
        WB_LMTP_DOT_CR, /* CRLF . CR */
    } place;
    uint64_t octets, limit; /* of the content */
};

/* Begin with the greeting. calls, to and host are kept. */
void wb_lmtp_start(struct wb_lmtp *lmtp, const struct wb_lmtp_calls *calls,
                   void *to, const char *host);

/* Returns false when the connection is to be closed; what is behind QUIT is
 * not read. */
bool wb_lmtp_feed(struct wb_lmtp *lmtp, const char *octets, size_t count);

/* From within end: the next recipient's reply. More than are due are not
 * sent. */
void wb_lmtp_answer(struct wb_lmtp *lmtp, const struct wb_answer *answer);

/* Say goodbye from outside, such as 421 after silence. */
void wb_lmtp_hang_up(struct wb_lmtp *lmtp, const char *reply);

#endif
