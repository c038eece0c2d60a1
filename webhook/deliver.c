#include "webhook/deliver.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "webhook/bounce/log.h"

enum { HEADERS_MAX = 12, HOST_OCTETS = 256 };

/* One delivery under way. */
struct job {
    const struct wb_delivery *d;
    struct wb_pool *p;
    struct wb_delivered *out;
    int body_fd;
    const char *headers[HEADERS_MAX + 1];
    size_t header_count;
    bool has_memory;
    char host[HOST_OCTETS];
    struct wb_payload_facts facts;
};

static int out_of_memory(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "out of memory");
}

/* octets for the value of a header: what is not printable ASCII, and '%',
 * becomes %XX. NULL: no memory. */
static const char *percent(struct wb_pool *p, const char *octets)
{
    char *text = wb_pool_array(p, strlen(octets) + 1, 3), *out = text;

    for (; text != NULL && *octets != '\0'; octets++)
        if (*octets > ' ' && *octets <= '~' && *octets != '%')
            *out++ = *octets;
        else
            out += sprintf(out, "%%%02X", (unsigned char)*octets);
    return text;
}

static void add_header(struct job *j, const char *name, const char *value)
{
    const char *line =
        value != NULL ? wb_pool_printf(j->p, "%s: %s", name, value) : NULL;

    if (line == NULL || j->header_count == HEADERS_MAX)
        j->has_memory = false;
    else
        j->headers[j->header_count++] = line;
}

/* The other formats have these in the body, where they are signed. */
static void add_envelope(struct job *j)
{
    add_header(j, "X-Waybill-Webhook", j->d->webhook->name);
    add_header(j, "X-Waybill-Filter", j->d->filter);
    add_header(j, "X-Waybill-From",
               *j->d->sender != '\0' ? percent(j->p, j->d->sender) : "<>");
    add_header(j, "X-Waybill-To", percent(j->p, j->d->recipient));
}

static int make_headers(struct job *j, struct wb_err *err)
{
    const struct wb_webhook *w = j->d->webhook;
    const char *signature;
    int rc;

    add_header(j, "Content-Type", j->out->content_type);
    add_header(j, "X-Waybill-Id", j->out->id);
    if (w->format == WB_FORMAT_RAW)
        add_envelope(j);
    if (w->signing_keys[0] != NULL) {
        rc = wb_sign_body(w->signing_keys, j->d->now_s, j->body_fd, j->p,
                          &signature, err);
        if (rc != EX_OK)
            return rc;
        add_header(j, "X-Waybill-Signature", signature);
    }
    return j->has_memory ? EX_OK : out_of_memory(err);
}

static const char *server_composition(struct job *j)
{
    if (j->d->webhook->server_composition != NULL)
        return j->d->webhook->server_composition;
    return gethostname(j->host, sizeof j->host - 1) == 0 ? j->host
                                                         : "localhost";
}

static void gather_facts(struct job *j)
{
    j->facts = (struct wb_payload_facts){
        .id = j->out->id,
        .webhook = j->d->webhook->name,
        .filter = j->d->filter,
        .server_composition = server_composition(j),
        .envelope_from = j->d->sender,
        .envelope_to = j->d->recipient,
        .api_key = j->d->webhook->api_key,
        .signing_key = j->d->webhook->signing_keys[0],
        .now_s = j->d->now_s,
    };
}

static int make_body(struct job *j, struct wb_err *err)
{
    struct stat st;
    int rc = wb_spool_file_open(j->d->spool_directory, &j->body_fd, err);

    if (rc == EX_OK)
        rc = wb_payload_write(j->d->webhook->format, &j->facts,
                              j->d->message->fd, j->body_fd, j->p,
                              &j->out->content_type, err);
    if (rc == EX_OK && fstat(j->body_fd, &st) != 0)
        rc = wb_err_set(err, EX_IOERR, "a spool file cannot be examined");
    if (rc == EX_OK)
        j->out->body_octets = (uint64_t)st.st_size;
    return rc;
}

static int make_id(struct job *j, struct wb_err *err)
{
    const struct wb_delivery *d = j->d;
    const char *const parts[] = {d->webhook->name, d->filter, d->sender,
                                 d->recipient, NULL};

    return wb_sign_id(d->message->digest, parts, j->out->id, err);
}

static int post(struct wb_poster *poster, struct job *j,
                struct wb_post_result *result)
{
    struct wb_post post = {.webhook = j->d->webhook, .trace = j->d->trace};
    int rc = make_body(j, &result->detail);

    if (rc == EX_OK)
        rc = make_headers(j, &result->detail);
    if (rc != EX_OK)
        return rc;
    post.headers = j->headers;
    post.body_fd = j->body_fd;
    post.body_octets = j->out->body_octets;
    wb_poster_post(poster, &post, result);
    return EX_OK;
}

/* ---- bounces ------------------------------------------------------------ */

static bool reports_as(const struct job *j, enum wb_report report)
{
    return j->d->bounces != NULL && j->d->bounces->report == report &&
           strcmp(j->d->filter, WB_BOUNCES_FILTER) == 0;
}

static int log_bounce(struct job *j, bool *is_failure)
{
    return wb_bounce_log(j->d->bounces->log_file, &j->facts, j->d->message->fd,
                         is_failure, &j->out->result.detail);
}

/* Logged once it is known that the queue will not try again. */
static void log_as_well(struct job *j)
{
    bool is_failure;

    if (wb_answer_is_temporary(&j->out->answer) ||
        log_bounce(j, &is_failure) == EX_OK)
        return;
    j->out->result.end = WB_POST_LOCAL;
    wb_answer_choose(j->d->webhook, &j->out->result, j->out->id,
                     &j->out->answer);
}

/* ---- all of it ---------------------------------------------------------- */

static int run(struct wb_poster *poster, struct job *j)
{
    struct wb_post_result *result = &j->out->result;
    bool is_logged = false;
    int rc = make_id(j, &result->detail);

    if (rc != EX_OK)
        return rc;
    gather_facts(j);
    if (reports_as(j, WB_REPORT_LOG))
        rc = log_bounce(j, &is_logged);
    if (rc != EX_OK)
        return rc;
    if (is_logged)
        result->end = WB_POST_LOGGED;
    else if (j->d->message->octets > j->d->webhook->max_octets)
        result->end = WB_POST_TOO_LARGE;
    else
        rc = post(poster, j, result);
    return rc;
}

void wb_deliver(struct wb_poster *poster, const struct wb_delivery *delivery,
                struct wb_pool *p, struct wb_delivered *out)
{
    struct job j = {
        .d = delivery, .p = p, .out = out, .body_fd = -1, .has_memory = true};

    memset(out, 0, sizeof *out);
    if (run(poster, &j) != EX_OK)
        out->result.end = WB_POST_LOCAL;
    wb_answer_choose(delivery->webhook, &out->result, out->id, &out->answer);
    if (out->result.end != WB_POST_LOCAL && reports_as(&j, WB_REPORT_BOTH))
        log_as_well(&j);
    if (j.body_fd >= 0)
        close(j.body_fd);
}
