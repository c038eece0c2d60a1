/* Why a connection test failed, and what to do about it: a table of patterns,
 * each with a kind of failure and a hint in plain language. */
#ifndef WB_TEST_HINTS_H
#define WB_TEST_HINTS_H

#include <stddef.h>

/* The steps of a dialogue, as the report names them. */
enum wb_step {
    WB_STEP_ANY, /* in a row of the table only */
    WB_STEP_RESOLVE,
    WB_STEP_CONNECT,
    WB_STEP_TLS,
    WB_STEP_GREETING, /* and EHLO or CAPA */
    WB_STEP_AUTH,
    WB_STEP_MAIL,
    WB_STEP_RCPT,
    WB_STEP_DATA,
    WB_STEP_TABLES, /* what Postfix would do */
    WB_STEP_COUNT
};

/* What ended a step. */
enum wb_cause {
    WB_CAUSE_NONE, /* nothing: all went well */
    WB_CAUSE_REPLY,
    WB_CAUSE_TIMEOUT,
    WB_CAUSE_CLOSED,
    WB_CAUSE_FOREIGN, /* the server speaks another protocol */
    WB_CAUSE_UNKNOWN_HOST,
    WB_CAUSE_UNREACHABLE,
    WB_CAUSE_NO_STARTTLS,
    WB_CAUSE_HANDSHAKE,
    WB_CAUSE_CERTIFICATE, /* nobody whom we trust vouches for it, or expired */
    WB_CAUSE_WRONG_NAME,
    WB_CAUSE_CA_FILE,
    WB_CAUSE_OWN_CERTIFICATE, /* not taken, missing, or not to be read */
    WB_CAUSE_NO_MECHANISM,
    WB_CAUSE_NO_SENDER,
    WB_CAUSE_NOT_APPLIED,
    WB_CAUSE_TABLES_DIFFER,
    WB_CAUSE_MARKED_DOWN,
    WB_CAUSE_NOT_IN_DNS,
    WB_CAUSE_OTHER,
    WB_CAUSE_COUNT
};

enum wb_kind {
    WB_KIND_OK,
    WB_KIND_RESOLVE,
    WB_KIND_CONNECT,
    WB_KIND_TLS,
    WB_KIND_CERTIFICATE,
    WB_KIND_LOGIN,
    WB_KIND_SENDER,
    WB_KIND_RECIPIENT,
    WB_KIND_MESSAGE,
    WB_KIND_BLOCKED,
    WB_KIND_TEMPORARY,
    WB_KIND_TABLES,
    WB_KIND_NOT_APPLIED,
    WB_KIND_INTERNAL,
    WB_KIND_COUNT
};

/* How a dialogue ended. */
struct wb_fault {
    enum wb_step step;
    enum wb_cause cause;
    int code;         /* of the reply, 0 without one; POP3: 500 for -ERR */
    const char *text; /* the server's own words, or those of the library; lines
                         parted by '\n', clean of other control characters */
};

struct wb_hint {
    enum wb_step step;
    enum wb_cause cause;
    int code; /* 0: any; 4 and 5: all that begin so; else this one */
    enum wb_kind kind;
    const char *words; /* any of these, parted by '|', in any case; NULL: any */
    const char *text;  /* what to do */
};

/* The first row that fits; one always does. Not for WB_CAUSE_NONE. */
const struct wb_hint *wb_hint_find(const struct wb_fault *fault);

/* The whole table, for its test. */
const struct wb_hint *wb_hint_table(size_t *count);

/* "login" and its exit status, a sysexits code. */
const char *wb_failure_name(enum wb_kind kind);
int wb_failure_status(enum wb_kind kind);

/* "resolve", "connect", ... */
const char *wb_step_name(enum wb_step step);

#endif
