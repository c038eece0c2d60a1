#include "milter/reload.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "milter/base/log.h"
#include "milter/current.h"
#include "milter/stats.h"

static bool differ(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

/* Name what only a restart can change. */
static void warn_of_restart(const struct wb_conf *old,
                            const struct wb_conf *new, FILE *answer)
{
    const struct {
        const char *option;
        bool is_changed;
    } options[] = {
        {"socket", differ(old->socket, new->socket)},
        {"socket_group", differ(old->socket_group, new->socket_group)},
        {"socket_mode", old->socket_mode != new->socket_mode},
        {"queue_directory", differ(old->queue_directory, new->queue_directory)},
        {"user", differ(old->user, new->user)},
        {"pid_file", differ(old->pid_file, new->pid_file)},
        {"control_socket", differ(old->control_socket, new->control_socket)},
        {"control_group", differ(old->control_group, new->control_group)},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (!options[i].is_changed)
            continue;
        fprintf(answer,
                "%s: warning: %s: changed, and in force only after a restart\n",
                new->path, options[i].option);
        wb_log(LOG_WARNING, "%s: changed, and in force only after a restart",
               options[i].option);
    }
}

static void take(const struct wb_conf *conf, struct wb_problems *problems,
                 FILE *answer)
{
    const struct wb_conf *old = wb_current_ref();

    fputs("ok\n", answer);
    wb_problems_print(problems, answer);
    if (old != NULL) {
        warn_of_restart(old, conf, answer);
        wb_conf_unref(old);
    }
    wb_log(LOG_NOTICE, "configuration reloaded from %s", conf->path);
    wb_current_set(conf);
    wb_stats_reload(true);
}

static void refuse(const char *path, struct wb_problems *problems, FILE *answer)
{
    fputs("error\n", answer);
    wb_problems_print(problems, answer);
    if (problems->count == 0)
        fprintf(answer, "%s: out of memory\n", path);
    if (geteuid() != 0)
        fprintf(answer,
                "%s: note: the daemon reads it as uid %lu: the configuration "
                "and secret_file must be readable by that user's group\n",
                path, (unsigned long)geteuid());
}

/* What the answer says below its first line stands in the log as well. */
static void log_refusal(const char *path, struct wb_problems *problems)
{
    char *text = NULL;
    size_t octets = 0;
    FILE *lines = open_memstream(&text, &octets);
    char *rest;

    wb_log(LOG_ERR, "reload refused, the old configuration stays in force: %s",
           path);
    if (lines == NULL)
        return;
    wb_problems_print(problems, lines);
    fclose(lines);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        wb_log(LOG_ERR, "%s", line);
    free(text);
}

/* The new one is to count on where the old one is. */
static bool attach_counts(struct wb_conf *conf)
{
    const struct wb_conf *old = wb_current_ref();
    bool is_done = wb_stats_attach(conf, old);

    if (old != NULL)
        wb_conf_unref(old);
    return is_done;
}

void wb_reload(const char *path, FILE *answer)
{
    struct wb_problems problems = {.items = NULL};
    struct wb_conf *conf = NULL;

    if (wb_conf_load(path, WB_USE_DAEMON, &conf, &problems) == EX_OK &&
        attach_counts(conf)) {
        take(conf, &problems, answer);
    } else {
        wb_conf_unref(conf);
        wb_stats_reload(false);
        refuse(path, &problems, answer);
        log_refusal(path, &problems);
    }
    wb_problems_free(&problems);
}
