/* Header fields (RFC 5322, 2.2) of a message, of a part, or of a report. */
#ifndef WB_MIME_FIELDS_H
#define WB_MIME_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"

struct wb_field {
    const char *name;
    const char *value; /* as it came: folded, encoded, in any charset */
};

struct wb_fields {
    struct wb_field *items;
    size_t count;
};

/* Does a line begin like a field: "Name:", with or without white space before
 * the colon (RFC 5322, 4.5)? */
bool wb_field_begins(const char *line, size_t octets);

/* Take text apart, up to the first line that is none of a field, or to the
 * most-th field. Octets of NUL are dropped. *used: where it ended, the empty
 * line behind included.
 * Returns EX_OK or EX_OSERR. out lives in p. */
int wb_fields_read(struct wb_pool *p, const char *text, size_t octets,
                   size_t most, struct wb_fields *out, size_t *used);

/* The value of the first one of that name, case ignored; NULL: none. */
const char *wb_fields_get(const struct wb_fields *fields, const char *name);

/* A value as a person reads it: UTF-8 whatever came, unfolded, encoded words
 * decoded, without CR, LF and NUL. Lives in p; NULL: no memory. */
const char *wb_field_text(struct wb_pool *p, const char *value);

#endif
