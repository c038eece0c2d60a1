#include "webhook/lmtp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- replies ------------------------------------------------------------ */

static void say(struct wb_lmtp *l, const struct wb_answer *answer)
{
    char line[sizeof answer->text + 2];
    int octets = snprintf(line, sizeof line, "%s\r\n", answer->text);

    l->calls->say(l->to, line, (size_t)octets);
}

static void __attribute__((format(printf, 2, 3)))
reply(struct wb_lmtp *l, const char *format, ...)
{
    struct wb_answer answer;
    char text[sizeof answer.text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wb_answer_set(&answer, "%s", text);
    say(l, &answer);
}

void wb_lmtp_hang_up(struct wb_lmtp *l, const char *text)
{
    reply(l, "%s", text);
    l->is_closing = true;
}

/* A client that only makes mistakes is none. */
static void fault(struct wb_lmtp *l, const char *text)
{
    if (++l->faults >= WB_LMTP_FAULTS_MAX)
        wb_lmtp_hang_up(l, "421 4.7.0 too many errors");
    else
        reply(l, "%s", text);
}

void wb_lmtp_answer(struct wb_lmtp *l, const struct wb_answer *answer)
{
    if (l->answers_due == 0)
        return;
    l->answers_due--;
    say(l, answer);
}

/* ---- the message -------------------------------------------------------- */

static void forget(struct wb_lmtp *l)
{
    if (l->has_sender)
        l->calls->forget(l->to);
    l->has_sender = false;
    l->recipients = 0;
}

/* What is too large is read to its end, but handed over no further. */
static void content(struct wb_lmtp *l, const char *octets, size_t count)
{
    uint64_t room = l->octets < l->limit ? l->limit - l->octets : 0;
    size_t wanted = count < room ? count : (size_t)room;

    l->octets += count;
    if (wanted > 0)
        l->calls->content(l->to, octets, wanted);
}

static void end_message(struct wb_lmtp *l)
{
    static const struct wb_answer none = {"451 4.3.2 not tried"};

    l->place = WB_LMTP_COMMAND;
    l->answers_due = l->recipients;
    l->calls->end(l->to, l->octets > l->limit);
    while (l->answers_due > 0)
        wb_lmtp_answer(l, &none);
    forget(l);
}

/* The place behind the octet c of the content (RFC 5321, 4.5.2). Only CRLF
 * ends a line: a lone CR or LF is content like any other octet. */
static enum wb_lmtp_place next_place(enum wb_lmtp_place place, char c)
{
    if (place == WB_LMTP_LINE_START && c == '.')
        return WB_LMTP_DOT;
    if (place == WB_LMTP_DOT && c == '\r')
        return WB_LMTP_DOT_CR;
    if (c == '\r')
        return WB_LMTP_CR;
    if (place == WB_LMTP_CR && c == '\n')
        return WB_LMTP_LINE_START;
    return WB_LMTP_IN_LINE;
}

/* Returns how many octets it took: all of them, or up to the message's end. */
static size_t feed_content(struct wb_lmtp *l, const char *octets, size_t count)
{
    size_t begin = 0; /* of what was not handed over yet */

    for (size_t i = 0; i < count; i++) {
        enum wb_lmtp_place before = l->place;

        if (before == WB_LMTP_DOT_CR && octets[i] == '\n') {
            end_message(l);
            return i + 1;
        }
        /* The CR after a dot was held back: it was no end after all. */
        if (before == WB_LMTP_DOT_CR) {
            content(l, "\r", 1);
            before = WB_LMTP_CR;
        }
        l->place = next_place(before, octets[i]);
        if (l->place == WB_LMTP_DOT || l->place == WB_LMTP_DOT_CR) {
            content(l, octets + begin, i - begin);
            begin = i + 1;
        }
    }
    content(l, octets + begin, count - begin);
    return count;
}

/* ---- commands ----------------------------------------------------------- */

static void do_lhlo(struct wb_lmtp *l, char *args)
{
    static const char *const keywords[] = {"PIPELINING", "8BITMIME", "SMTPUTF8",
                                           "ENHANCEDSTATUSCODES",
                                           "XFORWARD IDENT"};

    if (*args == '\0') {
        fault(l, "501 5.5.4 LHLO and a name are right");
        return;
    }
    forget(l);
    l->has_greeted = true;
    reply(l, "250-%s", l->host);
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        reply(l, "250-%s", keywords[i]);
    reply(l, "250 SIZE %llu", (unsigned long long)l->calls->max_octets(l->to));
}

/* "<...>": the end, behind the ">"; NULL when there is none. A quoted local
 * part may hold ">" (RFC 5321, 4.1.2). */
static char *end_of_path(char *path)
{
    bool is_quoted = false;

    if (*path != '<')
        return NULL;
    for (char *s = path + 1; *s != '\0'; s++) {
        if (*s == '\\' && s[1] != '\0')
            s++;
        else if (*s == '"')
            is_quoted = !is_quoted;
        else if (*s == '>' && !is_quoted)
            return s + 1;
    }
    return NULL;
}

/* Split "FROM:<path> A=b C" behind its word: *path becomes "<path>", what is
 * returned its parameters. NULL (told) if it is none. */
static char *take_path(struct wb_lmtp *l, char *args, const char *word,
                       char **path)
{
    size_t octets = strlen(word);
    char *end = NULL;

    if (strncasecmp(args, word, octets) == 0) {
        *path = args + octets + strspn(args + octets, " ");
        end = end_of_path(*path);
    }
    if (end == NULL || (*end != '\0' && *end != ' ')) {
        fault(l, "501 5.5.4 a path in angle brackets is right");
        return NULL;
    }
    if (*end == ' ')
        *end++ = '\0';
    return end;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcasecmp(word, *list) == 0)
            return true;
    return false;
}

