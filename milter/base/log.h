/* A daemon's log: syslog (mail facility), or stderr in the foreground and
 * until the background daemon is ready. */
#ifndef WB_MILTER_BASE_LOG_H
#define WB_MILTER_BASE_LOG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

/* Where lines go from now on. name: the program, for syslog; it is kept. Call
 * while there is one thread only. */
void wb_log_open(const char *name, bool to_syslog);

/* Have seen called with every line of this priority or worse, too; by the
 * thread that logs it. Call while there is one thread only. */
void wb_log_watch(int priority, void (*seen)(const char *line));

/* Write one line. priority: LOG_INFO and so on. What comes in through the
 * arguments must be trusted or built with struct wb_line. */
void wb_log(int priority, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One line under construction; what does not fit is cut off and "..." says
 * so. Zero it before use. */
struct wb_line {
    char text[4096];
    size_t used;
};

/* Append what is trusted. */
void wb_line_add_text(struct wb_line *line, const char *text);

/* The same, as printf makes it: many times as dear. */
void wb_line_add(struct wb_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append untrusted octets, at most max_octets of them; all but printable ASCII,
 * and '\\', '"', '<', '>', become \xHH. NULL is shown as "". A space is kept
 * only where is_quoted. */
void wb_line_add_untrusted(struct wb_line *line, const char *octets,
                           size_t max_octets, bool is_quoted);

/* Lines that are written together, as far as they fit: a system call for each
 * would cost more than what they tell of. used is 0 at first. */
struct wb_lines {
    char text[PIPE_BUF]; /* of which a write is whole, to a pipe as well */
    size_t used;
};

/* Log a line, at LOG_INFO: now, or with a later one, at the latest with
 * wb_lines_end. */
void wb_lines_add(struct wb_lines *lines, const struct wb_line *line);
void wb_lines_end(struct wb_lines *lines);

#endif
