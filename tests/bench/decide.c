/* make bench-rules: what one decision costs, against the number of rules, and
 * what loading them costs. Prints a table, or with --json one object a line.
 *
 *     decide [--json] [ROUNDS]
 *
 * Each kind of rule is loaded as a table from a folder of its own, in a child
 * process, so that its memory is its own. The decisions of a kind are timed in
 * turns, the few rules and the many, ROUNDS times (default 9): the median and
 * its ratio to 10 rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "plan/plan.h"

enum { MESSAGES = 1000, MOST_ROUNDS = 99 };

static const size_t sizes[] = {10, 1000, 10000, 100000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static const struct kind {
    const char *name;
    const char *table;   /* the option that names it */
    const char *columns; /* its first line */
    const char *row;     /* %1$zu: its number, in what is sent %zu */
    const char *recipient;
    const char *header; /* To; NULL: the recipient */
} kinds[] = {
    {"recipients", "rule_table", "recipients\troute",
     "user%1$zu@example.org\tr", "user%zu@example.org", NULL},
    {"domains", "rule_table", "recipients\troute", "d%1$zu.example.org\tr",
     "a@d%zu.example.org", NULL},
    {"subdomains", "rule_table", "recipients\troute", ".d%1$zu.example.org\tr",
     "a@b.d%zu.example.org", NULL},
    {"senders", "rule_table", "senders\trecipients\troute",
     "user%1$zu@example.com\texample.org\tr", "a@example.org", NULL},
    {"header", "rule_table", "header\troute",
     "To: info@mailform%1$zu\\.example\\.com\tr", "a@example.org",
     "Info <info@mailform%zu.example.com>"},
    {"regex", "rule_table", "recipients\troute",
     "/^user%1$zu@(.*\\.)?example\\.org$/\tr", "user%zu@example.org", NULL},
    {"inbound", "inbound_table", "name\tdomains\tmatch\twebhook",
     "f%1$zu\tmailform.example.com\tinfo%1$zu@mailform\\.example\\.com\tw",
     "info%zu@mailform.example.com", NULL},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "decide: %s\n", what);
    exit(EX_SOFTWARE);
}

/* ---- the configuration ---- */

static FILE *create(const char *folder, const char *name)
{
    char path[200];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "w");
    if (out == NULL)
        die("cannot write its files");
    return out;
}

/* The formats are in kinds. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void write_rows(FILE *out, const struct kind *kind, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, kind->row, i);
        fputc('\n', out);
    }
}

static void write_files(const char *folder, const struct kind *kind,
                        size_t count)
{
    FILE *out = create(folder, "waybill.conf");

    fprintf(out,
            "user = \"\"\n"
            "route r { host = \"smtp.example.net\" }\n"
            "webhook w { url = \"https://app.example.com/\" }\n"
            "%s = \"table\"\n",
            kind->table);
    fclose(out);
    out = create(folder, "secret");
    fputs("0123456789abcdef0123456789abcdef\n", out);
    fchmod(fileno(out), 0600);
    fclose(out);
    out = create(folder, "table");
    fprintf(out, "%s\n", kind->columns);
    write_rows(out, kind, count);
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

static struct wb_conf *load(const struct kind *kind, size_t count)
{
    char folder[] = "/tmp/waybill-bench.XXXXXX", path[200];
    struct wb_problems problems = {.items = NULL};
    struct wb_conf *conf;

    if (mkdtemp(folder) == NULL)
        die("cannot make a folder");
    write_files(folder, kind, count);
    snprintf(path, sizeof path, "%s/waybill.conf", folder);
    if (wb_conf_load(path, WB_USE_DAEMON, &conf, &problems) != EX_OK) {
        wb_problems_print(&problems, stderr);
        die("the configuration is refused");
    }
    wb_problems_free(&problems);
    remove_files(folder);
    return conf;
}

/* ---- one decision ---- */

struct message {
    struct wb_envelope env;
    struct wb_recipient recipient;
    struct wb_header header;
};

static void make_message(struct message *m, const struct kind *kind,
                         size_t number, struct wb_pool *p)
{
    const char *to = wb_pool_printf(p, kind->recipient, number);
    const char *sender = wb_pool_printf(p, "<user%zu@example.com>", number);

    *m = (struct message){
        .recipient = {.given = to, .mailer = "smtp"},
        .header = {"To", kind->header != NULL
                             ? wb_pool_printf(p, kind->header, number)
                             : to},
        .env = {.now_s = 1767225600,
                .client = "127.0.0.1",
                .recipient_count = 1,
                .header_count = 1},
    };
    m->env.recipients = &m->recipient;
    m->env.headers = &m->header;
    if (wb_address_parse(p, sender, &m->env.sender, NULL) != EX_OK ||
        wb_address_parse(p, to, &m->recipient.address, NULL) != EX_OK)
        die("its own addresses are wrong");
}

