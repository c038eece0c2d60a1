#include "milter/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>

#include "milter/base/log.h"
#include "milter/body.h"
#include "milter/current.h"
#include "milter/decision.h"
#include "milter/door.h"
#include "milter/stats.h"

struct wb_session {
    /* the connection */
    bool replies_at_connect, replies_at_rcpt;
    bool has_body;
    bool is_connected; /* without it, no client would mean a local one */
    char *client;
    char *listener;
    struct wb_visit visit; /* at a listener that waybill generates */

    /* the message; conf is NULL when there is none */
    const struct wb_conf *conf;
    struct wb_pool *pool; /* kept from message to message */
    size_t pool_octets;   /* its bound */
    struct wb_envelope env;
    struct wb_recipient *recipients;
    struct wb_header *headers;
    size_t recipient_room;
    size_t header_room;
    const struct wb_reply *refusal; /* of the message, to be told at its end */
    struct wb_reply early;          /* of the last recipient */
    struct wb_body body;
};

static const struct wb_reply no_memory = {
    "452", "4.3.1", "Not enough memory for this message; try again later"};
static const struct wb_reply no_decision = {
    "451", "4.3.0", "Cannot decide on this message; try again later"};
static const struct wb_reply no_message = {
    "451", "4.3.0", "The mail system left out a step; try again later"};
static const struct wb_reply bad_sender = {"553", "5.1.7",
                                           "Sender address not understood"};
static const struct wb_reply bad_recipient = {
    "553", "5.1.3", "Recipient address not understood"};
static const struct wb_reply bad_argument = {"501", "5.5.4",
                                             "NOTIFY or ORCPT not understood"};
static const struct wb_reply many_recipients = {"452", "4.5.3",
                                                "Too many recipients"};
static const struct wb_reply many_headers = {
    "552", "5.3.4", "Too many header fields that waybill reads"};

struct wb_session *wb_session_new(void)
{
    struct wb_session *s = calloc(1, sizeof *s);

    if (s != NULL)
        wb_stats_connect();
    return s;
}

void wb_session_free(struct wb_session *s)
{
    if (s == NULL)
        return;
    wb_stats_disconnect();
    wb_session_reset(s);
    wb_visit_end(&s->visit);
    wb_pool_free(s->pool);
    wb_body_drop(&s->body);
    free(s->client);
    free(s->listener);
    free(s);
}

void wb_session_set_connect_replies(struct wb_session *s, bool yes)
{
    s->replies_at_connect = yes;
}

bool wb_session_connect_replies(const struct wb_session *s)
{
    return s->replies_at_connect;
}

void wb_session_set_recipient_replies(struct wb_session *s, bool yes)
{
    s->replies_at_rcpt = yes;
}

bool wb_session_recipient_replies(const struct wb_session *s)
{
    return s->replies_at_rcpt;
}

void wb_session_set_body(struct wb_session *s, bool yes)
{
    s->has_body = yes;
}

void wb_session_reset(struct wb_session *s)
{
    if (s->conf != NULL)
        wb_conf_unref(s->conf);
    s->conf = NULL;
    wb_visit_message_lost(&s->visit);
    if (s->pool != NULL)
        wb_pool_reset(s->pool);
    memset(&s->env, 0, sizeof s->env);
    s->recipients = NULL;
    s->headers = NULL;
    s->recipient_room = 0;
    s->header_room = 0;
    s->refusal = NULL;
    wb_body_drop(&s->body);
}

/* The first thing that goes wrong is what the MTA is told. */
static void refuse(struct wb_session *s, const struct wb_reply *reply)
{
    if (s->refusal == NULL)
        s->refusal = reply;
}

/* What the MTA sends as "" it does not know. */
static bool is_known(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- the connection ---- */

/* The text of an IP address; NULL for any other family. */
static const char *peer_text(const struct sockaddr *peer, char *out,
                             socklen_t octets)
{
    if (peer == NULL)
        return NULL;
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)peer;

        return inet_ntop(AF_INET, &in->sin_addr, out, octets);
    }
    if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;

        return inet_ntop(AF_INET6, &in6->sin6_addr, out, octets);
    }
    return NULL;
}

