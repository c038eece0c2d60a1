/* Reports that are for people. They differ in their words, but all tell a
 * recipient at the beginning of a line and then why, so one reader does for
 * all; the table says by which words a report is known. */
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/address.h"
#include "webhook/bounce/reader.h"

enum { REASON_LINES = 30, MOST_FIELDS = 200, MOST_HEADERS = 16 };

/* To add a form: a phrase that only it has, in lower case, and a sample in
 * tests/samples/bounce. kind: what it means whatever the reason is; NONE: the
 * reason tells. */
static const struct form {
    const char *name, *phrase;
    enum wb_bounce_kind kind;
} forms[] = {
    {"postfix", "this is the mail system at host", WB_BOUNCE_NONE},
    {"postfix", "this is the postfix program at host", WB_BOUNCE_NONE},
    {"qmail", "this is the qmail-send program", WB_BOUNCE_NONE},
    {"sendmail", "warning message only", WB_BOUNCE_DELAYED},
    {"sendmail", "had transient non-fatal errors", WB_BOUNCE_DELAYED},
    {"sendmail", "had permanent fatal errors", WB_BOUNCE_NONE},
    {"sendmail", "had permanent delivery errors", WB_BOUNCE_NONE},
    {"exim", "has not yet been delivered", WB_BOUNCE_DELAYED},
    {"exim", "the following address(es) failed", WB_BOUNCE_NONE},
    {"exchange", "delivery to these recipients is delayed", WB_BOUNCE_DELAYED},
    {"exchange", "delivery has failed to these recipients", WB_BOUNCE_NONE},
    {"exchange", "diagnostic information for administrators", WB_BOUNCE_NONE},
    {"exchange", "recipient(s) could not be reached", WB_BOUNCE_NONE},
    {"exchange", "recipient(s) cannot be reached", WB_BOUNCE_NONE},
    {"gmail", "delivery incomplete", WB_BOUNCE_DELAYED},
    {"gmail", "to the following recipient has been delayed", WB_BOUNCE_DELAYED},
    {"gmail", "delivery to the following recipient failed", WB_BOUNCE_NONE},
    {"gmail", "your message wasn't delivered to", WB_BOUNCE_NONE},
    {"au", "the user(s) account is", WB_BOUNCE_NONE},
    {"au", "could not be delivered to:", WB_BOUNCE_NONE},
    {"au", "did not receive this message", WB_BOUNCE_NONE},
    {"au", "each of the following recipients was rejected", WB_BOUNCE_NONE},
    {"au", "your message was not delivered within", WB_BOUNCE_NONE},
};

/* What makes a message from a mail system a report of a form that is not
 * known. */
static const char *const subjects[] = {"undeliver",
                                       "returned mail",
                                       "delivery status",
                                       "delivery fail",
                                       "failure notice",
                                       "mail failure",
                                       "failed delivery",
                                       "mail system error",
                                       "could not be de",
                                       "non-delivery",
                                       "配信",
                                       "配達",
                                       "送信できません",
                                       "届きませんでした"};

/* ---- lines -------------------------------------------------------------- */

struct line {
    const char *text;
    size_t octets; /* without its LF */
};

static void next_line(const char **text, struct line *out)
{
    out->text = *text;
    out->octets = strcspn(*text, "\n");
    *text += out->octets + ((*text)[out->octets] == '\n');
}

static bool begins(const struct line *l, const char *text)
{
    size_t n = strlen(text);

    return l->octets >= n && strncasecmp(l->text, text, n) == 0;
}

/* The address that a line begins with, behind blanks, quotes, brackets and
 * words that announce it. *end: what follows. NULL: there is none, or no
 * memory. */
static const char *leading_address(struct wb_pool *p, const struct line *l,
                                   const char **end)
{
    static const char *const words[] = {
        "recipient:", "to:", "could not be delivered to:"};
    size_t at = 0, n = 0;
    struct line rest;

    for (size_t i = 0; i <= sizeof words / sizeof words[0]; i++) {
        while (at < l->octets && strchr(" \t\r'\"<", l->text[at]) != NULL)
            at++;
        rest = (struct line){l->text + at, l->octets - at};
        if (i < sizeof words / sizeof words[0] && begins(&rest, words[i]))
            at += strlen(words[i]);
    }
    while (n < rest.octets && strchr(" \t\r'\"<>:;,()", rest.text[n]) == NULL)
        n++;
    *end = rest.text + n;
    if (n == 0 || n > WB_PATH_MAX_OCTETS || memchr(rest.text, '@', n) == NULL)
        return NULL;
    rest.text = wb_pool_strndup(p, rest.text, n);
    return rest.text != NULL ? wb_bounce_address(p, rest.text) : NULL;
}

