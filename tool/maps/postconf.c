#include "tool/maps/postconf.h"

#include <assert.h>
#include <string.h>
#include <sysexits.h>

#include "tool/maps/memory.h"
#include "tool/maps/run.h"

/* The value in the line "name = value", which may have none. */
static const char *value_of(struct wb_pool *pool, const char *text,
                            const char *name)
{
    const char *wanted = wb_say(pool, "%s =", name);

    for (const char *at = text; (at = strstr(at, wanted)) != NULL; at++) {
        const char *value = at + strlen(wanted);

        if (at > text && at[-1] != '\n')
            continue;
        value += strspn(value, " ");
        return wb_slice(pool, value, 0, strcspn(value, "\n"));
    }
    return "";
}

int wb_postconf_values(struct wb_pool *pool, const char *dir,
                       const char *const *names, size_t count,
                       const char **values, struct wb_err *err)
{
    const char *argv[WB_POSTCONF_MOST + 5] = {"postconf", "-c", dir, "-x"};
    struct wb_run run = {.argv = argv};
    int code;

    assert(count <= WB_POSTCONF_MOST);
    memcpy(argv + 4, names, count * sizeof *names);
    code = wb_run(pool, &run, err);
    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_CONFIG, "postconf: %s",
                          wb_run_errors(pool, &run));
    for (size_t i = 0; code == EX_OK && i < count; i++)
        values[i] = value_of(pool, run.out, names[i]);
    return code;
}
