/* The formats of payloads, each in a file of its own. */
#ifndef WB_FORMAT_FORMAT_H
#define WB_FORMAT_FORMAT_H

#include "webhook/format/form.h"
#include "webhook/mime/mime.h"
#include "webhook/payload.h"

/* All return EX_OK, or EX_IOERR or EX_OSERR with *err. */

/* Customers Mail Cloud's Inbound webhook. A JSON body tells how many
 * attachments there are, and leaves them out. */
int wb_format_cmc(struct wb_form *f, const struct wb_payload_facts *facts,
                  const struct wb_mime *m, struct wb_err *err);

/* What Mailgun's routes post; always a multipart body. */
int wb_format_mailgun(struct wb_form *f, const struct wb_payload_facts *facts,
                      const struct wb_mime *m, struct wb_err *err);

/* ---- what both do ------------------------------------------------------- */

/* A header field's text. */
int wb_format_header(struct wb_form *f, const char *name,
                     const struct wb_mime *m, const char *header,
                     struct wb_err *err);

/* All header fields, as a JSON array of {"name": ..., "value": ...} or of
 * pairs. */
enum wb_row { WB_ROW_OBJECT, WB_ROW_PAIR };
int wb_format_headers(struct wb_form *f, const char *name,
                      const struct wb_mime *m, enum wb_row row,
                      struct wb_err *err);

/* The body of a kind; nothing where the message has none. */
int wb_format_body(struct wb_form *f, const char *name, const struct wb_mime *m,
                   enum wb_part_kind kind, struct wb_err *err);

/* All attachments, as files PREFIX1, PREFIX2 ... */
int wb_format_attachments(struct wb_form *f, const char *prefix,
                          const struct wb_mime *m, struct wb_err *err);

#endif
