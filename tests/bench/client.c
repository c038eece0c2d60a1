#include "tests/bench/client.h"

#include <ctype.h>
#include <errno.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { READ_OCTETS = 16384, GREETINGS = 2 };

struct client {
    struct load *load;
    int fd;
    struct letter_terms terms;
    bool is_agreed;    /* the negotiation is over */
    unsigned greeting; /* GREETINGS: all are done */
    bool has_message;
    uint64_t message;
    unsigned step; /* the next one of the message */
    bool waits;    /* for a reply */
    uint64_t began_ns;
    struct wire out, in, expected;
    size_t answered; /* octets of expected that have come */
};

uint64_t client_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what is wrong ---- */

__attribute__((format(printf, 2, 3))) static enum client_state
fail(const struct client *c, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "load: message %llu: ", (unsigned long long)c->message);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CLIENT_FAILED;
}

static void show(const char *what, const char *octets, size_t count)
{
    fprintf(stderr, "load:   %s ", what);
    for (size_t i = 0; i < count; i++) {
        if (octets[i] == LETTER_ANY_BASE32)
            fputc('?', stderr);
        else if (isprint((unsigned char)octets[i]))
            fputc(octets[i], stderr);
        else
            fputs(octets[i] == '\0' ? " | " : "\\?", stderr);
    }
    fputc('\n', stderr);
}

static enum client_state wrong_answer(const struct client *c, const char *got,
                                      size_t count)
{
    const size_t left = c->expected.used - c->answered;
    size_t length;

    fail(c, "wrong answer");
    show("came:    ", got, count);
    if (left == 0)
        show("expected:", "c", 1);
    else if (wire_is_whole(c->expected.octets + c->answered, left, &length))
        show("expected:", c->expected.octets + c->answered + 4, length);
    return CLIENT_FAILED;
}

/* ---- out ---- */