/* "----- Transcript of session follows -----" says nothing of its own. */
static bool is_rule(const struct line *l)
{
    size_t at = 0;

    while (at < l->octets && l->text[at] == ' ')
        at++;
    return l->octets - at >= 3 && strncmp(l->text + at, "---", 3) == 0;
}

/* ---- items -------------------------------------------------------------- */

struct reading {
    struct wb_bounce_reader *r;
    const struct form *form; /* NULL: none that is known */
    const char *all;         /* the text, on one line */
    char *reason;            /* of the item that was begun last */
    size_t reason_octets, reason_lines;
};

static void add_reason(struct reading *g, const char *text, size_t octets)
{
    if (g->reason_lines++ >= REASON_LINES)
        return;
    memcpy(g->reason + g->reason_octets, text, octets);
    g->reason_octets += octets;
    g->reason[g->reason_octets++] = ' ';
    g->reason[g->reason_octets] = '\0';
}

/* Some forms say why before they tell the recipient, and nothing behind. */
static int end_item(struct reading *g)
{
    struct wb_bounce_report *out = g->r->out;
    const char *words = *g->reason != '\0' ? g->reason : g->all;
    char code[WB_BOUNCE_CODE_OCTETS];
    struct wb_bounce *b;

    if (out->count == 0)
        return EX_OK;
    b = &out->items[out->count - 1];
    wb_bounce_find_code(words, code);
    b->reason = wb_bounce_line(g->r->p, words);
    b->code = wb_pool_strdup(g->r->p, code);
    if (b->reason == NULL || b->code == NULL)
        return wb_bounce_no_memory(g->r->err);
    b->kind = g->form != NULL && g->form->kind != WB_BOUNCE_NONE
                  ? g->form->kind
                  : wb_bounce_classify(b->code, words);
    g->reason_octets = 0;
    g->reason_lines = 0;
    *g->reason = '\0';
    return EX_OK;
}

static int begin_item(struct reading *g, const char *recipient)
{
    struct wb_bounce *b;
    int rc = end_item(g);

    if (rc != EX_OK)
        return rc;
    b = wb_bounce_add(g->r, &rc);
    if (b != NULL)
        b->recipient = b->final_recipient = recipient;
    return rc;
}

static bool is_known(const struct wb_bounce_report *out, const char *recipient)
{
    return out->count == WB_BOUNCE_ITEMS_MAX ||
           (out->count > 0 &&
            strcasecmp(out->items[out->count - 1].recipient, recipient) == 0);
}

static int take_line(struct reading *g, const struct line *l)
{
    const char *end = l->text, *recipient = leading_address(g->r->p, l, &end);
    int rc = EX_OK;

    if (recipient == NULL || *recipient == '\0') {
        if (g->r->out->count > 0 && l->octets > 0 && !is_rule(l))
            add_reason(g, l->text, l->octets);
        return EX_OK;
    }
    if (!is_known(g->r->out, recipient))
        rc = begin_item(g, recipient);
    end += strspn(end, ">'\":");
    if (rc == EX_OK && end < l->text + l->octets)
        add_reason(g, end, (size_t)(l->text + l->octets - end));
    return rc;
}

static int take_lines(struct reading *g, const char *text)
{
    struct line l;
    int rc = EX_OK;

    while (rc == EX_OK && *text != '\0') {
        next_line(&text, &l);
        rc = take_line(g, &l);
    }
    return rc == EX_OK ? end_item(g) : rc;
}

/* ---- the original ------------------------------------------------------- */

/* Does a message's header begin at text: two fields, one of them of those that
 * every message has? */
static bool is_header(struct wb_pool *p, const char *text,
                      struct wb_fields *fields)
{
    size_t used;

