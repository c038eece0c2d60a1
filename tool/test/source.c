#include "tool/test/source.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/run.h"

static const char *host_name(struct wb_pool *pool)
{
    char name[256] = "";

    if (gethostname(name, sizeof name - 1) != 0 || *name == '\0')
        return "localhost";
    return wb_say(pool, "%s", name);
}

/* The value in a line "name = value"; NULL when it is empty. */
static const char *value_of(struct wb_pool *pool, const char *text,
                            const char *name)
{
    const char *line = strstr(text, wb_say(pool, "%s =", name));
    const char *value;

    if (line == NULL)
        return NULL;
    value = line + strlen(name) + 2;
    value += strspn(value, " ");
    return strcspn(value, "\n") == 0
               ? NULL
               : wb_slice(pool, value, 0, strcspn(value, "\n"));
}

int wb_source_read(struct wb_pool *pool, const char *dir, struct wb_source *out,
                   struct wb_err *err)
{
    const char *const argv[] = {"postconf",
                                "-c",
                                dir,
                                "-x",
                                "smtp_helo_name",
                                "inet_protocols",
                                "smtp_bind_address",
                                "smtp_bind_address6",
                                NULL};
    struct wb_run run = {.argv = argv};
    const char *protocols, *helo;
    int code;

    *out = (struct wb_source){.helo = host_name(pool)};
    if (dir == NULL)
        return EX_OK;
    code = wb_run(pool, &run, err);
    if (code == EX_OK && run.status != 0)
        code = wb_err_set(err, EX_CONFIG, "postconf: %s",
                          wb_run_errors(pool, &run));
    if (code != EX_OK)
        return code;
    helo = value_of(pool, run.out, "smtp_helo_name");
    if (helo != NULL)
        out->helo = helo;
    protocols = value_of(pool, run.out, "inet_protocols");
    out->bind_ipv4 = value_of(pool, run.out, "smtp_bind_address");
    out->bind_ipv6 = value_of(pool, run.out, "smtp_bind_address6");
    if (protocols != NULL && strcmp(protocols, "all") != 0) {
        out->no_ipv4 = strstr(protocols, "ipv4") == NULL;
        out->no_ipv6 = strstr(protocols, "ipv6") == NULL;
    }
    return EX_OK;
}
