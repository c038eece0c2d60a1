/* The trail that a message has left in the mail log: what waybill-milter
 * decided on it, and where the MTA then delivered it. */
#ifndef WB_TRAIL_TRAIL_H
#define WB_TRAIL_TRAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

enum {
    WB_TRAIL_IDS_MAX = 1000,    /* messages that one became */
    WB_TRAIL_LINES_MAX = 20000, /* in all; what is more is left out */
};

struct wb_trail_field {
    const char *key, *value; /* the value without "<>" or quotation marks */
};

struct wb_trail_line {
    const char *queue_id;
    const char *logged; /* the time, and the host, as the log has them */
    bool is_decision;   /* of waybill-milter's; else a delivery of the MTA's */
    const char *text;   /* behind the queue id */
    struct wb_trail_field *fields; /* of a decision */
    size_t field_count;
};

struct wb_trail {
    struct wb_trail_line *lines;
    size_t count;
    const char **ids; /* the one that was asked for, and what it became */
    size_t id_count;
    bool is_cut; /* a bound was met */
};

/* Is it a queue id? Letters and digits, up to 32 of them. */
bool wb_trail_is_id(const char *text);

/* Follow the message id in log: a file, "-" for the standard input, a file of
 * systemd-journald's (journalctl reads it), or NULL: /var/log/mail.log, and
 * where there is none, the journal. *source is its name. All lives in p; the
 * program ends when out of memory.
 * Returns EX_OK, a trail that is empty included, EX_NOINPUT or EX_UNAVAILABLE
 * with *err. */
int wb_trail_read(const char *log, const char *id, struct wb_pool *p,
                  struct wb_trail *out, const char **source,
                  struct wb_err *err);

/* The value of a field, or NULL. */
const char *wb_trail_field(const struct wb_trail_line *line, const char *key);

/* text, in which the label of a suffix, which is not for everybody, is
 * "LABEL". */
const char *wb_trail_hide(struct wb_pool *p, const char *text);

#endif
