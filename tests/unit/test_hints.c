/* What servers say, what kind of failure that is, and that the manual has
 * every hint. */
#include "unit.h"

#include <stdlib.h>

#include "tool/test/hints.h"

#define MANUAL "../../contrib/man/waybill.1"

static const struct row {
    const char *why;
    enum wb_step step;
    enum wb_cause cause;
    int code;
    const char *text;
    enum wb_kind kind;
    const char *hint; /* part of it */
} rows[] = {
    {"Gmail, wrong password", WB_STEP_AUTH, WB_CAUSE_REPLY, 535,
     "535-5.7.8 Username and Password not accepted. For more information, go "
     "to\n535 5.7.8  https://support.example/ BadCredentials",
     WB_KIND_LOGIN, "user or the password is wrong"},
    {"Gmail, app password needed", WB_STEP_AUTH, WB_CAUSE_REPLY, 534,
     "534-5.7.9 Application-specific password required.", WB_KIND_LOGIN,
     "app password: make one"},
    {"Gmail, log in by browser", WB_STEP_AUTH, WB_CAUSE_REPLY, 534,
     "534-5.7.14 Please log in via your web browser and then try again.",
     WB_KIND_LOGIN, "web browser"},
    {"Outlook, passwords off", WB_STEP_AUTH, WB_CAUSE_REPLY, 535,
     "535 5.7.139 Authentication unsuccessful, basic authentication is "
     "disabled.",
     WB_KIND_LOGIN, "by password"},
    {"Postfix with Cyrus SASL", WB_STEP_AUTH, WB_CAUSE_REPLY, 535,
     "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", WB_KIND_LOGIN,
     "user or the password is wrong"},
    {"too many logins", WB_STEP_AUTH, WB_CAUSE_REPLY, 454,
     "454 4.7.0 Too many login attempts, please try again later.",
     WB_KIND_TEMPORARY, "too many"},
    {"login without TLS", WB_STEP_AUTH, WB_CAUSE_REPLY, 538,
     "538 5.7.11 Encryption required", WB_KIND_TLS, "starttls"},
    {"unknown mechanism", WB_STEP_AUTH, WB_CAUSE_REPLY, 504,
     "504 5.5.4 Unrecognized authentication type", WB_KIND_LOGIN, "Set auth"},
    {"no mechanism in common", WB_STEP_AUTH, WB_CAUSE_NO_MECHANISM, 0,
     "the server offers AUTH CRAM-MD5", WB_KIND_LOGIN, "Set auth"},
    {"POP3, wrong password", WB_STEP_AUTH, WB_CAUSE_REPLY, 500,
     "-ERR [AUTH] Authentication failed.", WB_KIND_LOGIN,
     "user or the password is wrong"},
    {"POP3, mailbox in use", WB_STEP_AUTH, WB_CAUSE_REPLY, 500,
     "-ERR [IN-USE] Do you have another POP session running?",
     WB_KIND_TEMPORARY, "in use"},

    {"TLS first", WB_STEP_MAIL, WB_CAUSE_REPLY, 530,
     "530 5.7.0 Must issue a STARTTLS command first.", WB_KIND_TLS, "starttls"},
    {"login first", WB_STEP_MAIL, WB_CAUSE_REPLY, 530,
     "530 5.7.0 Authentication Required.", WB_KIND_LOGIN, "after a login"},
    {"Exchange, login first", WB_STEP_MAIL, WB_CAUSE_REPLY, 550,
     "550 5.7.57 Client not authenticated to send mail.", WB_KIND_LOGIN,
     "after a login"},
    {"sender of somebody else", WB_STEP_MAIL, WB_CAUSE_REPLY, 553,
     "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user "
     "shop",
     WB_KIND_SENDER, "may not send from"},
    {"the same, told late", WB_STEP_RCPT, WB_CAUSE_REPLY, 553,
     "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user "
     "shop",
     WB_KIND_SENDER, "may not send from"},
    {"Office 365, told at the end", WB_STEP_DATA, WB_CAUSE_REPLY, 554,
     "554 5.2.252 SendAsDenied; shop@example.com not allowed to send as "
     "info@example.com",
     WB_KIND_SENDER, "may not send from"},
    {"sender put off", WB_STEP_MAIL, WB_CAUSE_REPLY, 450,
     "450 4.1.8 <a@example.com>: Sender address rejected: Domain not found",
     WB_KIND_TEMPORARY, "later"},

    {"no relay", WB_STEP_RCPT, WB_CAUSE_REPLY, 554,
     "554 5.7.1 <a@example.com>: Relay access denied", WB_KIND_LOGIN,
     "pop_before_smtp"},
    {"sender, but not logged in", WB_STEP_RCPT, WB_CAUSE_REPLY, 553,
     "553 5.7.1 <a@example.com>: Sender address rejected: not logged in",
     WB_KIND_LOGIN, "after a login"},
    {"POP before SMTP", WB_STEP_RCPT, WB_CAUSE_REPLY, 550,
     "550 relaying denied: check your mail by POP first", WB_KIND_LOGIN,
     "pop_before_smtp"},
    {"unknown recipient at a relay by name", WB_STEP_RCPT, WB_CAUSE_REPLY, 550,
     "550 5.1.1 <a@relay.example.com>: User unknown", WB_KIND_RECIPIENT,
     "recipient"},
    {"greylisted", WB_STEP_RCPT, WB_CAUSE_REPLY, 451,
     "451 4.7.1 Greylisting in action, please come back later",
     WB_KIND_TEMPORARY, "later"},
    {"listed", WB_STEP_RCPT, WB_CAUSE_REPLY, 554,
     "554 5.7.1 Service unavailable; client [192.0.2.1] blocked using "
     "zen.spamhaus.org",
     WB_KIND_BLOCKED, "another route"},
    {"listed at once", WB_STEP_GREETING, WB_CAUSE_REPLY, 554,
     "554 192.0.2.1 has a poor reputation", WB_KIND_BLOCKED, "this host"},
    {"busy at once", WB_STEP_GREETING, WB_CAUSE_REPLY, 421,
     "421 4.3.2 too busy", WB_KIND_TEMPORARY, "later"},
    {"taken for spam", WB_STEP_DATA, WB_CAUSE_REPLY, 550,
     "550 5.7.1 message looks like spam", WB_KIND_MESSAGE, "as spam"},

    {"nothing listens", WB_STEP_CONNECT, WB_CAUSE_UNREACHABLE, 0,
     "Connection refused", WB_KIND_CONNECT, "Nothing listens"},
    {"no way", WB_STEP_CONNECT, WB_CAUSE_UNREACHABLE, 0,
     "Network is unreachable", WB_KIND_CONNECT, "cannot be reached"},
    {"firewall", WB_STEP_CONNECT, WB_CAUSE_TIMEOUT, 0, "nothing came for 30 s",
     WB_KIND_CONNECT, "port 25"},
    {"port of another service", WB_STEP_GREETING, WB_CAUSE_FOREIGN, 0,
     "the server began with: * OK IMAP4rev1", WB_KIND_CONNECT, "587 or 465"},
    {"TLS port without TLS", WB_STEP_GREETING, WB_CAUSE_TIMEOUT, 0,
     "nothing came for 30 s", WB_KIND_TLS, "tls = tls"},
    {"plain port with TLS", WB_STEP_TLS, WB_CAUSE_HANDSHAKE, 0,
     "error:0A00010B:SSL routines::wrong version number", WB_KIND_TLS,
     "tls = starttls"},
    {"no cipher in common", WB_STEP_TLS, WB_CAUSE_HANDSHAKE, 0,
     "sslv3 alert handshake failure", WB_KIND_TLS, "in common"},
    {"expired", WB_STEP_TLS, WB_CAUSE_CERTIFICATE, 0,
     "SSL certificate problem: certificate has expired", WB_KIND_CERTIFICATE,
     "clock"},
    {"own CA", WB_STEP_TLS, WB_CAUSE_CERTIFICATE, 0,
     "SSL certificate problem: unable to get local issuer certificate",
     WB_KIND_CERTIFICATE, "ca_file"},
    {"client certificate wanted", WB_STEP_GREETING, WB_CAUSE_OWN_CERTIFICATE, 0,
     "OpenSSL SSL_read: tlsv13 alert certificate required, errno 0",
     WB_KIND_CERTIFICATE, "cert_file"},
    {"the same, told by Postfix", WB_STEP_AUTH, WB_CAUSE_REPLY, 421,
     "421 4.7.1 mx.example.com Error: Client certificate not trusted",
     WB_KIND_CERTIFICATE, "cert_file"},
    {"client certificate not to be read", WB_STEP_TLS, WB_CAUSE_OWN_CERTIFICATE,
     0, "could not load PEM client certificate", WB_KIND_CERTIFICATE,
     "belong together"},
    {"STARTTLS refused for now", WB_STEP_TLS, WB_CAUSE_REPLY, 454,
     "454 4.7.0 TLS not available due to local problem", WB_KIND_TEMPORARY,
     "later"},
    {"what no row names", WB_STEP_CONNECT, WB_CAUSE_HANDSHAKE, 0, "?",
     WB_KIND_INTERNAL, "could not go on"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        const struct wb_fault fault = {r->step, r->cause, r->code, r->text};
        const struct wb_hint *hint = wb_hint_find(&fault);

        if (hint->kind != r->kind)
            print_error("is %s\n", wb_failure_name(hint->kind));
        ROW_TRUE(r, hint->kind == r->kind);
        ROW_TRUE(r, strstr(hint->text, r->hint) != NULL);
    }
}

