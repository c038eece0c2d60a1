#include "tool/test/dialogue.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/maps/entries.h"
#include "tool/maps/memory.h"
#include "tool/test/talk.h"

/* At most so many at once; each holds a socket and some memory. */
enum { AT_ONCE = 8, POLL_MS = 200 };

/* A dialogue that is being carried out. */
struct running {
    struct wb_pool *pool;
    struct wb_dialogue *dialogue;
    struct wb_talk talk;
    CURL *curl;
    size_t sent;                   /* octets of the letter */
    const char *tried;             /* the last address that was connected to */
    bool is_broken;                /* libcurl refused a setting */
    bool is_asked_for_certificate; /* by the server */
    struct curl_slist *recipients;
    char error[CURL_ERROR_SIZE];
    struct running *next;
};

/* A word of auth, and how libcurl calls it; NULL: whatever the server offers.
 */
static const struct {
    enum wb_auth auth;
    const char *option;
} mechanisms[] = {
    {WB_AUTH_PLAIN, "AUTH=PLAIN"},
    {WB_AUTH_LOGIN, "AUTH=LOGIN"},
    {WB_AUTH_CRAM_MD5, "AUTH=CRAM-MD5"},
    {WB_AUTH_NTLM, "AUTH=NTLM"},
};

static const char *mechanism_option(enum wb_auth auth)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        if (mechanisms[i].auth == auth)
            return mechanisms[i].option;
    return NULL;
}

#define SET(r, option, value)                                                  \
    ((r)->is_broken |=                                                         \
     curl_easy_setopt((r)->curl, (option), (value)) != CURLE_OK)

/* ---- what libcurl calls ----------------------------------------------------
 */

static const char *address_text(struct wb_pool *pool,
                                const struct curl_sockaddr *a)
{
    const struct sockaddr_in *v4 = (const void *)&a->addr;
    const struct sockaddr_in6 *v6 = (const void *)&a->addr;
    char text[INET6_ADDRSTRLEN] = "?";

    inet_ntop(a->family,
              a->family == AF_INET ? (const void *)&v4->sin_addr
                                   : (const void *)&v6->sin6_addr,
              text, sizeof text);
    return wb_say(pool, "%s", text);
}

static curl_socket_t on_open(void *context, curlsocktype purpose,
                             struct curl_sockaddr *address)
{
    struct running *r = context;

    (void)purpose;
    r->tried = address_text(r->pool, address);
    r->talk.heard_us = wb_talk_now_us(); /* the next address has its time */
    wb_talk_done(&r->talk, WB_STEP_RESOLVE, r->tried);
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static long all_steps_s(const struct running *r)
{
    return (long)r->dialogue->timeout_s * WB_DIALOGUE_MAX_STEPS;
}

static void note_connection(struct running *r)
{
    const char *ip = NULL;

    if (r->dialogue->address != NULL)
        return;
    curl_easy_getinfo(r->curl, CURLINFO_PRIMARY_IP, &ip);
    SET(r, CURLOPT_CONNECTTIMEOUT, all_steps_s(r));
    r->dialogue->address =
        ip != NULL && *ip != '\0' ? wb_say(r->pool, "%s", ip) : r->tried;
    wb_talk_done(
        &r->talk, WB_STEP_CONNECT,
        wb_say(r->pool, "%s port %u", r->dialogue->address, r->dialogue->port));
}

/* libcurl tells late of a connection on which nothing is said yet. */
static void look_for_connection(struct running *r)
{
    curl_off_t connected_us = 0;

    if (curl_easy_getinfo(r->curl, CURLINFO_CONNECT_TIME_T, &connected_us) ==
            CURLE_OK &&
        connected_us > 0)
        note_connection(r);
}

static void note_certificate(struct running *r)
{
    struct curl_certinfo *info = NULL;

    if (r->dialogue->certificate.names.count > 0 ||
        curl_easy_getinfo(r->curl, CURLINFO_CERTINFO, &info) != CURLE_OK ||
        info == NULL || info->num_of_certs < 1)
        return;
    for (struct curl_slist *s = info->certinfo[0]; s != NULL; s = s->next)
        if (strncmp(s->data, "Cert:", 5) == 0)
            wb_certificate_read(r->pool, s->data + 5,
                                &r->dialogue->certificate);
}

static int on_debug(CURL *curl, curl_infotype type, char *data, size_t octets,
                    void *context)
{
    struct running *r = context;

    (void)curl;
    if (type == CURLINFO_TEXT && memmem(data, octets, "Request CERT", 12))
        r->is_asked_for_certificate = true;
    if (type != CURLINFO_TEXT)
        note_connection(r);
    if (type == CURLINFO_HEADER_IN || type == CURLINFO_HEADER_OUT)
        note_certificate(r);
    if (type == CURLINFO_HEADER_IN)
        wb_talk_server(&r->talk, data, octets);
    else if (type == CURLINFO_HEADER_OUT)
        wb_talk_client(&r->talk, data, octets);
    return 0;
}

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct running *r = context;
    size_t room = size * count;
    size_t left = strlen(r->dialogue->letter + r->sent);

