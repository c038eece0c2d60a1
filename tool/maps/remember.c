#include "tool/maps/remember.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/files.h"
#include "tool/maps/memory.h"
#include "tool/maps/publish.h"

#define FILE_PREFIX "sasl-"

/* "sasl-starttls-plain-2": kind starttls-plain, number 1. */
static void take_file_name(struct wb_pool *pool, const char *name,
                           const char **kind, size_t *number)
{
    const char *last = strrchr(name, '-');
    size_t nth = strtoul(last + 1, NULL, 10);

    name += strlen(FILE_PREFIX);
    *number = 0;
    *kind = name;
    if (last < name || nth < 2 || last[1 + strspn(last + 1, "0123456789")])
        return;
    *number = nth - 1;
    *kind = wb_slice(pool, name, 0, (size_t)(last - name));
}

/* "[host]:0587  user:password", which line loses its parts to. */
static bool take_row(struct wb_pool *pool, const char *kind, char *line,
                     struct wb_old_seat *out)
{
    char *key = strsep(&line, " \t");
    char *port = strrchr(key, ':');
    char *colon;
    size_t zeros;

    if (line == NULL || key[0] != '[' || port == NULL)
        return false;
    line += strspn(line, " \t");
    colon = strchr(line, ':');
    zeros = strspn(port + 1, "0");
    if (colon == NULL || zeros > 1000)
        return false;
    *colon = '\0';
    out->place = wb_say(pool, "%s %.*s:%s", kind, (int)(port - key), key,
                        port + 1 + zeros);
    out->padding = (unsigned)zeros;
    out->username = line;
    out->password = colon + 1;
    return true;
}

static void take_rows(struct wb_pool *pool, const char *name, char *text,
                      wb_old_seat_function *function, void *context)
{
    struct wb_old_seat old = {0};
    const char *kind;
    char *save = NULL;

    take_file_name(pool, name, &kind, &old.number);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] != '#' && take_row(pool, kind, line, &old))
            function(context, &old);
    }
}

static int is_table(const struct dirent *entry)
{
    return strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0;
}

int wb_remember(struct wb_pool *pool, const char *directory,
                wb_old_seat_function *function, void *context,
                struct wb_err *err)
{
    struct dirent **names = NULL;
    int found =
        directory == NULL ? 0 : scandir(directory, &names, is_table, alphasort);
    int code = EX_OK;

    if (found < 0 && errno != ENOENT)
        return wb_err_set(err, EX_NOINPUT, "%s: %s", directory,
                          strerror(errno));
    for (int i = 0; i < found; i++) {
        const char *name = names[i]->d_name;
        char *text = NULL;

        if (code == EX_OK)
            code = wb_file_read(pool, wb_say(pool, "%s/%s", directory, name),
                                &text, err);
        if (text != NULL && code == EX_OK &&
            strncmp(text, WB_FILE_MARK, strlen(WB_FILE_MARK)) == 0)
            take_rows(pool, wb_must(wb_pool_strdup(pool, name)), text, function,
                      context);
        free(names[i]);
    }
    free(names);
    return code;
}
