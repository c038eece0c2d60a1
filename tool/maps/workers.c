/* Postfix's processes: which of them work by files that were replaced? */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "tool/maps/apply.h"
#include "tool/maps/memory.h"
#include "tool/maps/publish.h"

static const char *read_text(struct wb_site *site, const char *path)
{
    char *text = NULL;

    wb_file_read(site->pool, path, &text, NULL);
    return text == NULL ? "" : text;
}

/* Those through which new mail comes. */
static bool is_intake(const char *name)
{
    return strncmp(name, "smtpd)", 6) == 0 ||
           strncmp(name, "pickup)", 7) == 0 ||
           strncmp(name, "cleanup)", 8) == 0;
}

/* "PID (name) state parent ...", proc(5). */
static bool is_worker(struct wb_site *site, const char *pid, long master)
{
    const char *stat =
        read_text(site, wb_say(site->pool, "/proc/%s/stat", pid));
    const char *name = strchr(stat, '('), *rest = strrchr(stat, ')');

    if (name == NULL || rest == NULL || strlen(rest) < 5)
        return false;
    return is_intake(name + 1) && rest[2] != 'Z' &&
           strtol(rest + 4, NULL, 10) == master;
}

static long master_pid(struct wb_site *site)
{
    const char *queue = wb_site_value(site, "queue_directory");

    return strtol(
        read_text(site, wb_say(site->pool, "%s/pid/master.pid", queue)), NULL,
        10);
}

void wb_workers_note(struct wb_site *site, struct wb_strings *out)
{
    long master = master_pid(site);
    struct dirent **names = NULL;
    int found = master > 1 ? scandir("/proc", &names, NULL, NULL) : 0;
    const char **pids = wb_must(
        wb_pool_array(site->pool, found > 0 ? (size_t)found : 1, sizeof *pids));
    size_t count = 0;

    for (int i = 0; i < found; i++) {
        const char *pid = names[i]->d_name;

        if (isdigit((unsigned char)pid[0]) && is_worker(site, pid, master))
            pids[count++] = wb_say(site->pool, "%s", pid);
        free(names[i]);
    }
    free(names);
    *out = (struct wb_strings){pids, count};
}

size_t wb_workers_left(struct wb_site *site, const struct wb_strings *pids)
{
    long master = master_pid(site);
    size_t left = 0;

    for (size_t i = 0; i < pids->count; i++)
        left += is_worker(site, pids->items[i], master);
    return left;
}
