#include "webhook/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "milter/base/descriptors.h"
#include "milter/base/log.h"
#include "milter/base/pidfile.h"
#include "milter/base/ready.h"
#include "milter/base/sandbox.h"
#include "milter/base/socket_file.h"
#include "webhook/server.h"
#include "webhook/spool.h"

enum {
    BACKLOG = 1024,
    DIRECTORY_MODE = 0750,
    PRUNE_MS = 10000,
    STOP_WAIT_S = 30, /* less than the 90 that systemd waits */
};

struct lmtpd {
    const char *config_path;
    const struct wb_conf *first; /* with which it was started */
    struct wb_owner owner;
    struct wb_pidfile pidfile;
    struct wb_socket_file socket;
    int listen_fd, signal_fd;
    struct wb_server server;
};

int wb_lmtpd_load(const char *path, const struct wb_conf **out)
{
    struct wb_problems problems = {.items = NULL};
    struct wb_conf *conf = NULL;
    int code = wb_conf_load(path, WB_USE_LMTP, &conf, &problems);

    wb_problems_print(&problems, stderr);
    if (code != EX_OK && problems.count == 0)
        fprintf(stderr, "%s: out of memory\n", path);
    wb_problems_free(&problems);
    if (code == EX_OK && strncmp(conf->lmtp_socket, "unix:", 5) != 0) {
        fprintf(stderr,
                "%s: lmtp_socket: \"%s\" is not a unix socket; \"unix:PATH\" "
                "is right for waybill-lmtp\n",
                path, conf->lmtp_socket);
        wb_conf_unref(conf);
        return EX_CONFIG;
    }
    *out = conf;
    return code;
}

/* ---- reload ------------------------------------------------------------- */

static bool differ(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

/* Name what only a restart can change. */
static void warn_of_restart(const struct wb_conf *old,
                            const struct wb_conf *new)
{
    const struct {
        const char *option;
        bool is_changed;
    } options[] = {
        {"lmtp_socket", differ(old->lmtp_socket, new->lmtp_socket)},
        {"socket_group", differ(old->socket_group, new->socket_group)},
        {"socket_mode", old->socket_mode != new->socket_mode},
        {"queue_directory", differ(old->queue_directory, new->queue_directory)},
        {"lmtp_user", differ(old->lmtp_user, new->lmtp_user)},
        {"lmtp_pid_file", differ(old->lmtp_pid_file, new->lmtp_pid_file)},
        {"lmtp_max_connections",
         old->lmtp_max_connections != new->lmtp_max_connections},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].is_changed)
            wb_log(LOG_WARNING,
                   "%s: changed, and in force only after a restart",
                   options[i].option);
}

static void log_problems(struct wb_problems *problems)
{
    char *text = NULL;
    size_t octets = 0;
    FILE *lines = open_memstream(&text, &octets);
    char *rest;

    if (lines == NULL)
        return;
    wb_problems_print(problems, lines);
    fclose(lines);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        wb_log(LOG_ERR, "%s", line);
    free(text);
}

/* Read the configuration as the daemon's user. What is wrong is in the log;
 * then *out is NULL. */
static int load_as_user(const struct lmtpd *d, struct wb_conf **out)
{
    struct wb_problems problems = {.items = NULL};
    int code = wb_conf_load(d->config_path, WB_USE_LMTP, out, &problems);

    if (code != EX_OK) {
        log_problems(&problems);
        wb_log(LOG_ERR,
               "%s: cannot be used%s; it is read as uid %lu, which needs to "
               "read the configuration, secret_file and the webhooks' files",
               d->config_path, problems.count == 0 ? ": out of memory" : "",
               (unsigned long)geteuid());
    }
    wb_problems_free(&problems);
    return code;
}

static bool is_same_folder(const char *a, const char *b)
{
    const char *slash = strrchr(a, '/');
    size_t octets = slash != NULL ? (size_t)(slash - a) + 1 : 0;

    return strncmp(a, b, octets) == 0 && strchr(b + octets, '/') == NULL;
}

/* The sandbox cannot be widened: say so now, not when mail fails. Returns the
 * option that wants another folder, or NULL. */
