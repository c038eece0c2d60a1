#include "tool/test/talk.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#include "mail/address.h"
#include "tool/maps/memory.h"

/* The order of the steps depends on where TLS begins. */
static size_t plan(const struct wb_dialogue *d,
                   enum wb_step steps[WB_DIALOGUE_MAX_STEPS])
{
    size_t n = 0;

    steps[n++] = WB_STEP_RESOLVE;
    steps[n++] = WB_STEP_CONNECT;
    if (d->tls == WB_TLS_IMPLICIT)
        steps[n++] = WB_STEP_TLS;
    steps[n++] = WB_STEP_GREETING;
    if (d->tls == WB_TLS_STARTTLS && !d->is_tls_optional)
        steps[n++] = WB_STEP_TLS;
    if (d->username != NULL)
        steps[n++] = WB_STEP_AUTH;
    if (d->protocol == WB_SMTP) {
        steps[n++] = WB_STEP_MAIL;
        steps[n++] = WB_STEP_RCPT;
        steps[n++] = WB_STEP_DATA;
    }
    return n;
}

int64_t wb_talk_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void wb_talk_begin(struct wb_talk *t, struct wb_pool *pool,
                   struct wb_dialogue *dialogue)
{
    *t = (struct wb_talk){.pool = pool, .dialogue = dialogue};
    t->last_us = t->heard_us = wb_talk_now_us();
}

enum wb_step wb_talk_next(const struct wb_dialogue *d)
{
    enum wb_step steps[WB_DIALOGUE_MAX_STEPS];
    size_t count = plan(d, steps);

    return d->step_count < count ? steps[d->step_count] : WB_STEP_ANY;
}

static bool is_to_come(const struct wb_dialogue *d, enum wb_step step)
{
    enum wb_step steps[WB_DIALOGUE_MAX_STEPS];
    size_t count = plan(d, steps);

    for (size_t i = d->step_count; i < count; i++)
        if (steps[i] == step)
            return true;
    return false;
}

void wb_talk_done(struct wb_talk *t, enum wb_step step, const char *detail)
{
    struct wb_dialogue *d = t->dialogue;
    int64_t now_us = wb_talk_now_us();

    t->heard_us = now_us;
    while (is_to_come(d, step)) {
        struct wb_step_done *done = &d->steps[d->step_count];

        done->step = wb_talk_next(d);
        done->took_us = now_us - t->last_us;
        done->detail = done->step == step ? wb_talk_clean(t, detail) : "";
        t->last_us = now_us;
        d->step_count++;
        if (d->on_step != NULL)
            d->on_step(d->context, d);
    }
}

/* ---- what the client says --------------------------------------------------
 */

static bool is_command(const char *line, size_t octets, const char *command)
{
    size_t length = strlen(command);

    return octets >= length && strncasecmp(line, command, length) == 0 &&
           (octets == length || isspace((unsigned char)line[length]));
}

/* The word behind "AUTH ". Only what can be a mechanism's name (RFC 4422, 3.1)
 * is taken. */
static void take_mechanism(struct wb_talk *t, const char *line, size_t octets)
{
    size_t n = 0;

    for (size_t i = strlen("AUTH "); i < octets; i++) {
        unsigned char c = (unsigned char)line[i];

        if (!(isupper(c) || isdigit(c) || c == '-' || c == '_') ||
            n + 1 >= sizeof t->mechanism)
            break;
        t->mechanism[n++] = (char)c;
    }
    t->mechanism[n] = '\0';
}

static void begin_login(struct wb_talk *t, const char *line, size_t octets)
{
    t->is_logging_in = true;
    if (is_command(line, octets, "AUTH"))
        take_mechanism(t, line, octets);
    else
        strcpy(t->mechanism,
               is_command(line, octets, "APOP") ? "APOP" : "USER");
}

/* Has the server let STARTTLS begin? Then what comes next came through TLS. */
static bool is_behind_starttls(const struct wb_talk *t)
{
    return strcmp(t->command, "STARTTLS") == 0 ||
           strcmp(t->command, "STLS") == 0;
}

static const char *certificate_detail(const struct wb_talk *t)
{
    const struct wb_certificate *c = &t->dialogue->certificate;
    char day[16] = "";
    time_t expires = (time_t)c->expires_s;
    struct tm tm;

    if (c->names.count == 0)
        return "";
    if (gmtime_r(&expires, &tm) != NULL)
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    return wb_say(t->pool, "certificate for %s, good until %s",
                  wb_certificate_names(t->pool, c), day);
}

