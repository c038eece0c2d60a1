#include "tool/trail/source.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/run.h"

#define MAIL_LOG "/var/log/mail.log"

/* How a file of journald's begins. */
static const char journal_mark[] = "LPKSHHRH";

static bool is_journal(FILE *in)
{
    char head[sizeof journal_mark - 1];
    bool yes = fread(head, 1, sizeof head, in) == sizeof head &&
               memcmp(head, journal_mark, sizeof head) == 0;

    rewind(in);
    return yes;
}

/* It is read more than once. */
static FILE *keep_input(void)
{
    FILE *out = tmpfile();
    char octets[65536];
    size_t n;

    while (out != NULL && (n = fread(octets, 1, sizeof octets, stdin)) > 0)
        fwrite(octets, 1, n, out);
    return out;
}

int wb_log_source_open(const char *log, struct wb_log_source *out,
                       struct wb_err *err)
{
    *out = (struct wb_log_source){.name = log};
    if (log == NULL && access(MAIL_LOG, F_OK) != 0) {
        out->name = "the journal";
        return EX_OK;
    }
    if (log == NULL)
        out->name = MAIL_LOG;
    out->file =
        strcmp(out->name, "-") == 0 ? keep_input() : fopen(out->name, "re");
    if (out->file == NULL)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", out->name,
                          strerror(errno));
    if (is_journal(out->file)) {
        fclose(out->file);
        out->file = NULL;
        out->journal = out->name;
    }
    return EX_OK;
}

/* "(A|B): ", for journalctl. */
static const char *pattern_of(const char *const *ids, size_t id_count,
                              struct wb_pool *p)
{
    struct wb_text t;

    wb_text_open(&t);
    for (size_t i = 0; i < id_count; i++)
        fprintf(t.file, "%s%s", i == 0 ? "^(" : "|", ids[i]);
    fputs("): ", t.file);
    return wb_text_close(&t, p);
}

static int ask_journal(const struct wb_log_source *lines,
                       const char *const *ids, size_t id_count,
                       struct wb_pool *p, FILE **in, struct wb_err *err)
{
    const char *argv[] = {
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=short-iso",
        "--case-sensitive=true",
        "--grep",
        pattern_of(ids, id_count, p),
        lines->journal != NULL ? wb_say(p, "--file=%s", lines->journal) : NULL,
        NULL};
    struct wb_run run = {.argv = argv};
    int rc = wb_run(p, &run, err);

    if (rc != EX_OK)
        return rc;
    /* 1: there is no such line */
    if (run.status > 1)
        return wb_err_set(err, EX_UNAVAILABLE, "journalctl: %s",
                          wb_run_errors(p, &run));
    *in = *run.out == '\0' ? fopen("/dev/null", "re")
                           : fmemopen(run.out, strlen(run.out), "r");
    return *in != NULL ? EX_OK
                       : wb_err_set(err, EX_UNAVAILABLE, "out of memory");
}

int wb_log_source_begin(const struct wb_log_source *lines,
                        const char *const *ids, size_t id_count,
                        struct wb_pool *p, FILE **in, struct wb_err *err)
{
    if (lines->file == NULL)
        return ask_journal(lines, ids, id_count, p, in, err);
    rewind(lines->file);
    *in = lines->file;
    return EX_OK;
}

void wb_log_source_done(const struct wb_log_source *lines, FILE *in)
{
    if (in != lines->file)
        fclose(in);
}

void wb_log_source_close(struct wb_log_source *lines)
{
    if (lines->file != NULL)
        fclose(lines->file);
    lines->file = NULL;
}
