#include "webhook/mime/split.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "webhook/mime/lines.h"
#include "webhook/mime/parameters.h"

enum {
    MOST_PARTS = 1000,
    MOST_LEVELS = 100, /* as Postfix has it (mime_nesting_limit) */
    MOST_FIELDS = 2000,
    HEADER_MAX_OCTETS = 512 * 1024,
    PART_HEADER_MAX_OCTETS = 16 * 1024,
    FIRST_PARTS = 16,
    BOUNDARY_MAX_OCTETS = 200, /* RFC 2046, 5.1.1, says 70 */
};

/* A multipart that is open. */
struct level {
    char boundary[BOUNDARY_MAX_OCTETS + 1];
    size_t boundary_octets;
    const char *child_type; /* of a part that does not say it */
    enum wb_transfer transfer;
    uint64_t begin; /* of its body */
    bool has_parts;
    bool is_closed; /* its last delimiter was there */
    uint64_t after; /* where what lies behind that begins, */
    bool has_after; /* and is there more than white space? */
};

enum place { IN_HEADER, IN_LEAF, BETWEEN /* before or behind the parts */ };

struct splitter {
    struct wb_pool *p, *scratch;
    struct wb_split *out;
    struct wb_err *err;
    struct wb_lines lines;
    size_t parts_room;
    struct level *levels;
    size_t depth;
    enum place place;
    bool is_full;
    /* the part that is being read */
    bool is_message; /* it is the whole message */
    bool is_header_too_large;
    const char *default_type;
    uint64_t begin;
    char *header;
    size_t header_octets, header_room;
    struct wb_part leaf;
};