/* A client whose address the MTA could not tell ("unknown") stays a client:
 * only without any text it is a local submission. */
static const char *client_text(const struct sockaddr *peer,
                               const char *client_addr, char *out,
                               socklen_t octets)
{
    if (peer != NULL)
        return peer_text(peer, out, octets);
    if (!is_known(client_addr))
        return NULL;
    /* Sendmail writes "IPv6:2001:db8::1" */
    if (strncasecmp(client_addr, "IPv6:", 5) == 0)
        return client_addr + 5;
    return client_addr;
}

/* Returns whether *out is right. */
static bool replace(char **out, const char *text)
{
    free(*out);
    *out = is_known(text) ? strdup(text) : NULL;
    return *out != NULL || !is_known(text);
}

/* NULL, or why it may not come in. */
static const struct wb_reply *visit(struct wb_session *s)
{
    const struct wb_conf *conf = wb_current_ref();
    const struct wb_reply *refusal = &no_memory;

    wb_visit_end(&s->visit);
    if (conf != NULL) {
        refusal = wb_visit_begin(&s->visit, conf, s->listener);
        wb_conf_unref(conf);
    }
    if (refusal != NULL)
        wb_decision_log_visit(s->listener, s->client, refusal);
    return s->replies_at_connect ? refusal : NULL;
}

const struct wb_reply *wb_session_connect(struct wb_session *s,
                                          const struct sockaddr *peer,
                                          const char *client_addr,
                                          const char *listener)
{
    char text[INET6_ADDRSTRLEN];
    const char *client = client_text(peer, client_addr, text, sizeof text);
    bool has_client = replace(&s->client, client);
    bool has_listener = replace(&s->listener, listener);

    wb_session_reset(s);
    s->is_connected = has_client && has_listener;
    return visit(s);
}

/* ---- the message ---- */

static bool begin_pool(struct wb_session *s)
{
    if (s->pool != NULL && s->pool_octets == s->conf->message_max_octets)
        return true;
    wb_pool_free(s->pool);
    s->pool_octets = s->conf->message_max_octets;
    s->pool = wb_pool_new(s->pool_octets);
    return s->pool != NULL;
}

/* A copy of what the MTA knows; NULL for what it does not. */
static const char *keep(struct wb_session *s, const char *text)
{
    const char *copy;

    if (!is_known(text))
        return NULL;
    copy = wb_pool_strdup(s->pool, text);
    if (copy == NULL)
        refuse(s, &no_memory);
    return copy;
}

static const struct wb_reply *if_not(int rc, const struct wb_reply *if_bad)
{
    if (rc == EX_OK)
        return NULL;
    return rc == EX_OSERR ? &no_memory : if_bad;
}

static const struct wb_reply *parse_sender(struct wb_session *s,
                                           const char *path)
{
    if (path == NULL)
        return &bad_sender;
    return if_not(wb_address_parse(s->pool, path, &s->env.sender, NULL),
                  &bad_sender);
}

static const struct wb_reply *
parse_recipient(struct wb_session *s, const char *path, struct wb_address *out)
{
    if (path == NULL)
        return &bad_recipient;
    return if_not(wb_plan_read_recipient(&s->env, s->pool, path, out, NULL),
                  &bad_recipient);
}

/* The client's wish that the MTA make senders ("XVERP", or with "=" and the
 * delimiters). */
static bool has_xverp(char **argv)
{
    for (size_t i = 1; argv[0] != NULL && argv[i] != NULL; i++)
        if (strncasecmp(argv[i], "XVERP", 5) == 0 &&
            (argv[i][5] == '\0' || argv[i][5] == '='))
            return true;
    return false;
}

/* The log is to show it all the same. */
static void refuse_sender(struct wb_session *s, const char *path,
                          const struct wb_reply *wrong)
{
    refuse(s, wrong);
    if (path != NULL)
        s->env.sender.text = wb_pool_strndup(s->pool, path, WB_PATH_MAX_OCTETS);
}

