/* One dialogue with a server, step by step: SMTP until a mail is taken, or
 * POP3 until the login. libcurl speaks; what is said is kept as steps. */
#ifndef WB_TEST_DIALOGUE_H
#define WB_TEST_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "conf/conf.h"
#include "tool/test/certificate.h"
#include "tool/test/hints.h"

enum wb_protocol { WB_SMTP, WB_POP3 };

/* Which address of this host it comes from, and how it calls itself. */
struct wb_source {
    const char *helo;
    const char *bind_ipv4, *bind_ipv6; /* NULL: any */
    const char *cert_file, *key_file;  /* the site's own; NULL: it has none */
    bool no_ipv4, no_ipv6;
    bool asks_dns_alone; /* for a relay's address, not /etc/hosts and the like
                          */
};

struct wb_step_done {
    enum wb_step step;
    int64_t took_us;
    const char *detail;
};

struct wb_dialogue;
typedef void wb_dialogue_event(void *context, const struct wb_dialogue *d);

enum { WB_DIALOGUE_MAX_STEPS = 8, WB_REPLY_MAX_OCTETS = 2000 };

struct wb_dialogue {
    /* What to do. */
    enum wb_protocol protocol;
    const char *prefix; /* before the names of its steps, "pop:"; NULL: none */
    const char *host;   /* as in struct wb_route */
    unsigned port;
    enum wb_tls tls;
    bool is_tls_optional; /* POP3 with WB_TLS_STARTTLS: only where offered */
    const char *ca_file;  /* NULL: the system's */
    const char *cert_file, *key_file; /* NULL: none is shown */
    enum wb_auth auth; /* SMTP; POP3 takes the best that is offered */
    const char *username, *password;         /* NULL: no login */
    const char *sender, *recipient, *letter; /* SMTP */
    const struct wb_source *source;          /* NULL: any */
    unsigned timeout_s;                      /* for every step */
    wb_dialogue_event *on_step; /* after each step that is done, or NULL */
    wb_dialogue_event *on_end;  /* or NULL */
    void *context;              /* theirs */

    /* What came of it. */
    struct wb_step_done steps[WB_DIALOGUE_MAX_STEPS];
    size_t step_count;
    struct wb_certificate certificate; /* no names: none was seen */
    const char *address;               /* of the server; NULL: none */
    int64_t failed_after_us;           /* of the step in fault */
    struct wb_fault fault; /* cause is WB_CAUSE_NONE: it went well */
};

/* Carry them out, some at a time. Neither a password nor what is said while
 * logging in is in any text that comes out of it. Texts live in pool.
 * Bounded by a few times timeout_s for each. */
void wb_dialogues_run(struct wb_pool *pool, struct wb_dialogue *const *list,
                      size_t count);

#endif