/* Does a fit wherever b does? */
static bool covers(const struct wb_hint *a, const struct wb_hint *b)
{
    return (a->step == WB_STEP_ANY || a->step == b->step) &&
           a->cause == b->cause &&
           (a->code == 0 || a->code == b->code || a->code == b->code / 100) &&
           (a->words == NULL ||
            (b->words != NULL && strcmp(a->words, b->words) == 0));
}

/* A row behind one that covers it can never be told. */
static void test_no_row_is_hidden(void **state)
{
    size_t count;
    const struct wb_hint *table = wb_hint_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (covers(&table[j], &table[i]))
                fail_msg("\"%s\" hides \"%s\"", table[j].text, table[i].text);
}

/* The manual's text, its lines joined by blanks. */
static char *read_manual(void)
{
    FILE *in = fopen(MANUAL, "r");
    char *text = calloc(1, 1 << 20);
    size_t octets;

    assert_non_null(in);
    assert_non_null(text);
    octets = fread(text, 1, (1 << 20) - 1, in);
    fclose(in);
    for (size_t i = 0; i < octets; i++)
        if (text[i] == '\n')
            text[i] = ' ';
    return text;
}

static void test_manual(void **state)
{
    char *manual = read_manual();
    size_t count;
    const struct wb_hint *table = wb_hint_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char item[100];

        snprintf(item, sizeof item, ".It Cm %s Pq %d ",
                 wb_failure_name(table[i].kind),
                 wb_failure_status(table[i].kind));
        if (strstr(manual, item) == NULL)
            fail_msg("waybill(1) has no \"%s\"", item);
        if (strstr(manual, table[i].text) == NULL)
            fail_msg("waybill(1) has no \"%s\"", table[i].text);
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_row_is_hidden),
        cmocka_unit_test(test_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
