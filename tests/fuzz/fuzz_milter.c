/* libFuzzer target for the milter's callbacks: all that an MTA can send, in
 * any order, with a stand-in for libmilter that keeps the message as the MTA
 * would.
 *
 * Reaches: milter/callbacks.c milter/session.c milter/actions.c
 * milter/negotiate.c
 *
 * The input is a dialogue in lines; arguments are parted by tabs:
 *
 *     N ACTIONS PROTOCOL      negotiate: what the MTA offers, in hex
 *     =NAME VALUE             a macro from now on; without VALUE none
 *     C 4|6|u|0               the client: 203.0.113.9, ::1, a socket, none
 *     M SENDER ARGUMENT ...   R RECIPIENT ARGUMENT ...
 *     H NAME VALUE            B OCTETS
 *     E                       the end of the message
 *     A                       abort it
 *     Q                       the connection ends, and another begins
 *     F N                     the MTA takes no change from the Nth on
 *
 * A message that is accepted has as many recipients as before; one that is not
 * is as it was, unless the MTA did not take a change; nothing is left behind.
 * test_fuzz_milter.c replays the corpus. */
#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <syslog.h>

#include "mail/address.h"
#include "milter/base/log.h"
#include "milter/callbacks.h"
#include "milter/current.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

enum { FUZZ_MAX_OCTETS = 8192, MOST = 64, MOST_ARGUMENTS = 8 };

/* ---- libmilter ---------------------------------------------------------- */

struct macro {
    char name[32], value[300];
};

struct smfi_str {
    void *private;
    struct macro macros[MOST];
    size_t macro_count;
    char *recipients[MOST]; /* that the MTA has; what was deleted is NULL */
    size_t recipient_count, left;
    bool is_message, is_end;
    unsigned changes, fails_from; /* 0: never */
    bool has_failed;
    char reply_class; /* of the last smfi_setreply */
};

static struct smfiDesc filter;

int smfi_register(struct smfiDesc description)
{
    filter = description;
    return MI_SUCCESS;
}

int smfi_setpriv(SMFICTX *ctx, void *private)
{
    ctx->private = private;
    return MI_SUCCESS;
}

void *smfi_getpriv(SMFICTX *ctx)
{
    return ctx->private;
}

int smfi_setsymlist(SMFICTX *ctx, int stage, char *names)
{
    (void)ctx;
    PROMISE(stage >= SMFIM_FIRST && stage <= SMFIM_LAST && *names != '\0');
    return MI_SUCCESS;
}

static struct macro *find_macro(SMFICTX *ctx, const char *name)
{
    for (size_t i = 0; i < ctx->macro_count; i++)
        if (strcmp(ctx->macros[i].name, name) == 0)
            return &ctx->macros[i];
    return NULL;
}

char *smfi_getsymval(SMFICTX *ctx, char *name)
{
    struct macro *m = find_macro(ctx, name);

    return m != NULL ? m->value : NULL;
}

/* A line that goes out: it ends only where it goes on. */
static void check_line(const char *text)
{
    PROMISE(text != NULL);
    for (; *text != '\0'; text++) {
        PROMISE(*text != '\r');
        if (*text == '\n')
            PROMISE(text[1] == ' ' || text[1] == '\t');
    }
}

int smfi_setreply(SMFICTX *ctx, char *code, char *enhanced, char *text)
{
    PROMISE(strlen(code) == 3 && (code[0] == '4' || code[0] == '5'));
    PROMISE(enhanced[0] == code[0] && enhanced[1] == '.');
    PROMISE(strpbrk(text, "\r\n%") == NULL && strlen(text) < 980);
    ctx->reply_class = code[0];
    return MI_SUCCESS;
}

/* Does the MTA take one more change? */
static bool takes(SMFICTX *ctx)
{
    PROMISE(ctx->is_end && !ctx->has_failed);
    ctx->changes++;
    ctx->has_failed = ctx->fails_from > 0 && ctx->changes >= ctx->fails_from;
    return !ctx->has_failed;
}

static void check_path(const char *path)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_address a;

    PROMISE(p != NULL);
    check_line(path);
    PROMISE(path[0] == '<' && path[strlen(path) - 1] == '>');
    PROMISE(wb_address_parse_marked(p, path, &a, NULL) == EX_OK);
    wb_pool_free(p);
}

