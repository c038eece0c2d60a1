#include "tool/message_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/header.h"

struct reader {
    FILE *in;
    struct wb_pool *p;
    struct wb_header *list;
    size_t count;
    char *field; /* the one under way, with LF between its lines */
    size_t field_octets;
    size_t header_octets;
    bool is_body;
    struct wb_err *err;
};

static int no_memory(struct reader *r)
{
    return wb_err_set(r->err, EX_OSERR, "out of memory");
}

/* The field is whole. A milter gets the value without the blank in front. */
static int end_field(struct reader *r)
{
    char *colon = r->field != NULL ? strchr(r->field, ':') : NULL;
    struct wb_header *h = &r->list[r->count];
    size_t name;

    if (r->field == NULL)
        return EX_OK;
    name = colon != NULL ? (size_t)(colon - r->field) : 0;
    while (name > 0 && strchr(" \t", r->field[name - 1]) != NULL)
        name--;
    h->name = wb_pool_strndup(r->p, r->field, name);
    if (h->name == NULL)
        return no_memory(r);
    if (colon == NULL || !wb_header_name_is_valid(h->name))
        return wb_err_set(r->err, EX_DATAERR,
                          "\"%.60s\" is no header field; a message begins with "
                          "its header, and an empty line ends that",
                          r->field);
    h->value = wb_pool_strdup(r->p, colon + 1 + (colon[1] == ' '));
    if (h->value == NULL)
        return no_memory(r);
    free(r->field);
    r->field = NULL;
    if (++r->count == WB_FILE_HEADERS_MAX)
        return wb_err_set(r->err, EX_DATAERR, "more than %d header fields",
                          WB_FILE_HEADERS_MAX - 1);
    return EX_OK;
}

static int add_line(struct reader *r, const char *line, size_t octets)
{
    bool goes_on = r->field != NULL && (*line == ' ' || *line == '\t');
    char *larger;
    int rc = goes_on ? EX_OK : end_field(r);

    if (rc != EX_OK)
        return rc;
    r->header_octets += octets + 1;
    if (r->header_octets > WB_FILE_HEADER_OCTETS_MAX)
        return wb_err_set(r->err, EX_DATAERR, "more than %d octets of header",
                          WB_FILE_HEADER_OCTETS_MAX);
    if (!goes_on)
        r->field_octets = 0;
    larger = realloc(r->field, r->field_octets + octets + 2);
    if (larger == NULL)
        return no_memory(r);
    r->field = larger;
    if (goes_on)
        larger[r->field_octets++] = '\n';
    memcpy(larger + r->field_octets, line, octets);
    r->field_octets += octets;
    larger[r->field_octets] = '\0';
    return EX_OK;
}

static int read_lines(struct reader *r, size_t *octets)
{
    char *line = NULL;
    size_t room = 0;
    bool is_first = true;
    int rc = EX_OK;
    ssize_t n;

    while (rc == EX_OK && (n = getline(&line, &room, r->in)) > 0) {
        size_t length = (size_t)n;
        bool is_mbox = is_first && strncmp(line, "From ", 5) == 0;

        is_first = false;
        if (length > 0 && line[length - 1] == '\n')
            length--;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (is_mbox)
            continue;
        *octets += length + strlen("\r\n");
        if (r->is_body)
            continue;
        line[length] = '\0';
        if (strlen(line) != length)
            rc = wb_err_set(r->err, EX_DATAERR, "a NUL in the header");
        else if (length == 0)
            r->is_body = true;
        else
            rc = add_line(r, line, length);
    }
    free(line);
    return rc == EX_OK ? end_field(r) : rc;
}

static const char *return_path(const struct reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcasecmp(r->list[i].name, "Return-Path") == 0)
            return r->list[i].value + strspn(r->list[i].value, " \t\n");
    return NULL;
}

int wb_message_file_read(const char *path, struct wb_pool *p,
                         struct wb_envelope *env, const char **sender,
                         struct wb_err *err)
{
    struct reader r = {.p = p, .err = err};
    int rc;

    env->octets = 0;
    r.list = wb_pool_array(p, WB_FILE_HEADERS_MAX, sizeof r.list[0]);
    r.in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (r.in == NULL)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
    rc = r.list != NULL ? read_lines(&r, &env->octets) : no_memory(&r);
    if (rc == EX_OK && ferror(r.in))
        rc = wb_err_set(err, EX_NOINPUT, "%s: cannot be read", path);
    if (rc == EX_OK && r.count == 0)
        rc = wb_err_set(err, EX_DATAERR, "%s: has no header", path);
    if (r.in != stdin)
        fclose(r.in);
    free(r.field);
    env->headers = r.list;
    env->header_count = r.count;
    *sender = return_path(&r);
    return rc;
}