    if (wb_fields_read(p, text, strlen(text), MOST_FIELDS, fields, &used) !=
            EX_OK ||
        fields->count < 2)
        return false;
    return wb_fields_get(fields, "Received") != NULL ||
           wb_fields_get(fields, "Message-ID") != NULL ||
           wb_fields_get(fields, "From") != NULL;
}

/* Cut the original off the text, and read its header. */
static int cut_original(struct wb_bounce_reader *r, char *text)
{
    unsigned tries = 0;
    struct wb_fields fields;

    while (*text != '\0' && tries < MOST_HEADERS) {
        size_t octets = strcspn(text, "\n");

        if (wb_field_begins(text, octets)) {
            tries++;
            if (is_header(r->p, text, &fields)) {
                *text = '\0';
                return wb_bounce_take_original(r, &fields);
            }
        }
        text += octets + (text[octets] == '\n');
    }
    return EX_OK;
}

/* ---- what it is --------------------------------------------------------- */

static const struct form *find_form(const char *subject, const char *all)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcasestr(all, forms[i].phrase) != NULL ||
            strcasestr(subject, forms[i].phrase) != NULL)
            return &forms[i];
    return NULL;
}

static bool is_reports_subject(const char *subject)
{
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
        if (strcasestr(subject, subjects[i]) != NULL)
            return true;
    return false;
}

/* No line begins with a recipient: a header of Exim and Gmail may name it, or
 * it stands within a sentence. */
static int find_recipient(struct reading *g)
{
    const char *text = wb_mime_text(g->r->m, "X-Failed-Recipients");
    const char *end;
    struct line l;

    if (text == NULL)
        return wb_bounce_no_memory(g->r->err);
    for (int i = 0; i < 2; i++, text = g->all)
        for (; *text != '\0'; text += l.octets + (text[l.octets] != '\0')) {
            const char *recipient;

            l = (struct line){text, strcspn(text, " ,")};
            recipient = leading_address(g->r->p, &l, &end);
            if (recipient != NULL && *recipient != '\0')
                return begin_item(g, recipient);
        }
    return begin_item(g, "");
}

static int read_items(struct reading *g, const char *text)
{
    int rc = take_lines(g, text);

    if (rc == EX_OK && g->r->out->count == 0) {
        rc = find_recipient(g);
        if (rc == EX_OK)
            rc = end_item(g);
    }
    return rc;
}

/* The text on one line, without what somebody quotes ("> ..."). */
static char *fold(struct wb_pool *p, const char *text)
{
    char *out = wb_pool_alloc(p, strlen(text) + 2);
    size_t n = 0;

    while (out != NULL && *text != '\0') {
        struct line l;

        next_line(&text, &l);
        if (begins(&l, "> "))
            continue;
        for (size_t i = 0; i <= l.octets; i++)
            if (i < l.octets && (unsigned char)l.text[i] > ' ')
                out[n++] = l.text[i];
            else if (n > 0 && out[n - 1] != ' ')
                out[n++] = ' ';
    }
    if (out != NULL)
        out[n] = '\0';
    return out;
}

int wb_bounce_read_text(struct wb_bounce_reader *r)
{
    const char *subject = wb_mime_text(r->m, "Subject"), *status;
    struct reading g = {.r = r};
    char *text;
    int rc = wb_bounce_read_body(r, &text);

    if (rc == EX_OK)
        rc = cut_original(r, text);
    if (rc != EX_OK)
        return rc;
    g.reason = wb_pool_alloc(r->p, strlen(text) + REASON_LINES + 1);
    g.all = fold(r->p, text);
    if (g.reason == NULL || g.all == NULL || subject == NULL)
        return wb_bounce_no_memory(r->err);
    g.form = find_form(subject, g.all);
    if (g.form == NULL && !is_reports_subject(subject))
        return EX_OK;
    r->out->form = g.form != NULL ? g.form->name : "text";
    /* parts that were not taken apart, or put into one */
    status = strstr(text, "\nFinal-Recipient:");
    if (status != NULL)
        rc = wb_bounce_read_status(r, status + 1);
    return rc == EX_OK && r->out->count == 0 ? read_items(&g, text) : rc;
}
