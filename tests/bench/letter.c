#include "tests/bench/letter.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <string.h>

enum { STRIDE = 7919 };

static const char *const headers[][2] = {
    {"Received", "from client.bench.test (client.bench.test [192.0.2.7])\n"
                 "\tby mx.bench.test (Postfix) with ESMTP id 4XvB2K5Rz1z\n"
                 "\tfor <u0@d0.bench.test>; Tue, 24 Nov 2026 03:24:54 +0000"},
    {"From", "\"A Shop\" <info@example.com>"},
    {"To", NULL}, /* the letter's own */
    {"Subject", "=?UTF-8?B?44GT44KT44Gr44Gh44Gv?= and good day"},
    {"Date", "Tue, 24 Nov 2026 03:24:54 +0000"},
    {"Message-ID", "<179549069446.23572.1744772035464314261@example.com>"},
    {"MIME-Version", "1.0"},
    {"Content-Type", "text/plain; charset=UTF-8"},
    {"Content-Transfer-Encoding", "8bit"},
    {"List-Unsubscribe", "<https://www.example.com/leave?u=4711>"},
    {"X-Mailer", "newsletter 4.2"},
    {"X-Scenario", "welcome-2026"},
};
enum { HEADERS = sizeof headers / sizeof headers[0] };

/* ---- who it is for ---- */

static unsigned rule_of(const struct letters *l, uint64_t message)
{
    return (unsigned)(message * STRIDE % l->rules);
}

void letter_recipient(const struct letters *l, uint64_t message, unsigned i,
                      char out[LETTER_ADDRESS_MAX_OCTETS])
{
    unsigned rule =
        (unsigned)((rule_of(l, message) + UINT64_C(10) * i) % l->rules);

    snprintf(out, LETTER_ADDRESS_MAX_OCTETS, "u%u@d%u.bench.test", i, rule);
}

/* ---- macros ---- */

#define MAIL_SYMBOLS                                                           \
    "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} "       \
    "{mail_mailer}"

