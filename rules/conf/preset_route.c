/* What a preset does to a route: it fills in what the route does not say, and
 * knows what cannot work. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/check.h"

enum { MOST_FILLED = 5 }; /* host, port, tls, auth, username */

static void add(struct wb_checker *c, struct wb_raw_section *to,
                const struct wb_preset *preset, const char *name,
                const char *text)
{
    struct wb_raw_value *value = wb_pool_alloc(c->scratch, sizeof *value);

    if (!value) {
        c->is_out_of_memory = true;
        return;
    }
    *value = (struct wb_raw_value){.text = text, .line = preset->origin.line};
    to->options[to->option_count++] =
        (struct wb_raw_option){.name = name,
                               .file = preset->origin.file,
                               .line = preset->origin.line,
                               .values = value,
                               .count = 1};
}

/* "ssl" and "tls" are the same. */
static bool is_same_tls(const char *a, const char *b)
{
    return strcmp(strcmp(a, "ssl") == 0 ? "tls" : a,
                  strcmp(b, "ssl") == 0 ? "tls" : b) == 0;
}

/* The TLS that the route itself says; NULL: none. */
static const char *own_tls(const struct wb_raw_section *raw)
{
    const char *host = wb_raw_text(raw, "host");

    if (wb_raw_find(raw, "tls"))
        return wb_raw_text(raw, "tls");
    return host && (strncmp(host, "ssl://", 6) == 0 ||
                    strncmp(host, "tls://", 6) == 0)
               ? "tls"
               : NULL;
}

/* Port and TLS belong together: with one of them given, the other is what the
 * provider has with it. On a port that the provider does not have, TLS is as on
 * its usual one. */
static void fill_port(struct wb_checker *c, struct wb_raw_section *to,
                      const struct wb_preset *preset)
{
    const char *port = wb_raw_text(to, "port"), *tls = own_tls(to);
    const struct wb_preset_port *found = NULL;

    for (size_t i = 0; i < preset->port_count && !found; i++)
        if ((!port || strcmp(port, preset->ports[i].port) == 0) &&
            (!tls || is_same_tls(tls, preset->ports[i].tls)))
            found = &preset->ports[i];
    if (!wb_raw_find(to, "port") && found)
        add(c, to, preset, "port", found->port);
    if (!found && preset->port_count > 0)
        found = &preset->ports[0];
    if (!wb_raw_find(to, "tls") && !tls && found)
        add(c, to, preset, "tls", found->tls);
}

const struct wb_raw_section *wb_preset_fill(struct wb_checker *c,
                                            const struct wb_preset *preset,
                                            const struct wb_raw_section *raw)
{
    struct wb_raw_section *to = wb_pool_alloc(c->scratch, sizeof *to);
    struct wb_raw_option *options = wb_pool_array(
        c->scratch, raw->option_count + MOST_FILLED, sizeof *options);

    if (!to || !options) {
        c->is_out_of_memory = true;
        return NULL;
    }
    *to = *raw;
    to->options = options;
    if (raw->option_count)
        memcpy(options, raw->options, raw->option_count * sizeof *options);
    if (preset->host && !wb_raw_find(to, "host"))
        add(c, to, preset, "host", preset->host);
    fill_port(c, to, preset);
    if (preset->fixed_username && wb_raw_text(to, "password_file") &&
        !wb_raw_find(to, "username"))
        add(c, to, preset, "username", preset->fixed_username);
    if (preset->auth && wb_raw_text(to, "username") && !wb_raw_find(to, "auth"))
        add(c, to, preset, "auth", preset->auth);
    return to;
}

static void __attribute__((format(printf, 3, 4)))
warn(struct wb_checker *c, const struct wb_raw_option *option,
     const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    wb_problem_add(c->problems, WB_WARNING, option->file,
                   option->count ? option->values[0].line : option->line,
                   option->name, "%s", text);
}

static void judge_username(struct wb_checker *c, const struct wb_preset *preset,
                           const struct wb_raw_section *raw)
{
    const struct wb_raw_option *option = wb_raw_find(raw, "username");
    const char *name = wb_raw_text(raw, "username");

    if (preset->fixed_username && strcmp(name, preset->fixed_username) != 0)
        warn(c, option, "\"%s\" is no account of %s; all have \"%s\"", name,
             preset->name, preset->fixed_username);
    else if (preset->username == WB_ACCOUNT_ADDRESS && !strchr(name, '@'))
        warn(c, option, "\"%s\" is no address; %s wants the whole address",
             name, preset->name);
    else if (preset->username == WB_ACCOUNT_LOCAL && strchr(name, '@'))
        warn(c, option, "\"%s\" has an @; %s wants what stands before it", name,
             preset->name);
}

/* from, or a return path of the account's, says that the admin knows. */
static void judge_from(struct wb_checker *c, const struct wb_preset *preset,
                       const struct wb_raw_section *raw)
{
    const char *to = wb_raw_text(raw, "return_path");

    if (!preset->needs_from || wb_raw_text(raw, "from") ||
        (to && (strcmp(to, "account") == 0 || strcmp(to, "from") == 0)))
        return;
    warn(c, wb_raw_find(raw, "preset"),
         "%s wants the account's address as From, or makes it that; from = "
         "ADDRESS is right",
         preset->name);
}

void wb_preset_judge(struct wb_checker *c, const struct wb_preset *preset,
                     const struct wb_raw_section *raw)
{
    const char *account = wb_raw_text(raw, "username")        ? "username"
                          : wb_raw_text(raw, "password_file") ? "password_file"
                                                              : NULL;
    bool is_known = preset->username || preset->fixed_username;

    if (preset->no_password && account)
        wb_option_tell(c, wb_raw_find(raw, account),
                       "%s; another provider, or a relay that takes a "
                       "password, is needed",
                       preset->no_password);
    else if (account && wb_raw_text(raw, "username"))
        judge_username(c, preset, raw);
    else if (!account && is_known)
        warn(c, wb_raw_find(raw, "preset"),
             "%s lets nobody send without an account; add %spassword_file = "
             "FILE",
             preset->name,
             preset->fixed_username ? "" : "username = NAME and ");
    judge_from(c, preset, raw);
}
