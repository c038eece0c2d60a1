/* make bench-rules: do messages wait while 100,000 rules are loaded anew?
 *
 *     reload [RELOADS]
 *
 * One thread decides on messages without a break, as the milter's do; another
 * loads, puts into force and frees, as the control thread does. The longest
 * times between two decisions are printed, beside those of as long a time in
 * which the other thread only counts: what the machine does anyway. "waited":
 * the longest in which no other program had the CPU. In use: how many rules the
 * messages are for. With all of them, the memory of many compiled patterns is
 * given back at each reload, which holds up who asks for some. And the memory,
 * since two configurations are there at a time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "milter/current.h"
#include "plan/plan.h"

enum { RULES = 100000, GAPS_MAX = 1 << 24, LONG_GAP_NS = 200000 };

static atomic_bool is_stopped;
static size_t in_use; /* how many rules the messages are for */
static uint32_t *gaps_ns;
static size_t gap_count;
static uint64_t longest_wait_ns; /* in which no other program had its CPU */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "reload: %s\n", what);
    exit(EX_SOFTWARE);
}

/* ---- the messages ---- */

static void decide(size_t number, struct wb_pool *p)
{
    struct wb_recipient recipient = {.mailer = "smtp"};
    struct wb_header header = {.name = "To"};
    struct wb_envelope env = {.now_s = 1767225600,
                              .client = "127.0.0.1",
                              .recipients = &recipient,
                              .recipient_count = 1,
                              .headers = &header,
                              .header_count = 1};
    const struct wb_conf *conf = wb_current_ref();
    struct wb_plan plan;
    struct wb_err err;

    header.value = wb_pool_printf(p, "info@mailform%zu.example.com", number);
    recipient.given = header.value;
    if (wb_address_parse(p, "<a@example.net>", &env.sender, &err) != EX_OK ||
        wb_address_parse(p, header.value, &recipient.address, &err) != EX_OK ||
        wb_plan_make(conf, &env, p, false, &plan, &err) != EX_OK ||
        plan.decision != WB_ACCEPT || plan.recipients[0].rewritten == NULL)
        die("a message was not decided on");
    wb_conf_unref(conf);
    wb_pool_reset(p);
}

/* How often the thread lost its CPU to another. */
static long preemptions(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

/* A long gap: did we wait, or did others run? */
static void judge(uint64_t gap_ns, long *preempted)
{
    long now = preemptions();

    if (now == *preempted && gap_ns > longest_wait_ns)
        longest_wait_ns = gap_ns;
    *preempted = now;
}

static void *decide_on(void *unused)
{
    long preempted = preemptions();
    struct wb_pool *p = wb_pool_new(0);
    uint64_t last = now_ns();

    (void)unused;
    for (size_t i = 0; !atomic_load(&is_stopped); i++) {
        uint64_t now;

        decide(i * 7919 % in_use, p);
        now = now_ns();
        if (gap_count < GAPS_MAX)
            gaps_ns[gap_count++] = (uint32_t)(now - last);
        if (now - last > LONG_GAP_NS) {
            judge(now - last, &preempted);
            now = now_ns();
        }
        last = now;
    }
    wb_pool_free(p);
    return NULL;
}

/* ---- the configuration ---- */

static FILE *create(const char *folder, const char *name, char *path)
{
    FILE *out;

    snprintf(path, 200, "%s/%s", folder, name);
    out = fopen(path, "w");
    if (out == NULL)
        die("cannot write its files");
    return out;
}

static void write_files(const char *folder)
{
    char path[200];
    FILE *out = create(folder, "secret", path);

    fputs("0123456789abcdef0123456789abcdef\n", out);
    fchmod(fileno(out), 0600);
    fclose(out);
    out = create(folder, "table", path);
    fputs("header\troute\n", out);
    for (size_t i = 0; i < RULES; i++)
        fprintf(out, "To: info@mailform%zu\\.example\\.com\tr\n", i);
    fclose(out);
    out = create(folder, "waybill.conf", path);
    fputs("user = \"\"\nrule_table = \"table\"\n"
          "route r { host = \"smtp.example.net\" }\n",
          out);
    fclose(out);
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {"waybill.conf", "secret", "table"};
    char path[200];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void load(const char *folder)
{
    struct wb_problems problems = {.items = NULL};
    struct wb_conf *conf;
    char path[200];

    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    if (wb_conf_load(path, WB_USE_DAEMON, &conf, &problems) != EX_OK)
        die("the configuration is refused");
    wb_problems_free(&problems);
    wb_current_set(conf);
    while (wb_current_sweep())
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ---- the table ---- */

static size_t rss_kb(void)
{
    size_t pages = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");

    if (in == NULL || fscanf(in, "%zu %zu", &pages, &resident) != 2)
        die("cannot read /proc/self/statm");
    fclose(in);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double share_us(double share)
{
    return gaps_ns[(size_t)((double)(gap_count - 1) * share)] / 1000.0;
}

static void run(const char *what, const char *folder, int reloads,
                uint64_t *lasts_ns)
{
    uint64_t start = now_ns();
    pthread_t thread;

    gap_count = 0;
    longest_wait_ns = 0;
    atomic_store(&is_stopped, false);
    if (pthread_create(&thread, NULL, decide_on, NULL) != 0)
        die("cannot start a thread");
    for (int i = 0; i < reloads; i++)
        load(folder);
    while (reloads == 0 && now_ns() - start < *lasts_ns)
        ; /* as busy as a reload */
    atomic_store(&is_stopped, true);
    pthread_join(thread, NULL);
    *lasts_ns = now_ns() - start;
    qsort(gaps_ns, gap_count, sizeof gaps_ns[0], by_value);
    printf("%-10s %7zu %7.2f %9zu %8.1f %8.1f %8.1f %9.1f %9.1f %9.1f %8zu\n",
           what, in_use, (double)*lasts_ns / 1e9, gap_count, share_us(0.5),
           share_us(0.99), share_us(0.999), share_us(0.9999), share_us(1),
           (double)longest_wait_ns / 1000, rss_kb());
}

int main(int argc, char **argv)
{
    int reloads = argc > 1 ? atoi(argv[1]) : 10;
    char folder[] = "/tmp/waybill-bench.XXXXXX";
    uint64_t lasts_ns = 0;

    gaps_ns = calloc(GAPS_MAX, sizeof *gaps_ns);
    if (reloads < 1 || gaps_ns == NULL || mkdtemp(folder) == NULL)
        die("a number of reloads, memory and a folder are needed");
    write_files(folder);
    load(folder);
    printf("%-10s %7s %7s %9s %8s %8s %8s %9s %9s %9s %8s\n", "us between",
           "in use", "s", "decisions", "p50", "p99", "p99.9", "p99.99",
           "longest", "waited", "RSS KB");
    for (in_use = 500; in_use <= RULES; in_use += RULES - 500) {
        run("reloading", folder, reloads, &lasts_ns);
        run("only busy", folder, 0, &lasts_ns);
    }
    remove_files(folder);
    wb_current_set(NULL);
    (void)wb_current_sweep();
    free(gaps_ns);
    return 0;
}