static int out_of_memory(struct splitter *s)
{
    return wb_err_set(s->err, EX_OSERR, "out of memory");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- the list ----------------------------------------------------------- */

static int add(struct splitter *s, const struct wb_part *part)
{
    struct wb_split *out = s->out;

    if (out->count == s->parts_room) {
        size_t room = s->parts_room > 0 ? 2 * s->parts_room : FIRST_PARTS;
        struct wb_part *more = wb_pool_array(s->p, room, sizeof *more);

        if (more == NULL)
            return out_of_memory(s);
        if (out->count > 0)
            memcpy(more, out->parts, out->count * sizeof *more);
        out->parts = more;
        s->parts_room = room;
    }
    out->parts[out->count++] = *part;
    return EX_OK;
}

/* As they came. */
static int add_octets(struct splitter *s, const char *type, const char *name,
                      uint64_t begin, uint64_t end)
{
    const struct wb_part part = {.kind = WB_PART_ATTACHMENT,
                                 .type = type,
                                 .name = name,
                                 .begin = begin,
                                 .end = end};

    return add(s, &part);
}

/* ---- what a part is ----------------------------------------------------- */

static bool is_token(const char *s, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        if (s[i] <= ' ' || s[i] > '~' || strchr("()<>@,;:\\\"/[]?=", s[i]))
            return false;
    return octets > 0;
}

static bool is_type(const char *s)
{
    size_t octets = strcspn(s, "/");

    return is_token(s, octets) && s[octets] == '/' &&
           is_token(s + octets + 1, strlen(s + octets + 1));
}

/* Receivers make files of it: no folders, no control characters. */
static const char *safe_name(struct wb_pool *p, const char *name)
{
    char *safe = wb_pool_strdup(p, name);

    for (char *c = safe; c != NULL && *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\')
            *c = '_';
    if (safe != NULL && (strcmp(safe, ".") == 0 || strcmp(safe, "..") == 0))
        memset(safe, '_', strlen(safe));
    return safe;
}

static enum wb_part_kind kind_of(const char *type, const char *disposition,
                                 const char *name)
{
    if (name != NULL || strcmp(disposition, "attachment") == 0)
        return WB_PART_ATTACHMENT;
    if (strcmp(type, "text/plain") == 0)
        return WB_PART_PLAIN;
    return strcmp(type, "text/html") == 0 ? WB_PART_HTML : WB_PART_ATTACHMENT;
}

static const char *get(const struct wb_fields *fields, const char *name)
{
    const char *value = wb_fields_get(fields, name);

    return value != NULL ? value : "";
}

/* What the header says. Lives in scratch. */
struct content {
    struct wb_parameters type, disposition, transfer;
    const char *type_name;
    const char *boundary, *charset, *name;
};

static int read_content(struct splitter *s, const struct wb_fields *fields,
                        struct content *c)
{
    struct wb_pool *p = s->scratch;
    int rc = wb_parameters_read(p, get(fields, "Content-Type"), &c->type);

    if (rc == EX_OK)
        rc = wb_parameters_read(p, get(fields, "Content-Disposition"),
                                &c->disposition);
    if (rc == EX_OK)
        rc = wb_parameters_read(p, get(fields, "Content-Transfer-Encoding"),
                                &c->transfer);
    if (rc == EX_OK)
        rc = wb_parameters_get(p, &c->type, "boundary", &c->boundary);
    if (rc == EX_OK)
        rc = wb_parameters_get(p, &c->type, "charset", &c->charset);
    if (rc == EX_OK)
        rc = wb_parameters_get(p, &c->disposition, "filename", &c->name);
    if (rc == EX_OK && (c->name == NULL || *c->name == '\0'))
        rc = wb_parameters_get(p, &c->type, "name", &c->name);
    if (c->name != NULL && *c->name == '\0')
        c->name = NULL;
    c->type_name = is_type(c->type.word)   ? c->type.word
                   : *c->type.word != '\0' ? "text/plain" /* RFC 2045, 5.2 */
                                           : s->default_type;
    return rc;
}

/* Octets of its boundary without blanks at the end, where delimiters have
 * none that count; 0: there is no boundary. */
static size_t boundary_octets(const struct content *c)
{
    size_t n = c->boundary != NULL ? strlen(c->boundary) : 0;

    while (n > 0 && is_space(c->boundary[n - 1]))
        n--;
    return n;
}

/* A multipart that can be taken apart? */
static bool is_multipart(const struct splitter *s, const struct content *c)
{
    size_t n = boundary_octets(c);

    return strncmp(c->type_name, "multipart/", 10) == 0 &&
           s->depth < MOST_LEVELS && n > 0 && n <= BOUNDARY_MAX_OCTETS;
}

static void open_level(struct splitter *s, const struct content *c,
                       uint64_t begin)
{
    struct level *l = &s->levels[s->depth++];

    *l = (struct level){.boundary_octets = boundary_octets(c),
                        .child_type =
                            strcmp(c->type_name, "multipart/digest") == 0
                                ? "message/rfc822"
                                : "text/plain",
                        .transfer = wb_transfer_find(c->transfer.word),
                        .begin = begin};
    memcpy(l->boundary, c->boundary, l->boundary_octets);
    s->place = BETWEEN;
}

static const char *keep(struct splitter *s, const char *text)
{
    return text != NULL ? wb_pool_strdup(s->p, text) : NULL;
}

static int open_leaf(struct splitter *s, const struct content *c,
                     uint64_t begin)
{
    const char *type = strncmp(c->type_name, "multipart/", 10) != 0
                           ? c->type_name
                       : s->depth < MOST_LEVELS
                           ? "text/plain" /* no boundary: what can be read */
                           : "application/octet-stream";

    s->leaf = (struct wb_part){
        .kind = kind_of(type, c->disposition.word, c->name),
        .type = keep(s, type),
        .name = c->name != NULL ? safe_name(s->p, c->name) : NULL,
        .charset = keep(s, c->charset),
        .transfer = wb_transfer_find(c->transfer.word),
        .begin = begin};
    s->place = IN_LEAF;
    if (s->leaf.type == NULL || (c->name != NULL && s->leaf.name == NULL) ||
        (c->charset != NULL && s->leaf.charset == NULL))
        return out_of_memory(s);
    return EX_OK;
}

/* ---- a part's header ---------------------------------------------------- */

static int gather(struct splitter *s, const struct wb_line_piece *piece)
{
    size_t most = s->is_message ? HEADER_MAX_OCTETS : PART_HEADER_MAX_OCTETS;

    s->is_header_too_large |= s->header_octets + piece->count > most;
    if (s->is_header_too_large)
        return EX_OK;
    if (s->header_octets + piece->count > s->header_room) {
        size_t room = 2 * (s->header_room + piece->count);
        char *more = realloc(s->header, room);

        if (more == NULL)
            return out_of_memory(s);
        s->header = more;
        s->header_room = room;
    }
    memcpy(s->header + s->header_octets, piece->octets, piece->count);
    s->header_octets += piece->count;
    return EX_OK;
}

/* The header is complete; the body begins here. */
static int end_header(struct splitter *s, uint64_t begin)
{
    struct wb_pool *p = s->is_message ? s->p : s->scratch;
    struct wb_fields fields;
    struct content c = {0};
    size_t used;
    int rc;

    wb_pool_reset(s->scratch);
    rc = wb_fields_read(p, s->header, s->header_octets, MOST_FIELDS, &fields,
                        &used);
    if (s->is_message) {
        s->out->fields = fields;
        s->is_header_too_large |= used < s->header_octets;
    }
    if (rc == EX_OK && !s->is_header_too_large)
        rc = read_content(s, &fields, &c);
    if (rc != EX_OK)
        return out_of_memory(s);
    if (s->is_header_too_large) {
        s->leaf =
            (struct wb_part){.kind = WB_PART_ATTACHMENT,
                             .type = s->is_message ? "message/rfc822"
                                                   : "application/octet-stream",
                             .name = s->is_message ? "message.eml" : NULL,
                             .begin = s->begin};
        s->place = IN_LEAF;
        return EX_OK;
    }
    if (is_multipart(s, &c)) {
        open_level(s, &c, begin);
        return EX_OK;
    }
    return open_leaf(s, &c, begin);
}

static bool is_blank(const struct wb_line_piece *piece)
{
    return piece->is_start && (piece->octets[0] == '\n' ||
                               (piece->count == 2 && piece->octets[0] == '\r' &&
                                piece->octets[1] == '\n'));
}

/* "From someone Mon ...", as mailbox files have it. */
static bool is_mbox_line(const struct splitter *s,
                         const struct wb_line_piece *piece)
{
    return s->is_message && piece->offset == 0 && piece->count > 5 &&
           memcmp(piece->octets, "From ", 5) == 0;
}

static int take_header(struct splitter *s, const struct wb_line_piece *piece)
{
    char first = piece->octets[0];
    bool continues = !piece->is_start ||
                     (s->header_octets > 0 && (first == ' ' || first == '\t'));

    if (is_blank(piece))
        return end_header(s, piece->offset + piece->count);
    if (is_mbox_line(s, piece))
        return EX_OK;
    if (continues || wb_field_begins(piece->octets, piece->count))
        return gather(s, piece);
    return end_header(s, piece->offset); /* the empty line is missing */
}

/* ---- levels ------------------------------------------------------------- */

static void begin_part(struct splitter *s, uint64_t begin, const char *type)
{
    s->place = IN_HEADER;
    s->is_message = false;
    s->is_header_too_large = false;
    s->default_type = type;
    s->begin = begin;
    s->header_octets = 0;
}

static int end_part(struct splitter *s, uint64_t end)
{
    int rc = EX_OK;

    if (s->place == IN_HEADER && (s->header_octets > 0 || s->is_message)) {
        rc = end_header(s, end);
        if (s->place == BETWEEN) /* a multipart that is only a header */
            s->depth--;
    }
    if (rc == EX_OK && s->place == IN_LEAF) {
        s->leaf.end = end > s->leaf.begin ? end : s->leaf.begin;
        rc = add(s, &s->leaf);
    }
    s->place = BETWEEN;
    return rc;
}

static int close_level(struct splitter *s, uint64_t end)
{
    struct level *l = &s->levels[--s->depth];
    struct wb_part text = {.kind = WB_PART_PLAIN,
                           .type = "text/plain",
                           .transfer = l->transfer,
                           .begin = l->begin,
                           .end = end > l->begin ? end : l->begin};

    if (!l->has_parts)
        return add(s, &text);
    if (!l->has_after)
        return EX_OK;
    return add_octets(s, "text/plain", NULL, l->after, end);
}

/* The level that a line is a delimiter of, or -1:
 *
 *     delimiter       = "--" boundary
 *     close-delimiter = delimiter "--"
 *
 * and white space behind either. */
static int match(const struct splitter *s, const struct wb_line_piece *piece,
                 bool *is_last)
{
    const char *line = piece->octets + 2;
    size_t octets = piece->count;

    if (!piece->is_start || octets < 3 || memcmp(piece->octets, "--", 2) != 0)
        return -1;
    while (octets > 2 && is_space(piece->octets[octets - 1]))
        octets--;
    octets -= 2;
    for (size_t i = s->depth; i-- > 0;) {
        const struct level *l = &s->levels[i];
        size_t n = l->boundary_octets;

        if (l->is_closed || octets < n || memcmp(line, l->boundary, n) != 0)
            continue;
        *is_last = octets == n + 2 && memcmp(line + n, "--", 2) == 0;
        if (octets == n || *is_last)
            return (int)i;
    }
    return -1;
}

static int take_delimiter(struct splitter *s, size_t level, bool is_last,
                          const struct wb_line_piece *piece, uint64_t end)
{
    struct level *l = &s->levels[level];
    int rc = end_part(s, end);

    while (rc == EX_OK && s->depth > level + 1)
        rc = close_level(s, end);
    if (is_last) {
        l->is_closed = true;
        l->after = piece->offset + piece->count;
    } else {
        l->has_parts = true;
        begin_part(s, piece->offset + piece->count, l->child_type);
    }
    return rc;
}

static void look_behind(struct splitter *s, const struct wb_line_piece *piece)
{
    struct level *l = s->depth > 0 ? &s->levels[s->depth - 1] : NULL;

    for (size_t i = 0; l && l->is_closed && i < piece->count; i++)
        l->has_after |= !is_space(piece->octets[i]);
}

/* ---- all of it ---------------------------------------------------------- */

static size_t end_octets(const struct wb_line_piece *piece)
{
    if (!piece->is_end)
        return 0;
    return piece->count > 1 && piece->octets[piece->count - 2] == '\r' ? 2 : 1;
}

static int end_all(struct splitter *s, uint64_t end)
{
    int rc = end_part(s, end);

    while (rc == EX_OK && s->depth > 0)
        rc = close_level(s, end);
    return rc;
}

/* There are too many parts: the rest is one. */
static int take_rest(struct splitter *s, uint64_t begin)
{
    struct stat st;

    if (fstat(s->lines.fd, &st) != 0)
        return wb_err_set(s->err, EX_IOERR, "the message cannot be examined");
    s->is_full = true;
    return add_octets(s, "application/octet-stream", "rest-of-message", begin,
                      (uint64_t)st.st_size);
}

/* line_end: octets of the line end before piece, which belong to it if it is a
 * delimiter. */
static int take(struct splitter *s, const struct wb_line_piece *piece,
                size_t line_end)
{
    bool is_last;
    int level = match(s, piece, &is_last), rc;

    if (level >= 0) {
        rc = take_delimiter(s, (size_t)level, is_last, piece,
                            piece->offset - line_end);
        if (rc == EX_OK && !is_last && s->out->count >= MOST_PARTS - 1)
            rc = take_rest(s, piece->offset);
        return rc;
    }
    if (s->place == IN_HEADER)
        return take_header(s, piece);
    if (s->place == BETWEEN)
        look_behind(s, piece);
    return EX_OK;
}

static int run(struct splitter *s)
{
    struct wb_line_piece piece;
    size_t line_end = 0;
    int rc;

    while ((rc = wb_lines_next(&s->lines, &piece, s->err)) == EX_OK &&
           piece.count > 0) {
        rc = take(s, &piece, line_end);
        if (rc != EX_OK || s->is_full)
            return rc;
        line_end = end_octets(&piece);
    }
    return rc == EX_OK ? end_all(s, piece.offset) : rc;
}

int wb_split(int fd, struct wb_pool *p, struct wb_split *out,
             struct wb_err *err)
{
    struct splitter s = {.p = p,
                         .scratch = wb_pool_new(0),
                         .out = out,
                         .err = err,
                         .levels = calloc(MOST_LEVELS, sizeof *s.levels),
                         .place = IN_HEADER,
                         .is_message = true,
                         .default_type = "text/plain"};
    int rc;

    *out = (struct wb_split){.count = 0};
    wb_lines_begin(&s.lines, fd);
    rc = s.scratch != NULL && s.levels != NULL ? run(&s) : out_of_memory(&s);
    wb_pool_free(s.scratch);
    free(s.levels);
    free(s.header);
    return rc;
}
