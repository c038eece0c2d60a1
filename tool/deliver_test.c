#include "tool/deliver_test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/address.h"

#define HIDDEN "(not shown)"

/* "Authorization: Basic SECRET": the octets of line that may be shown. */
static size_t shown_octets(const char *line, size_t octets)
{
    static const char name[] = "Authorization:";
    size_t n = sizeof name - 1;

    if (octets <= n || strncasecmp(line, name, n) != 0)
        return octets;
    n += strspn(line + n, " ");
    n += strcspn(line + n, " \r\n"); /* the scheme */
    return n < octets ? n : octets;
}

/* The next line of *text without its end; NULL when there is none. */
static const char *next_line(const char **text, size_t *octets)
{
    const char *line = *text;

    if (line == NULL || *line == '\0')
        return NULL;
    *octets = strcspn(line, "\r\n");
    *text = line + *octets;
    *text += **text == '\r' ? 1 : 0;
    *text += **text == '\n' ? 1 : 0;
    return line;
}

/* ---- as text ------------------------------------------------------------ */

static void print_octets(const char *octets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)octets[i] < 0x20 || octets[i] == 0x7f)
            printf("\\x%02X", (unsigned char)octets[i]);
        else
            putchar(octets[i]);
}

static void print_lines(char mark, const char *text)
{
    const char *line;
    size_t octets;

    while ((line = next_line(&text, &octets)) != NULL) {
        size_t shown = shown_octets(line, octets);

        printf("%c%s", mark, octets > 0 ? " " : "");
        print_octets(line, shown);
        puts(shown < octets ? " " HIDDEN : "");
    }
}

static const char *outcome(const struct wb_answer *answer)
{
    if (wb_answer_is_done(answer))
        return "done";
    return wb_answer_is_temporary(answer) ? "retry" : "reject";
}

void wb_deliver_test_text(const struct wb_delivery *delivery,
                          const struct wb_delivered *d)
{
    const struct wb_trace *trace = delivery->trace;

    printf("webhook %s: %s\n", delivery->webhook->name, delivery->webhook->url);
    print_lines('>', trace->request);
    if (trace->request_octets > 0)
        printf("> (%llu octets)\n", (unsigned long long)d->body_octets);
    print_lines('<', trace->response);
    print_lines('<', trace->body);
    if (d->result.detail.text[0] != '\0')
        printf("%s\n", d->result.detail.text);
    printf("reply   %s\noutcome %s\n", d->answer.text, outcome(&d->answer));
}

/* ---- as JSON ------------------------------------------------------------ */

/* What is no UTF-8 is shown as '?', octet by octet. */
static json_t *text_of(const char *octets, size_t count)
{
    char *copy = strndup(octets, count);
    json_t *made;

    if (copy == NULL)
        return NULL;
    if (!wb_utf8_is_valid(copy, strlen(copy)))
        for (char *s = copy; *s != '\0'; s++)
            if ((unsigned char)*s >= 0x80)
                *s = '?';
    made = json_string(copy);
    free(copy);
    return made;
}

/* [{"name": "Host", "value": "app.example.com"}, ...]; a line without a colon
 * begins a request or a response. */
static json_t *headers_of(const char *text)
{
    json_t *list = json_array();
    const char *line;
    size_t octets;

    while ((line = next_line(&text, &octets)) != NULL) {
        const char *colon = memchr(line, ':', octets);
        size_t shown = shown_octets(line, octets);
        size_t value = colon != NULL ? (size_t)(colon - line) + 1 : 0;

        if (colon == NULL || memchr(line, ' ', value) != NULL)
            continue;
        value += value < octets && line[value] == ' ' ? 1 : 0;
        json_array_append_new(
            list,
            json_pack("{s:o, s:o}", "name",
                      text_of(line, (size_t)(colon - line)), "value",
                      shown < octets ? json_string(HIDDEN)
                                     : text_of(line + value, octets - value)));
    }
    return list;
}

static json_t *request_of(const struct wb_delivered *d,
                          const struct wb_trace *trace)
{
    if (trace->request_octets == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:I}", "line",
                     text_of(trace->request, strcspn(trace->request, "\r\n")),
                     "headers", headers_of(trace->request), "octets",
                     (json_int_t)d->body_octets);
}

static json_t *response_of(const struct wb_delivered *d,
                           const struct wb_trace *trace)
{
    if (d->result.end != WB_POST_ANSWERED)
        return json_null();
    return json_pack("{s:I, s:o, s:o}", "status", (json_int_t)d->result.status,
                     "headers", headers_of(trace->response), "body",
                     text_of(trace->body, trace->body_octets));
}

int wb_deliver_test_json(const struct wb_delivery *delivery,
                         const struct wb_delivered *d)
{
    const char *detail = d->result.detail.text;
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:s?, s:s, s:s}", "webhook",
                  delivery->webhook->name, "url", delivery->webhook->url, "id",
                  d->id, "request", request_of(d, delivery->trace), "response",
                  response_of(d, delivery->trace), "error",
                  *detail != '\0' ? detail : NULL, "reply", d->answer.text,
                  "outcome", outcome(&d->answer));

    if (all == NULL)
        return EX_OSERR;
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
    return EX_OK;
}
