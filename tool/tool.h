/* What the commands of waybill(1) share. */
#ifndef WB_TOOL_TOOL_H
#define WB_TOOL_TOOL_H

#include "conf/conf.h"

#define WB_DEFAULT_CONFIG "/etc/waybill/waybill.conf"

/* A command: argv[0] is its name. Returns a sysexits code. */
typedef int wb_command(int argc, char **argv);

wb_command wb_cmd_check, wb_cmd_explain, wb_cmd_maps, wb_cmd_apply,
    wb_cmd_reload, wb_cmd_return_path, wb_cmd_dns, wb_cmd_presets,
    wb_cmd_deliver_test, wb_cmd_bounce, wb_cmd_test, wb_cmd_pop_login,
    wb_cmd_status, wb_cmd_graph;

/* `waybill return-path rotate`. Returns a sysexits code; the reason is told. */
int wb_cmd_rotate(const struct wb_conf *conf, struct wb_pool *p, bool is_dry);

/* Load path for a command and print every problem to stderr.
 * Returns EX_OK with *out (the caller drops it with wb_conf_unref), or
 * EX_CONFIG or EX_OSERR. */
int wb_tool_load(const char *path, enum wb_conf_use use, struct wb_conf **out);

/* The same for what runs by a timer: warnings are not printed. */
int wb_tool_load_quietly(const char *path, enum wb_conf_use use,
                         struct wb_conf **out);

/* Say on stderr what is wrong with the command line and where help is.
 * Returns EX_USAGE. */
int wb_tool_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Read the value of a command's option: digits alone, min to max.
 * Returns EX_OK or EX_USAGE. */
int wb_tool_number(const char *command, const char *option, const char *text,
                   unsigned min, unsigned max, unsigned *out);

#endif