    if (room > left)
        room = left;
    memcpy(out, r->dialogue->letter + r->sent, room);
    r->sent += room;
    return room;
}

/* Nothing that a server sends as a message is wanted. */
static size_t on_write(char *in, size_t size, size_t count, void *context)
{
    (void)in;
    (void)context;
    return size * count;
}

/* ---- setting up ------------------------------------------------------------
 */

static void set_url(struct running *r)
{
    static const char *const schemes[][2] = {
        [WB_SMTP] = {"smtp", "smtps"}, [WB_POP3] = {"pop3", "pop3s"}};
    const struct wb_dialogue *d = r->dialogue;
    const char *host = d->host, *path = "";
    char *helo = NULL;

    if (host[0] == '[' && strchr(host, ':') == NULL)
        host = wb_slice(r->pool, host, 1, strlen(host) - 1);
    if (d->source != NULL && d->protocol == WB_SMTP)
        path = helo = wb_must(curl_easy_escape(r->curl, d->source->helo, 0));
    SET(r, CURLOPT_URL,
        wb_say(r->pool, "%s://%s:%u/%s",
               schemes[d->protocol][d->tls == WB_TLS_IMPLICIT], host, d->port,
               path));
    curl_free(helo);
}

/* As Postfix verifies: this bundle and no other, no chain that begins in the
 * middle, and the name of the host. */