/* What is said after the end is about the end. */
static bool is_over(const struct wb_talk *t)
{
    return strcmp(t->command, "QUIT") == 0;
}

void wb_talk_client(struct wb_talk *t, const char *line, size_t octets)
{
    static const char *const commands[] = {"EHLO", "HELO", "STARTTLS", "AUTH",
                                           "MAIL", "RCPT", "DATA",     "CAPA",
                                           "STLS", "USER", "PASS",     "APOP"};

    t->heard_us = wb_talk_now_us();
    if (is_command(line, octets, "QUIT"))
        strcpy(t->command, "QUIT");
    if (is_over(t))
        return;
    if (t->code != 421) /* which ends all (RFC 5321, 3.8) */
        t->is_refused = false;
    if (t->is_logging_in && !is_command(line, octets, "PASS"))
        return; /* an answer to a challenge */
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *command = commands[i];

        if (!is_command(line, octets, command))
            continue;
        if (is_behind_starttls(t))
            wb_talk_done(t, WB_STEP_TLS, certificate_detail(t));
        strcpy(t->command, command);
        if (strcmp(command, "AUTH") == 0 || strcmp(command, "APOP") == 0 ||
            strcmp(command, "USER") == 0)
            begin_login(t, line, octets);
        if (strcmp(command, "MAIL") == 0 && !t->has_logged_in)
            wb_talk_done(t, WB_STEP_AUTH,
                         "the server offers no login: mail goes without");
        return;
    }
}

/* ---- what the server says --------------------------------------------------
 */

/* "250-..." is followed by more; so is what is no reply at all, such as the
 * lines of POP3's CAPA. */
static bool is_last_line(const struct wb_talk *t, const char *line,
                         size_t octets)
{
    if (t->dialogue->protocol == WB_POP3)
        return octets > 0 && (line[0] == '+' || line[0] == '-');
    return octets >= 3 && isdigit((unsigned char)line[0]) &&
           isdigit((unsigned char)line[1]) && isdigit((unsigned char)line[2]) &&
           (octets == 3 || line[3] != '-');
}

/* Can this be a reply of such a server at all? */
static bool is_reply(const struct wb_talk *t, const char *line, size_t octets)
{
    if (t->dialogue->protocol == WB_POP3)
        return is_last_line(t, line, octets);
    return octets >= 3 && strspn(line, "0123456789") >= 3;
}