static bool flush(struct client *c)
{
    size_t sent = 0;

    while (sent < c->out.used) {
        ssize_t n =
            send(c->fd, c->out.octets + sent, c->out.used - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        sent += (size_t)n;
    }
    c->out.used = 0;
    return true;
}

static bool begin_message(struct client *c)
{
    struct load *load = c->load;

    if (load->is_ending || load->next_message == load->last_message)
        return false;
    c->message = load->next_message++;
    c->has_message = true;
    c->step = 0;
    c->began_ns = client_now_ns();
    c->expected.used = 0;
    c->answered = 0;
    return letter_answer(load->letters, c->message, &c->expected) == NULL;
}

/* Say what there is to say until a reply is due. */
static enum client_state go_on(struct client *c)
{
    const struct letters *letters = c->load->letters;

    while (!c->waits && c->greeting < GREETINGS)
        c->waits = letter_greet(&c->terms, (int)c->greeting++, &c->out);
    while (!c->waits) {
        if (!c->has_message && !begin_message(c)) {
            wire_command(&c->out, SMFIC_QUIT);
            flush(c);
            return CLIENT_DONE;
        }
        c->waits =
            letter_event(letters, &c->terms, c->message, c->step++, &c->out);
        if (c->step == letter_step_of_data(letters) + 1 && !flush(c))
            return fail(c, "cannot write: %s", strerror(errno));
    }
    return flush(c) ? CLIENT_BUSY
                    : fail(c, "cannot write: %s", strerror(errno));
}

/* ---- in ---- */

/* The lists of macros: a stage (4 octets) and names, each. */
static bool read_symbols(struct client *c, const char *data, size_t count)
{
    while (count > 4) {
        uint32_t stage = wire_number(data);
        size_t octets = strnlen(data + 4, count - 4);

        if (stage >= LETTER_STAGES || octets == count - 4)
            return false;
        free(c->terms.symbols[stage]);
        c->terms.symbols[stage] = strdup(data + 4);
        if (c->terms.symbols[stage] == NULL)
            return false;
        data += 4 + octets + 1;
        count -= 4 + octets + 1;
    }
    return count == 0;
}

static enum client_state agree(struct client *c, const char *packet,
                               size_t count)
{
    if (count < 13 || packet[0] != SMFIC_OPTNEG ||
        (wire_number(packet + 9) & ~(uint32_t)SMFI_CURR_PROT) != 0 ||
        !read_symbols(c, packet + 13, count - 13))
        return fail(c, "wrong negotiation");
    c->terms.steps = wire_number(packet + 9);
    c->is_agreed = true;
    c->waits = false;
    return CLIENT_BUSY;
}

static bool is_as_expected(const char *expected, const char *got, size_t count)
{
    static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

    for (size_t i = 0; i < count; i++)
        if (expected[i] != got[i] &&
            (expected[i] != LETTER_ANY_BASE32 || got[i] == '\0' ||
             strchr(base32, got[i]) == NULL))
            return false;
    return true;
}

static enum client_state end_message(struct client *c, const char *packet,
                                     size_t count)
{
    struct load *load = c->load;

    if (count != 1 || c->answered < c->expected.used)
        return wrong_answer(c, packet, count);
    load->report(load->report_to, client_now_ns() - c->began_ns);
    c->has_message = false;
    c->waits = false;
    wire_command(&c->out, SMFIC_ABORT); /* goes with what comes next */
    return CLIENT_BUSY;
}

/* A change, or the verdict, at the end of a message. */
static enum client_state read_change(struct client *c, const char *packet,
                                     size_t count)
{
    const char *expected = c->expected.octets + c->answered;
    const size_t left = c->expected.used - c->answered;
    size_t length;

    if (packet[0] == SMFIR_CONTINUE || packet[0] == SMFIR_ACCEPT)
        return end_message(c, packet, count);
    if (!wire_is_whole(expected, left, &length) || length != count ||
        !is_as_expected(expected + 4, packet, count))
        return wrong_answer(c, packet, count);
    c->answered += 4 + count;
    return CLIENT_BUSY;
}

static enum client_state read_packet(struct client *c, const char *packet,
                                     size_t count)
{
    if (count == 0)
        return fail(c, "a packet without a command");
    if (packet[0] == SMFIR_PROGRESS)
        return CLIENT_BUSY;
    if (!c->is_agreed)
        return agree(c, packet, count);
    if (!c->waits)
        return fail(c, "a reply '%c' that is not due", packet[0]);
    if (c->has_message && c->step > letter_step_of_end(c->load->letters))
        return read_change(c, packet, count);
    if (packet[0] != SMFIR_CONTINUE)
        return fail(c, "a reply '%c' before the end", packet[0]);
    c->waits = false;
    return CLIENT_BUSY;
}

static enum client_state read_packets(struct client *c)
{
    enum client_state state = CLIENT_BUSY;
    size_t at = 0, length;

    while (state == CLIENT_BUSY &&
           wire_is_whole(c->in.octets + at, c->in.used - at, &length)) {
        state = read_packet(c, c->in.octets + at + 4, length);
        at += 4 + length;
        if (state == CLIENT_BUSY && !c->waits)
            state = go_on(c);
    }
    wire_drop(&c->in, at);
    return state;
}

enum client_state client_read(struct client *c)
{
    char octets[READ_OCTETS];
    ssize_t n = recv(c->fd, octets, sizeof octets, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return CLIENT_BUSY;
    if (n <= 0)
        return fail(c, "the filter closed the connection");
    wire_add(&c->in, octets, (size_t)n);
    return read_packets(c);
}

/* ---- its life ---- */

struct client *client_new(struct load *load)
{
    struct client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->load = load;
    c->waits = true;
    c->fd = socket(load->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&load->address,
                             load->address_octets) != 0)
        goto failed;
    wire_begin(&c->out, SMFIC_OPTNEG);
    wire_add_number(&c->out, SMFI_PROT_VERSION);
    wire_add_number(&c->out, SMFI_CURR_ACTS);
    wire_add_number(&c->out, SMFI_CURR_PROT);
    wire_end(&c->out);
    if (flush(c))
        return c;
failed:
    client_free(c);
    return NULL;
}

void client_free(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    for (size_t i = 0; i < LETTER_STAGES; i++)
        free(c->terms.symbols[i]);
    free(c->out.octets);
    free(c->in.octets);
    free(c->expected.octets);
    free(c);
}

int client_descriptor(const struct client *c)
{
    return c->fd;
}