static void set_tls(struct running *r)
{
    const struct wb_dialogue *d = r->dialogue;
    SET(r, CURLOPT_USE_SSL,
        d->tls == WB_TLS_NONE ? (long)CURLUSESSL_NONE
        : d->is_tls_optional  ? (long)CURLUSESSL_TRY
                              : (long)CURLUSESSL_ALL);
    SET(r, CURLOPT_CAINFO, d->ca_file != NULL ? d->ca_file : WB_SYSTEM_CA);
    SET(r, CURLOPT_CAPATH, NULL);
    SET(r, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(r, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(r, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NO_PARTIALCHAIN);
    SET(r, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(r, CURLOPT_CERTINFO, 1L);
    if (d->tls != WB_TLS_NONE && d->cert_file != NULL) {
        SET(r, CURLOPT_SSLCERT, d->cert_file);
        SET(r, CURLOPT_SSLKEY, d->key_file);
    }
}

static void set_login(struct running *r)
{
    const struct wb_dialogue *d = r->dialogue;
    const char *option = mechanism_option(d->auth);

    if (d->username == NULL)
        return;
    SET(r, CURLOPT_USERNAME, d->username);
    SET(r, CURLOPT_PASSWORD, d->password);
    SET(r, CURLOPT_SASL_IR, 1L);
    if (d->protocol == WB_SMTP && option != NULL)
        SET(r, CURLOPT_LOGIN_OPTIONS, option);
}

/* An address that is bound to decides the family. */
static void set_source(struct running *r)
{
    const struct wb_source *s = r->dialogue->source;
    const char *bind;
    long family = CURL_IPRESOLVE_WHATEVER;

    if (s == NULL)
        return;
    bind = s->bind_ipv4 != NULL ? s->bind_ipv4 : s->bind_ipv6;
    if (bind != NULL)
        SET(r, CURLOPT_INTERFACE, wb_say(r->pool, "host!%s", bind));
    if (s->no_ipv6 || s->bind_ipv4 != NULL)
        family = CURL_IPRESOLVE_V4;
    else if (s->no_ipv4 || s->bind_ipv6 != NULL)
        family = CURL_IPRESOLVE_V6;
    SET(r, CURLOPT_IPRESOLVE, family);
}

/* libcurl copies the list's strings, but not the list: it is kept. */
static void set_mail(struct running *r)
{
    const struct wb_dialogue *d = r->dialogue;

    r->recipients = wb_must(curl_slist_append(NULL, d->recipient));
    SET(r, CURLOPT_MAIL_FROM, d->sender);
    SET(r, CURLOPT_MAIL_RCPT, r->recipients);
    SET(r, CURLOPT_UPLOAD, 1L);
    SET(r, CURLOPT_READFUNCTION, on_read);
    SET(r, CURLOPT_READDATA, r);
    SET(r, CURLOPT_INFILESIZE_LARGE, (curl_off_t)strlen(d->letter));
}

/* A login is all that is wanted: no list of messages. */
static void set_pop(struct running *r)
{
    SET(r, CURLOPT_NOBODY, 1L);
    SET(r, CURLOPT_CUSTOMREQUEST, "NOOP");
}

/* Its own deadlines are far off: each step has one here, see look_at_clocks.
 * But until it is connected, libcurl gives half of what is left to each address
 * of the host: the next one must be tried, as Postfix does, before ours. */
static void set_limits(struct running *r)
{
    SET(r, CURLOPT_TIMEOUT, all_steps_s(r));
    SET(r, CURLOPT_CONNECTTIMEOUT_MS, (long)r->dialogue->timeout_s * 1500);
    SET(r, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)r->dialogue->timeout_s);
}

static void set_common(struct running *r)
{
    SET(r, CURLOPT_PROXY, ""); /* nor one of the environment */
    SET(r, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(r, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a slow name server */
#endif
    SET(r, CURLOPT_FRESH_CONNECT, 1L);
    SET(r, CURLOPT_FORBID_REUSE, 1L);
    SET(r, CURLOPT_ERRORBUFFER, r->error);
    SET(r, CURLOPT_PRIVATE, r);
    SET(r, CURLOPT_VERBOSE, 1L);
    SET(r, CURLOPT_DEBUGFUNCTION, on_debug);
    SET(r, CURLOPT_DEBUGDATA, r);
    SET(r, CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(r, CURLOPT_OPENSOCKETDATA, r);
    SET(r, CURLOPT_WRITEFUNCTION, on_write);
}

static void start(struct running *r, CURLM *multi)
{
    const struct wb_dialogue *d = r->dialogue;

    r->curl = wb_must(curl_easy_init());
    wb_talk_begin(&r->talk, r->pool, r->dialogue);
    set_common(r);
    set_url(r);
    set_tls(r);
    set_login(r);
    set_source(r);
    set_limits(r);
    if (d->protocol == WB_SMTP)
        set_mail(r);
    else
        set_pop(r);
    if (!r->is_broken)
        r->is_broken = curl_multi_add_handle(multi, r->curl) != CURLM_OK;
}

/* ---- how it ended ----------------------------------------------------------
 */

static bool says(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

/* Nothing but a greeting was said since. */
static bool has_just_begun_tls(const struct running *r)
{
    const struct wb_dialogue *d = r->dialogue;

    return d->step_count > 0 && !r->talk.is_logging_in &&
           d->steps[d->step_count - 1].step == WB_STEP_TLS;
}

/* The server's alerts are about the certificate that the client shows, or
 * does not; with TLS 1.3 they come when the handshake is over. Postfix sends
 * none and ends the connection then. */
static bool is_about_own_certificate(const struct running *r, CURLcode code)
{
    bool is_closed = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                     code == CURLE_GOT_NOTHING;

    return (r->is_asked_for_certificate && is_closed &&
            has_just_begun_tls(r)) ||
           says(r->error, "alert certificate") ||
           says(r->error, "alert bad certificate") ||
           says(r->error, "alert unsupported certificate") ||
           says(r->error, "alert unknown ca");
}

static enum wb_cause handshake_cause(const struct running *r)
{
    return says(r->error, "SYSCALL") || says(r->error, "reset by peer") ||
                   says(r->error, "unexpected eof")
               ? WB_CAUSE_CLOSED
               : WB_CAUSE_HANDSHAKE;
}

/* The chain is verified first, and only then is the certificate seen. */
static enum wb_cause verification_cause(const struct running *r)
{
    return r->dialogue->certificate.names.count > 0 ? WB_CAUSE_WRONG_NAME
                                                    : WB_CAUSE_CERTIFICATE;
}

static enum wb_cause cause_of(const struct running *r, CURLcode code)
{
    if (r->talk.is_refused)
        return WB_CAUSE_REPLY;
    if (is_about_own_certificate(r, code))
        return WB_CAUSE_OWN_CERTIFICATE;
    if (r->talk.is_foreign)
        return WB_CAUSE_FOREIGN;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return WB_CAUSE_UNKNOWN_HOST;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return WB_CAUSE_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return WB_CAUSE_TIMEOUT;
    case CURLE_USE_SSL_FAILED:
        return WB_CAUSE_NO_STARTTLS;
    case CURLE_SSL_CONNECT_ERROR:
        return handshake_cause(r);
    case CURLE_PEER_FAILED_VERIFICATION:
        return verification_cause(r);
    case CURLE_SSL_CACERT_BADFILE:
        return WB_CAUSE_CA_FILE;
    case CURLE_SSL_CERTPROBLEM:
        return WB_CAUSE_OWN_CERTIFICATE;
    case CURLE_LOGIN_DENIED:
        return WB_CAUSE_NO_MECHANISM;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
        return WB_CAUSE_CLOSED;
    default:
        return WB_CAUSE_OTHER;
    }
}

static const char *words_of(struct running *r, enum wb_cause cause,
                            CURLcode code)
{
    const char *said = *r->error != '\0' ? r->error : curl_easy_strerror(code);
    long number = 0;

    if (cause == WB_CAUSE_REPLY)
        return r->talk.reply;
    if (cause == WB_CAUSE_FOREIGN)
        return wb_say(r->pool, "the server began with: %s", r->talk.reply);
    if (cause == WB_CAUSE_NO_MECHANISM)
        return *r->talk.offer != '\0'
                   ? wb_say(r->pool, "the server offers %s", r->talk.offer)
                   : "the server offers no login";
    if (cause == WB_CAUSE_WRONG_NAME)
        return wb_say(r->pool,
                      "%s is not among the names of the certificate: %s",
                      r->dialogue->host,
                      wb_certificate_names(r->pool, &r->dialogue->certificate));
    if (cause == WB_CAUSE_OWN_CERTIFICATE && r->is_asked_for_certificate)
        return wb_say(r->pool,
                      "the server asked for a client certificate, got %s, and "
                      "ended the connection",
                      r->dialogue->cert_file != NULL ? r->dialogue->cert_file
                                                     : "none");
    if (cause == WB_CAUSE_TIMEOUT)
        return wb_say(r->pool, "nothing came for %u s", r->dialogue->timeout_s);
    curl_easy_getinfo(r->curl, CURLINFO_OS_ERRNO, &number);
    if (cause == WB_CAUSE_UNREACHABLE && number != 0)
        return wb_say(r->pool, "%s", strerror((int)number));
    return said;
}

/* Nothing counts as well but that every step was seen to be done. */
static void judge(struct running *r, CURLcode code)
{
    struct wb_dialogue *d = r->dialogue;
    enum wb_step next;
    enum wb_cause cause;

    look_for_connection(r);
    note_certificate(r);
    next = wb_talk_next(d);
    d->fault = (struct wb_fault){.cause = WB_CAUSE_NONE};
    if (next == WB_STEP_ANY)
        return;
    cause = r->is_broken ? WB_CAUSE_OTHER : cause_of(r, code);
    d->failed_after_us = wb_talk_now_us() - r->talk.last_us;
    d->fault = (struct wb_fault){
        .step = next,
        .cause = cause,
        .code = cause == WB_CAUSE_REPLY ? r->talk.code : 0,
        .text =
            wb_talk_clean(&r->talk, r->is_broken ? "libcurl cannot do this"
                                                 : words_of(r, cause, code))};
}

static void end(struct running *r, CURLM *multi, CURLcode code)
{
    struct wb_dialogue *d = r->dialogue;

    judge(r, code);
    curl_multi_remove_handle(multi, r->curl);
    curl_easy_cleanup(r->curl);
    curl_slist_free_all(r->recipients);
    if (d->on_end != NULL)
        d->on_end(d->context, d);
}

/* ---- some at a time --------------------------------------------------------
 */

static void take_out(struct running **list, const struct running *gone)
{
    while (*list != gone)
        list = &(*list)->next;
    *list = gone->next;
}

static void look_at_clocks(struct running **list, CURLM *multi)
{
    int64_t now_us = wb_talk_now_us();
    struct running *next;

    for (struct running *r = *list; r != NULL; r = next) {
        int64_t limit_us = (int64_t)r->dialogue->timeout_s * 1000000;

        next = r->next;
        look_for_connection(r);
        if (!r->is_broken && now_us - r->talk.heard_us < limit_us)
            continue;
        take_out(list, r);
        end(r, multi, CURLE_OPERATION_TIMEDOUT);
    }
}

static void collect(struct running **list, CURLM *multi)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        struct running *r = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        take_out(list, r);
        end(r, multi, code);
    }
}

void wb_dialogues_run(struct wb_pool *pool, struct wb_dialogue *const *list,
                      size_t count)
{
    CURLM *multi;
    struct running *running = NULL;
    size_t begun = 0;
    int active = 0;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = wb_must(curl_multi_init());
    while (begun < count || running != NULL) {
        for (; begun < count && active < AT_ONCE; begun++) {
            struct running *r = wb_must(wb_pool_alloc(pool, sizeof *r));

            *r = (struct running){
                .pool = pool, .dialogue = list[begun], .next = running};
            running = r;
            start(r, multi);
            active++;
        }
        curl_multi_perform(multi, &active);
        collect(&running, multi);
        look_at_clocks(&running, multi);
        if (running != NULL)
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    }
    curl_multi_cleanup(multi);
    curl_global_cleanup();
}
