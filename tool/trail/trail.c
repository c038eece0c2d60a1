#include "tool/trail/trail.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/trail/source.h"

enum {
    ID_MAX_OCTETS = 32,
    TRIES_MAX = 5
}; /* a message has two or three hops */

#define MILTER "waybill-milter"

bool wb_trail_is_id(const char *text)
{
    size_t octets = strlen(text);

    for (size_t i = 0; i < octets; i++)
        if (!isalnum((unsigned char)text[i]))
            return false;
    return octets > 0 && octets <= ID_MAX_OCTETS;
}

const char *wb_trail_field(const struct wb_trail_line *line, const char *key)
{
    for (size_t i = 0; i < line->field_count; i++)
        if (strcmp(line->fields[i].key, key) == 0)
            return line->fields[i].value;
    return NULL;
}

const char *wb_trail_hide(struct wb_pool *p, const char *text)
{
    static const char end[] = ".waybill.invalid";
    const char *at = strstr(text, end), *label = at;

    if (at == NULL)
        return text;
    while (label > text && isalnum((unsigned char)label[-1]))
        label--;
    return wb_say(p, "%.*sLABEL%.*s%s", (int)(label - text), text,
                  (int)(sizeof end - 1), at,
                  wb_trail_hide(p, at + sizeof end - 1));
}

/* ---- one line ---- */

/* Where the log's own head ends: "Nov 24 03:19:52 mx waybill-milter[7]: ". A
 * milter in the foreground writes none. */
static const char *body_of(const char *line, const char **tag)
{
    const char *end = strstr(line, "]: ");
    const char *colon = strstr(line, ": ");

    *tag = NULL;
    if (end == NULL || colon != end + 1)
        return line;
    for (*tag = end; *tag > line && (*tag)[-1] != ' ';)
        (*tag)--;
    return end + strlen("]: ");
}

static bool is_milter(const char *tag)
{
    return tag == NULL || strncmp(tag, MILTER "[", strlen(MILTER "[")) == 0;
}

/* The end of a value that begins here: of "<...>", of a text in quotation
 * marks, or of a word. The log lets no such mark stand within. */
static const char *end_of(const char *value)
{
    const char *end = NULL;

    if (*value == '<')
        end = strchr(value, '>');
    else if (*value == '"')
        end = strchr(value + 1, '"');
    return end != NULL ? end + 1 : value + strcspn(value, " ");
}

static void read_fields(struct wb_trail_line *line, struct wb_pool *p)
{
    size_t room = 1;

    for (const char *c = line->text; *c != '\0'; c++)
        room += *c == ' ';
    line->fields = wb_must(wb_pool_array(p, room, sizeof line->fields[0]));
    for (const char *c = line->text; *c != '\0' && line->field_count < room;) {
        size_t key = strcspn(c, "= ");
        const char *value = c + key + 1, *end;
        size_t quoted;

        if (c[key] != '=')
            return;
        end = end_of(value);
        quoted = *value == '<' || *value == '"';
        line->fields[line->field_count++] = (struct wb_trail_field){
            wb_slice(p, c, 0, key),
            wb_slice(p, value, quoted, (size_t)(end - value) - quoted)};
        c = end + strspn(end, " ");
    }
}

/* The one of ids that text begins with; NULL: none. */
static const char *find_id(const char *text, const char *const *ids,
                           size_t count)
{
    size_t octets = strcspn(text, ":");

    for (size_t i = 0; text[octets] == ':' && i < count; i++)
        if (strlen(ids[i]) == octets && memcmp(text, ids[i], octets) == 0)
            return ids[i];
    return NULL;
}

/* "to=<A> relay=... status=..." of Postfix; "to=<A>,<B>, ... relay=...,
 * stat=..." of Sendmail, which writes an address as it was written there. */
static bool is_delivery(const char *text)
{
    return (strncmp(text, "to=<", 4) == 0 &&
            strstr(text, " status=") != NULL) ||
           (strncmp(text, "to=", 3) == 0 && strstr(text, ", stat=") != NULL);
}

/* Is it a line of the trail? */
static bool take(char *text, const char *const *ids, size_t count,
                 struct wb_pool *p, struct wb_trail_line *out)
{
    const char *tag, *body, *id;