/* "KEYWORD=value" among the ESMTP arguments (RFC 3461, 4); NULL: none. */
static const char *esmtp_value(char **argv, const char *keyword)
{
    size_t length = strlen(keyword);

    for (size_t i = 1; argv[0] != NULL && argv[i] != NULL; i++)
        if (strncasecmp(argv[i], keyword, length) == 0 &&
            argv[i][length] == '=')
            return argv[i] + length + 1;
    return NULL;
}

/* Where the body is not shown, because no route had a limit when the
 * connection began, the client's own word must do. */
static void begin_size(struct wb_session *s, char **argv)
{
    const char *text = s->has_body ? NULL : esmtp_value(argv, "SIZE");
    char *end;

    s->env.is_size_known = s->has_body;
    s->env.octets = s->has_body ? strlen("\r\n") : 0; /* after the header */
    if (text == NULL || *text < '0' || *text > '9')
        return;
    s->env.octets = strtoul(text, &end, 10);
    s->env.is_size_known = *end == '\0';
}

/* Octets on the way, of the header's lines, where an end of line has two. */
static void count_header(struct wb_session *s, const char *name,
                         const char *value)
{
    if (!s->has_body)
        return;
    s->env.octets += strlen(name) + strlen(": \r\n") + strlen(value);
    for (; (value = strchr(value, '\n')) != NULL; value++)
        s->env.octets++;
}

void wb_session_body(struct wb_session *s, const void *octets, size_t count)
{
    s->env.octets += count;
    wb_body_add(&s->body, octets, count);
}

const void *wb_session_new_body(struct wb_session *s, size_t *count)
{
    return wb_body_clean(&s->body, count);
}

/* Sendmail quotes marked recipients in the bounces that it makes, and sends
 * them this way. */
static bool is_bounce_of_mta(const struct wb_session *s)
{
    return s->conf->mta == WB_MTA_SENDMAIL && s->listener != NULL &&
           strcmp(s->listener, WB_LOOPBACK_LISTENER) == 0 &&
           wb_address_is_null(&s->env.sender);
}

void wb_session_mail(struct wb_session *s, char **argv, const char *login,
                     const char *resolved, const char *queue_id)
{
    const char *path = argv[0];
    const struct wb_reply *wrong;

    wb_session_reset(s);
    s->conf = wb_current_ref();
    if (s->conf == NULL || !begin_pool(s)) {
        refuse(s, &no_memory);
        return;
    }
    if (!s->is_connected)
        refuse(s, &no_message);
    if (s->visit.refusal != NULL)
        refuse(s, s->visit.refusal);
    s->env.client = s->client;
    s->env.listener = s->listener;
    /* where no smtpd asks, Postfix writes the null sender so */
    if (path != NULL && *path == '\0' && wb_plan_is_own_bounce(&s->env))
        path = "<>";
    wrong = parse_sender(s, path);
    if (wrong != NULL)
        refuse_sender(s, path, wrong);
    s->env.sender_resolved = keep(s, resolved);
    s->env.has_xverp = has_xverp(argv);
    s->env.login = keep(s, login);
    s->env.queue_id = keep(s, queue_id);
    s->env.now_s = (int64_t)time(NULL);
    begin_size(s, argv);
    if (wrong == NULL && s->has_body && is_bounce_of_mta(s))
        wb_body_keep(&s->body, s->conf->message_max_octets);
}

/* Room for one more of count items of octets each; the list moves to twice
 * the place when it is full. Returns the list, or NULL when out of memory. */
static void *make_room(struct wb_pool *p, void *list, size_t count,
                       size_t *room, size_t octets)
{
    size_t more = *room == 0 ? 16 : *room * 2;
    void *larger;

    if (count < *room)
        return list;
    larger = wb_pool_array(p, more, octets);
    if (larger == NULL)
        return NULL;
    if (count > 0)
        memcpy(larger, list, count * octets);
    *room = more;
    return larger;
}

