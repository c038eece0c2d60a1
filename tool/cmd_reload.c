#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/tool.h"

enum { ANSWER_LIMIT_S = 120 }; /* 100,000 rules load in 3 s */

/* Returns a connection to the daemon, or -1 with errno. */
static int reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = ANSWER_LIMIT_S};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Show all but the answer's first line, which tells how it went. */
static int read_answer(int fd)
{
    FILE *in = fdopen(fd, "r");
    char line[4096];
    int code;

    if (in == NULL) {
        close(fd);
        return EX_OSERR;
    }
    if (fgets(line, sizeof line, in) == NULL) {
        fprintf(stderr, "waybill: reload: the daemon gave no answer\n");
        code = EX_UNAVAILABLE;
    } else {
        code = strcmp(line, "ok\n") == 0 ? EX_OK : EX_CONFIG;
    }
    while (fgets(line, sizeof line, in) != NULL)
        fputs(line, stderr);
    fclose(in);
    return code;
}

static int reload(const char *path)
{
    static const char question[] = "reload\n";
    int fd = reach(path);

    if (fd < 0) {
        fprintf(stderr,
                "waybill: reload: no daemon answers at %s: %s; is "
                "waybill-milter running, and with this control_socket?\n",
                path, strerror(errno));
        return EX_UNAVAILABLE;
    }
    if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "waybill: reload: %s: %s\n", path, strerror(errno));
        close(fd);
        return EX_UNAVAILABLE;
    }
    return read_answer(fd);
}

static void help(void)
{
    puts("usage: waybill reload [-c FILE]\n"
         "\n"
         "Makes the milter read its configuration again. One with an error\n"
         "leaves the old one in force, and the errors are printed.\n"
         "\n"
         "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
         "  -h, --help         print this\n"
         "\n"
         "Exit status: 0, 69 when no milter answers, 78 when there is an "
         "error.");
}

int wb_cmd_reload(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    const char *config = WB_DEFAULT_CONFIG;
    struct wb_conf *conf = NULL;
    int option;
    int code;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            help();
            return EX_OK;
        }
        if (option != 'c')
            return wb_tool_usage("reload", "\"%s\" is not understood",
                                 argv[optind - 1]);
        config = optarg;
    }
    if (optind < argc)
        return wb_tool_usage("reload", "\"%s\" is too much", argv[optind]);
    code = wb_tool_load(config, WB_USE_EXPLAIN, &conf);
    if (code != EX_OK)
        return code;
    if (conf->control_socket == NULL || *conf->control_socket == '\0') {
        fprintf(stderr, "waybill: reload: control_socket is not set\n");
        code = EX_CONFIG;
    } else {
        code = reload(conf->control_socket);
    }
    wb_conf_unref(conf);
    return code;
}