    text[strcspn(text, "\r\n")] = '\0';
    body = body_of(text, &tag);
    id = find_id(body, ids, count);
    if (id == NULL)
        return false;
    body += strlen(id) + 1;
    body += strspn(body, " ");
    *out = (struct wb_trail_line){
        .queue_id = id,
        .logged = tag == NULL ? ""
                              : wb_slice(p, text, 0,
                                         (size_t)(tag - text) - (tag > text)),
        .is_decision = is_milter(tag) && strncmp(body, "from=<", 6) == 0,
        .text = wb_slice(p, body, 0, strlen(body))};
    if (out->is_decision)
        read_fields(out, p);
    return out->is_decision || (!is_milter(tag) && is_delivery(body));
}

/* ---- all of them ---- */

static void keep(struct wb_trail *t, const struct wb_trail_line *line)
{
    if (t->count == WB_TRAIL_LINES_MAX)
        t->is_cut = true;
    else
        t->lines[t->count++] = *line;
}

/* The id that the next hop told: "queued as ID" of Postfix, "stat=Sent (ID
 * Message accepted for delivery)" of Sendmail. NULL: it told none. */
static const char *new_id(const char *text, struct wb_pool *p)
{
    static const struct {
        const char *before, *behind;
    } words[] = {{"queued as ", ""},
                 {", stat=Sent (", " Message accepted for delivery)"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *at = strstr(text, words[i].before), *id;
        size_t octets = 0;

        if (at == NULL)
            continue;
        at += strlen(words[i].before);
        while (isalnum((unsigned char)at[octets]))
            octets++;
        id = wb_slice(p, at, 0, octets);
        if (wb_trail_is_id(id) &&
            strncmp(at + octets, words[i].behind, strlen(words[i].behind)) == 0)
            return id;
    }
    return NULL;
}

/* Was the next hop on this host? The reply stands behind, and may say
 * anything. Sendmail writes "[127.0.0.1]". */
static bool is_here(const char *text)
{
    static const char *const places[] = {"127.", "localhost", "[::1]", "[127.",
                                         "[IPv6:::1]"};
    static const char key[] = " relay=";
    const char *at = strstr(text, key);

    for (size_t i = 0; at != NULL && i < sizeof places / sizeof *places; i++)
        if (strncmp(at + sizeof key - 1, places[i], strlen(places[i])) == 0)
            return true;
    return false;
}

/* What the MTA handed to itself on this host goes on under another id. */
static void follow(struct wb_trail *t, const struct wb_trail_line *line,
                   struct wb_pool *p)
{
    const char *id;

    if (line->is_decision || !is_here(line->text))
        return;
    id = new_id(line->text, p);
    if (id == NULL)
        return;
    for (size_t i = 0; i < t->id_count; i++)
        if (strcmp(t->ids[i], id) == 0)
            return;
    if (t->id_count == WB_TRAIL_IDS_MAX)
        t->is_cut = true;
    else
        t->ids[t->id_count++] = id;
}

static int read_once(const struct wb_log_source *lines, size_t first,
                     struct wb_trail *t, struct wb_pool *p, struct wb_err *err)
{
    const char *const *ids = t->ids + first;
    size_t count = t->id_count - first, room = 0;
    struct wb_trail_line line;
    char *text = NULL;
    FILE *in;
    int rc = wb_log_source_begin(lines, ids, count, p, &in, err);

    while (rc == EX_OK && getline(&text, &room, in) > 0) {
        if (!take(text, ids, count, p, &line))
            continue;
        keep(t, &line);
        follow(t, &line, p);
    }
    free(text);
    if (rc == EX_OK)
        wb_log_source_done(lines, in);
    return rc;
}

int wb_trail_read(const char *log, const char *id, struct wb_pool *p,
                  struct wb_trail *out, const char **source, struct wb_err *err)
{
    struct wb_log_source lines;
    int rc = wb_log_source_open(log, &lines, err);
    size_t read = 0;

    *out = (struct wb_trail){
        .lines =
            wb_must(wb_pool_array(p, WB_TRAIL_LINES_MAX, sizeof out->lines[0])),
        .ids = wb_must(wb_pool_array(p, WB_TRAIL_IDS_MAX, sizeof out->ids[0]))};
    out->ids[out->id_count++] = id;
    *source = lines.name;
    for (int tries = 0; rc == EX_OK && read < out->id_count; tries++) {
        size_t first = read;

        read = out->id_count;
        if (tries == TRIES_MAX)
            out->is_cut = true;
        else
            rc = read_once(&lines, first, out, p, err);
    }
    wb_log_source_close(&lines);
    return rc;
}
