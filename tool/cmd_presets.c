/* waybill presets: show what is known of mail providers. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "conf/preset.h"
#include "conf/schema.h"
#include "tool/tool.h"

enum { LINE_COLUMNS = 78, INDENT = 13 };

struct request {
    const char *config;
    const char *name; /* NULL: all */
    bool is_json;
};

static void help(void)
{
    puts(
        "usage: waybill presets [-c FILE] [--json] [NAME]\n\n"
        "List the presets that a route can name (preset = NAME), or show one:\n"
        "its host, ports and limits, what the provider does to the mail, how\n"
        "to get a password that works, and a route to begin with.\n\n"
        "  -c, --config FILE  instead of " WB_DEFAULT_CONFIG ";\n"
        "                     a folder \"presets\" beside it is looked at "
        "first\n"
        "  -j, --json         for programs\n"
        "  -h, --help         print this\n\n"
        "Exit status: 0; 65 when there is no preset NAME, 78 when one is "
        "faulty.");
}

/* ---- for people -----------------------------------------------------------
 */

static const char *form_of(const struct wb_preset *p)
{
    static const char *const forms[] = {
        [WB_ACCOUNT_UNKNOWN] = NULL,
        [WB_ACCOUNT_ADDRESS] = "the whole address",
        [WB_ACCOUNT_LOCAL] = "what stands before the @ of the address",
        [WB_ACCOUNT_ID] = "an id that the provider gives",
    };

    return forms[p->username];
}

