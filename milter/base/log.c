#include "milter/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Set before the first thread starts and constant from then on. */
static bool uses_syslog;

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

void wb_log(int priority, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (uses_syslog)
        vsyslog(priority, format, args);
    else
        write_stderr(format, args);
    va_end(args);
}

/* The last octets of a full line say that it is cut. */
static void mark_cut(struct wb_line *line)
{
    memcpy(line->text + sizeof line->text - 4, "...", 4);
    line->used = sizeof line->text - 1;
}

void wb_line_add_text(struct wb_line *line, const char *text)
{
    size_t room = sizeof line->text - line->used;
    size_t octets = strlen(text);
    bool fits = octets < room;

    memcpy(line->text + line->used, text, fits ? octets + 1 : room);
    if (fits)
        line->used += octets;
    else
        mark_cut(line);
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

void wb_line_add_untrusted(struct wb_line *line, const char *octets,
                           size_t max_octets, bool is_quoted)
{
    char *out = line->text + line->used;
    const char *full = line->text + sizeof line->text - 5; /* "\\xHH" */

    for (size_t i = 0; octets != NULL && i < max_octets && octets[i]; i++) {
        if (out >= full) {
            mark_cut(line);
            return;
        }
        if (is_plain(octets[i], is_quoted))
            *out++ = octets[i];
        else
            out += sprintf(out, "\\x%02X", (unsigned)(unsigned char)octets[i]);
    }
    *out = '\0';
    line->used = (size_t)(out - line->text);
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