/* Octets that would end the value, or the line, where it is sent on
 * (RFC 5321, 4.1.2, esmtp-value). */
static bool is_esmtp_value(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool is_same_address(const struct wb_address *a,
                            const struct wb_address *b)
{
    return a->local != NULL && a->domain != NULL &&
           strcmp(a->local, b->local) == 0 &&
           strcasecmp(a->domain, b->domain) == 0;
}

/* Sendmail applies virtusertable before it asks, and would not once a mark is
 * on the recipient: so the address that it resolved is what is routed. The
 * client's own stays in ORCPT. */
static const struct wb_reply *take_resolved(struct wb_session *s,
                                            struct wb_recipient *r)
{
    struct wb_address to;
    const char *text, *xtext;
    size_t octets = r->resolved == NULL ? 0 : strlen(r->resolved);

    if (s->conf->mta != WB_MTA_SENDMAIL || r->mailer == NULL || octets == 0 ||
        !wb_strings_hold(&s->conf->outbound_mailers, r->mailer))
        return NULL;
    text = wb_pool_strndup(s->pool, r->resolved,
                           octets - (r->resolved[octets - 1] == '.'));
    if (text == NULL)
        return &no_memory;
    if (wb_address_parse(s->pool, text, &to, NULL) != EX_OK ||
        to.domain == NULL || is_same_address(&r->address, &to))
        return NULL;
    xtext = wb_xtext_encode(s->pool, r->address.text);
    if (r->orcpt == NULL && xtext != NULL)
        r->orcpt = wb_pool_printf(s->pool, "rfc822;%s", xtext);
    r->address = to;
    return r->orcpt == NULL ? &no_memory : NULL;
}

static const struct wb_reply *fill(struct wb_session *s, char **argv,
                                   const struct wb_recipient *macros,
                                   struct wb_recipient *r)
{
    const struct wb_reply *wrong = parse_recipient(s, argv[0], &r->address);

    if (wrong != NULL)
        return wrong;
    r->given = keep(s, argv[0]);
    r->mailer = keep(s, macros->mailer);
    r->host = keep(s, macros->host);
    r->resolved = keep(s, macros->resolved);
    r->notify = keep(s, esmtp_value(argv, "NOTIFY"));
    r->orcpt = keep(s, esmtp_value(argv, "ORCPT"));
    if (!is_esmtp_value(r->notify) || !is_esmtp_value(r->orcpt))
        return &bad_argument;
    wrong = take_resolved(s, r);
    return wrong != NULL ? wrong : s->refusal;
}

/* What is certain already, for an MTA that reads replies here. */
static const struct wb_reply *decide_early(struct wb_session *s,
                                           const struct wb_recipient *r)
{
    enum wb_decision decision = WB_ACCEPT;

    if (!s->replies_at_rcpt)
        return NULL;
    if (wb_plan_recipient_early(s->conf, &s->env, r, s->pool, &decision,
                                &s->early, NULL) != EX_OK)
        return &no_decision;
    return decision == WB_ACCEPT ? NULL : &s->early;
}

static const struct wb_reply *add_recipient(struct wb_session *s, char **argv,
                                            const struct wb_recipient *macros)
{
    struct wb_recipient r = {.given = NULL};
    const struct wb_reply *wrong;
    void *list;

    if (s->env.recipient_count >= s->conf->message_max_recipients)
        return &many_recipients;
    wrong = fill(s, argv, macros, &r);
    if (wrong == &bad_recipient && wb_plan_is_own_bounce(&s->env))
        return NULL; /* none of waybill's */
    if (wrong == NULL)
        wrong = decide_early(s, &r);
    if (wrong != NULL)
        return wrong;
    list = make_room(s->pool, s->recipients, s->env.recipient_count,
                     &s->recipient_room, sizeof r);
    if (list == NULL)
        return &no_memory;
    s->recipients = list;
    s->recipients[s->env.recipient_count++] = r;
    s->env.recipients = s->recipients;
    return NULL;
}

const struct wb_reply *wb_session_rcpt(struct wb_session *s, char **argv,
                                       const struct wb_recipient *macros)
{
    const struct wb_reply *wrong;

    if (s->conf == NULL)
        return s->replies_at_rcpt ? &no_message : NULL;
    wrong = s->refusal;
    if (wrong == NULL)
        wrong = add_recipient(s, argv, macros);
    if (wrong == NULL)
        return NULL;
    if (!s->replies_at_rcpt) {
        refuse(s, wrong);
        return NULL;
    }
    wb_stats_refused_recipient();
    wb_decision_log_refusal(s->conf, &s->env, argv[0], wrong);
    return wrong;
}

static void refusing_plan(struct wb_plan *plan, const struct wb_reply *reply)
{
    memset(plan, 0, sizeof *plan);
    plan->decision = reply->code[0] == '5' ? WB_REJECT : WB_TEMPFAIL;
    plan->reply = *reply;
}

/* A message that is refused already, or that nobody would get, takes no time
 * of the listener's. */
const struct wb_reply *wb_session_data(struct wb_session *s)
{
    const struct wb_reply *late;
    struct wb_plan plan;

    if (s->conf == NULL || s->refusal != NULL || s->env.recipient_count == 0)
        return NULL;
    late = wb_visit_wait(&s->visit, s->conf, s->listener);
    if (late == NULL)
        return NULL;
    refusing_plan(&plan, late);
    wb_stats_message(s->conf, &plan, s->env.recipient_count, s->pool);
    wb_decision_log(s->conf, &s->env, &plan);
    return late;
}

void wb_session_header(struct wb_session *s, const char *name,
                       const char *value)
{
    struct wb_header h = {.name = NULL};
    void *list;

    count_header(s, name, value);
    if (s->conf == NULL || s->refusal != NULL ||
        !wb_plan_wants_header(s->conf, name))
        return;
    if (s->env.header_count >= s->conf->message_max_headers) {
        refuse(s, &many_headers);
        return;
    }
    h.name = wb_pool_strdup(s->pool, name);
    h.value = wb_pool_strdup(s->pool, value);
    list = make_room(s->pool, s->headers, s->env.header_count, &s->header_room,
                     sizeof h);
    if (h.name == NULL || h.value == NULL || list == NULL) {
        refuse(s, &no_memory);
        return;
    }
    s->headers = list;
    s->headers[s->env.header_count++] = h;
    s->env.headers = s->headers;
}

/* ---- the end ---- */

/* An MTA that did not show DATA, because no listener had an interval when the
 * connection began, waits here. */
static void pass_listener(struct wb_session *s)
{
    const struct wb_reply *late = NULL;

    if (s->refusal == NULL && s->env.recipient_count > 0)
        late = wb_visit_wait(&s->visit, s->conf, s->listener);
    if (late != NULL)
        refuse(s, late);
    else
        wb_visit_message_came(&s->visit);
}

static void make_plan(struct wb_session *s, struct wb_plan *plan)
{
    struct wb_err err = {.text = ""};
    int code = wb_plan_make(s->conf, &s->env, s->pool, false, plan, &err);

    if (code == EX_OK)
        return;
    wb_log(LOG_ERR, "%s: cannot decide: %s",
           s->env.queue_id != NULL ? s->env.queue_id : "NOQUEUE", err.text);
    refusing_plan(plan, code == EX_OSERR ? &no_memory : &no_decision);
}

void wb_session_decide(struct wb_session *s, const char *queue_id,
                       struct wb_plan *plan)
{
    if (s->conf == NULL)
        refuse(s, &no_message);
    else if (s->pool != NULL && is_known(queue_id))
        s->env.queue_id = keep(s, queue_id);
    if (s->conf != NULL)
        pass_listener(s);
    if (s->refusal != NULL)
        refusing_plan(plan, s->refusal);
    else
        make_plan(s, plan);
    wb_stats_message(s->conf, plan, s->env.recipient_count, s->pool);
    wb_decision_log(s->conf, &s->env, plan);
}
