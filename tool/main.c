/* waybill(1): the admin's tool. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tool/tool.h"

static const struct {
    const char *name;
    wb_command *run;
    const char *what;
} commands[] = {
    {"check", wb_cmd_check, "say all that is wrong with the configuration"},
    {"explain", wb_cmd_explain,
     "show what would be done with a message, and why"},
    {"maps", wb_cmd_maps, "write the MTA's tables to a folder"},
    {"apply", wb_cmd_apply, "install them into the MTA, or undo that"},
    {"test", wb_cmd_test, "send a test mail by a route, step by step"},
    {"pop-login", wb_cmd_pop_login, "log in where POP comes before SMTP"},
    {"return-path", wb_cmd_return_path,
     "make a return address, read one that came back, rotate keys"},
    {"dns", wb_cmd_dns, "print the DNS records that are needed, and why"},
    {"presets", wb_cmd_presets, "show what is known of mail providers"},
    {"deliver-test", wb_cmd_deliver_test,
     "post a message to a webhook, and show what it answers"},
    {"bounce", wb_cmd_bounce, "show what waybill reads from a bounce"},
    {"graph", wb_cmd_graph, "draw the configuration, or write a page of it"},
    {"status", wb_cmd_status, "show what the milter has counted"},
    {"reload", wb_cmd_reload, "make the milter read its configuration again"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void help(FILE *out)
{
    fputs("usage: waybill COMMAND [option ...]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].what);
    fputs("\n  -V, --version   print the version\n"
          "  -h, --help      print this; COMMAND --help tells more\n"
          "\nThe configuration is " WB_DEFAULT_CONFIG
          " unless -c FILE names another.\n",
          out);
}

static bool is_either(const char *arg, const char *a, const char *b)
{
    return strcmp(arg, a) == 0 || strcmp(arg, b) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return EX_USAGE;
    }
    if (is_either(argv[1], "-h", "--help")) {
        help(stdout);
        return EX_OK;
    }
    if (is_either(argv[1], "-V", "--version")) {
        puts("waybill " WB_VERSION);
        return EX_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "waybill: there is no command \"%s\"; try waybill --help\n",
            argv[1]);
    return EX_USAGE;
}