static bool take_size(const char *value, uint64_t *out)
{
    char *end;

    if (*value < '0' || *value > '9' || strlen(value) > 20)
        return false;
    *out = strtoull(value, &end, 10);
    return *end == '\0';
}

/* The parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8
 * (RFC 6531), AUTH (RFC 4954), and RET and ENVID (RFC 3461), which tell
 * nothing here. Returns false (told) at one that is not known. */
static bool take_mail_parameters(struct wb_lmtp *l, char *text, uint64_t *size)
{
    static const char *const bodies[] = {"7BIT", "8BITMIME", NULL};
    static const char *const ignored[] = {"SMTPUTF8", "AUTH", "RET", "ENVID",
                                          NULL};
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        bool is_right;

        if (value != NULL)
            *value++ = '\0';
        if (strcasecmp(word, "SIZE") == 0)
            is_right = value != NULL && take_size(value, size);
        else if (strcasecmp(word, "BODY") == 0)
            is_right = value != NULL && is_one_of(value, bodies);
        else
            is_right = is_one_of(word, ignored);
        if (!is_right) {
            fault(l, "555 5.5.4 a parameter of MAIL is not known");
            return false;
        }
    }
    return true;
}

/* Of RCPT: NOTIFY and ORCPT (RFC 3461). The reports are the MTA's. */
static bool take_rcpt_parameters(struct wb_lmtp *l, char *text)
{
    static const char *const ignored[] = {"NOTIFY", "ORCPT", NULL};
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        word[strcspn(word, "=")] = '\0';
        if (!is_one_of(word, ignored)) {
            fault(l, "555 5.5.4 a parameter of RCPT is not known");
            return false;
        }
    }
    return true;
}

static void do_mail(struct wb_lmtp *l, char *args)
{
    struct wb_answer answer;
    uint64_t size = 0;
    char *path;
    char *parameters;

    if (l->has_sender) {
        fault(l, "503 5.5.1 a message has begun already");
        return;
    }
    parameters = take_path(l, args, "FROM:", &path);
    if (parameters == NULL || !take_mail_parameters(l, parameters, &size))
        return;
    l->limit = l->calls->max_octets(l->to);
    if (size > l->limit) {
        reply(l, "552 5.3.4 the message is larger than any webhook takes");
        return;
    }
    l->calls->mail(l->to, path, size, &answer);
    l->has_sender = wb_answer_is_done(&answer);
    say(l, &answer);
}

static void do_rcpt(struct wb_lmtp *l, char *args)
{
    struct wb_answer answer;
    char *path;
    char *parameters;

    if (!l->has_sender) {
        fault(l, "503 5.5.1 MAIL comes first");
        return;
    }
    parameters = take_path(l, args, "TO:", &path);
    if (parameters == NULL || !take_rcpt_parameters(l, parameters))
        return;
    if (l->recipients == WB_LMTP_RECIPIENTS_MAX) {
        reply(l, "452 4.5.3 too many recipients");
        return;
    }
    l->calls->rcpt(l->to, path, &answer);
    l->recipients += wb_answer_is_done(&answer) ? 1 : 0;
    say(l, &answer);
}

static void do_data(struct wb_lmtp *l, char *args)
{
    if (*args != '\0') {
        fault(l, "501 5.5.4 DATA stands alone");
    } else if (l->recipients == 0) {
        /* RFC 2033, 4.2: not 354, when no recipient was taken */
        fault(l, "503 5.5.1 no recipient was taken");
    } else {
        reply(l, "354 end with CRLF.CRLF");
        l->octets = 0;
        l->place = WB_LMTP_LINE_START;
        l->calls->begin(l->to);
    }
}

static void do_rset(struct wb_lmtp *l, char *args)
{
    (void)args;
    forget(l);
    reply(l, "250 2.0.0 forgotten");
}