int smfi_addrcpt_par(SMFICTX *ctx, char *path, char *arguments)
{
    check_path(path);
    if (arguments != NULL)
        PROMISE(strpbrk(arguments, "\r\n") == NULL);
    if (!takes(ctx))
        return MI_FAILURE;
    ctx->left++;
    return MI_SUCCESS;
}

static char **find_recipient(SMFICTX *ctx, const char *path)
{
    for (size_t i = 0; i < ctx->recipient_count; i++)
        if (ctx->recipients[i] != NULL && strcmp(ctx->recipients[i], path) == 0)
            return &ctx->recipients[i];
    return NULL;
}

int smfi_delrcpt(SMFICTX *ctx, char *path)
{
    char **found;

    if (!takes(ctx))
        return MI_FAILURE;
    found = find_recipient(ctx, path);
    PROMISE(found != NULL); /* exactly as the MTA gave it */
    free(*found);
    *found = NULL;
    ctx->left--;
    return MI_SUCCESS;
}

int smfi_chgfrom(SMFICTX *ctx, char *path, char *arguments)
{
    check_path(path);
    PROMISE(arguments == NULL);
    return takes(ctx) ? MI_SUCCESS : MI_FAILURE;
}

int smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
    PROMISE(strpbrk(name, " :\r\n") == NULL && *name != '\0');
    check_line(value);
    return takes(ctx) ? MI_SUCCESS : MI_FAILURE;
}

int smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
    PROMISE(strpbrk(name, " :\r\n") == NULL && *name != '\0' && index >= 1);
    if (value != NULL)
        check_line(value);
    return takes(ctx) ? MI_SUCCESS : MI_FAILURE;
}

int smfi_replacebody(SMFICTX *ctx, unsigned char *octets, int count)
{
    PROMISE(octets != NULL && count > 0);
    return takes(ctx) ? MI_SUCCESS : MI_FAILURE;
}

/* ---- the MTA ------------------------------------------------------------ */

static void drop_recipients(SMFICTX *ctx)
{
    for (size_t i = 0; i < ctx->recipient_count; i++)
        free(ctx->recipients[i]);
    ctx->recipient_count = ctx->left = 0;
}

static void drop_message(SMFICTX *ctx)
{
    drop_recipients(ctx);
    ctx->is_message = ctx->is_end = ctx->has_failed = false;
    ctx->changes = 0;
}

static void negotiate(SMFICTX *ctx, const char *offers)
{
    char *rest;
    unsigned long actions = strtoul(offers, &rest, 16), to_do = 0, steps = 0;
    unsigned long protocol = strtoul(rest, NULL, 16), f2 = 1, f3 = 1;
    sfsistat status = filter.xxfi_negotiate(ctx, actions, protocol, 0, 0,
                                            &to_do, &steps, &f2, &f3);

    PROMISE(status == SMFIS_CONTINUE || status == SMFIS_REJECT);
    if (status == SMFIS_CONTINUE)
        PROMISE((to_do & ~actions) == 0 && (steps & ~protocol) == 0 &&
                f2 == 0 && f3 == 0);
}

static void set_macro(SMFICTX *ctx, char *text)
{
    char *name = strsep(&text, " ");
    struct macro *m = find_macro(ctx, name);

    if (m == NULL && ctx->macro_count < MOST)
        m = &ctx->macros[ctx->macro_count++];
    if (m == NULL)
        return;
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(m->value, sizeof m->value, "%s", text != NULL ? text : "");
    if (text == NULL)
        *m->name = '\0';
}

static void connect_client(SMFICTX *ctx, char kind)
{
    static char name[] = "client.test";
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    void *peer = kind == '4'   ? (void *)&in
                 : kind == '6' ? (void *)&in6
                 : kind == 'u' ? (void *)&un
                               : NULL;

    in.sin_addr.s_addr = htonl(0xcb007109); /* 203.0.113.9 */
    drop_message(ctx);
    (void)filter.xxfi_connect(ctx, name, peer);
}