static const char *find_new_folder(const struct wb_conf *first,
                                   const struct wb_conf *new)
{
    const char *was = first->bounces.log_file;
    const char *log_file = new->bounces.log_file;

    if (differ(first->spool_directory, new->spool_directory))
        return "spool_directory";
    if (log_file != NULL && (was == NULL || !is_same_folder(was, log_file)))
        return "log_file";
    return NULL;
}

static int load_anew(const struct lmtpd *d, struct wb_conf **out)
{
    int code = load_as_user(d, out);
    const char *option = code == EX_OK ? find_new_folder(d->first, *out) : NULL;

    if (option == NULL)
        return code;
    wb_log(LOG_ERR,
           "%s: another folder than at the start, where a running "
           "waybill-lmtp may not write; a restart is right",
           option);
    wb_conf_unref(*out);
    return EX_CONFIG;
}

static void reload(struct lmtpd *d)
{
    const struct wb_conf *old = wb_server_conf(&d->server);
    struct wb_conf *conf = NULL;

    if (load_anew(d, &conf) != EX_OK) {
        wb_log(LOG_ERR, "reload refused, the old configuration stays in force");
    } else {
        warn_of_restart(old, conf);
        wb_server_set_conf(&d->server, conf);
        wb_log(LOG_NOTICE, "configuration reloaded from %s", d->config_path);
    }
    wb_conf_unref(old);
}

/* ---- start -------------------------------------------------------------- */

static int open_socket(struct lmtpd *d, const struct wb_conf *conf,
                       struct wb_err *err)
{
    struct wb_pool *p = wb_pool_new(0);
    const char *path =
        p != NULL ? wb_conf_queue_path(conf, p, conf->lmtp_socket + 5) : NULL;
    int code = path != NULL ? wb_owner_make_directory(&d->owner, path,
                                                      d->owner.socket_gid,
                                                      DIRECTORY_MODE, err)
                            : wb_err_set(err, EX_OSERR, "out of memory");

    if (code == EX_OK)
        code = wb_socket_file_claim(&d->socket, path, err);
    if (code == EX_OK)
        code = wb_socket_file_listen(&d->socket, conf->socket_mode, BACKLOG,
                                     &d->listen_fd, err);
    if (code == EX_OK)
        code =
            wb_socket_file_own(&d->socket, &d->owner, d->owner.socket_gid, err);
    wb_pool_free(p);
    return code;
}

/* All threads leave signals to the main one, which reads them. */
static int open_signals(struct lmtpd *d, struct wb_err *err)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of write */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return d->signal_fd >= 0
               ? EX_OK
               : wb_err_set(err, EX_OSERR, "signalfd: %s", strerror(errno));
}

static int allow_files(const struct lmtpd *d, const struct wb_conf *conf,
                       struct wb_sandbox *sandbox, struct wb_err *err)
{
    int code = wb_sandbox_allow_remove(sandbox, conf->lmtp_pid_file, err);

    if (code == EX_OK)
        code = wb_sandbox_allow_remove(sandbox, d->socket.path, err);
    if (code == EX_OK)
        code = wb_sandbox_allow_write(sandbox, conf->spool_directory, err);
    if (code == EX_OK)
        code = wb_sandbox_allow_write_at(sandbox, conf->bounces.log_file, err);
    return code;
}

/* It posts, so it may call others; it writes what it was told to write. */
static int enter_sandbox(const struct lmtpd *d, const struct wb_conf *conf,
                         struct wb_err *err)
{
    struct wb_sandbox sandbox;
    int code = wb_sandbox_begin(&sandbox, WB_REACH_OUT, err);

    if (code == EX_OK)
        code = allow_files(d, conf, &sandbox, err);
    if (code == EX_OK)
        return wb_sandbox_enter(&sandbox, err);
    wb_sandbox_abandon(&sandbox);
    return code;
}

/* All that root may be needed for. */
static int open_all(struct lmtpd *d, const struct wb_conf *conf,
                    struct wb_err *err)
{
    int code = wb_owner_find("lmtp_user", conf->lmtp_user, conf->socket_group,
                             &d->owner, err);

