#include "milter/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Set before the first thread starts and constant from then on. */
static bool uses_syslog;
static int watched;
static void (*watcher)(const char *line);

void wb_log_open(const char *name, bool to_syslog)
{
    /* libmilter calls syslog itself, so the name is always set. */
    openlog(name, LOG_PID | LOG_NDELAY, LOG_MAIL);
    uses_syslog = to_syslog;
}

/* One write a line, so that lines of several threads do not mix. */
__attribute__((format(printf, 1, 0))) static void
write_stderr(const char *format, va_list args)
{
    char line[sizeof(struct wb_line) + 64];
    int length = vsnprintf(line, sizeof line - 1, format, args);
    size_t count;

    if (length < 0)
        return;
    count = (size_t)length < sizeof line - 2 ? (size_t)length : sizeof line - 2;
    line[count++] = '\n';
    if (write(STDERR_FILENO, line, count) < 0)
        return; /* nobody is left to be told */
}

void wb_log_watch(int priority, void (*seen)(const char *line))
{
    watched = priority;
    watcher = seen;
}

__attribute__((format(printf, 1, 0))) static void show(const char *format,
                                                       va_list args)
{
    char line[sizeof(struct wb_line)];

    if (vsnprintf(line, sizeof line, format, args) >= 0)
        watcher(line);
}

void wb_log(int priority, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (uses_syslog)
        vsyslog(priority, format, args);
    else
        write_stderr(format, args);
    va_end(args);
    if (watcher == NULL || priority > watched)
        return;
    va_start(args, format);
    show(format, args);
    va_end(args);
}

/* The last octets of a full line say that it is cut. */
static void mark_cut(struct wb_line *line)
{
    memcpy(line->text + sizeof line->text - 4, "...", 4);
    line->used = sizeof line->text - 1;
}

void wb_line_add(struct wb_line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->used;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    if (length < 0)
        return;
    if ((size_t)length >= room)
        mark_cut(line);
    else
        line->used += (size_t)length;
}

static bool is_plain(char c, bool is_quoted)
{
    if (c == ' ')
        return is_quoted;
    return c > ' ' && c <= '~' && strchr("\\\"<>", c) == NULL;
}

void wb_line_add_untrusted(struct wb_line *line, const char *octets,
                           size_t max_octets, bool is_quoted)
{
    for (size_t i = 0; octets != NULL && i < max_octets && octets[i]; i++) {
        if (sizeof line->text - line->used <= 5) {
            mark_cut(line);
            return;
        }
        if (is_plain(octets[i], is_quoted)) {
            line->text[line->used++] = octets[i];
            line->text[line->used] = '\0';
        } else {
            wb_line_add(line, "\\x%02X", (unsigned)(unsigned char)octets[i]);
        }
    }
}
