/* waybill maps: write the MTA's files into a directory. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/maps/memory.h"
#include "tool/maps/mta.h"
#include "tool/maps/publish.h"
#include "tool/tool.h"

static void help(void)
{
    fputs(
        "usage: waybill maps [-c FILE] --out DIR\n"
        "\n"
        "Write the tables that the MTA needs to carry out the routes of FILE\n"
        "(" WB_DEFAULT_CONFIG ") into DIR: mode 0600 in a 0700 directory,\n"
        "because they hold passwords and the secret label. Only what changed\n"
        "is written, and told on stdout. `waybill apply` installs them.\n",
        stdout);
}

/* at is dir, and stays it should its name be made to lead elsewhere. */
static int publish(struct wb_pool *pool, const char *at,
                   const struct wb_files *files, struct wb_err *err)
{
    struct wb_file_change *changes;
    size_t count;
    int code = wb_publish_compare(pool, at, files, &changes, &count, err);

    if (code == EX_OK)
        code = wb_publish(pool, at, files, err);
    if (code == EX_OK)
        code = wb_publish_tidy(pool, at, files, err);
    if (code == EX_OK)
        wb_publish_print(changes, count, stdout);
    return code;
}

static int write_maps(const struct wb_conf *conf, struct wb_pool *pool,
                      const char *dir, struct wb_err *err)
{
    struct wb_files files;
    int fd;
    int code = wb_mta_tools(conf)->files(conf, pool, dir, &files, err);

    if (code != EX_OK)
        return code;
    code = wb_folder_open(pool, dir, &fd, err);
    if (code != EX_OK)
        return code;
    code = publish(pool, wb_say(pool, "/proc/self/fd/%d", fd), &files, err);
    close(fd);
    return code;
}

/* Returns EX_OK to go on, -1 when done, or EX_USAGE. */
static int read_options(int argc, char **argv, const char **path,
                        const char **dir)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"out", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "+:c:o:h", longs, NULL)) != -1) {
        if (c == 'c')
            *path = optarg;
        else if (c == 'o')
            *dir = optarg;
        else if (c == 'h')
            return help(), -1;
        else
            return wb_tool_usage("maps", "%s \"%s\"",
                                 c == ':' ? "a value is missing after"
                                          : "no such option:",
                                 argv[optind - 1]);
    }
    if (optind < argc)
        return wb_tool_usage("maps", "\"%s\" is not expected", argv[optind]);
    if (*dir == NULL)
        return wb_tool_usage("maps", "--out DIR is missing");
    return EX_OK;
}

int wb_cmd_maps(int argc, char **argv)
{
    const char *path = WB_DEFAULT_CONFIG, *dir = NULL;
    struct wb_conf *conf = NULL;
    struct wb_pool *pool;
    struct wb_err err = {""};
    int code = read_options(argc, argv, &path, &dir);

    if (code != EX_OK)
        return code == -1 ? EX_OK : code;
    code = wb_tool_load(path, WB_USE_CHECK, &conf);
    if (code != EX_OK)
        return code;
    pool = wb_must(wb_pool_new(0));
    code = write_maps(conf, pool, dir, &err);
    if (code != EX_OK)
        fprintf(stderr, "waybill maps: %s\n", err.text);
    wb_pool_free(pool);
    wb_conf_unref(conf);
    return code;
}
