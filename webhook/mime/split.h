/* Where the parts of a message are (RFC 2046, 5.1). */
#ifndef WB_MIME_SPLIT_H
#define WB_MIME_SPLIT_H

#include "base/err.h"
#include "webhook/mime/fields.h"
#include "webhook/mime/transfer.h"

enum wb_part_kind {
    WB_PART_PLAIN, /* shown in line: text/plain */
    WB_PART_HTML,  /* or text/html */
    WB_PART_ATTACHMENT,
};

/* A part that has no parts. Strings live in the pool. */
struct wb_part {
    enum wb_part_kind kind;
    const char *type;    /* "image/png", fit for a header field */
    const char *name;    /* UTF-8; NULL: it has none */
    const char *charset; /* as it says itself; NULL: it does not */
    enum wb_transfer transfer;
    uint64_t begin, end; /* its octets in the file */
};

struct wb_split {
    struct wb_fields fields; /* of the message */
    struct wb_part *parts;
    size_t count;
};

/* Find the parts of the message in the file, in their order, in one pass and
 * with memory that is bounded: 512 KiB of header and 2,000 fields; 1,000 parts,
 * and 16 KiB of header each; multiparts in 100 levels. Nothing that lies
 * beyond is lost: it is in a last attachment, which holds the rest of the
 * file, or the whole message.
 * Of a multipart only the parts are told: not the text before them, which is
 * for programs that know no MIME, but text behind them is. A multipart without
 * any part is a text.
 * Messages in messages are attachments, and not looked into.
 * out lives in p. Returns EX_OK, EX_IOERR or EX_OSERR with *err. */
int wb_split(int fd, struct wb_pool *p, struct wb_split *out,
             struct wb_err *err);

#endif
