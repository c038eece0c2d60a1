/* One error, to be shown to a person. */
#ifndef WB_BASE_ERR_H
#define WB_BASE_ERR_H

struct wb_err {
    char text[512]; /* NUL-terminated, one line, no CR or LF */
};

/* Fill *err (NULL is allowed) from format and return code, a sysexits value:
 *     return wb_err_set(err, EX_DATAERR, "no domain in \"%s\"", s);
 * Control characters that come in through the arguments become '?'. */
int wb_err_set(struct wb_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