static void do_noop(struct wb_lmtp *l, char *args)
{
    (void)args;
    reply(l, "250 2.0.0 ok");
}

static void do_quit(struct wb_lmtp *l, char *args)
{
    (void)args;
    forget(l);
    wb_lmtp_hang_up(l, "221 2.0.0 bye");
}

static void do_vrfy(struct wb_lmtp *l, char *args)
{
    (void)args;
    reply(l, "252 2.1.5 try and see");
}

/* A queue id of any MTA; what looks otherwise is not shown in a log. */
static bool is_ident(const char *text)
{
    size_t octets = strlen(text);

    return octets <= WB_LMTP_IDENT_MAX_OCTETS &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789.-") == octets;
}

/* The MTA's queue id, by Postfix's extension; in its log and ours the same
 * message then has the same name. */
static void do_xforward(struct wb_lmtp *l, char *args)
{
    char *rest = NULL;

    for (char *word = strtok_r(args, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (strncasecmp(word, "IDENT=", 6) != 0) {
            fault(l, "501 5.5.4 IDENT is known");
            return;
        }
        snprintf(l->ident, sizeof l->ident, "%s",
                 is_ident(word + 6) ? word + 6 : "");
    }
    reply(l, "250 2.0.0 ok");
}

static void do_not(struct wb_lmtp *l, char *args)
{
    (void)args;
    fault(l, "500 5.5.1 this is LMTP; LHLO is right"); /* RFC 2033, 4.1 */
}

static const struct {
    const char *verb;
    void (*run)(struct wb_lmtp *l, char *args);
    bool needs_greeting;
} commands[] = {
    {"LHLO", do_lhlo, false},        {"MAIL", do_mail, true},
    {"RCPT", do_rcpt, true},         {"DATA", do_data, true},
    {"RSET", do_rset, false},        {"NOOP", do_noop, false},
    {"QUIT", do_quit, false},        {"VRFY", do_vrfy, true},
    {"HELO", do_not, false},         {"EHLO", do_not, false},
    {"XFORWARD", do_xforward, true},
};

static void run_command(struct wb_lmtp *l, char *line)
{
    char *args = line + strcspn(line, " ");

    if (*args == ' ')
        *args++ = '\0';
    args += strspn(args, " ");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcasecmp(line, commands[i].verb) != 0)
            continue;
        if (commands[i].needs_greeting && !l->has_greeted)
            fault(l, "503 5.5.1 LHLO comes first");
        else
            commands[i].run(l, args);
        return;
    }
    fault(l, "500 5.5.2 not known here");
}

static bool has_control(const char *line, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            return true;
    return false;
}

/* line has octets octets, its LF not among them. */
static void end_line(struct wb_lmtp *l)
{
    size_t octets = l->line_octets;

    l->line_octets = 0;
    if (l->is_line_too_long) {
        l->is_line_too_long = false;
        fault(l, "500 5.5.2 the line is too long");
    } else if (octets == 0 || l->line[octets - 1] != '\r') {
        fault(l, "500 5.5.2 a line ends with CRLF");
    } else if (has_control(l->line, octets - 1)) {
        fault(l, "500 5.5.2 the line holds a control character");
    } else {
        while (octets > 1 && l->line[octets - 2] == ' ')
            octets--;
        l->line[octets - 1] = '\0';
        run_command(l, l->line);
    }
}

/* Returns how many octets it took: up to the end of a line at most. */
static size_t feed_line(struct wb_lmtp *l, const char *octets, size_t count)
{
    const char *lf = memchr(octets, '\n', count);
    size_t length = lf == NULL ? count : (size_t)(lf - octets);
    /* the LF counts as well */
    size_t room = WB_LMTP_LINE_MAX_OCTETS - 1 - l->line_octets;

    if (length > room)
        l->is_line_too_long = true;
    else if (!l->is_line_too_long) {
        memcpy(l->line + l->line_octets, octets, length);
        l->line_octets += length;
    }
    if (lf == NULL)
        return count;
    end_line(l);
    return length + 1;
}

void wb_lmtp_start(struct wb_lmtp *l, const struct wb_lmtp_calls *calls,
                   void *to, const char *host)
{
    memset(l, 0, sizeof *l);
    l->calls = calls;
    l->to = to;
    l->host = host;
    reply(l, "220 %s LMTP waybill-lmtp", host);
}

bool wb_lmtp_feed(struct wb_lmtp *l, const char *octets, size_t count)
{
    while (count > 0 && !l->is_closing) {
        size_t taken = l->place == WB_LMTP_COMMAND
                           ? feed_line(l, octets, count)
                           : feed_content(l, octets, count);

        octets += taken;
        count -= taken;
    }
    return !l->is_closing;
}
