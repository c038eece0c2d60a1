/* waybill graph: draw the configuration. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool/graph/graph.h"
#include "tool/maps/memory.h"
#include "tool/maps/run.h"
#include "tool/tool.h"

struct request {
    const char *config;
    const char *to; /* "-": the standard output */
    bool is_page, has_picture;
};

static void help(void)
{
    puts(
        "usage: waybill graph [-c FILE] [--html [--no-picture]] [TO]\n"
        "\n"
        "Draws senders, rules, routes, relays, return paths, inbound mail and\n"
        "webhooks, in Graphviz's language; or writes a page with that "
        "picture,\n"
        "tables of all of them, and the warnings of waybill check.\n"
        "\n"
        "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG "\n"
        "  --html             a page; the program dot (package graphviz) "
        "draws\n"
        "                     its picture\n"
        "  --no-picture       the page without it, and without dot\n"
        "  -h, --help         print this\n"
        "  TO                 the file to write; without it, or with -, the\n"
        "                     standard output\n"
        "\n"
        "Exit status: 0; 69 when there is no dot, 73 when TO cannot be "
        "written.");
}

/* The picture of dot, without what stands in front of the element. */
static int draw(const char *dot, struct wb_pool *p, const char **svg)
{
    const char *const argv[] = {"dot", "-Tsvg", NULL};
    struct wb_run run = {.argv = argv, .input = dot};
    struct wb_err err;

    if (wb_run(p, &run, &err) != EX_OK) {
        fprintf(stderr,
                "waybill graph: %s; install graphviz, or leave the picture out "
                "with --no-picture\n",
                err.text);
        return EX_UNAVAILABLE;
    }
    *svg = strstr(run.out, "<svg");
    if (run.status == 0 && *svg != NULL)
        return EX_OK;
    fprintf(stderr, "waybill graph: dot: %s\n", wb_run_errors(p, &run));
    return EX_UNAVAILABLE;
}

static int make_page(const struct request *r, const struct wb_conf *conf,
                     const char *dot, struct wb_pool *p, const char **out)
{
    struct wb_problems problems = {.items = NULL};
    struct wb_conf *checked = NULL;
    struct wb_text page;
    const char *svg = NULL;
    int rc = r->has_picture ? draw(dot, p, &svg) : EX_OK;

    if (rc != EX_OK)
        return rc;
    /* As check does, which looks at more files than are needed here. */
    (void)wb_conf_load(r->config, WB_USE_CHECK, &checked, &problems);
    wb_text_open(&page);
    wb_graph_page(page.file, conf, &problems, svg);
    *out = wb_text_close(&page, p);
    wb_conf_unref(checked);
    wb_problems_free(&problems);
    return EX_OK;
}

/* At once, so that a browser never gets half of it. */
static int write_file(const char *to, const char *text, struct wb_pool *p)
{
    const char *new = wb_say(p, "%s.new", to);
    FILE *out = fopen(new, "we");
    bool is_good = out != NULL && fputs(text, out) >= 0;

    if (out != NULL && fclose(out) != 0)
        is_good = false;
    if (is_good && rename(new, to) == 0)
        return EX_OK;
    fprintf(stderr, "waybill graph: %s: %s\n", to, strerror(errno));
    (void)unlink(new);
    return EX_CANTCREAT;
}

static int graph(const struct request *r, const struct wb_conf *conf,
                 struct wb_pool *p)
{
    struct wb_text dot;
    const char *text;
    int rc = EX_OK;

    wb_text_open(&dot);
    wb_graph_dot(dot.file, conf, p);
    text = wb_text_close(&dot, p);
    if (r->is_page)
        rc = make_page(r, conf, text, p, &text);
    if (rc != EX_OK)
        return rc;
    if (strcmp(r->to, "-") != 0)
        return write_file(r->to, text, p);
    fputs(text, stdout);
    return EX_OK;
}

static int run(const struct request *r)
{
    struct wb_conf *conf = NULL;
    struct wb_pool *p = wb_must(wb_pool_new(0));
    int rc = wb_tool_load(r->config, WB_USE_EXPLAIN, &conf);

    if (rc == EX_OK)
        rc = graph(r, conf, p);
    wb_conf_unref(conf);
    wb_pool_free(p);
    return rc;
}

int wb_cmd_graph(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"html", no_argument, NULL, 'w'},
        {"no-picture", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    struct request r = {.config = WB_DEFAULT_CONFIG, .to = "-"};
    int option;

    r.has_picture = true;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            r.config = optarg;
            break;
        case 'w':
            r.is_page = true;
            break;
        case 'n':
            r.has_picture = false;
            break;
        case 'h':
            help();
            return EX_OK;
        default:
            return wb_tool_usage("graph", "\"%s\" is not understood",
                                 argv[optind - 1]);
        }
    }
    if (optind < argc)
        r.to = argv[optind++];
    if (optind < argc)
        return wb_tool_usage("graph", "\"%s\" is too much", argv[optind]);
    if (!r.has_picture && !r.is_page)
        return wb_tool_usage("graph", "--no-picture goes with --html");
    return run(&r);
}
