/* Bodies of requests: multipart/form-data (RFC 7578) or a JSON object, written
 * to a file as they grow. All text is UTF-8. */
#ifndef WB_FORMAT_FORM_H
#define WB_FORMAT_FORM_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "webhook/mime/sink.h"

struct wb_form {
    FILE *out;
    bool is_json;
    bool is_first;     /* of the fields of an object */
    char boundary[40]; /* of a multipart body */
};

/* Begin a body at the start of fd, which stays the caller's. wb_form_close is
 * due. *content_type lives in p. Returns EX_OK, EX_IOERR or EX_OSERR. */
int wb_form_open(struct wb_form *f, int fd, bool is_json, struct wb_pool *p,
                 const char **content_type, struct wb_err *err);

void wb_form_text(struct wb_form *f, const char *name, const char *value);
void wb_form_number(struct wb_form *f, const char *name, size_t value);

/* A text that comes piece by piece: put it to the sink, then end it. */
struct wb_sink wb_form_begin_text(struct wb_form *f, const char *name);
void wb_form_end_text(struct wb_form *f);

/* A value that is JSON, which the caller writes to f->out in between: an
 * object holds it as it is, a multipart body as a text. */
void wb_form_begin_json(struct wb_form *f, const char *name);
void wb_form_end_json(struct wb_form *f);

/* A file of a multipart body: put its octets to the sink, then end it. */
struct wb_sink wb_form_begin_file(struct wb_form *f, const char *name,
                                  const char *file_name, const char *type);
void wb_form_end_file(struct wb_form *f);

/* Complete the body. Returns EX_OK, or EX_IOERR with *err when anything could
 * not be written. */
int wb_form_close(struct wb_form *f, struct wb_err *err);

#endif
