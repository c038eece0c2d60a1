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

static void write_whole(const char *octets, size_t count)
{
    if (write(STDERR_FILENO, octets, count) < 0)
        return; /* nobody is left to be told */
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
    write_whole(line, count);
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

/* False: they did not fit, and the line is cut. */
static bool add_octets(struct wb_line *line, const char *octets, size_t count)
{
    size_t room = sizeof line->text - line->used - 1;
    size_t taken = count < room ? count : room;

    memcpy(line->text + line->used, octets, taken);
    line->used += taken;
    line->text[line->used] = '\0';
    if (taken < count)
        mark_cut(line);
    return taken == count;
}

void wb_line_add_text(struct wb_line *line, const char *text)
{
    (void)add_octets(line, text, strlen(text));
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
    return c > ' ' && c <= '~' && c != '\\' && c != '"' && c != '<' && c != '>';
}

/* How many of the octets are shown as they are? */
static size_t plain_octets(const char *octets, size_t max_octets,
                           bool is_quoted)
{
    size_t count = 0;

    while (count < max_octets && is_plain(octets[count], is_quoted))
        count++;
    return count;
}

void wb_line_add_untrusted(struct wb_line *line, const char *octets,
                           size_t max_octets, bool is_quoted)
{
    size_t i = 0;
    bool fits = add_octets(line, "", 0);

    while (fits && octets != NULL && i < max_octets && octets[i] != '\0') {
        size_t plain = plain_octets(octets + i, max_octets - i, is_quoted);
        char escape[sizeof "\\xHH"];

        if (plain > 0) {
            fits = add_octets(line, octets + i, plain);
            i += plain;
        } else {
            snprintf(escape, sizeof escape, "\\x%02X",
                     (unsigned)(unsigned char)octets[i++]);
            fits = add_octets(line, escape, sizeof escape - 1);
        }
    }
}

/* ---- several lines ---- */

void wb_lines_add(struct wb_lines *lines, const struct wb_line *line)
{
    if (uses_syslog) { /* a datagram each */
        syslog(LOG_INFO, "%s", line->text);
        return;
    }
    if (line->used >= sizeof lines->text - lines->used)
        wb_lines_end(lines);
    memcpy(lines->text + lines->used, line->text, line->used);
    lines->used += line->used;
    lines->text[lines->used++] = '\n';
}

void wb_lines_end(struct wb_lines *lines)
{
    if (lines->used > 0)
        write_whole(lines->text, lines->used);
    lines->used = 0;
}
