/* The values of Content-Type (RFC 2045, 5.1) and Content-Disposition
 * (RFC 2183): "text/plain; charset=utf-8", "attachment; filename=a.pdf". */
#ifndef WB_MIME_PARAMETERS_H
#define WB_MIME_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"

struct wb_parameter {
    const char *name;  /* lower case, without what RFC 2231 appends to it */
    int section;       /* of several, from 0; -1: it is whole */
    bool is_extended;  /* "charset'language'text", with %XX */
    const char *value; /* raw, without quotes */
};

struct wb_parameters {
    const char *word; /* before them, lower case: "text/plain"; may be "" */
    struct wb_parameter *items;
    size_t count;
};

/* Take value apart; what has no form is skipped.
 * Returns EX_OK or EX_OSERR. out lives in p. */
int wb_parameters_read(struct wb_pool *p, const char *value,
                       struct wb_parameters *out);

/* A parameter's text in UTF-8: sections joined, decoded (RFC 2231, and encoded
 * words of RFC 2047, which must not stand here and do).
 * *out lives in p, or is NULL: there is none. Returns EX_OK or EX_OSERR. */
int wb_parameters_get(struct wb_pool *p, const struct wb_parameters *all,
                      const char *name, const char **out);

#endif