static size_t split(char *text, char **argv)
{
    size_t count = 0;
    char *word;

    while (count < MOST_ARGUMENTS && (word = strsep(&text, "\t")) != NULL)
        argv[count++] = word;
    argv[count] = NULL;
    return count;
}

static void mail(SMFICTX *ctx, char *text)
{
    char *argv[MOST_ARGUMENTS + 1];

    split(text, argv);
    drop_message(ctx);
    ctx->is_message = filter.xxfi_envfrom(ctx, argv) == SMFIS_NOREPLY;
}

static void rcpt(SMFICTX *ctx, char *text)
{
    char *argv[MOST_ARGUMENTS + 1];
    sfsistat status;

    if (ctx->recipient_count == MOST)
        return;
    split(text, argv);
    ctx->reply_class = '\0';
    status = filter.xxfi_envrcpt(ctx, argv);
    if (status == SMFIS_CONTINUE || status == SMFIS_NOREPLY) {
        ctx->recipients[ctx->recipient_count++] = strdup(text);
        ctx->left++;
        return;
    }
    PROMISE(status ==
            (ctx->reply_class == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL));
}

static void end(SMFICTX *ctx)
{
    size_t before = ctx->left;
    sfsistat status;

    ctx->is_end = true;
    ctx->reply_class = '\0';
    status = filter.xxfi_eom(ctx);
    if (status == SMFIS_CONTINUE) {
        PROMISE(ctx->is_message && !ctx->has_failed && ctx->left == before);
    } else {
        PROMISE(ctx->changes == 0 || ctx->has_failed);
        PROMISE(status ==
                (ctx->reply_class == '5' ? SMFIS_REJECT : SMFIS_TEMPFAIL));
        PROMISE(!ctx->has_failed || status == SMFIS_TEMPFAIL);
    }
    drop_message(ctx);
}

static void header(SMFICTX *ctx, char *text)
{
    char *argv[MOST_ARGUMENTS + 1];

    /* MTAs tell field names as RFC 5322 has them */
    if (split(text, argv) >= 2 && strpbrk(argv[0], " :\r\n") == NULL)
        (void)filter.xxfi_header(ctx, argv[0], argv[1]);
}

static void hang_up(SMFICTX *ctx)
{
    (void)filter.xxfi_close(ctx);
    PROMISE(ctx->private == NULL);
    drop_message(ctx);
    memset(ctx, 0, sizeof *ctx);
}

static void take_line(SMFICTX *ctx, char *line)
{
    static unsigned char none[1];
    char *rest = line[0] != '\0' && line[1] == ' ' ? line + 2 : line + !!*line;

    switch (line[0]) {
    case 'N':
        negotiate(ctx, rest);
        break;
    case '=':
        set_macro(ctx, rest);
        break;
    case 'C':
        connect_client(ctx, *rest);
        break;
    case 'M':
        mail(ctx, rest);
        break;
    case 'R':
        rcpt(ctx, rest);
        break;
    case 'H':
        header(ctx, rest);
        break;
    case 'B':
        (void)filter.xxfi_body(ctx, none, strtoul(rest, NULL, 10) % 65536);
        break;
    case 'E':
        end(ctx);
        break;
    case 'A':
        (void)filter.xxfi_abort(ctx);
        drop_message(ctx);
        break;
    case 'Q':
        hang_up(ctx);
        break;
    case 'F':
        ctx->fails_from = (unsigned)strtoul(rest, NULL, 10);
        break;
    default:
        break;
    }
}

static void begin(void)
{
    static bool has_begun;

    if (has_begun)
        return;
    has_begun = true;
    PROMISE(wb_callbacks_register());
    wb_current_set(wb_conf_ref(world()));
    wb_log_open("fuzz", true); /* to syslog, which nobody has here */
    setlogmask(LOG_MASK(LOG_EMERG));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    struct smfi_str ctx = {.private = NULL};
    char *text, *rest, *line;

    if (octets > FUZZ_MAX_OCTETS)
        return 0;
    begin();
    rest = text = strndup((const char *)data, octets);
    PROMISE(text != NULL);
    while ((line = strsep(&rest, "\n")) != NULL)
        take_line(&ctx, line);
    hang_up(&ctx);
    free(text);
    return 0;
}
