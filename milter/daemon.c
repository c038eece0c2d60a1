#include "milter/daemon.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "milter/base/descriptors.h"
#include "milter/base/log.h"
#include "milter/base/pidfile.h"
#include "milter/base/ready.h"
#include "milter/base/sandbox.h"
#include "milter/callbacks.h"
#include "milter/control.h"
#include "milter/current.h"
#include "milter/stats.h"

enum {
    LOOK_S = 5,
    MTA_LIMIT_S = 7210, /* libmilter's own default: longer than SMTP waits */
    PACKET_MAX_OCTETS = 1024 * 1024, /* Postfix sends headers of 100 KB whole */
};

struct daemon {
    struct wb_owner owner;
    struct wb_pidfile pidfile;
    struct wb_socket socket;
    struct wb_control control;
    int libmilter_answer;
    atomic_bool has_ended; /* and libmilter_answer is set */
};

int wb_daemon_load(const char *path, struct wb_conf **out)
{
    struct wb_problems problems = {.items = NULL};
    int code = wb_conf_load(path, WB_USE_DAEMON, out, &problems);

    wb_problems_print(&problems, stderr);
    if (code != EX_OK && problems.count == 0)
        fprintf(stderr, "%s: out of memory\n", path);
    wb_problems_free(&problems);
    return code;
}

/* What it opened is served and, at the end, removed; nothing else is written,
 * and nobody is called but by unix sockets. */
static int enter_sandbox(const struct daemon *d, const struct wb_conf *conf,
                         struct wb_err *err)
{
    struct wb_sandbox sandbox;
    int code = wb_sandbox_begin(&sandbox, WB_REACH_LOCAL, err);

    if (code == EX_OK)
        code = wb_sandbox_allow_remove(&sandbox, conf->pid_file, err);
    if (code == EX_OK)
        code = wb_sandbox_allow_remove(&sandbox, d->socket.file.path, err);
    if (code == EX_OK)
        code = wb_sandbox_allow_remove(&sandbox, d->control.file.path, err);
    if (code == EX_OK && d->socket.port != 0)
        code = wb_sandbox_allow_port(&sandbox, d->socket.port, err);
    if (code == EX_OK)
        return wb_sandbox_enter(&sandbox, err);
    wb_sandbox_abandon(&sandbox);
    return code;
}

/* All that root may be needed for. */
static int open_all(struct daemon *d, const struct wb_conf *conf,
                    const char *config_path, struct wb_err *err)
{
    int code =
        wb_owner_find("user", conf->user, conf->socket_group, &d->owner, err);

    if (code == EX_OK)
        code = wb_pidfile_open(conf->pid_file, &d->owner, &d->pidfile, err);
    if (code == EX_OK && !wb_callbacks_register())
        code = wb_err_set(err, EX_OSERR, "libmilter: out of memory");
    if (code == EX_OK)
        code = wb_socket_open(conf, &d->owner, &d->socket, err);
    if (code == EX_OK)
        code = wb_control_open(conf, &d->owner, config_path, &d->control, err);
    if (code == EX_OK)
        code = wb_owner_become(&d->owner, err);
    if (code == EX_OK)
        code = enter_sandbox(d, conf, err);
    return code;
}

static void close_all(struct daemon *d)
{
    wb_control_close(&d->control);
    wb_socket_close(&d->socket);
    wb_pidfile_close(&d->pidfile);
    wb_current_set(NULL);
    (void)wb_current_sweep();
}

static void *run_stop(void *argument)
{
    (void)argument;
    (void)smfi_stop();
    return NULL;
}

/* Is thread still there after a moment? */
static bool outlasts(pthread_t thread, long moment_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += moment_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT;
}

/* smfi_stop waits until libmilter's listener looks up from its poll, which
 * takes up to 5 s; a connection makes it look up, but only one that comes
 * after smfi_stop has told it why. */
static void stop_libmilter(const struct daemon *d, pthread_t libmilter)
{
    pthread_t stopper;

    if (pthread_create(&stopper, NULL, run_stop, NULL) == 0)
        pthread_detach(stopper);
    else
        (void)smfi_stop();
    do {
        wb_socket_wake(&d->socket);
    } while (outlasts(libmilter, 10));
}

/* A handler can reach nothing but a global. */
static sem_t stop_asked;

static void on_stop(int number)
{
    (void)number;
    (void)sem_post(&stop_asked);
}

static void mask_stop_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(how, &set, NULL);
}

/* They wait until serve is there for them; threads that are made before then
 * never see them. */
static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop};

    sem_init(&stop_asked, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    mask_stop_signals(SIG_BLOCK);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
}

/* ThreadSanitizer may hold a signal back until the next call: so there is one
 * now and then. */
static void wait_for_signal(void)
{
    struct timespec until;

    do {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_S;
    } while (sem_timedwait(&stop_asked, &until) != 0);
}

static void *run_libmilter(void *argument)
{
    struct daemon *d = argument;

    mask_stop_signals(SIG_BLOCK); /* in libmilter's threads, too */
    d->libmilter_answer = smfi_main();
    d->has_ended = true;
    /* If it ended by itself, the main thread is to know. */
    (void)sem_post(&stop_asked);
    return NULL;
}

/* libmilter has a thread of its own that waits for these signals, but would
 * then stop slowly, and may call that a failure. Linux gives a signal to the
 * main thread, when that has it unblocked, before any thread that waits in
 * sigwait: so from before libmilter begins it has. */
static int serve(struct daemon *d)
{
    pthread_t thread;
    bool has_failed;

    mask_stop_signals(SIG_UNBLOCK);
    if (pthread_create(&thread, NULL, run_libmilter, d) != 0)
        return EX_OSERR;
    wait_for_signal();
    has_failed = d->has_ended && d->libmilter_answer != MI_SUCCESS;
    wb_ready_notify("STOPPING=1");
    stop_libmilter(d, thread);
    return has_failed ? EX_OSERR : EX_OK;
}

static void tell_ready(int report_fd)
{
    if (report_fd >= 0) {
        wb_log_open("waybill-milter", true);
        wb_ready_report(report_fd, EX_OK);
    }
    wb_log(LOG_NOTICE, "waybill-milter %s ready", WB_VERSION);
    wb_ready_notify("READY=1");
}

int wb_daemon_run(struct wb_conf *conf, const char *config_path, int report_fd)
{
    struct daemon d = {.pidfile.fd = -1,
                       .socket.wake_fd = -1,
                       .control = {.listen_fd = -1, .stop_fd = -1}};
    struct wb_err err = {.text = ""};
    bool has_counts = wb_stats_attach(conf, NULL);
    int code;

    wb_stats_start();
    wb_current_set(conf);
    catch_signals();
    wb_descriptors_raise();
    (void)smfi_settimeout(MTA_LIMIT_S);
    (void)smfi_setmaxdatasize(PACKET_MAX_OCTETS);
    code = has_counts ? open_all(&d, conf, config_path, &err)
                      : wb_err_set(&err, EX_OSERR, "out of memory");
    if (code == EX_OK)
        code = wb_control_start(&d.control, &err);
    if (code == EX_OK) {
        tell_ready(report_fd);
        code = serve(&d);
        wb_log(LOG_NOTICE, "waybill-milter stopped");
    } else {
        wb_log(LOG_ERR, "waybill-milter: %s", err.text);
        if (report_fd >= 0)
            wb_ready_report(report_fd, code);
    }
    close_all(&d);
    return code;
}