static const char *default_symbols(int stage)
{
    static const char *const names[LETTER_STAGES] = {
        [SMFIM_CONNECT] = "j {daemon_name} {daemon_addr} v _",
        [SMFIM_HELO] = "{tls_version} {cipher} {cipher_bits}",
        [SMFIM_ENVFROM] = MAIL_SYMBOLS,
        [SMFIM_ENVRCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
        [SMFIM_DATA] = "i",
        [SMFIM_EOM] = "i",
        [SMFIM_EOH] = "i",
    };

    return names[stage];
}

/* Of a client on this host that did not log in. has_id: Postfix gives a
 * message its queue id with the first recipient. */
static const char *value_of(const char *name, const char *recipient,
                            bool has_id)
{
    const struct {
        const char *name, *value;
    } values[] = {
        {"i", has_id ? "4XvB2K5Rz1z" : NULL},
        {"j", "mx.bench.test"},
        {"v", "Postfix 3.7.11"},
        {"_", "localhost [127.0.0.1]"},
        {"{daemon_name}", "mx.bench.test"},
        {"{daemon_addr}", "127.0.0.1"},
        {"{client_addr}", "127.0.0.1"},
        {"{mail_addr}", "info@example.com"},
        {"{mail_host}", "example.com"},
        {"{mail_mailer}", "smtp"},
        {"{rcpt_addr}", recipient},
        {"{rcpt_host}", recipient != NULL ? strchr(recipient, '@') + 1 : NULL},
        {"{rcpt_mailer}", recipient != NULL ? "smtp" : NULL},
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (strcmp(values[i].name, name) == 0)
            return values[i].value;
    return NULL;
}

static void add_macros(struct wire *out, const struct letter_terms *t,
                       char command, int stage, const char *recipient,
                       bool has_id)
{
    const char *names =
        t->symbols[stage] != NULL ? t->symbols[stage] : default_symbols(stage);

    wire_begin(out, SMFIC_MACRO);
    wire_add(out, &command, 1);
    while (*names != '\0') {
        char name[64];
        size_t octets = strcspn(names, " ");
        const char *value;

        snprintf(name, sizeof name, "%.*s", (int)octets, names);
        value = value_of(name, recipient, has_id);
        if (value != NULL) {
            wire_add_text(out, name);
            wire_add_text(out, value);
        }
        names += octets;
        names += strspn(names, " ");
    }
    wire_end(out);
}

/* ---- events ---- */

static bool wants_reply(const struct letter_terms *t, uint32_t no_reply)
{
    return (t->steps & no_reply) == 0;
}

bool letter_greet(const struct letter_terms *t, int event, struct wire *out)
{
    bool is_helo = event == 1;
    uint16_t port = htons(40000);

    if (is_helo) {
        /* Postfix sends the macros even where the event is not wanted. */
        add_macros(out, t, SMFIC_HELO, SMFIM_HELO, NULL, false);
        if ((t->steps & SMFIP_NOHELO) != 0)
            return false;
        wire_begin(out, SMFIC_HELO);
        wire_add_text(out, "client.bench.test");
        wire_end(out);
        return wants_reply(t, SMFIP_NR_HELO);
    }
    add_macros(out, t, SMFIC_CONNECT, SMFIM_CONNECT, NULL, false);
    if ((t->steps & SMFIP_NOCONNECT) != 0)
        return false;
    wire_begin(out, SMFIC_CONNECT);
    wire_add_text(out, "localhost");
    wire_add(out, "4", 1);
    wire_add(out, &port, sizeof port);
    wire_add_text(out, "127.0.0.1");
    wire_end(out);
    return wants_reply(t, SMFIP_NR_CONN);
}

static bool mail(const struct letter_terms *t, struct wire *out)
{
    add_macros(out, t, SMFIC_MAIL, SMFIM_ENVFROM, NULL, false);
    if ((t->steps & SMFIP_NOMAIL) != 0)
        return false;
    wire_begin(out, SMFIC_MAIL);
    wire_add_text(out, "<info@example.com>");
    wire_end(out);
    return wants_reply(t, SMFIP_NR_MAIL);
}

static bool rcpt(const struct letters *l, const struct letter_terms *t,
                 uint64_t message, unsigned i, struct wire *out)
{
    char address[LETTER_ADDRESS_MAX_OCTETS];

    letter_recipient(l, message, i, address);
    add_macros(out, t, SMFIC_RCPT, SMFIM_ENVRCPT, address, i > 0);
    if ((t->steps & SMFIP_NORCPT) != 0)
        return false;
    wire_begin(out, SMFIC_RCPT);
    wire_add(out, "<", 1);
    wire_add(out, address, strlen(address));
    wire_add_text(out, ">");
    wire_end(out);
    return wants_reply(t, SMFIP_NR_RCPT);
}

static bool data(const struct letter_terms *t, struct wire *out)
{
    add_macros(out, t, SMFIC_DATA, SMFIM_DATA, NULL, true);
    if ((t->steps & SMFIP_NODATA) != 0)
        return false;
    wire_command(out, SMFIC_DATA);
    return wants_reply(t, SMFIP_NR_DATA);
}

static bool header(const struct letters *l, const struct letter_terms *t,
                   uint64_t message, unsigned i, struct wire *out)
{
    char to[LETTER_ADDRESS_MAX_OCTETS];
    const char *value = headers[i][1];

    if ((t->steps & SMFIP_NOHDRS) != 0)
        return false;
    snprintf(to, sizeof to, "<info@mailform%u.example.com>",
             rule_of(l, message));
    /* Of the stage EOH, and before each header once more. */
    add_macros(out, t, SMFIC_HEADER, SMFIM_EOH, NULL, true);
    wire_begin(out, SMFIC_HEADER);
    wire_add_text(out, headers[i][0]);
    wire_add_text(out, value != NULL ? value : to);
    wire_end(out);
    return wants_reply(t, SMFIP_NR_HDR);
}

static bool end_of_headers(const struct letter_terms *t, struct wire *out)
{
    if ((t->steps & SMFIP_NOEOH) != 0)
        return false;
    add_macros(out, t, SMFIC_EOH, SMFIM_EOH, NULL, true);
    wire_command(out, SMFIC_EOH);
    return wants_reply(t, SMFIP_NR_EOH);
}

static bool body(const struct letter_terms *t, struct wire *out)
{
    static const char text[] = "Good day,\r\n\r\nthis is the news.\r\n";

    if ((t->steps & SMFIP_NOBODY) != 0)
        return false;
    wire_begin(out, SMFIC_BODY);
    wire_add(out, text, sizeof text - 1);
    wire_end(out);
    return wants_reply(t, SMFIP_NR_BODY);
}

unsigned letter_step_of_data(const struct letters *l)
{
    return 1 + l->recipients;
}

unsigned letter_step_of_end(const struct letters *l)
{
    return letter_step_of_data(l) + 1 + HEADERS + 2;
}

bool letter_event(const struct letters *l, const struct letter_terms *t,
                  uint64_t message, unsigned step, struct wire *out)
{
    const unsigned first_header = letter_step_of_data(l) + 1;

    if (step == 0)
        return mail(t, out);
    if (step < letter_step_of_data(l))
        return rcpt(l, t, message, step - 1, out);
    if (step < first_header)
        return data(t, out);
    if (step < first_header + HEADERS)
        return header(l, t, message, step - first_header, out);
    if (step == first_header + HEADERS)
        return end_of_headers(t, out);
    if (step < letter_step_of_end(l))
        return body(t, out);
    add_macros(out, t, SMFIC_BODYEOB, SMFIM_EOM, NULL, true);
    wire_command(out, SMFIC_BODYEOB);
    return true;
}