static int code_of(const struct wb_talk *t, const char *line)
{
    if (t->dialogue->protocol == WB_POP3)
        return line[0] == '-' ? 500 : line[1] == ' ' ? 334 : 250;
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* "250-AUTH PLAIN LOGIN" of EHLO, "SASL PLAIN LOGIN" of CAPA */
static void take_offer(struct wb_talk *t, const char *line, size_t octets)
{
    size_t skip = t->dialogue->protocol == WB_POP3 ? 0 : 4;
    const char *word = skip == 0 ? "SASL" : "AUTH";

    if (octets < skip || !is_command(line + skip, octets - skip, word))
        return;
    octets -= skip;
    if (octets >= sizeof t->offer)
        octets = sizeof t->offer - 1;
    memcpy(t->offer, line + skip, octets);
    t->offer[octets] = '\0';
}

/* Keep the line; what is too long is cut off. */
static void add_line(struct wb_talk *t, const char *line, size_t octets)
{
    size_t room = sizeof t->reply - 1 - t->octets;

    if (t->octets > 0 && room > 0) {
        t->reply[t->octets++] = '\n';
        room--;
    }
    if (octets > room)
        octets = room;
    memcpy(t->reply + t->octets, line, octets);
    t->octets += octets;
    t->reply[t->octets] = '\0';
}

static const char *joined(const struct wb_talk *t)
{
    return wb_substitute(t->pool, t->reply, "\n", " / ");
}

static void end_login(struct wb_talk *t)
{
    t->is_logging_in = false;
    t->has_logged_in = t->code < 300;
    if (t->has_logged_in)
        wb_talk_done(t, WB_STEP_AUTH,
                     wb_say(t->pool, "%s: %s", t->mechanism, joined(t)));
}

/* A step of the letter: told with what it was about. */
static void accept(struct wb_talk *t, enum wb_step step, const char *address)
{
    wb_talk_done(t, step, wb_say(t->pool, "<%s>: %s", address, joined(t)));
}

/* The server has answered the last command, and not with an error. */
static void agreed(struct wb_talk *t)
{
    const struct wb_dialogue *d = t->dialogue;
    const char *c = t->command;

    if (*c == '\0')
        strcpy(t->greeting, t->reply);
    else if (strcmp(c, "EHLO") == 0 || strcmp(c, "HELO") == 0)
        wb_talk_done(t, WB_STEP_GREETING,
                     wb_substitute(t->pool, t->greeting, "\n", " / "));
    else if (strcmp(c, "MAIL") == 0)
        accept(t, WB_STEP_MAIL, d->sender);
    else if (strcmp(c, "RCPT") == 0)
        accept(t, WB_STEP_RCPT, d->recipient);
    else if (strcmp(c, "DATA") == 0 && t->code == 354)
        strcpy(t->command, ".");
    else if (strcmp(c, ".") == 0)
        wb_talk_done(t, WB_STEP_DATA, joined(t));
}

static void answered(struct wb_talk *t)
{
    t->is_refused = t->code >= 400;
    if (t->is_logging_in) {
        bool is_asked_on = t->code == 334 ||
                           (t->code < 300 && strcmp(t->command, "USER") == 0);

        if (!is_asked_on)
            end_login(t);
        return;
    }
    /* a server that knows no CAPA (RFC 2449) may do without */
    if (strcmp(t->command, "CAPA") == 0) {
        t->is_refused = false;
        wb_talk_done(t, WB_STEP_GREETING, t->greeting);
    } else if (!t->is_refused) {
        agreed(t);
    }
}

void wb_talk_server(struct wb_talk *t, const char *line, size_t octets)
{
    t->heard_us = wb_talk_now_us();
    while (octets > 0 && (line[octets - 1] == '\n' || line[octets - 1] == '\r'))
        octets--;
    if (is_over(t))
        return;
    if (wb_talk_next(t->dialogue) == WB_STEP_TLS &&
        t->dialogue->tls == WB_TLS_IMPLICIT)
        wb_talk_done(t, WB_STEP_TLS, certificate_detail(t));
    t->is_foreign = *t->command == '\0' && !is_reply(t, line, octets);
    take_offer(t, line, octets);
    if (t->dialogue->protocol == WB_POP3 && !t->is_foreign &&
        !is_last_line(t, line, octets))
        return; /* a line of a list */
    add_line(t, line, octets);
    if (!is_last_line(t, line, octets))
        return;
    t->code = code_of(t, line);
    t->octets = 0; /* the next reply begins anew */
    answered(t);
}

/* ---- what may be told ------------------------------------------------------
 */

static const char *base64(struct wb_pool *pool, const char *octets,
                          size_t count)
{
    unsigned char *out = wb_must(wb_pool_alloc(pool, count / 3 * 4 + 5));

    EVP_EncodeBlock(out, (const unsigned char *)octets, (int)count);
    return (const char *)out;
}

/* Some servers repeat what they refuse. Of a shorter password every text may
 * hold the octets by chance. */
static const char *without_password(const struct wb_talk *t, const char *text)
{
    enum { SHORTEST = 4 };
    const struct wb_dialogue *d = t->dialogue;
    size_t user, length;
    char *plain;

    if (d->password == NULL || strlen(d->password) < SHORTEST)
        return text;
    user = strlen(d->username);
    length = strlen(d->password);
    plain = wb_must(wb_pool_alloc(t->pool, user + length + 3));
    memcpy(plain + 1, d->username, user);
    memcpy(plain + user + 2, d->password, length);
    text = wb_substitute(
        t->pool, text, base64(t->pool, plain, user + length + 2), "[password]");
    text = wb_substitute(t->pool, text, base64(t->pool, d->password, length),
                         "[password]");
    return wb_substitute(t->pool, text, d->password, "[password]");
}

const char *wb_talk_clean(const struct wb_talk *t, const char *text)
{
    char *clean = wb_say(t->pool, "%s", without_password(t, text));
    bool is_utf8 = wb_utf8_is_valid(clean, strlen(clean));

    for (char *c = clean; *c != '\0'; c++) {
        unsigned char octet = (unsigned char)*c;

        if ((octet < ' ' && octet != '\n') || octet == 0x7f ||
            (octet >= 0x80 && !is_utf8))
            *c = '?';
        else if (octet == 0xc2 && (unsigned char)c[1] < 0xa0)
            c[0] = c[1] = '?'; /* C1 */
    }
    return clean;
}
