/* waybill in Sendmail: what it must be told, and the files that tell it. */
#ifndef WB_SENDMAIL_SENDMAIL_H
#define WB_SENDMAIL_SENDMAIL_H

#include "tool/maps/files.h"

/* One mailer serves all accounts on one host and port: which account it is
 * stands in the host of the resolved address, and the rulesets look it up. */
struct wb_mailer {
    const char *name; /* "wb-587-0a1b2c3d": stays while its place does */
    const struct wb_route *like; /* its first */
};

struct wb_mailer_way {
    const struct wb_route *route;
    const struct wb_mailer *mailer;
    const char *password; /* NULL: no login */
};

struct wb_sendmail {
    const struct wb_conf *conf;
    const char *where; /* the directory that the tables will lie in */
    struct wb_mailer *mailers;
    size_t mailer_count;
    struct wb_mailer_way *ways;
    size_t way_count;
    struct wb_strings domains; /* whose mail waybill takes in */
};

/* where: the directory that the tables will lie in. Reads the password files.
 * Lives in pool and points into conf.
 * Returns EX_OK, or what wb_password_read returns, with *err. */
int wb_sendmail_make(const struct wb_conf *conf, struct wb_pool *pool,
                     const char *where, struct wb_sendmail *out,
                     struct wb_err *err);

/* m4.c: the file that the site's .mc includes; is_leaving: without the milter,
 * for the time in which waybill is taken out. It holds no secret. Lives in
 * pool. */
#define WB_SENDMAIL_M4 "waybill.m4"
const char *wb_sendmail_m4(const struct wb_sendmail *s, struct wb_pool *pool,
                           bool is_leaving);

/* tables.c: the include file, and the sources of the tables that it names.
 * Lives in pool. */
void wb_sendmail_files(const struct wb_sendmail *s, struct wb_pool *pool,
                       bool is_leaving, struct wb_files *out);

/* The tables that makemap compiles: NULL ends the list. */
extern const char *const wb_sendmail_tables[];

#endif
