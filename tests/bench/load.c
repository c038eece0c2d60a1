/* A load of mail for a milter: `load [options] SOCKET`.
 *
 * Plays Postfix over 1 to 512 connections, each of which gives one message
 * after the other, and checks every answer against the text of -a. Prints one
 * line of JSON. Exit status: 0, 64 wrong usage, 65 a wrong answer, 69 the
 * filter cannot be reached. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/bench/client.h"
#include "tests/bench/figures.h"

enum {
    CONNECTIONS_MAX = 512,
    RECIPIENTS_MAX = 1000,
    RULES_MAX = 10000000,
    TIME_MAX_MS = 3600000,
    ANSWER_MAX_OCTETS = 65536,
    STUCK_MS = 20000, /* without any answer */
};

static const char usage[] =
    "usage: load [options] SOCKET\n"
    "  SOCKET           unix:PATH or inet:PORT@ADDRESS\n"
    "  -a FILE          the answer that each message must get\n"
    "  -c CONNECTIONS   1 to 512; 8\n"
    "  -n MESSAGES      end after so many\n"
    "  -p PID           the filter's: measure its CPU time and memory\n"
    "  -r RECIPIENTS    of each message; 1\n"
    "  -R RULES         the filter has; 10\n"
    "  -t MILLISECONDS  end after so long; 1000\n"
    "  -w MESSAGES      before the measurement; 0\n";

struct options {
    const char *socket, *answer_path;
    unsigned long connections, messages, recipients, rules, time_ms, warm_up;
    pid_t pid;
};

/* One run. */
struct run {
    struct options options;
    struct letters letters;
    struct load load;
    struct client *clients[CONNECTIONS_MAX];
    size_t open;
    struct latencies latencies;
    uint64_t answers;
    enum { WARM_UP, MEASURING, OVER } phase;
    uint64_t began_ns, ended_ns, cpu_began_ns, cpu_ns;
};

/* ---- options ---- */

static void wrong_usage(const char *why)
{
    fprintf(stderr, "load: %s\n%s", why, usage);
    exit(EX_USAGE);
}

static unsigned long number(const char *text, unsigned long most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value > most)
        wrong_usage("a number is wrong");
    return value;
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {
        .connections = 8, .recipients = 1, .rules = 10, .time_ms = 1000};
    int letter;

    while ((letter = getopt(argc, argv, "a:c:n:p:r:R:t:w:")) != -1) {
        if (letter == 'a')
            o.answer_path = optarg;
        else if (letter == 'c')
            o.connections = number(optarg, CONNECTIONS_MAX);
        else if (letter == 'n')
            o.messages = number(optarg, UINT32_MAX);
        else if (letter == 'p')
            o.pid = (pid_t)number(optarg, INT32_MAX);
        else if (letter == 'r')
            o.recipients = number(optarg, RECIPIENTS_MAX);
        else if (letter == 'R')
            o.rules = number(optarg, RULES_MAX);
        else if (letter == 't')
            o.time_ms = number(optarg, TIME_MAX_MS);
        else if (letter == 'w')
            o.warm_up = number(optarg, UINT32_MAX);
        else
            wrong_usage("an option is wrong");
    }
    if (optind + 1 != argc || o.connections == 0 || o.recipients == 0 ||
        o.rules == 0)
        wrong_usage("a socket is needed, and one or more of each");
    o.socket = argv[optind];
    return o;
}

static void read_address(const char *text, struct load *load)
{
    struct sockaddr_un *un = (void *)&load->address;
    struct sockaddr_in *in = (void *)&load->address;
    char host[INET_ADDRSTRLEN];
    unsigned port;

    if (strncmp(text, "unix:", 5) == 0 &&
        strlen(text + 5) < sizeof un->sun_path) {
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, text + 5);
        load->address_octets = sizeof *un;
    } else if (sscanf(text, "inet:%5u@%15[0-9.]", &port, host) == 2 &&
               inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        load->address_octets = sizeof *in;
    } else {
        wrong_usage("the socket is not unix:PATH or inet:PORT@ADDRESS");
    }
}

static char *read_answer(const char *path)
{
    char *text = calloc(1, ANSWER_MAX_OCTETS);
    FILE *file = fopen(path, "r");

    if (text == NULL || file == NULL) {
        fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
        exit(EX_NOINPUT);
    }
    if (fread(text, 1, ANSWER_MAX_OCTETS, file) == ANSWER_MAX_OCTETS)
        wrong_usage("the answer is too long");
    fclose(file);
    return text;
}

static void check_answer(const struct letters *letters)
{
    struct wire out = {.octets = NULL};
    const char *wrong = letter_answer(letters, 0, &out);

    free(out.octets);
    if (wrong == NULL)
        return;
    fprintf(stderr, "load: answer: %.*s\n", (int)strcspn(wrong, "\n"), wrong);
    wrong_usage("a line of the answer is not understood");
}

