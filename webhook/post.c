#include "webhook/post.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "match/public.h"
#include "webhook/spool.h"

enum {
    IDLE_MAX_S = 30,             /* of a kept connection */
    RESPONSE_MAX_OCTETS = 65536, /* of headers, and again of the body */
    BUFFER_OCTETS = 16384,       /* a post holds two of these */
};

/* A handle with its connections. */
struct handle {
    struct handle *next;
    CURL *curl;
    const struct wb_webhook *webhook; /* only compared: it may be gone */
    unsigned generation;
    time_t idle_since_s;
};

struct wb_poster {
    pthread_mutex_t lock;
    struct handle *idle; /* the latest first */
    unsigned generation; /* of the webhooks; others are not kept */
    X509_STORE *system;  /* the certificates that the system trusts */
};

/* ---- handles ------------------------------------------------------------ */

static time_t now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void free_handles(struct handle *list)
{
    while (list != NULL) {
        struct handle *next = list->next;

        curl_easy_cleanup(list->curl);
        free(list);
        list = next;
    }
}

static struct handle *new_handle(const struct wb_webhook *webhook,
                                 unsigned generation)
{
    struct handle *made = calloc(1, sizeof *made);

    if (made == NULL)
        return NULL;
    made->curl = curl_easy_init();
    made->webhook = webhook;
    made->generation = generation;
    if (made->curl != NULL)
        return made;
    free(made);
    return NULL;
}

/* One that has posted to this webhook, or a new one; NULL: no memory. */
static struct handle *take(struct wb_poster *p,
                           const struct wb_webhook *webhook)
{
    struct handle *found = NULL;
    unsigned generation;

    pthread_mutex_lock(&p->lock);
    generation = p->generation;
    for (struct handle **h = &p->idle; *h != NULL; h = &(*h)->next)
        if ((*h)->webhook == webhook) {
            found = *h;
            *h = found->next;
            break;
        }
    pthread_mutex_unlock(&p->lock);
    return found != NULL ? found : new_handle(webhook, generation);
}

static void give_back(struct wb_poster *p, struct handle *h)
{
    curl_easy_reset(h->curl); /* connections stay */
    h->next = NULL;
    h->idle_since_s = now_s();
    pthread_mutex_lock(&p->lock);
    if (h->generation == p->generation) {
        h->next = p->idle;
        p->idle = h;
        h = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    free_handles(h);
}

/* The list is sorted by idle_since_s: cut it at the first that is too old. */
static struct handle *cut_idle(struct wb_poster *p, time_t since_s)
{
    struct handle **h = &p->idle;
    struct handle *old;

    while (*h != NULL && (*h)->idle_since_s > since_s)
        h = &(*h)->next;
    old = *h;
    *h = NULL;
    return old;
}

void wb_poster_prune(struct wb_poster *p)
{
    struct handle *old;

    pthread_mutex_lock(&p->lock);
    old = cut_idle(p, now_s() - IDLE_MAX_S);
    pthread_mutex_unlock(&p->lock);
    free_handles(old);
}

void wb_poster_forget(struct wb_poster *p)
{
    struct handle *old;

    pthread_mutex_lock(&p->lock);
    p->generation++;
    old = p->idle;
    p->idle = NULL;
    pthread_mutex_unlock(&p->lock);
    free_handles(old);
}

/* Certificates are trusted by a callback that only OpenSSL has. */
static bool is_curl_fit(void)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

    return v->ssl_version != NULL &&
           strncmp(v->ssl_version, "OpenSSL", 7) == 0 &&
           (v->features & CURL_VERSION_ASYNCHDNS) != 0;
}

int wb_poster_new(struct wb_poster **out, struct wb_err *err)
{
    struct wb_poster *p;

    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return wb_err_set(err, EX_OSERR, "libcurl does not start");
    if (!is_curl_fit())
        return wb_err_set(err, EX_UNAVAILABLE,
                          "libcurl is built without OpenSSL or without "
                          "look-ups in the background");
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    p->system = X509_STORE_new();
    if (p->system == NULL || !X509_STORE_set_default_paths(p->system))
        return wb_err_set(err, EX_OSERR,
                          "the system's certificates cannot be read");
    return EX_OK;
}

void wb_poster_free(struct wb_poster *p)
{
    if (p == NULL)
        return;
    free_handles(p->idle);
    X509_STORE_free(p->system);
    pthread_mutex_destroy(&p->lock);
    free(p);
    curl_global_cleanup();
}

