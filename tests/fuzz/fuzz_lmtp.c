/* libFuzzer target for webhook/lmtp.h: what a client sends, octet by octet.
 *
 * Reaches: webhook/lmtp.c
 *
 *     octet 0     how the rest is cut into pieces
 *     octet 1     the largest message, in units of 16 octets
 *     the rest    the client's side of a session
 *
 * A recipient is taken, refused or refused for now by the first letter of its
 * path; a message gets fewer or more answers than are due by its length.
 * However it is cut: the same calls and replies, each reply well-formed, one
 * reply a recipient that was taken, and no content past the bound.
 * test_fuzz_lmtp.c replays the corpus. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "webhook/lmtp.h"

enum { FUZZ_MAX_OCTETS = 8192, TRANSCRIPT_OCTETS = 1 << 20, UNIT_OCTETS = 16 };

/* One run: everything that was called and said, in order. */
struct run {
    char *text;
    size_t used;
    uint64_t limit, content;
    unsigned taken, replies; /* recipients; final lines since the last call */
    bool has_message, is_ending;
    struct wb_lmtp lmtp;
};

static void note(struct run *r, char mark, const char *octets, size_t count)
{
    PROMISE(r->used + count + 1 < TRANSCRIPT_OCTETS);
    if (mark != '\0')
        r->text[r->used++] = mark;
    memcpy(r->text + r->used, octets, count);
    r->used += count;
}

/* 3 digits, a blank or "-", printable ASCII, CRLF: at most 512 octets. */
static void check_line(struct run *r, const char *line, size_t octets)
{
    PROMISE(octets >= 6 && octets <= 512);
    PROMISE(line[0] >= '2' && line[0] <= '5');
    PROMISE(strchr("0123456789", line[1]) && strchr("0123456789", line[2]));
    PROMISE(line[3] == ' ' || line[3] == '-');
    for (size_t i = 0; i < octets - 2; i++)
        PROMISE(line[i] >= ' ' && line[i] <= '~');
    r->replies += line[3] == ' ' ? 1 : 0;
}

static void on_say(void *to, const char *octets, size_t count)
{
    struct run *r = to;

    note(r, '\0', octets, count);
    for (const char *lf; count > 0;
         count -= (size_t)(lf + 1 - octets), octets = lf + 1) {
        lf = memchr(octets, '\n', count);
        PROMISE(lf != NULL && lf > octets && lf[-1] == '\r');
        check_line(r, octets, (size_t)(lf + 1 - octets));
    }
}

static uint64_t on_max_octets(void *to)
{
    return ((struct run *)to)->limit;
}

static void choose(const char *path, struct wb_answer *answer)
{
    PROMISE(path[0] == '<' && path[strlen(path) - 1] == '>');
    if (path[1] == 'n')
        wb_answer_set(answer, "550 5.7.1 no");
    else if (path[1] == 'l')
        wb_answer_set(answer, "451 4.3.5 later");
    else
        wb_answer_set(answer, "250 2.1.5 %s", path);
}

static void on_mail(void *to, const char *path, uint64_t size,
                    struct wb_answer *answer)
{
    struct run *r = to;

    PROMISE(!r->has_message && size <= r->limit);
    note(r, 'M', path, strlen(path));
    choose(path, answer);
    r->has_message = wb_answer_is_done(answer);
    r->taken = 0;
}

static void on_rcpt(void *to, const char *path, struct wb_answer *answer)
{
    struct run *r = to;

    PROMISE(r->has_message && r->taken < WB_LMTP_RECIPIENTS_MAX);
    note(r, 'R', path, strlen(path));
    choose(path, answer);
    r->taken += wb_answer_is_done(answer) ? 1 : 0;
}

static void on_begin(void *to)
{
    struct run *r = to;

    PROMISE(r->has_message && r->taken > 0);
    note(r, 'B', "", 0);
    r->content = 0;
}

static void on_content(void *to, const char *octets, size_t count)
{
    struct run *r = to;

    PROMISE(count > 0 && r->has_message && r->taken > 0);
    r->content += count;
    PROMISE(r->content <= r->limit);
    note(r, '\0', octets, count);
}

static void on_end(void *to, bool is_too_large)
{
    struct run *r = to;
    struct wb_answer answer;

    note(r, 'E', is_too_large ? "!" : ".", 1);
    r->replies = 0;
    r->is_ending = true;
    for (uint64_t i = 0; i < r->content % 7; i++) {
        wb_answer_set(&answer, "250 2.0.0 %d", (int)i);
        wb_lmtp_answer(&r->lmtp, &answer);
    }
}

static void on_forget(void *to)
{
    struct run *r = to;

    PROMISE(r->has_message);
    PROMISE(!r->is_ending || r->replies == r->taken);
    note(r, 'F', "", 0);
    r->has_message = r->is_ending = false;
}

static const struct wb_lmtp_calls calls = {
    .say = on_say,
    .max_octets = on_max_octets,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .begin = on_begin,
    .content = on_content,
    .end = on_end,
    .forget = on_forget,
};

/* cut: 0 is not at all, else pieces of 1 to cut octets. */
static void run(struct run *r, const uint8_t *data, size_t octets, unsigned cut,
                uint64_t limit)
{
    unsigned piece = 0;

    memset(r, 0, sizeof *r);
    r->text = malloc(TRANSCRIPT_OCTETS);
    PROMISE(r->text != NULL);
    r->limit = limit;
    wb_lmtp_start(&r->lmtp, &calls, r, "mx.test");
    while (octets > 0) {
        size_t n = cut == 0 ? octets : 1 + piece++ * 7 % cut;

        if (n > octets)
            n = octets;
        if (!wb_lmtp_feed(&r->lmtp, (const char *)data, n))
            break;
        data += n;
        octets -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    struct run whole, pieces;
    uint64_t limit;

    if (octets < 2 || octets > FUZZ_MAX_OCTETS)
        return 0;
    limit = UNIT_OCTETS * (1 + (uint64_t)data[1]);
    run(&whole, data + 2, octets - 2, 0, limit);
    run(&pieces, data + 2, octets - 2, 1 + data[0] % 64, limit);
    PROMISE(whole.used == pieces.used);
    PROMISE(memcmp(whole.text, pieces.text, whole.used) == 0);
    free(whole.text);
    free(pieces.text);
    return 0;
}
