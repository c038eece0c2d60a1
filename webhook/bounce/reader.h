/* What the readers of reports share. */
#ifndef WB_BOUNCE_READER_H
#define WB_BOUNCE_READER_H

#include "webhook/bounce/bounce.h"

struct wb_bounce_reader {
    const struct wb_mime *m;
    struct wb_pool *p;
    struct wb_bounce_report *out;
    struct wb_err *err;
};

/* All of these return EX_OK, EX_IOERR or EX_OSERR with *err. */

/* dsn.c: reports of a defined form. Nothing is changed where there is none. */
int wb_bounce_read_dsn(struct wb_bounce_reader *r);       /* RFC 3464 */
int wb_bounce_read_complaint(struct wb_bounce_reader *r); /* RFC 5965 */
int wb_bounce_read_returned(struct wb_bounce_reader *r);  /* the original */

/* The groups of fields of a delivery status. */
int wb_bounce_read_status(struct wb_bounce_reader *r, const char *text);

/* text.c: a report that is for people; the caller has made sure that no person
 * sent it. */
int wb_bounce_read_text(struct wb_bounce_reader *r);

/* ---- tools -------------------------------------------------------------- */

/* Another item, all of it unknown. NULL: no memory, or there are too many;
 * *rc tells. */
struct wb_bounce *wb_bounce_add(struct wb_bounce_reader *r, int *rc);

/* An address as "a@b", of "<a@b>", "rfc822; a@b" (RFC 3464, 2.1.2) or "a@b",
 * without a suffix of waybill; "" when there is none. NULL: no memory. */
const char *wb_bounce_address(struct wb_pool *p, const char *text);

/* Text on one line, white space folded to blanks, at most 1,000 octets of
 * UTF-8. NULL: no memory. */
const char *wb_bounce_line(struct wb_pool *p, const char *text);

/* Take over what a header of the original says. */
int wb_bounce_take_original(struct wb_bounce_reader *r,
                            const struct wb_fields *fields);

/* The beginning of a part, or of the text that people read, in UTF-8 as far as
 * it says so. *text is "" where there is none. */
int wb_bounce_read_part(struct wb_bounce_reader *r, const struct wb_part *part,
                        char **text);
int wb_bounce_read_body(struct wb_bounce_reader *r, char **text);

int wb_bounce_no_memory(struct wb_err *err);

#endif