/* Text in lines, the first one behind label. */
static void paragraph(const char *label, const char *text)
{
    int column = printf("  %-*s", INDENT - 2, label);
    const char *separator = "";

    while (*text) {
        int octets = (int)strcspn(text, " ");

        if (column + (int)strlen(separator) + octets > LINE_COLUMNS &&
            column > INDENT) {
            column = printf("\n%*s", INDENT, "") - 1;
            separator = "";
        }
        column += printf("%s%.*s", separator, octets, text);
        separator = " ";
        text += octets;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void line(const char *label, const char *text)
{
    if (text)
        paragraph(label, text);
}

static void lines(const char *label, const struct wb_strings *texts,
                  bool is_numbered)
{
    for (size_t i = 0; i < texts->count; i++) {
        char head[24];

        snprintf(head, sizeof head, is_numbered ? "%s %zu" : "%s",
                 i == 0 || is_numbered ? label : "", i + 1);
        paragraph(head, texts->items[i]);
    }
}

static void show_ports(const struct wb_preset *p)
{
    for (size_t i = 0; i < p->port_count; i++)
        printf("%s%s %s", i ? ", " : "  port       ", p->ports[i].port,
               p->ports[i].tls);
    if (p->port_count)
        putchar('\n');
}

static bool route_has(const char *option)
{
    return wb_schema_option(wb_schema_section("route"), option) != NULL;
}

/* A route to begin with; what stands in capitals is to be replaced. */
static void show_route(const struct wb_preset *p)
{
    static const char *const examples[] = {
        [WB_ACCOUNT_UNKNOWN] = "NAME",
        [WB_ACCOUNT_ADDRESS] = "YOU@EXAMPLE.COM",
        [WB_ACCOUNT_LOCAL] = "YOU",
        [WB_ACCOUNT_ID] = "ID",
    };

    printf("\nroute %s {\n    preset         = %s\n", p->name, p->name);
    if (!p->host)
        puts("    host           = \"HOST\"");
    if (!p->fixed_username)
        printf("    username       = \"%s\"\n", examples[p->username]);
    printf("    password_file  = \"secrets/%s\"\n", p->name);
    if (p->needs_from)
        puts("    from           = \"YOU@EXAMPLE.COM\"");
    if (p->rate && route_has("rate"))
        printf("    rate           = \"%s\"\n", p->rate);
    if (p->max_recipients && route_has("max_recipients"))
        printf("    max_recipients = %u\n", p->max_recipients);
    if (p->max_size_kb && route_has("max_size_kb"))
        printf("    max_size_kb    = %u\n", p->max_size_kb);
    puts("}");
}

static void show(const struct wb_preset *p)
{
    printf("%s: %s\n", p->name, p->title);
    line("host", p->host ? p->host : p->host_hint);
    show_ports(p);
    line("auth", p->auth);
    line("user name", p->fixed_username ? p->fixed_username : form_of(p));
    line("password", p->no_password);
    lines("password", &p->password_steps, true);
    lines("limits", &p->limits, false);
    if (p->needs_from)
        paragraph("From", "must be the account's address, or becomes it");
    lines("mind", &p->notes, false);
    line("SPF", p->spf);
    line("unverified", p->unverified);
    lines("source", &p->source, false);
    line("checked", p->checked);
    line("file", p->origin.file);
    if (!p->no_password)
        show_route(p);
}

static void list(const struct wb_presets *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct wb_preset *p = all->items[i];
        char where[300];

        snprintf(where, sizeof where, "%s:%s", p->host ? p->host : "HOST",
                 p->port_count ? p->ports[0].port : "PORT");
        printf("%-13s %-29s %-9s %s%s\n", p->name, where,
               p->port_count ? p->ports[0].tls : "", p->title,
               p->no_password  ? " (no password works)"
               : p->unverified ? " (unverified)"
                               : "");
    }
}

/* ---- for programs ----------------------------------------------------------
 */

static json_t *text(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *number(unsigned n)
{
    return n ? json_integer(n) : json_null();
}

static json_t *texts(const struct wb_strings *list)
{
    json_t *out = json_array();

    for (size_t i = 0; out && i < list->count; i++)
        json_array_append_new(out, json_string(list->items[i]));
    return out;
}

static json_t *ports(const struct wb_preset *p)
{
    json_t *out = json_array();

    for (size_t i = 0; out && i < p->port_count; i++)
        json_array_append_new(out,
                              json_pack("{s:i, s:s}", "port",
                                        (int)strtol(p->ports[i].port, NULL, 10),
                                        "tls", p->ports[i].tls));
    return out;
}

static json_t *object(const struct wb_preset *p)
{
    static const char *const forms[] = {[WB_ACCOUNT_UNKNOWN] = NULL,
                                        [WB_ACCOUNT_ADDRESS] = "address",
                                        [WB_ACCOUNT_LOCAL] = "local",
                                        [WB_ACCOUNT_ID] = "account"};

    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o,"
        " s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "name", p->name, "title", p->title, "host", text(p->host), "host_hint",
        text(p->host_hint), "ports", ports(p), "auth", text(p->auth),
        "username", text(forms[p->username]), "fixed_username",
        text(p->fixed_username), "no_password", text(p->no_password),
        "needs_from", p->needs_from, "rate", text(p->rate), "max_recipients",
        number(p->max_recipients), "max_size_kb", number(p->max_size_kb), "spf",
        text(p->spf), "limits", texts(&p->limits), "notes", texts(&p->notes),
        "password_steps", texts(&p->password_steps), "source",
        texts(&p->source), "checked", text(p->checked), "unverified",
        text(p->unverified), "file", text(p->origin.file));
}

/* One object for one name, else a list. */
static int print_json(const struct wb_presets *all, bool is_one)
{
    json_t *out = is_one ? object(all->items[0]) : json_array();
    int rc = EX_OSERR;

    for (size_t i = 0; !is_one && i < all->count; i++)
        if (json_array_append_new(out, object(all->items[i])))
            goto end;
    if (out && json_dumpf(out, stdout, JSON_INDENT(2)) == 0) {
        putchar('\n');
        rc = EX_OK;
    }
end:
    json_decref(out);
    return rc;
}

/* ----------------------------------------------------------------------------
 */

static int print(const struct request *r, const struct wb_presets *all)
{
    if (r->is_json && (all->count || !r->name))
        return print_json(all, r->name != NULL);
    if (!r->name)
        list(all);
    else if (all->count)
        show(all->items[0]);
    return EX_OK;
}

/* Returns EX_OK, EX_USAGE, or -1 when help was asked for. */
static int parse(struct request *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int key;

    opterr = 0;
    while ((key = getopt_long(argc, argv, "c:jh", options, NULL)) != -1) {
        if (key == 'c')
            r->config = optarg;
        else if (key == 'j')
            r->is_json = true;
        else if (key == 'h')
            return -1;
        else
            return wb_tool_usage("presets", "\"%s\" is not understood",
                                 argv[optind - 1]);
    }
    if (argc - optind > 1)
        return wb_tool_usage("presets", "one NAME is enough");
    r->name = argv[optind];
    return EX_OK;
}

int wb_cmd_presets(int argc, char **argv)
{
    struct request r = {.config = WB_DEFAULT_CONFIG};
    struct wb_problems problems = {0};
    struct wb_presets all;
    int rc = parse(&r, argc, argv);

    if (rc == -1)
        help();
    if (rc != EX_OK)
        return rc == -1 ? EX_OK : rc;
    rc = wb_presets_load(r.config, r.name, &all, &problems);
    wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    if (rc != EX_OSERR) {
        int printed = print(&r, &all);
        rc = printed == EX_OK ? rc : printed;
    }
    if (rc == EX_OSERR)
        fputs("waybill: out of memory\n", stderr);
    wb_presets_free(&all);
    return rc;
}