    if (code == EX_OK)
        code =
            wb_pidfile_open(conf->lmtp_pid_file, &d->owner, &d->pidfile, err);
    if (code == EX_OK)
        code = open_socket(d, conf, err);
    if (code == EX_OK)
        code = open_signals(d, err);
    if (code == EX_OK)
        code = wb_owner_become(&d->owner, err);
    if (code == EX_OK)
        code = enter_sandbox(d, conf, err);
    return code;
}

static int try_spool(const struct wb_conf *conf, struct wb_err *err)
{
    struct wb_err why = {""};
    int fd;

    if (wb_spool_file_open(conf->spool_directory, &fd, &why) != EX_OK)
        return wb_err_set(err, EX_CANTCREAT, "spool_directory: %s", why.text);
    close(fd);
    return EX_OK;
}

/* The configuration is read once more, as the user that will read it at a
 * reload: what works now works then. */
static int open_server(struct lmtpd *d, struct wb_err *err)
{
    struct wb_conf *conf = NULL;
    int code = load_as_user(d, &conf);

    if (code != EX_OK)
        return wb_err_set(err, code, "not started");
    code = wb_server_init(&d->server, conf, err);
    if (code == EX_OK)
        code = try_spool(conf, err);
    if (code != EX_OK)
        wb_server_free(&d->server);
    return code;
}

/* ---- life --------------------------------------------------------------- */

/* Returns false when it is to stop. */
static bool take_signal(struct lmtpd *d)
{
    struct signalfd_siginfo info;

    if (read(d->signal_fd, &info, sizeof info) != sizeof info)
        return true;
    if (info.ssi_signo != SIGHUP)
        return false;
    reload(d);
    return true;
}

static void serve(struct lmtpd *d)
{
    struct pollfd fds[] = {{.fd = d->signal_fd, .events = POLLIN},
                           {.fd = d->listen_fd, .events = POLLIN}};

    for (;;) {
        int ready = poll(fds, 2, PRUNE_MS);

        if (ready > 0 && fds[0].revents != 0 && !take_signal(d))
            return;
        if (ready > 0 && fds[1].revents != 0)
            wb_server_accept(&d->server, d->listen_fd);
        wb_poster_prune(d->server.poster);
    }
}

static void stop(struct lmtpd *d)
{
    unsigned left;

    wb_ready_notify("STOPPING=1");
    left = wb_server_stop(&d->server, STOP_WAIT_S);
    if (left > 0)
        wb_log(LOG_WARNING,
               "%u connections are cut off; their mail stays in the queue",
               left);
    else
        wb_server_free(&d->server);
    wb_log(LOG_NOTICE, "waybill-lmtp stopped");
}

static void tell_ready(int report_fd)
{
    if (report_fd >= 0) {
        wb_log_open("waybill-lmtp", true);
        wb_ready_report(report_fd, EX_OK);
    }
    wb_log(LOG_NOTICE, "waybill-lmtp %s ready", WB_VERSION);
    wb_ready_notify("READY=1");
}

static void close_all(struct lmtpd *d)
{
    wb_socket_file_remove(&d->socket);
    wb_pidfile_close(&d->pidfile);
    if (d->listen_fd >= 0)
        close(d->listen_fd);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
}

int wb_lmtpd_run(const struct wb_conf *conf, const char *config_path,
                 int report_fd)
{
    struct lmtpd d = {.config_path = config_path,
                      .first = conf,
                      .pidfile.fd = -1,
                      .listen_fd = -1,
                      .signal_fd = -1};
    struct wb_err err = {.text = ""};
    int code;

    wb_descriptors_raise();
    code = open_all(&d, conf, &err);
    if (code == EX_OK)
        code = open_server(&d, &err);
    if (code == EX_OK) {
        tell_ready(report_fd);
        serve(&d);
        stop(&d);
    } else {
        wb_log(LOG_ERR, "waybill-lmtp: %s", err.text);
        if (report_fd >= 0)
            wb_ready_report(report_fd, code);
    }
    close_all(&d);
    wb_conf_unref(conf); /* d.owner and d.first point into it */
    return code;
}