/* ---- one post ----------------------------------------------------------- */

struct posting {
    struct wb_poster *poster;
    const struct wb_post *post;
    struct wb_post_result *result;
    uint64_t offset; /* in the body */
    size_t header_octets, body_octets;
    bool is_address_refused, is_body_unreadable;
};

static bool is_public(const struct curl_sockaddr *address)
{
    uint8_t octets[16] = {[10] = 0xff, [11] = 0xff};

    if (address->family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &address->addr, sizeof in);
        memcpy(octets + 12, &in.sin_addr, 4);
    } else if (address->family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, &address->addr, sizeof in6);
        memcpy(octets, &in6.sin6_addr, 16);
    } else {
        return false;
    }
    return wb_ip_is_public(octets);
}

/* After the look-up, for every address that is tried: no name gets by it. */
static curl_socket_t open_socket(void *context, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct posting *p = context;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!p->post->webhook->allow_private && !is_public(address)) {
        p->is_address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static CURLcode trust(CURL *curl, void *ssl_ctx, void *context)
{
    const struct posting *p = context;
    X509_STORE *store = p->post->webhook->trust;

    (void)curl;
    /* takes a reference of its own */
    SSL_CTX_set1_cert_store(ssl_ctx, store != NULL ? store : p->poster->system);
    return CURLE_OK;
}

static size_t read_body(char *out, size_t size, size_t count, void *context)
{
    struct posting *p = context;
    ssize_t n = wb_spool_file_read(p->post->body_fd, p->offset, out,
                                   size * count, &p->result->detail);

    if (n < 0) {
        p->is_body_unreadable = true;
        return CURL_READFUNC_ABORT;
    }
    p->offset += (uint64_t)n;
    return (size_t)n;
}

/* libcurl begins again when a kept connection turns out to be dead. */
static int seek_body(void *context, curl_off_t offset, int origin)
{
    struct posting *p = context;

    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    p->offset = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void keep(char *text, size_t *used, const char *octets, size_t count)
{
    size_t room = WB_TRACE_MAX_OCTETS - 1 - *used;

    if (count > room)
        count = room;
    memcpy(text + *used, octets, count);
    *used += count;
    text[*used] = '\0';
}

/* A response that does not end is cut off; its status counts all the same. */
static size_t take_body(char *octets, size_t size, size_t count, void *context)
{
    struct posting *p = context;
    struct wb_trace *trace = p->post->trace;

    if (trace != NULL)
        keep(trace->body, &trace->body_octets, octets, size * count);
    p->body_octets += size * count;
    return p->body_octets <= RESPONSE_MAX_OCTETS ? size * count : 0;
}

static size_t take_header(char *octets, size_t size, size_t count,
                          void *context)
{
    struct posting *p = context;
    struct wb_trace *trace = p->post->trace;

    if (trace != NULL)
        keep(trace->response, &trace->response_octets, octets, size * count);
    p->header_octets += size * count;
    return p->header_octets <= RESPONSE_MAX_OCTETS ? size * count : 0;
}

static int take_debug(CURL *curl, curl_infotype type, char *octets,
                      size_t count, void *context)
{
    struct posting *p = context;
    struct wb_trace *trace = p->post->trace;

    (void)curl;
    if (type == CURLINFO_HEADER_OUT)
        keep(trace->request, &trace->request_octets, octets, count);
    return 0;
}

/* libcurl's setters take a long, a pointer or a function; it remembers. */
#define SET(option, value)                                                     \
    do {                                                                       \
        if (code == CURLE_OK)                                                  \
            code = curl_easy_setopt(curl, CURLOPT_##option, value);            \
    } while (0)

static CURLcode set_limits(CURL *curl, const struct wb_webhook *w)
{
    CURLcode code = CURLE_OK;

    SET(NOSIGNAL, 1L);
    SET(TIMEOUT_MS, (long)w->timeout_s * 1000);
    SET(CONNECTTIMEOUT_MS, (long)w->connect_timeout_s * 1000);
    SET(BUFFERSIZE, (long)BUFFER_OCTETS);
    SET(UPLOAD_BUFFERSIZE, (long)BUFFER_OCTETS);
    return code;
}

/* Where it may go, and that it is the right place. */
static CURLcode set_doors(CURL *curl, struct posting *p)
{
    CURLcode code = CURLE_OK;

    SET(PROTOCOLS_STR, "http,https");
    SET(FOLLOWLOCATION, 0L);
    SET(PROXY, "");
    SET(OPENSOCKETFUNCTION, open_socket);
    SET(OPENSOCKETDATA, p);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(CAINFO, NULL);
    SET(CAPATH, NULL);
    SET(SSL_CTX_FUNCTION, trust);
    SET(SSL_CTX_DATA, p);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return code;
}

static CURLcode set_account(CURL *curl, const struct wb_webhook *w)
{
    CURLcode code = CURLE_OK;

    if (w->token != NULL) {
        SET(HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(XOAUTH2_BEARER, w->token);
    } else if (w->username != NULL && w->password != NULL) {
        SET(HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(USERNAME, w->username);
        SET(PASSWORD, w->password);
    }
    return code;
}

static CURLcode set_request(CURL *curl, struct posting *p,
                            struct curl_slist *headers)
{
    CURLcode code = CURLE_OK;

    SET(URL, p->post->webhook->url);
    SET(USERAGENT, "waybill/" WB_VERSION);
    SET(POST, 1L);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)p->post->body_octets);
    SET(HTTPHEADER, headers);
    SET(READFUNCTION, read_body);
    SET(READDATA, p);
    SET(SEEKFUNCTION, seek_body);
    SET(SEEKDATA, p);
    SET(WRITEFUNCTION, take_body);
    SET(WRITEDATA, p);
    SET(HEADERFUNCTION, take_header);
    SET(HEADERDATA, p);
    if (p->post->trace != NULL) {
        SET(VERBOSE, 1L);
        SET(DEBUGFUNCTION, take_debug);
        SET(DEBUGDATA, p);
    }
    return code;
}

#undef SET

static enum wb_post_end end_of(CURLcode code, const struct posting *p)
{
    if (p->is_body_unreadable)
        return WB_POST_LOCAL;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return WB_POST_NO_NAME;
    case CURLE_COULDNT_CONNECT:
        return p->is_address_refused ? WB_POST_NOT_PUBLIC : WB_POST_NO_ANSWER;
    case CURLE_OPERATION_TIMEDOUT:
        return WB_POST_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return WB_POST_TLS;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_NOT_BUILT_IN:
        return WB_POST_LOCAL;
    default:
        return WB_POST_BROKEN;
    }
}

static void conclude(CURL *curl, CURLcode code, const char *why,
                     const struct posting *p)
{
    struct wb_post_result *r = p->result;
    curl_off_t retry_after_s = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r->status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    r->retry_after_s = (long)retry_after_s;
    /* Cut off by take_body: the status is there, and is what counts. */
    if (code == CURLE_WRITE_ERROR && p->body_octets > RESPONSE_MAX_OCTETS)
        code = CURLE_OK;
    r->end = code == CURLE_OK ? WB_POST_ANSWERED : end_of(code, p);
    if (r->end != WB_POST_ANSWERED && !p->is_body_unreadable)
        wb_err_set(&r->detail, 0, "%s",
                   *why != '\0' ? why : curl_easy_strerror(code));
}

static CURLcode perform(CURL *curl, struct posting *p,
                        struct curl_slist *headers, char *why)
{
    CURLcode code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);

    if (code == CURLE_OK)
        code = set_limits(curl, p->post->webhook);
    if (code == CURLE_OK)
        code = set_doors(curl, p);
    if (code == CURLE_OK)
        code = set_account(curl, p->post->webhook);
    if (code == CURLE_OK)
        code = set_request(curl, p, headers);
    return code == CURLE_OK ? curl_easy_perform(curl) : code;
}

/* "Expect:" alone: libcurl shall not wait a second for a 100. */
static bool list_headers(const char *const *headers, struct curl_slist **out)
{
    *out = curl_slist_append(NULL, "Expect:");
    for (; *out != NULL && *headers != NULL; headers++) {
        struct curl_slist *longer = curl_slist_append(*out, *headers);

        if (longer == NULL)
            return false;
        *out = longer;
    }
    return *out != NULL;
}

void wb_poster_post(struct wb_poster *poster, const struct wb_post *post,
                    struct wb_post_result *out)
{
    struct posting p = {.poster = poster, .post = post, .result = out};
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    struct handle *h = take(poster, post->webhook);

    *out = (struct wb_post_result){.end = WB_POST_LOCAL};
    if (h != NULL && list_headers(post->headers, &headers))
        conclude(h->curl, perform(h->curl, &p, headers, why), why, &p);
    else
        wb_err_set(&out->detail, 0, "out of memory");
    if (h != NULL)
        give_back(poster, h);
    curl_slist_free_all(headers);
}
