#include "webhook/bounce/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "webhook/format/event.h"
#include "webhook/spool.h"

enum { FILE_MODE = 0640, LOCK_TRIES = 50, LOCK_WAIT_MS = 100 };

static int no_memory(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "out of memory");
}

/* ---- the lines ---------------------------------------------------------- */

static int print(const struct wb_payload_facts *facts,
                 const struct wb_bounce_report *report, char **text,
                 size_t *octets, struct wb_err *err)
{
    FILE *out = open_memstream(text, octets);

    if (out == NULL)
        return no_memory(err);
    for (size_t i = 0; i < report->count; i++) {
        if (!wb_bounce_is_failure(report->items[i].kind))
            continue;
        wb_event_write(out, facts, report, &report->items[i]);
        fputc('\n', out);
    }
    return fclose(out) == 0 ? EX_OK : no_memory(err);
}

static int make_lines(const struct wb_payload_facts *facts, int fd, char **text,
                      size_t *octets, struct wb_err *err)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_bounce_report report;
    struct wb_mime *m = NULL;
    int rc = p != NULL ? wb_mime_open(fd, &m, err) : no_memory(err);

    if (rc == EX_OK)
        rc = wb_bounce_read(m, facts->envelope_from, facts->now_s, p, &report,
                            err);
    if (rc == EX_OK)
        rc = print(facts, &report, text, octets, err);
    wb_mime_free(m);
    wb_pool_free(p);
    return rc;
}

/* ---- the file ----------------------------------------------------------- */

static int failed(const char *path, const char *what, struct wb_err *err)
{
    return wb_err_set(err, EX_IOERR, "%s: %s: %s", path, what,
                      strerrordesc_np(errno));
}

static int lock(const char *path, int fd, struct wb_err *err)
{
    const struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return EX_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return failed(path, "cannot be locked", err);
        nanosleep(&wait, NULL);
    }
    return wb_err_set(err, EX_TEMPFAIL, "%s: another program holds its lock",
                      path);
}

/* The file is locked, so what fails can be taken back. */
static int write_locked(const char *path, int fd, const char *text,
                        size_t octets, struct wb_err *err)
{
    struct stat st;
    int rc = EX_OK;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return wb_err_set(err, EX_IOERR, "%s is not a regular file", path);
    if (wb_spool_file_write(fd, text, octets, err) != EX_OK ||
        fdatasync(fd) != 0) {
        rc = failed(path, "cannot be written", err);
        if (ftruncate(fd, st.st_size) != 0)
            rc = failed(path, "is left with half a line", err);
    }
    return rc;
}

static int append(const char *path, const char *text, size_t octets,
                  struct wb_err *err)
{
    /* O_NONBLOCK: a FIFO must not hang the daemon */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                  FILE_MODE);
    int rc =
        fd >= 0 ? lock(path, fd, err) : failed(path, "cannot be opened", err);

    if (rc == EX_OK)
        rc = write_locked(path, fd, text, octets, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

int wb_bounce_log(const char *path, const struct wb_payload_facts *facts,
                  int fd, bool *is_failure, struct wb_err *err)
{
    char *text = NULL;
    size_t octets = 0;
    int rc = make_lines(facts, fd, &text, &octets, err);

    *is_failure = octets > 0;
    if (rc == EX_OK && *is_failure)
        rc = append(path, text, octets, err);
    free(text);
    return rc;
}
