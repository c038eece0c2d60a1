#include "conf/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Make room for one more in an array whose capacity is always the next power
 * of two. Old copies stay in the pool: at most as much again. */
static void *one_more(struct wb_pool *pool, void *array, size_t count,
                      size_t octets)
{
    void *grown;

    if (count != 0 && (count & (count - 1)) != 0)
        return array;
    grown = wb_pool_array(pool, count ? 2 * count : 1, octets);
    if (grown && count)
        memcpy(grown, array, count * octets);
    return grown;
}

struct wb_raw_section *wb_raw_add_section(struct wb_raw *raw, const char *kind,
                                          const char *title, const char *file,
                                          unsigned line)
{
    struct wb_raw_section *made = wb_pool_alloc(raw->pool, sizeof *made);

    if (!made)
        return NULL;
    made->kind = wb_pool_strdup(raw->pool, kind);
    made->title = title ? wb_pool_strdup(raw->pool, title) : NULL;
    if (!made->kind || (title && !made->title))
        return NULL;
    made->file = file;
    made->line = line;
    if (raw->last)
        raw->last->next = made;
    else
        raw->first = made;
    raw->last = made;
    return made;
}

struct wb_raw_option *wb_raw_add_option(struct wb_pool *pool,
                                        struct wb_raw_section *section,
                                        const char *name, unsigned line)
{
    struct wb_raw_option *options =
        one_more(pool, section->options, section->option_count,
                 sizeof *section->options);
    struct wb_raw_option *made;

    if (!options)
        return NULL;
    section->options = options;
    made = &options[section->option_count++];
    *made = (struct wb_raw_option){
        .name = name, .file = section->file, .line = line};
    return made;
}

struct wb_raw_value *wb_raw_add_value(struct wb_pool *pool,
                                      struct wb_raw_option *option,
                                      const char *text, unsigned line)
{
    struct wb_raw_value *values =
        one_more(pool, option->values, option->count, sizeof *option->values);
    struct wb_raw_value *made;
    const char *copy = wb_pool_strdup(pool, text);

    if (!values || !copy)
        return NULL;
    option->values = values;
    made = &values[option->count++];
    *made = (struct wb_raw_value){.text = copy, .line = line};
    return made;
}

const struct wb_raw_option *wb_raw_find(const struct wb_raw_section *section,
                                        const char *name)
{
    for (size_t i = 0; i < section->option_count; i++)
        if (strcmp(section->options[i].name, name) == 0)
            return &section->options[i];
    return NULL;
}

const char *wb_path_beside(struct wb_pool *pool, const char *file,
                           const char *path)
{
    const char *slash = strrchr(file, '/');

    if (*path == '/' || !slash)
        return wb_pool_strdup(pool, path);
    return wb_pool_printf(pool, "%.*s/%s", (int)(slash - file), file, path);
}

static char *read_stream(struct wb_pool *pool, FILE *in, size_t max_octets,
                         size_t *length, const char **why)
{
    size_t room = 0;
    char *text = NULL;

    *length = 0;
    do {
        char *grown = realloc(text, (room = room ? 2 * room : 16384));
        if (!grown)
            goto fail;
        text = grown;
        *length += fread(text + *length, 1, room - *length, in);
    } while (*length == room && room <= max_octets);
    if (ferror(in))
        *why = strerrordesc_np(errno);
    else if (*length > max_octets)
        *why = "the file is too large";
    else {
        char *kept = wb_pool_alloc(pool, *length + 1);
        if (kept)
            memcpy(kept, text, *length);
        free(text);
        return kept;
    }
fail:
    free(text);
    return NULL;
}

static unsigned line_of(const char *text, const char *place)
{
    unsigned line = 1;

    for (; text < place; text++)
        line += *text == '\n';
    return line;
}

static const char *file_fault(int fd)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return strerrordesc_np(errno);
    if (S_ISDIR(st.st_mode))
        return "it is a directory";
    return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)
               ? NULL
               : "it is not a regular file";
}

FILE *wb_raw_open(const char *path, const char **why)
{
    /* Without O_NONBLOCK a pipe would wait for somebody to write to it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *in = NULL;

    *why = file_fault(fd);
    if (!*why) {
        (void)fcntl(fd, F_SETFL, O_RDONLY);
        in = fdopen(fd, "r");
        if (!in)
            *why = strerrordesc_np(errno);
    }
    if (fd >= 0 && !in)
        close(fd);
    return in;
}

char *wb_text_read(struct wb_pool *pool, const char *path, size_t max_octets,
                   const char **why, unsigned *line)
{
    FILE *in = wb_raw_open(path, why);
    char *text = NULL;
    size_t length = 0;

    *line = 0;
    if (in && (text = read_stream(pool, in, max_octets, &length, why))) {
        char *nul = memchr(text, '\0', length);
        if (nul) {
            *why = "it holds a NUL octet, so it is not text";
            *line = line_of(text, nul);
            text = NULL;
        }
    }
    if (in)
        fclose(in);
    if (text && strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    return text;
}
