/* Provider presets: what is known of a provider, as data. A preset is a file
 * NAME.conf with one section `preset NAME`. It fills in what a route does not
 * say itself, and tells the admin what else there is to know. */
#ifndef WB_CONF_PRESET_H
#define WB_CONF_PRESET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "conf/problem.h"
#include "match/rule.h"

/* How the provider calls an account. */
enum wb_account_form {
    WB_ACCOUNT_UNKNOWN,
    WB_ACCOUNT_ADDRESS, /* "you@example.com" */
    WB_ACCOUNT_LOCAL,   /* "you" */
    WB_ACCOUNT_ID       /* some name of the provider's */
};

/* A port and its TLS, as the options of a route have them: "465", "tls". */
struct wb_preset_port {
    const char *port;
    const char *tls;
};

struct wb_preset {
    const char *name; /* a DNS label, lower case */
    struct wb_origin origin;
    const char *title;     /* "Gmail", for people; never NULL */
    const char *host;      /* NULL: every route has its own */
    const char *host_hint; /* what to write there; NULL: nothing to say */
    struct wb_preset_port *ports; /* [0] is the usual one */
    size_t port_count;
    const char *auth; /* a word of a route's auth; NULL: the usual one */
    enum wb_account_form username;
    const char *fixed_username; /* the one that everybody has; NULL: none */
    const char *no_password;    /* why a password cannot work; NULL: it can */
    bool needs_from;            /* From must be the account's, or becomes it */

    /* for people: nothing of this acts on a route */
    const char *rate;        /* "10/minute"; NULL: not known */
    unsigned max_recipients; /* of a message; 0: not known */
    unsigned max_size_kb;    /* of a message; 0: not known */
    const char *spf;         /* "include:..."; NULL: not known */
    struct wb_strings limits;
    struct wb_strings notes;
    struct wb_strings password_steps;
    struct wb_strings source;
    const char *checked;    /* "2026-11-23", of the sources; NULL: never */
    const char *unverified; /* what is doubtful; NULL: nothing */
};

struct wb_presets {
    struct wb_pool *pool;           /* holds all of it */
    const struct wb_preset **items; /* by name */
    size_t count;
};

/* Read the preset of that name, or with NULL all there are.
 * conf_path: where waybill.conf is or would be: presets beside it come first.
 * problems:  gets what is wrong with presets; those are left out.
 * out:       freed by the caller with wb_presets_free, whatever is returned.
 * Returns EX_OK, EX_CONFIG when a preset is faulty, EX_DATAERR (told) when
 * there is none of that name, or EX_OSERR. */
int wb_presets_load(const char *conf_path, const char *name,
                    struct wb_presets *out, struct wb_problems *problems);
void wb_presets_free(struct wb_presets *presets);

#endif