/* Each for another rule, as far as there are so many. */
static struct message *make_messages(const struct kind *kind, size_t rules,
                                     struct wb_pool *p)
{
    struct message *all = wb_pool_array(p, MESSAGES, sizeof *all);

    for (size_t i = 0; i < MESSAGES; i++)
        make_message(&all[i], kind, i * 7919 % rules, p);
    return all;
}

/* The mean of MESSAGES decisions. */
static double decide_ns(const struct wb_conf *conf, const struct message *all)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_plan plan;
    struct wb_err err;
    uint64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);

    for (int i = 0; i < MESSAGES; i++) {
        if (wb_plan_make(conf, &all[i].env, p, false, &plan, &err) != EX_OK ||
            plan.decision != WB_ACCEPT || plan.recipients[0].rewritten == NULL)
            die("a message was not decided on");
        wb_pool_reset(p);
    }
    wb_pool_free(p);
    return (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / MESSAGES;
}

/* ---- the table ---- */

struct result {
    double load_s, decide_ns;
    size_t rss_kb;
};

static size_t rss_kb(void)
{
    size_t pages = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");

    if (in == NULL || fscanf(in, "%zu %zu", &pages, &resident) != 2)
        die("cannot read /proc/self/statm");
    fclose(in);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* In a child, so that nothing of other kinds or sizes is in its memory. */
static void load_in_child(const struct kind *kind, size_t count,
                          struct result *out)
{
    int ends[2];
    struct result r = {0};

    if (pipe(ends) != 0)
        die("cannot make a pipe");
    fflush(stdout);
    if (fork() == 0) {
        uint64_t start = now_ns(CLOCK_MONOTONIC);

        (void)load(kind, count);
        r.load_s = (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e9;
        r.rss_kb = rss_kb();
        _exit(write(ends[1], &r, sizeof r) == sizeof r ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &r, sizeof r) != sizeof r)
        die("a child failed");
    close(ends[0]);
    wait(NULL);
    *out = r;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof values[0], by_value);
    return values[count / 2];
}

static void measure(const struct kind *kind, int rounds,
                    struct result results[SIZES])
{
    struct wb_conf *confs[SIZES];
    double times[SIZES][MOST_ROUNDS];
    struct wb_pool *p = wb_pool_new(0);
    struct message *messages[SIZES];

    for (int s = 0; s < SIZES; s++) {
        confs[s] = load(kind, sizes[s]);
        messages[s] = make_messages(kind, sizes[s], p);
        (void)decide_ns(confs[s], messages[s]); /* compiles patterns */
    }
    for (int round = 0; round < rounds; round++)
        for (int s = 0; s < SIZES; s++)
            times[s][round] = decide_ns(confs[s], messages[s]);
    for (int s = 0; s < SIZES; s++) {
        results[s].decide_ns = median(times[s], rounds);
        wb_conf_unref(confs[s]);
    }
    wb_pool_free(p);
}

static void print(const struct kind *kind, const struct result r[SIZES],
                  bool is_json)
{
    for (int s = 0; s < SIZES; s++) {
        double over = r[s].decide_ns - r[0].decide_ns;
        double octets = r[s].rss_kb > 10240 ? (double)(r[s].rss_kb - 10240) *
                                                  1024 / (double)sizes[s]
                                            : 0;

        printf(is_json
                   ? "{\"rules\": \"%s\", \"count\": %zu, \"decide_us\": %.3f, "
                     "\"ratio\": %.3f, \"over_10_rules_us\": %.3f, "
                     "\"load_s\": %.3f, \"rss_kb\": %zu, "
                     "\"octets_a_rule_above_10_mb\": %.0f}\n"
                   : "%-11s %7zu %10.2f %7.2f %+9.2f %8.3f %8zu %9.0f\n",
               kind->name, sizes[s], r[s].decide_ns / 1000,
               r[s].decide_ns / r[0].decide_ns, over / 1000, r[s].load_s,
               r[s].rss_kb, octets);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    static struct result results[KINDS][SIZES];
    int rounds = argc > 1 + is_json ? atoi(argv[1 + is_json]) : 9;

    if (rounds < 1 || rounds > MOST_ROUNDS)
        die("1 to 99 rounds are right");
    if (!is_json)
        printf("%-11s %7s %10s %7s %9s %8s %8s %9s\n", "rules", "count",
               "decide us", "ratio", "over 10", "load s", "RSS KB", "octets/r");
    for (int k = 0; k < KINDS; k++)
        for (int s = 0; s < SIZES; s++)
            load_in_child(&kinds[k], sizes[s], &results[k][s]);
    for (int k = 0; k < KINDS; k++) {
        measure(&kinds[k], rounds, results[k]);
        print(&kinds[k], results[k], is_json);
    }
    return 0;
}