/* ---- measuring ---- */

static void begin_measuring(struct run *run)
{
    run->phase = MEASURING;
    if (run->options.pid != 0 &&
        !process_cpu_ns(run->options.pid, &run->cpu_began_ns)) {
        fputs("load: the CPU time of that process cannot be read\n", stderr);
        exit(EX_UNAVAILABLE);
    }
    run->began_ns = client_now_ns();
}

static void on_answer(void *report_to, uint64_t ns)
{
    struct run *run = report_to;

    run->answers++;
    if (run->phase == MEASURING)
        latencies_add(&run->latencies, ns);
    else if (run->phase == WARM_UP && run->answers >= run->options.warm_up)
        begin_measuring(run);
}

static bool is_time_over(const struct run *run)
{
    return run->phase == MEASURING &&
           client_now_ns() - run->began_ns >=
               run->options.time_ms * UINT64_C(1000000);
}

/* What comes after this is no longer counted. */
static void end_measuring(struct run *run)
{
    uint64_t cpu_ns;

    run->ended_ns = client_now_ns();
    run->phase = OVER;
    if (run->options.pid != 0 && process_cpu_ns(run->options.pid, &cpu_ns))
        run->cpu_ns = cpu_ns - run->cpu_began_ns;
    run->load.is_ending = true;
}

static void print(struct run *run)
{
    struct latencies *l = &run->latencies;
    double seconds = (double)(run->ended_ns - run->began_ns) / 1e9;
    double count = l->count > 0 ? (double)l->count : 1;
    pid_t pid = run->options.pid;

    latencies_sort(l);
    printf("{\"messages\": %zu, \"seconds\": %.4f, \"per_second\": %.1f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f",
           l->count, seconds, (double)l->count / seconds,
           (double)latencies_at(l, 0.5) / 1e3,
           (double)latencies_at(l, 0.99) / 1e3,
           (double)latencies_at(l, 0.999) / 1e3);
    if (pid != 0) {
        /* in this order, as it may still grow */
        unsigned long resident_kb = process_memory_kb(pid, "VmRSS");
        unsigned long peak_kb = process_memory_kb(pid, "VmHWM");

        printf(", \"cpu_us\": %.2f, \"peak_kb\": %lu, \"resident_kb\": %lu",
               (double)run->cpu_ns / 1e3 / count, peak_kb, resident_kb);
    }
    puts("}");
}

/* ---- the run ---- */

static int open_clients(struct run *run, int epoll)
{
    for (size_t i = 0; i < run->options.connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

        run->clients[i] = client_new(&run->load);
        if (run->clients[i] == NULL ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, client_descriptor(run->clients[i]),
                      &event) != 0) {
            fprintf(stderr, "load: %s: %s\n", run->options.socket,
                    strerror(errno));
            return EX_UNAVAILABLE;
        }
        run->open++;
    }
    return EX_OK;
}

static bool serve(struct run *run, size_t i)
{
    enum client_state state = client_read(run->clients[i]);

    if (state == CLIENT_FAILED)
        return false;
    if (state == CLIENT_DONE) {
        client_free(run->clients[i]);
        run->clients[i] = NULL;
        run->open--;
    }
    return true;
}

static int loop(struct run *run, int epoll)
{
    struct epoll_event events[64];

    while (run->open > 0) {
        int count = epoll_wait(epoll, events, 64, STUCK_MS);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            fprintf(stderr, "load: no answer within %d s\n", STUCK_MS / 1000);
            return EX_DATAERR;
        }
        for (int i = 0; i < count; i++)
            if (!serve(run, events[i].data.u64))
                return EX_DATAERR;
        if (is_time_over(run))
            end_measuring(run);
    }
    if (run->phase == MEASURING)
        end_measuring(run);
    return EX_OK;
}

int main(int argc, char **argv)
{
    static struct run run;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int code;

    run.options = read_options(argc, argv);
    run.letters = (struct letters){
        .recipients = (unsigned)run.options.recipients,
        .rules = (unsigned)run.options.rules,
    };
    if (run.options.answer_path != NULL)
        run.letters.answer = read_answer(run.options.answer_path);
    check_answer(&run.letters);
    read_address(run.options.socket, &run.load);
    run.load.letters = &run.letters;
    run.load.last_message =
        run.options.messages != 0 ? run.options.messages : UINT64_MAX;
    run.load.report = on_answer;
    run.load.report_to = &run;
    if (run.options.warm_up == 0)
        begin_measuring(&run);
    code = open_clients(&run, epoll);
    if (code == EX_OK)
        code = loop(&run, epoll);
    if (code == EX_OK)
        print(&run);
    return code;
}
