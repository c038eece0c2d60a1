#include "webhook/format/form.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base32.h"
#include "webhook/format/json.h"

enum { BOUNDARY_BINARY_OCTETS = 20 };

static int cannot_write(struct wb_err *err)
{
    return wb_err_set(err, EX_IOERR, "the request cannot be written: %s",
                      strerrordesc_np(errno));
}

static FILE *open_copy(int fd)
{
    int copy = dup(fd);
    FILE *out =
        copy >= 0 && lseek(copy, 0, SEEK_SET) == 0 ? fdopen(copy, "w") : NULL;

    if (out == NULL && copy >= 0)
        close(copy);
    return out;
}

int wb_form_open(struct wb_form *f, int fd, bool is_json, struct wb_pool *p,
                 const char **content_type, struct wb_err *err)
{
    unsigned char random[BOUNDARY_BINARY_OCTETS];

    *f = (struct wb_form){.is_json = is_json, .is_first = true};
    /* Whoever cannot guess it cannot end a field within a message. */
    if (RAND_bytes(random, sizeof random) != 1)
        return wb_err_set(err, EX_OSERR, "OpenSSL has no random octets");
    wb_base32(random, sizeof random, f->boundary);
    *content_type = "application/json";
    if (!is_json)
        *content_type =
            wb_pool_printf(p, "multipart/form-data; boundary=%s", f->boundary);
    if (*content_type == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    f->out = open_copy(fd);
    if (f->out == NULL)
        return cannot_write(err);
    if (is_json)
        fputc('{', f->out);
    return EX_OK;
}

int wb_form_close(struct wb_form *f, struct wb_err *err)
{
    bool has_failed;

    if (f->out == NULL)
        return EX_OK;
    if (f->is_json)
        fputc('}', f->out);
    else
        fprintf(f->out, "--%s--\r\n", f->boundary);
    has_failed = ferror(f->out) != 0;
    if (fclose(f->out) != 0 || has_failed)
        return cannot_write(err);
    return EX_OK;
}

/* ---- multipart ---------------------------------------------------------- */

/* Between quotes, as browsers write it. */
static void put_name(FILE *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\r' || *name == '\n')
            fprintf(out, "%%%02X", (unsigned)*name);
        else
            fputc(*name, out);
    }
}

static void begin_part(struct wb_form *f, const char *name)
{
    fprintf(f->out, "--%s\r\nContent-Disposition: form-data; name=\"",
            f->boundary);
    put_name(f->out, name);
    fputc('"', f->out);
}

static int put_octets(void *to, const char *octets, size_t count)
{
    struct wb_form *f = to;

    return fwrite(octets, 1, count, f->out) == count ? EX_OK : EX_IOERR;
}

struct wb_sink wb_form_begin_file(struct wb_form *f, const char *name,
                                  const char *file_name, const char *type)
{
    begin_part(f, name);
    fputs("; filename=\"", f->out);
    put_name(f->out, file_name);
    fprintf(f->out, "\"\r\nContent-Type: %s\r\n\r\n", type);
    return (struct wb_sink){put_octets, f};
}

void wb_form_end_file(struct wb_form *f)
{
    fputs("\r\n", f->out);
}

/* ---- either ------------------------------------------------------------- */

void wb_form_begin_json(struct wb_form *f, const char *name)
{
    if (!f->is_json) {
        begin_part(f, name);
        fputs("\r\n\r\n", f->out);
        return;
    }
    if (!f->is_first)
        fputc(',', f->out);
    f->is_first = false;
    wb_json_string(f->out, name);
    fputc(':', f->out);
}

void wb_form_end_json(struct wb_form *f)
{
    if (!f->is_json)
        fputs("\r\n", f->out);
}

static int put_escaped(void *to, const char *octets, size_t count)
{
    struct wb_form *f = to;

    wb_json_octets(f->out, octets, count);
    return ferror(f->out) ? EX_IOERR : EX_OK;
}

struct wb_sink wb_form_begin_text(struct wb_form *f, const char *name)
{
    wb_form_begin_json(f, name);
    if (!f->is_json)
        return (struct wb_sink){put_octets, f};
    fputc('"', f->out);
    return (struct wb_sink){put_escaped, f};
}

void wb_form_end_text(struct wb_form *f)
{
    if (f->is_json)
        fputc('"', f->out);
    wb_form_end_json(f);
}

void wb_form_text(struct wb_form *f, const char *name, const char *value)
{
    const struct wb_sink out = wb_form_begin_text(f, name);

    /* what fails is told by wb_form_close */
    (void)wb_sink_put(&out, value, strlen(value));
    wb_form_end_text(f);
}

void wb_form_number(struct wb_form *f, const char *name, size_t value)
{
    wb_form_begin_json(f, name);
    fprintf(f->out, "%zu", value);
    wb_form_end_json(f);
}
