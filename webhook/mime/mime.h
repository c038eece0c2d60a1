/* A message as MIME (RFC 2045 to 2049), read from a file. Its parts stay
 * there: however large it is, only headers are held in memory, and not more of
 * them than split.h says.
 * Nothing that a message holds is an error. What has no header is a text; what
 * cannot be decoded is given as it came. */
#ifndef WB_MIME_MIME_H
#define WB_MIME_MIME_H

#include "webhook/mime/split.h"

struct wb_mime;

/* Read the message in fd, a regular file that stays the caller's and must stay
 * open. The caller frees *out, which is NULL unless EX_OK is returned.
 * Returns EX_OK, EX_IOERR or EX_OSERR with *err. */
int wb_mime_open(int fd, struct wb_mime **out, struct wb_err *err);
void wb_mime_free(struct wb_mime *m); /* NULL is allowed */

/* Header fields in the order of the message; values are raw, see
 * wb_field_text. */
const struct wb_fields *wb_mime_fields(const struct wb_mime *m);

/* The text of the first field of that name, "" where there is none. Lives as
 * long as m; NULL: no memory. */
const char *wb_mime_text(const struct wb_mime *m, const char *name);

/* What a person reads: the parts text/plain and text/html that are shown in
 * line. */
bool wb_mime_has_body(const struct wb_mime *m, enum wb_part_kind kind);

/* Put it to out in UTF-8, with line ends LF; several of a kind one after
 * another. What is no character of its charset becomes U+FFFD.
 * Returns EX_OK, EX_IOERR or EX_OSERR with *err, or what out returned. */
int wb_mime_read_body(const struct wb_mime *m, enum wb_part_kind kind,
                      const struct wb_sink *out, struct wb_err *err);

/* Every other part; and of those that are bodies each whose charset had to be
 * guessed or does not hold, so that nothing is lost. */
size_t wb_mime_attachment_count(const struct wb_mime *m);
const struct wb_part *wb_mime_attachment(const struct wb_mime *m, size_t i);

/* Put a part's octets to out, its transfer encoding undone. What cannot have
 * been encoded so is put as it came.
 * Returns EX_OK, EX_IOERR or EX_OSERR with *err, or what out returned. */
int wb_mime_read_part(const struct wb_mime *m, const struct wb_part *part,
                      const struct wb_sink *out, struct wb_err *err);

#endif
