#include "webhook/mime/mime.h"

#include <stdlib.h>
#include <sysexits.h>

#include "webhook/mime/text.h"
#include "webhook/spool.h"

enum { CHUNK_OCTETS = 16384 };

struct wb_mime {
    int fd;
    struct wb_pool *p;
    struct wb_split split;
    struct wb_text_way *ways;           /* of each part that is a body */
    const struct wb_part **attachments; /* parts of split */
    size_t attachment_count;
};

static int out_of_memory(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "out of memory");
}

/* ---- octets ------------------------------------------------------------- */

static int put_transfer(void *to, const char *octets, size_t count)
{
    return wb_transfer_put(to, octets, count);
}

static int read_octets(int fd, const struct wb_part *part,
                       const struct wb_sink *out, struct wb_err *err)
{
    char chunk[CHUNK_OCTETS];
    uint64_t at = part->begin;
    int rc = EX_OK;

    while (rc == EX_OK && at < part->end) {
        uint64_t left = part->end - at;
        ssize_t n = wb_spool_file_read(
            fd, at, chunk, left < sizeof chunk ? left : sizeof chunk, err);

        if (n < 0)
            return EX_IOERR;
        if (n == 0)
            return wb_err_set(err, EX_IOERR, "the message became shorter");
        rc = wb_sink_put(out, chunk, (size_t)n);
        at += (uint64_t)n;
    }
    return rc;
}

static int decode(int fd, const struct wb_part *part, struct wb_sink out,
                  bool *is_wrong, struct wb_err *err)
{
    struct wb_transfer_state t;
    const struct wb_sink through = {put_transfer, &t};
    int rc;

    wb_transfer_begin(&t, part->transfer, out);
    rc = read_octets(fd, part, &through, err);
    if (rc == EX_OK)
        rc = wb_transfer_end(&t);
    *is_wrong = t.is_wrong;
    return rc;
}

/* A part that is not what it says it is encoded as: as it came. */
static int check_transfer(struct wb_mime *m, struct wb_part *part,
                          struct wb_err *err)
{
    bool is_wrong;
    int rc;

    if (part->transfer != WB_TRANSFER_BASE64)
        return EX_OK;
    rc = decode(m->fd, part, wb_sink_nowhere, &is_wrong, err);
    if (is_wrong)
        part->transfer = WB_TRANSFER_NONE;
    return rc;
}

int wb_mime_read_part(const struct wb_mime *m, const struct wb_part *part,
                      const struct wb_sink *out, struct wb_err *err)
{
    bool is_wrong;

    return decode(m->fd, part, *out, &is_wrong, err);
}

/* ---- bodies ------------------------------------------------------------- */

struct body {
    const struct wb_mime *m;
    const struct wb_part *part;
    struct wb_err *err;
};

static int read_body(const void *from, const struct wb_sink *to)
{
    const struct body *b = from;

    return wb_mime_read_part(b->m, b->part, to, b->err);
}

static int choose_way(struct wb_mime *m, size_t i, struct wb_err *err)
{
    const struct wb_part *part = &m->split.parts[i];
    const struct body body = {m, part, err};
    const struct wb_text_source source = {read_body, &body};

    int rc = wb_text_choose(part->charset, &source, &m->ways[i]);

    return rc == EX_OSERR ? out_of_memory(err) : rc;
}

bool wb_mime_has_body(const struct wb_mime *m, enum wb_part_kind kind)
{
    for (size_t i = 0; i < m->split.count; i++)
        if (m->split.parts[i].kind == kind)
            return true;
    return false;
}

/* Two texts must not share a line. */
struct lines {
    const struct wb_sink *out;
    bool is_within;
};

static int put_lines(void *to, const char *octets, size_t count)
{
    struct lines *l = to;

    if (count > 0)
        l->is_within = octets[count - 1] != '\n';
    return wb_sink_put(l->out, octets, count);
}

static int put_text(void *to, const char *octets, size_t count)
{
    return wb_text_put(to, octets, count);
}

static int read_text(const struct wb_mime *m, size_t i, struct wb_sink out,
                     struct wb_err *err)
{
    struct wb_text t;
    const struct wb_sink through = {put_text, &t};
    int rc = wb_text_begin(&t, &m->ways[i], out);

    if (rc == EX_OK)
        rc = wb_mime_read_part(m, &m->split.parts[i], &through, err);
    if (rc == EX_OK)
        rc = wb_text_end(&t);
    wb_text_free(&t);
    /* the way was found good before */
    return rc == EX_DATAERR ? wb_err_set(err, EX_OSERR, "a converter is gone")
                            : rc;
}

int wb_mime_read_body(const struct wb_mime *m, enum wb_part_kind kind,
                      const struct wb_sink *out, struct wb_err *err)
{
    struct lines lines = {.out = out};
    const struct wb_sink through = {put_lines, &lines};
    int rc = EX_OK;

    for (size_t i = 0; i < m->split.count && rc == EX_OK; i++) {
        if (m->split.parts[i].kind != kind)
            continue;
        if (lines.is_within)
            rc = wb_sink_put(out, "\n", 1);
        if (rc == EX_OK)
            rc = read_text(m, i, through, err);
    }
    return rc;
}

/* ---- all of it ---------------------------------------------------------- */

static int sort_parts(struct wb_mime *m, struct wb_err *err)
{
    size_t count = m->split.count;

    m->ways = wb_pool_array(m->p, count, sizeof *m->ways);
    m->attachments = wb_pool_array(m->p, count, sizeof *m->attachments);
    if (m->ways == NULL || m->attachments == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct wb_part *part = &m->split.parts[i];
        bool is_body = part->kind != WB_PART_ATTACHMENT;
        int rc = check_transfer(m, part, err);

        if (rc == EX_OK && is_body)
            rc = choose_way(m, i, err);
        if (rc != EX_OK)
            return rc;
        if (!is_body || !m->ways[i].is_certain)
            m->attachments[m->attachment_count++] = part;
    }
    return EX_OK;
}

int wb_mime_open(int fd, struct wb_mime **out, struct wb_err *err)
{
    struct wb_mime *m = calloc(1, sizeof *m);
    int rc = EX_OSERR;

    *out = NULL;
    if (m == NULL)
        return out_of_memory(err);
    m->fd = fd;
    m->p = wb_pool_new(0);
    if (m->p == NULL)
        rc = out_of_memory(err);
    else
        rc = wb_split(fd, m->p, &m->split, err);
    if (rc == EX_OK)
        rc = sort_parts(m, err);
    if (rc == EX_OK)
        *out = m;
    else
        wb_mime_free(m);
    return rc;
}

void wb_mime_free(struct wb_mime *m)
{
    if (m == NULL)
        return;
    wb_pool_free(m->p);
    free(m);
}

const struct wb_fields *wb_mime_fields(const struct wb_mime *m)
{
    return &m->split.fields;
}

const char *wb_mime_text(const struct wb_mime *m, const char *name)
{
    const char *value = wb_fields_get(&m->split.fields, name);

    return value != NULL ? wb_field_text(m->p, value) : "";
}

size_t wb_mime_attachment_count(const struct wb_mime *m)
{
    return m->attachment_count;
}

const struct wb_part *wb_mime_attachment(const struct wb_mime *m, size_t i)
{
    return m->attachments[i];
}
