/* A message in a file, as the milter would see it. */
#ifndef WB_TOOL_MESSAGE_FILE_H
#define WB_TOOL_MESSAGE_FILE_H

#include "mail/envelope.h"

enum {
    WB_FILE_HEADERS_MAX = 10000,
    WB_FILE_HEADER_OCTETS_MAX = 4 * 1024 * 1024, /* of all fields together */
};

/* Read the header fields of path ("-": the standard input) to env->headers, in
 * p, and the message's size, in which each end of line has two octets, to
 * env->octets. A first line "From ..." (mbox) does not count. *sender is what
 * Return-Path has, with its "<>"; NULL: there is none.
 * Returns EX_OK, EX_NOINPUT, EX_DATAERR (no header, or too much of it) or
 * EX_OSERR with *err. */
int wb_message_file_read(const char *path, struct wb_pool *p,
                         struct wb_envelope *env, const char **sender,
                         struct wb_err *err);

#endif
