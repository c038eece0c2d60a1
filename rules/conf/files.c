#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/check.h"

enum { MAX_PASSWORD_OCTETS = 1024 };

static void tell_secret(struct wb_checker *c,
                        const struct wb_raw_option *option, const char *path,
                        int rc, unsigned line, const struct wb_err *err)
{
    if (line)
        wb_problem_add(c->problems, WB_ERROR, path, line, NULL, "%s",
                       err->text);
    else if (rc == EX_NOINPUT)
        wb_problem_add(c->problems, WB_ERROR, option->file, option->line,
                       option->name,
                       "%s; (umask 027; head -c 32 /dev/urandom | base64 > "
                       "%s) makes one",
                       err->text, path);
    else
        wb_problem_add(c->problems, WB_ERROR, option->file, option->line,
                       option->name, "%s", err->text);
}

void wb_secret_check(struct wb_checker *c, const struct wb_raw_section *top)
{
    const struct wb_raw_option *given = wb_raw_find(top, "secret_file");
    struct wb_raw_option by_default = {.name = "secret_file",
                                       .file = top->file};
    const char *text = wb_raw_text(top, "secret_file");
    const char *path;
    struct wb_err err;
    unsigned line = 0;
    int rc;

    if (!given)
        given = &by_default;
    path = wb_path_beside(c->pool, given->file, text ? text : "secret");
    c->conf->secret_file = path;
    if (!path) {
        c->is_out_of_memory = true;
        return;
    }
    rc = wb_secret_read(c->pool, path, &c->conf->secret, &line, &err);
    if (rc == EX_OK)
        return;
    c->conf->secret.count = 0;
    if (c->use == WB_USE_EXPLAIN && (rc == EX_NOINPUT || rc == EX_NOPERM))
        return;
    if (rc == EX_OSERR)
        c->is_out_of_memory = true;
    else
        tell_secret(c, given, path, rc, line, &err);
}

/* What is wrong with the password in text? text is never quoted. */
static const char *password_fault(const char *text, size_t length)
{
    if (length && text[length - 1] == '\n')
        length--;
    if (length == 0)
        return "the file is empty; the password stands on its only line";
    if (length >= MAX_PASSWORD_OCTETS)
        return "the password is too long; at most 1023 octets are right";
    if (memchr(text, '\0', length) || memchr(text, '\r', length))
        return "the password holds a NUL or CR; one plain line is right";
    if (memchr(text, '\n', length))
        return "the file has several lines; the password stands on its only "
               "line";
    if (strchr(" \t", text[0]) || strchr(" \t", text[length - 1]))
        return "the password begins or ends with a blank, which Postfix's "
               "tables would lose";
    return NULL;
}

static void check_password_text(struct wb_checker *c,
                                const struct wb_raw_option *option,
                                const char *path, int fd)
{
    char text[MAX_PASSWORD_OCTETS + 2] = "";
    ssize_t length = read(fd, text, sizeof text);
    const char *fault = length < 0 ? strerrordesc_np(errno)
                                   : password_fault(text, (size_t)length);

    explicit_bzero(text, sizeof text);
    if (fault)
        wb_option_tell(c, option, "%s: %s", path, fault);
}

void wb_password_check(struct wb_checker *c, const struct wb_raw_option *option,
                       const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st)) {
        wb_option_tell(c, option, "%s cannot be read: %s", path,
                       strerrordesc_np(errno));
    } else if (!S_ISREG(st.st_mode)) {
        wb_option_tell(c, option, "%s is not a regular file", path);
    } else if (st.st_mode & 077) {
        wb_option_tell(c, option, "%s has mode %04o; chmod 600 %s", path,
                       (unsigned)st.st_mode & 07777, path);
    } else {
        check_password_text(c, option, path, fd);
    }
    if (fd >= 0)
        close(fd);
}
