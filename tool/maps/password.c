#include "tool/maps/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"

static int check_mode(int fd, const char *path, struct wb_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return wb_err_set(err, EX_CONFIG, "%s: not a regular file", path);
    if (st.st_mode & (S_IWGRP | S_IRWXO))
        return wb_err_set(err, EX_NOPERM,
                          "%s: others can read or change it; mode 0600 is "
                          "right",
                          path);
    return EX_OK;
}

static bool is_clean(const char *line)
{
    size_t octets = strlen(line);

    if (line[0] == ' ' || (octets > 0 && line[octets - 1] == ' '))
        return false;
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            return false;
    }
    return true;
}

static int first_line(char *text, const char *path, struct wb_err *err)
{
    text[strcspn(text, "\n")] = '\0';
    if (text[0] != '\0' && text[strlen(text) - 1] == '\r')
        text[strlen(text) - 1] = '\0';
    if (text[0] == '\0')
        return wb_err_set(err, EX_CONFIG,
                          "%s: its first line is empty; the password is right",
                          path);
    if (strlen(text) > WB_PASSWORD_MAX_OCTETS)
        return wb_err_set(err, EX_CONFIG,
                          "%s: its first line is longer than %d octets", path,
                          WB_PASSWORD_MAX_OCTETS);
    if (!is_clean(text))
        return wb_err_set(err, EX_CONFIG,
                          "%s: control characters in the password, or blanks "
                          "around it, which the MTA's table cannot hold",
                          path);
    return EX_OK;
}

int wb_password_read(struct wb_pool *pool, const char *path, const char **out,
                     struct wb_err *err)
{
    char text[WB_PASSWORD_MAX_OCTETS + 8] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got;
    int code;

    if (fd < 0)
        return wb_err_set(err, errno == EACCES ? EX_NOPERM : EX_NOINPUT,
                          "%s: %s", path, strerror(errno));
    code = check_mode(fd, path, err);
    if (code == EX_OK) {
        got = read(fd, text, sizeof text - 1);
        if (got < 0)
            code = wb_err_set(err, EX_NOINPUT, "%s: %s", path, strerror(errno));
        else
            code = first_line(text, path, err);
    }
    close(fd);
    if (code == EX_OK)
        *out = wb_must(wb_pool_strdup(pool, text));
    explicit_bzero(text, sizeof text);
    return code;
}
