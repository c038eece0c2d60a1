#include "webhook/bounce/bounce.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>

#include "plan/actions.h"
#include "webhook/bounce/reader.h"

static const char *value_of(const struct wb_bounce_reader *r, const char *name)
{
    const char *value = wb_fields_get(wb_mime_fields(r->m), name);

    return value != NULL ? value : "";
}

/* ---- what the milter wrote ---------------------------------------------- */

static int read_days(const char *digits)
{
    long days = strtol(digits, NULL, 10);

    return days >= 0 && days <= INT_MAX ? (int)days : -1;
}

/* "sender=<a@b>; recipient=<c@d>; age=3", of which sender is always there. */
static int read_mark(struct wb_bounce_reader *r)
{
    static const char sender[] = "sender=<", recipient[] = ">; recipient=<",
                      age[] = ">; age=";
    const char *mark = wb_mime_text(r->m, WB_BOUNCE_HEADER);
    const char *start, *end, *middle;

    if (mark == NULL)
        return wb_bounce_no_memory(r->err);
    if (strncmp(mark, sender, sizeof sender - 1) != 0)
        return EX_OK;
    start = mark + sizeof sender - 1;
    end = strstr(start, age);
    if (end != NULL)
        r->out->age_days = read_days(end + sizeof age - 1);
    else
        end = strrchr(start, '>');
    if (end == NULL)
        return EX_OK;
    middle = strstr(start, recipient);
    if (middle != NULL && middle < end) {
        const char *to = middle + sizeof recipient - 1;

        r->out->recipient = wb_pool_strndup(r->p, to, (size_t)(end - to));
        end = middle;
    }
    r->out->sender = wb_pool_strndup(r->p, start, (size_t)(end - start));
    return r->out->recipient != NULL && r->out->sender != NULL
               ? EX_OK
               : wb_bounce_no_memory(r->err);
}

/* "Tue, 14 Nov 2023 22:13:20 +0000" (RFC 5322, 3.3); 0: it is none. */
static int64_t read_date(const char *text)
{
    struct tm tm = {.tm_isdst = 0};
    time_t utc;

    if (strptime(text, " %a, %d %b %Y %H:%M:%S %z", &tm) == NULL &&
        strptime(text, " %d %b %Y %H:%M:%S %z", &tm) == NULL)
        return 0;
    utc = timegm(&(struct tm){.tm_year = tm.tm_year,
                              .tm_mon = tm.tm_mon,
                              .tm_mday = tm.tm_mday,
                              .tm_hour = tm.tm_hour,
                              .tm_min = tm.tm_min,
                              .tm_sec = tm.tm_sec});
    return (int64_t)utc - tm.tm_gmtoff;
}

/* When our own MTA took it, which is the same each time it is tried. */
static int64_t received_s(const struct wb_bounce_reader *r, int64_t now_s)
{
    const char *date = strrchr(value_of(r, "Received"), ';');
    int64_t then_s = date != NULL ? read_date(date + 1) : 0;

    return then_s > 0 && then_s <= now_s ? then_s : now_s;
}

/* ---- who wrote it ------------------------------------------------------- */

static bool begins_with_one(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strncasecmp(text, *words, strlen(*words)) == 0)
            return true;
    return false;
}

static bool holds_one(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasestr(text, *words) != NULL)
            return true;
    return false;
}

/* A report has the null sender (RFC 3464, 2), or its author is a program. */
static bool is_from_system(const struct wb_bounce_reader *r,
                           const char *envelope_from)
{
    static const char *const authors[] = {"mailer-daemon",
                                          "postmaster@",
                                          "mail delivery",
                                          "mdaemon@",
                                          "mail-daemon@",
                                          "mailerdaemon",
                                          NULL};

    if (envelope_from == NULL)
        envelope_from =
            strcmp(value_of(r, "Return-Path"), "<>") == 0 ? "" : "?";
    return *envelope_from == '\0' || holds_one(value_of(r, "From"), authors);
}

/* RFC 3834, 5, and what was used before it; a receipt (RFC 8098). */
static int is_auto_reply(const struct wb_bounce_reader *r, bool *is_one)
{
    static const char *const receipts[] = {"disposition-notification", NULL};
    static const char *const precedences[] = {"auto_reply", "auto-reply", NULL};
    static const char *const subjects[] = {
        "automatic reply",   "auto reply", "auto-reply",
        "autoreply",         "auto:",      "out of office",
        "out of the office", "vacation",   "自動返信",
        "自動応答",          "不在",       NULL};
    const char *submitted = value_of(r, "Auto-Submitted");
    const char *subject = wb_mime_text(r->m, "Subject");

    if (subject == NULL)
        return wb_bounce_no_memory(r->err);
    *is_one = (*submitted != '\0' && strncasecmp(submitted, "no", 2) != 0) ||
              *value_of(r, "X-Autoreply") != '\0' ||
              *value_of(r, "X-Autorespond") != '\0' ||
              begins_with_one(value_of(r, "Precedence"), precedences) ||
              holds_one(value_of(r, "Content-Type"), receipts) ||
              begins_with_one(subject, subjects);
    return EX_OK;
}

/* ---- all of it ---------------------------------------------------------- */

static int read_report(struct wb_bounce_reader *r, const char *envelope_from)
{
    int rc = wb_bounce_read_complaint(r);

    if (rc == EX_OK && r->out->count == 0)
        rc = wb_bounce_read_dsn(r);
    if (rc == EX_OK && r->out->count == 0 && is_from_system(r, envelope_from))
        rc = wb_bounce_read_text(r);
    if (rc == EX_OK && r->out->count > 0)
        rc = wb_bounce_read_returned(r);
    return rc;
}

static void conclude(struct wb_bounce_reader *r, bool is_reply)
{
    struct wb_bounce_report *out = r->out;

    out->kind = is_reply ? WB_BOUNCE_AUTO_REPLY : WB_BOUNCE_NONE;
    for (size_t i = 0; i < out->count; i++) {
        if (i == 0 || wb_bounce_is_failure(out->items[i].kind))
            out->kind = out->items[i].kind;
        if (wb_bounce_is_failure(out->kind))
            break;
    }
    if (out->count != 1)
        return;
    /* the signed address knows to whom it was sent */
    if (*out->recipient != '\0')
        out->items[0].recipient = out->recipient;
    else if (*out->items[0].recipient == '\0')
        out->items[0].recipient = out->to;
}

int wb_bounce_read(const struct wb_mime *m, const char *envelope_from,
                   int64_t now_s, struct wb_pool *p,
                   struct wb_bounce_report *out, struct wb_err *err)
{
    struct wb_bounce_reader r = {.m = m, .p = p, .out = out, .err = err};
    bool is_reply = false;
    int rc;

    *out = (struct wb_bounce_report){.form = "",
                                     .sender = "",
                                     .recipient = "",
                                     .age_days = -1,
                                     .from = "",
                                     .to = "",
                                     .subject = "",
                                     .message_id = "",
                                     .reporting_mta = ""};
    out->created_s = received_s(&r, now_s);
    rc = read_mark(&r);
    if (rc == EX_OK)
        rc = read_report(&r, envelope_from);
    if (rc == EX_OK && out->count == 0)
        rc = is_auto_reply(&r, &is_reply);
    if (rc == EX_OK)
        conclude(&r, is_reply);
    return rc;
}
