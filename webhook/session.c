/* One connection of the MTA: from LMTP to posts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>

#include "mail/address.h"
#include "milter/base/log.h"
#include "webhook/deliver.h"
#include "webhook/lmtp.h"
#include "webhook/mark.h"
#include "webhook/server.h"

enum {
    IDLE_LIMIT_S = 300, /* RFC 5321, 4.5.3.2.7 */
    INPUT_OCTETS = 16384,
    OUTPUT_OCTETS = 4096,
    MESSAGE_MEMORY_OCTETS = 512 * 1024, /* for addresses and headers */
    GATE_WAIT_MS = 5000,
};

struct session {
    struct wb_server *server;
    int fd;
    bool is_broken; /* the client takes no more replies */
    struct wb_lmtp lmtp;
    char input[INPUT_OCTETS], output[OUTPUT_OCTETS];
    size_t output_octets;

    /* the message under way */
    const struct wb_conf *conf; /* one for all of it; NULL: no message */
    struct wb_pool *p;
    const char *sender;
    uint64_t size; /* as the client said */
    struct wb_mark marks[WB_LMTP_RECIPIENTS_MAX];
    size_t mark_count;
    struct wb_spool spool;
};

/* ---- the socket --------------------------------------------------------- */

static void flush(struct session *s)
{
    size_t sent = 0;

    while (!s->is_broken && sent < s->output_octets) {
        ssize_t n = send(s->fd, s->output + sent, s->output_octets - sent,
                         MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            s->is_broken = true;
    }
    s->output_octets = 0;
}

static void on_say(void *to, const char *octets, size_t count)
{
    struct session *s = to;

    if (count > sizeof s->output - s->output_octets)
        flush(s);
    memcpy(s->output + s->output_octets, octets, count);
    s->output_octets += count;
}

/* Has the client gone? Then it will try again, whatever is done here. */
static bool has_gone(const struct session *s)
{
    char octet;

    return s->is_broken || recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void limit_silence(int fd)
{
    const struct timeval limit = {.tv_sec = IDLE_LIMIT_S};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* ---- the envelope ------------------------------------------------------- */

static uint64_t on_max_octets(void *to)
{
    struct session *s = to;
    const struct wb_conf *conf = wb_server_conf(s->server);
    uint64_t most = 1024; /* 0 would say that there is no bound */

    for (size_t i = 0; i < conf->webhook_count; i++)
        if (conf->webhooks[i].max_octets > most)
            most = conf->webhooks[i].max_octets;
    wb_conf_unref(conf);
    return most;
}

static void on_forget(void *to)
{
    struct session *s = to;

    wb_spool_close(&s->spool);
    wb_pool_reset(s->p);
    wb_conf_unref(s->conf);
    s->conf = NULL;
    s->mark_count = 0;
}

static void no_memory(struct wb_answer *answer)
{
    wb_answer_set(answer, "452 4.3.1 out of memory");
}

static void on_mail(void *to, const char *path, uint64_t size,
                    struct wb_answer *answer)
{
    struct session *s = to;
    struct wb_address sender;
    int rc = wb_address_parse(s->p, path, &sender, NULL);

    if (rc == EX_OSERR) {
        no_memory(answer);
    } else if (rc != EX_OK) {
        wb_answer_set(answer, "501 5.1.7 this is no address");
    } else {
        s->conf = wb_server_conf(s->server);
        s->sender = sender.text;
        s->size = size;
        wb_answer_set(answer, "250 2.1.0 ok");
    }
    if (s->conf == NULL)
        wb_pool_reset(s->p);
}

static const char *queue_id(const struct session *s)
{
    return *s->lmtp.ident != '\0' ? s->lmtp.ident : "NOQUEUE";
}

static void add_path(struct wb_line *line, const char *name, const char *octets,
                     size_t count)
{
    wb_line_add(line, " %s=<", name);
    wb_line_add_untrusted(line, octets, count, false);
    wb_line_add(line, ">");
}

/* path has its angle brackets: the machine takes no other. */
static void log_refused(const struct session *s, const char *path,
                        const struct wb_answer *answer)
{
    struct wb_line line = {.used = 0};

    wb_line_add(&line, "%s:", queue_id(s));
    add_path(&line, "to", path + 1, strlen(path) - 2);
    wb_log(LOG_WARNING, "%s reply=\"%s\"", line.text, answer->text);
}

static void on_rcpt(void *to, const char *path, struct wb_answer *answer)
{
    struct session *s = to;
    struct wb_mark *mark = &s->marks[s->mark_count];
    int rc = wb_mark_read(s->conf, s->p, path, mark);

    if (rc == EX_OSERR) {
        no_memory(answer);
    } else if (rc != EX_OK) {
        wb_answer_set(answer,
                      "550 5.7.1 only recipients that waybill has marked");
    } else if (mark->webhook == NULL) {
        wb_answer_set(answer,
                      "451 4.3.5 this webhook is not configured any more");
    } else if (s->size > mark->webhook->max_octets) {
        wb_answer_set(answer,
                      "552 5.3.4 webhook %s: the message is too large for it",
                      mark->webhook->name);
    } else {
        s->mark_count++;
        wb_answer_set(answer, "250 2.1.5 ok");
    }
    if (!wb_answer_is_done(answer))
        log_refused(s, path, answer);
}

/* ---- the message -------------------------------------------------------- */

static void on_begin(void *to)
{
    struct session *s = to;

    wb_spool_begin(&s->spool, s->conf->spool_directory);
}

static void on_content(void *to, const char *octets, size_t count)
{
    struct session *s = to;

    wb_spool_add(&s->spool, octets, count);
}

static void log_delivery(const struct session *s, const struct wb_mark *mark,
                         const struct wb_delivered *d, long delay_ms)
{
    struct wb_line line = {.used = 0};

    wb_line_add(&line, "%s:", queue_id(s));
    add_path(&line, "from", s->sender, strlen(s->sender));
    add_path(&line, "to", mark->recipient, strlen(mark->recipient));
    wb_line_add(&line, " webhook=%s filter=%s id=%s size=%llu delay_ms=%ld",
                mark->webhook->name, mark->filter, d->id,
                (unsigned long long)s->spool.octets, delay_ms);
    if (d->result.end == WB_POST_ANSWERED)
        wb_line_add(&line, " status=%ld", d->result.status);
    if (d->result.retry_after_s > 0)
        wb_line_add(&line, " retry_after_s=%ld", d->result.retry_after_s);
    wb_line_add(&line, " reply=\"%s\"", d->answer.text);
    if (d->result.detail.text[0] != '\0') {
        wb_line_add(&line, " detail=\"");
        wb_line_add_untrusted(&line, d->result.detail.text,
                              sizeof d->result.detail.text, true);
        wb_line_add(&line, "\"");
    }
    wb_log(wb_answer_is_done(&d->answer) ? LOG_INFO : LOG_WARNING, "%s",
           line.text);
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void post(struct session *s, const struct wb_mark *mark,
                 struct wb_pool *p, struct wb_delivered *out)
{
    const struct wb_webhook *w = mark->webhook;
    const struct wb_delivery delivery = {
        .webhook = w,
        .filter = mark->filter,
        .sender = s->sender,
        .recipient = mark->recipient,
        .message = &s->spool,
        .spool_directory = s->conf->spool_directory,
        .bounces = &s->conf->bounces,
        .now_s = (int64_t)time(NULL),
    };

    if (!wb_gate_enter(s->server->gate, w->name, w->concurrency,
                       GATE_WAIT_MS)) {
        *out = (struct wb_delivered){.result.end = WB_POST_BUSY};
        wb_answer_choose(w, &out->result, "-", &out->answer);
        return;
    }
    wb_deliver(s->server->poster, &delivery, p, out);
    wb_gate_leave(s->server->gate, w->name);
}

static void deliver(struct session *s, const struct wb_mark *mark)
{
    struct wb_pool *p = wb_pool_new(MESSAGE_MEMORY_OCTETS);
    struct wb_delivered delivered;
    long began_ms = now_ms();

    if (p == NULL) {
        no_memory(&delivered.answer);
    } else {
        post(s, mark, p, &delivered);
        log_delivery(s, mark, &delivered, now_ms() - began_ms);
    }
    wb_lmtp_answer(&s->lmtp, &delivered.answer);
    wb_pool_free(p);
    /* Each recipient's answer goes out at once: it is done, whatever happens
     * to the next. */
    flush(s);
}

static void refuse_all(struct session *s, const char *text)
{
    struct wb_answer answer;

    wb_answer_set(&answer, "%s", text);
    wb_log(LOG_WARNING, "%s: size=%llu reply=\"%s\"%s%s", queue_id(s),
           (unsigned long long)s->spool.octets, answer.text,
           s->spool.code != EX_OK ? " detail=" : "", s->spool.err.text);
    for (size_t i = 0; i < s->mark_count; i++)
        wb_lmtp_answer(&s->lmtp, &answer);
}

static void on_end(void *to, bool is_too_large)
{
    struct session *s = to;

    if (is_too_large) {
        refuse_all(s, "552 5.3.4 the message is larger than any webhook takes");
    } else if (wb_spool_end(&s->spool) != EX_OK) {
        refuse_all(s, "452 4.3.1 resources are missing here");
    } else {
        for (size_t i = 0; i < s->mark_count && !has_gone(s); i++)
            deliver(s, &s->marks[i]);
    }
}

/* ---- the connection ----------------------------------------------------- */

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

/* Returns false when the connection is over. */
static bool step(struct session *s)
{
    ssize_t n;

    flush(s);
    if (s->is_broken)
        return false;
    n = recv(s->fd, s->input, sizeof s->input, 0);
    if (n > 0)
        return wb_lmtp_feed(&s->lmtp, s->input, (size_t)n);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        wb_lmtp_hang_up(&s->lmtp, "421 4.4.2 silent for too long");
    else
        wb_lmtp_hang_up(&s->lmtp, "421 4.3.2 closing");
    return false;
}

void wb_session_run(struct wb_connection *c)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return;
    s->server = c->server;
    s->fd = c->fd;
    s->p = wb_pool_new(MESSAGE_MEMORY_OCTETS);
    limit_silence(s->fd);
    if (s->p != NULL) {
        wb_lmtp_start(&s->lmtp, &calls, s, s->server->host);
        while (step(s))
            ;
        flush(s);
        on_forget(s);
    }
    wb_pool_free(s->p);
    free(s);
}
