#include "webhook/mime/lines.h"

#include <string.h>
#include <sysexits.h>

#include "webhook/spool.h"

void wb_lines_begin(struct wb_lines *l, int fd)
{
    l->fd = fd;
    l->offset = 0;
    l->at = 0;
    l->count = 0;
    l->is_within = false;
}

/* Move what is left to the front, and read behind it. */
static int fill(struct wb_lines *l, struct wb_err *err)
{
    ssize_t n;

    l->offset += l->at;
    l->count -= l->at;
    memmove(l->octets, l->octets + l->at, l->count);
    l->at = 0;
    n = wb_spool_file_read(l->fd, l->offset + l->count, l->octets + l->count,
                           sizeof l->octets - l->count, err);
    if (n < 0)
        return EX_IOERR;
    l->count += (size_t)n;
    return EX_OK;
}

int wb_lines_next(struct wb_lines *l, struct wb_line_piece *out,
                  struct wb_err *err)
{
    const char *lf = memchr(l->octets + l->at, '\n', l->count - l->at);

    if (lf == NULL) {
        if (fill(l, err) != EX_OK)
            return EX_IOERR;
        lf = memchr(l->octets, '\n', l->count);
    }
    out->octets = l->octets + l->at;
    out->count = lf != NULL ? (size_t)(lf - out->octets) + 1 : l->count - l->at;
    /* a CR LF stays together */
    if (lf == NULL && out->count == sizeof l->octets &&
        out->octets[out->count - 1] == '\r')
        out->count--;
    out->offset = l->offset + l->at;
    out->is_start = !l->is_within;
    out->is_end = lf != NULL;
    l->at += out->count;
    l->is_within = !out->is_end;
    return EX_OK;
}
