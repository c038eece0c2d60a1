#include "tool/test/hints.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *name;
    int status;
} kinds[WB_KIND_COUNT] = {
    [WB_KIND_OK] = {"ok", EX_OK},
    [WB_KIND_RESOLVE] = {"resolve", EX_NOHOST},
    [WB_KIND_CONNECT] = {"connect", EX_UNAVAILABLE},
    [WB_KIND_TLS] = {"tls", EX_PROTOCOL},
    [WB_KIND_CERTIFICATE] = {"certificate", EX_PROTOCOL},
    [WB_KIND_LOGIN] = {"login", EX_NOPERM},
    [WB_KIND_SENDER] = {"sender", EX_DATAERR},
    [WB_KIND_RECIPIENT] = {"recipient", EX_NOUSER},
    [WB_KIND_MESSAGE] = {"message", EX_DATAERR},
    [WB_KIND_BLOCKED] = {"blocked", EX_UNAVAILABLE},
    [WB_KIND_TEMPORARY] = {"temporary", EX_TEMPFAIL},
    [WB_KIND_TABLES] = {"tables", EX_SOFTWARE},
    [WB_KIND_NOT_APPLIED] = {"not-applied", EX_OSFILE},
    [WB_KIND_INTERNAL] = {"internal", EX_OSERR},
};

static const char *const step_names[WB_STEP_COUNT] = {
    [WB_STEP_ANY] = "any",           [WB_STEP_RESOLVE] = "resolve",
    [WB_STEP_CONNECT] = "connect",   [WB_STEP_TLS] = "tls",
    [WB_STEP_GREETING] = "greeting", [WB_STEP_AUTH] = "auth",
    [WB_STEP_MAIL] = "mail",         [WB_STEP_RCPT] = "rcpt",
    [WB_STEP_DATA] = "data",         [WB_STEP_TABLES] = "tables",
};

#define ANY      WB_STEP_ANY
#define RESOLVE  WB_STEP_RESOLVE
#define CONNECT  WB_STEP_CONNECT
#define TLS      WB_STEP_TLS
#define GREETING WB_STEP_GREETING
#define AUTH     WB_STEP_AUTH
#define MAIL     WB_STEP_MAIL
#define RCPT     WB_STEP_RCPT
#define DATA     WB_STEP_DATA
#define TABLES   WB_STEP_TABLES

/* Words of those who keep lists of senders they do not want. */
#define LISTED                                                                 \
    "blacklist|black list|blocklist|block list|blocked|spamhaus|barracuda|"    \
    "spamcop|dnsbl|reputation|banned"
/* Never "relay" alone: it is a name that hosts like to have. */
#define NO_RELAY                                                               \
    "relay access|relaying|relay denied|to relay|authentication required|"     \
    "authenticate|5.7.57|log in first|not logged in"

/* One text, for the steps at which servers say it. */
#define HINT_LOGIN_FIRST                                                       \
    "The server takes mail for others only after a login. Give the route a "   \
    "username and a password_file; a relay that wants a POP login first "      \
    "needs pop_before_smtp."
#define HINT_SENDER                                                            \
    "The account may not send from this address. Send from the account's own " \
    "address (--from; in the configuration the return path), or have the "     \
    "provider allow this one."
#define HINT_BLOCKED                                                           \
    "The provider does not want mail from this host or account. The reply "    \
    "mostly names a list or a page where this can be lifted; until then use "  \
    "another route."
#define HINT_OWN_CERTIFICATE                                                   \
    "The server wants a client certificate, or another one. Set cert_file "    \
    "and key_file to what the provider has issued."
#define HINT_TLS_FIRST                                                         \
    "The server wants TLS before anything else. Set tls = starttls, or tls = " \
    "tls with port 465."

/* The first row that fits is taken, so what is particular stands before what
 * is general, at each step. Every hint stands in waybill(1), too. */
static const struct wb_hint hints[] = {
    {RESOLVE, WB_CAUSE_UNKNOWN_HOST, 0, WB_KIND_RESOLVE, NULL,
     "No such host is known. Look for a typing error in host; if it is right, "
     "this machine's DNS does not work."},
    {RESOLVE, WB_CAUSE_TIMEOUT, 0, WB_KIND_RESOLVE, NULL,
     "No name server answered in time. See whether this machine's DNS works."},

    {CONNECT, WB_CAUSE_UNREACHABLE, 0, WB_KIND_CONNECT, "refused",
     "Nothing listens on this port of the host. Compare host and port with "
     "what the provider says: mostly 587 or 465."},
    {CONNECT, WB_CAUSE_UNREACHABLE, 0, WB_KIND_CONNECT, NULL,
     "The host cannot be reached from here. See whether this machine has a "
     "way to the network, and whether a firewall is between."},
    {CONNECT, WB_CAUSE_TIMEOUT, 0, WB_KIND_CONNECT, NULL,
     "Nobody answers. A firewall drops the connection; many networks let none "
     "out to port 25, but let 587 and 465 pass."},

    {TLS, WB_CAUSE_NO_STARTTLS, 0, WB_KIND_TLS, NULL,
     "The server offers no STARTTLS on this port. With port 465 set tls = "
     "tls; else take the port that the provider names, mostly 587. For a POP "
     "server write pop3s://."},
    {TLS, WB_CAUSE_REPLY, 5, WB_KIND_TLS, NULL,
     "The server refuses to begin TLS. Take the port that the provider names, "
     "mostly 587 with tls = starttls or 465 with tls = tls."},
    {TLS, WB_CAUSE_HANDSHAKE, 0, WB_KIND_TLS,
     "wrong version number|packet length too long|record layer failure|"
     "unknown protocol",
     "Port and tls do not match: the server does not begin with TLS on this "
     "port. Set tls = starttls, or port 465; for a POP server write pop3://, "
     "or leave its port out."},
    {TLS, WB_CAUSE_HANDSHAKE, 0, WB_KIND_TLS, NULL,
     "The server and this machine have no version of TLS or cipher in "
     "common. The server is too old, or this machine's OpenSSL too strict."},
    {TLS, WB_CAUSE_WRONG_NAME, 0, WB_KIND_CERTIFICATE, NULL,
     "The certificate is for other names. Set host to one of them, if that is "
     "the same server; else somebody else answers there."},
    {TLS, WB_CAUSE_CERTIFICATE, 0, WB_KIND_CERTIFICATE, "has expired",
     "The certificate has expired. Only the provider can renew it; see also "
     "whether this machine's clock is right."},
    {TLS, WB_CAUSE_CERTIFICATE, 0, WB_KIND_CERTIFICATE, "not yet valid",
     "The certificate is not valid yet. See whether this machine's clock is "
     "right."},
    {TLS, WB_CAUSE_CERTIFICATE, 0, WB_KIND_CERTIFICATE, NULL,
     "Nobody whom this machine trusts vouches for the certificate. For a "
     "server with a CA of its own set ca_file to that CA's certificate; else "
     "install the package ca-certificates."},
    {TLS, WB_CAUSE_CA_FILE, 0, WB_KIND_CERTIFICATE, NULL,
     "The certificates to trust cannot be read. See whether ca_file is a "
     "file of certificates in PEM form, or install the package "
     "ca-certificates."},
    {ANY, WB_CAUSE_OWN_CERTIFICATE, 0, WB_KIND_CERTIFICATE, "alert|asked for",
     HINT_OWN_CERTIFICATE},
    {ANY, WB_CAUSE_REPLY, 0, WB_KIND_CERTIFICATE, "client certificate",
     HINT_OWN_CERTIFICATE},
    {ANY, WB_CAUSE_OWN_CERTIFICATE, 0, WB_KIND_CERTIFICATE, NULL,
     "The client certificate cannot be used. See whether cert_file and "
     "key_file are in PEM form, and belong together."},
    {TLS, WB_CAUSE_TIMEOUT, 0, WB_KIND_TLS, NULL,
     "The server does not go on with TLS. Port and tls may not match: 587 "
     "goes with tls = starttls, 465 with tls = tls."},
    {TLS, WB_CAUSE_CLOSED, 0, WB_KIND_TLS, NULL,
     "The server ended the connection when TLS began. Port and tls may not "
     "match: 587 goes with tls = starttls, 465 with tls = tls."},

    {GREETING, WB_CAUSE_FOREIGN, 0, WB_KIND_CONNECT, NULL,
     "This is the port of another service. For mail take the port that the "
     "provider names for sending, mostly 587 or 465; for a POP login mostly "
     "995 "
     "or 110."},
    {GREETING, WB_CAUSE_TIMEOUT, 0, WB_KIND_TLS, NULL,
     "The server says nothing. Port and tls do not match, if this is a port "
     "on which TLS begins at once: set tls = tls (465). Or it makes unknown "
     "clients wait: try --timeout 120."},
    {GREETING, WB_CAUSE_CLOSED, 0, WB_KIND_BLOCKED, NULL,
     "The server ended the connection before it said anything. It does not "
     "want mail from this host, or something between here and there does not."},
    {GREETING, WB_CAUSE_REPLY, 4, WB_KIND_TEMPORARY, NULL,
     "The server takes no mail right now. Try again later; a first connection "
     "from a new host is often put off."},
    {GREETING, WB_CAUSE_REPLY, 0, WB_KIND_BLOCKED, NULL,
     "The server does not want mail from this host. For a relay of your own, "
     "allow this host there; at a provider use port 587 or 465 and a login."},

    {AUTH, WB_CAUSE_NO_MECHANISM, 0, WB_KIND_LOGIN, NULL,
     "The server offers no login of this kind. Set auth to one that it "
     "offers. If it offers none at all, it may do so only with TLS, or on "
     "another port (587)."},
    {AUTH, WB_CAUSE_REPLY, 0, WB_KIND_LOGIN,
     "application-specific|app password|app-specific|5.7.9|InvalidSecondFactor",
     "The provider wants an app password: make one in the security settings "
     "of the account, and write it into password_file."},
    {AUTH, WB_CAUSE_REPLY, 0, WB_KIND_LOGIN,
     "basic authentication is disabled|SmtpClientAuthentication is disabled|"
     "5.7.139|OAuth",
     "The provider does not let this account log in by password. Switch SMTP "
     "logins on in its administration, where that is still possible, or take "
     "another provider for this route."},
    {AUTH, WB_CAUSE_REPLY, 0, WB_KIND_TLS,
     "STARTTLS|encryption required|5.7.11|must use TLS", HINT_TLS_FIRST},
    {AUTH, WB_CAUSE_REPLY, 538, WB_KIND_TLS, NULL, HINT_TLS_FIRST},
    {AUTH, WB_CAUSE_REPLY, 4, WB_KIND_TEMPORARY, NULL,
     "The server cannot check a login now, or there were too many. Wait some "
     "minutes before the next try, lest the account be locked."},
    {AUTH, WB_CAUSE_REPLY, 500, WB_KIND_TEMPORARY,
     "[IN-USE]|[LOGIN-DELAY]|[SYS/TEMP]",
     "The mailbox is in use, or logins come too often. Try again later, and "
     "take a longer pop_interval."},
    {AUTH, WB_CAUSE_REPLY, 504, WB_KIND_LOGIN, NULL,
     "The server does not know this kind of login. Set auth to one that it "
     "offers, such as plain or login."},
    {AUTH, WB_CAUSE_REPLY, 0, WB_KIND_LOGIN, "WebLoginRequired|web browser",
     "The provider wants you to log in to the account by a web browser first, "
     "and to confirm that it is you."},
    {AUTH, WB_CAUSE_REPLY, 0, WB_KIND_LOGIN, NULL,
     "The user or the password is wrong. The user may be the whole address, "
     "its part before the @, or an id of the account; some providers, Gmail "
     "among them, take an app password only."},

    {MAIL, WB_CAUSE_REPLY, 530, WB_KIND_TLS, "STARTTLS", HINT_TLS_FIRST},
    {MAIL, WB_CAUSE_REPLY, 530, WB_KIND_LOGIN, NULL, HINT_LOGIN_FIRST},
    {MAIL, WB_CAUSE_REPLY, 5, WB_KIND_BLOCKED, LISTED, HINT_BLOCKED},
    {MAIL, WB_CAUSE_REPLY, 5, WB_KIND_LOGIN, NO_RELAY, HINT_LOGIN_FIRST},
    {MAIL, WB_CAUSE_REPLY, 5, WB_KIND_SENDER, NULL, HINT_SENDER},

    {RCPT, WB_CAUSE_REPLY, 530, WB_KIND_TLS, "STARTTLS", HINT_TLS_FIRST},
    {RCPT, WB_CAUSE_REPLY, 530, WB_KIND_LOGIN, NULL, HINT_LOGIN_FIRST},
    {RCPT, WB_CAUSE_REPLY, 5, WB_KIND_LOGIN, NO_RELAY, HINT_LOGIN_FIRST},
    {RCPT, WB_CAUSE_REPLY, 5, WB_KIND_SENDER,
     "sender address|sender rejected|sender verify|not owned by|SendAsDenied|"
     "5.1.7|5.1.8|5.7.60",
     HINT_SENDER},
    {RCPT, WB_CAUSE_REPLY, 5, WB_KIND_BLOCKED, LISTED, HINT_BLOCKED},
    {RCPT, WB_CAUSE_REPLY, 5, WB_KIND_RECIPIENT, NULL,
     "The server does not take mail for this recipient. Look for a typing "
     "error in --to, and try an address elsewhere."},

    {DATA, WB_CAUSE_REPLY, 530, WB_KIND_LOGIN, NULL, HINT_LOGIN_FIRST},
    {DATA, WB_CAUSE_REPLY, 5, WB_KIND_SENDER,
     "SendAsDenied|not allowed to send|sender address|from header|from address|"
     "5.7.60|5.2.252",
     HINT_SENDER},
    {DATA, WB_CAUSE_REPLY, 5, WB_KIND_BLOCKED, LISTED, HINT_BLOCKED},
    {DATA, WB_CAUSE_REPLY, 5, WB_KIND_MESSAGE, NULL,
     "The server refuses the message itself, mostly as spam or by a policy on "
     "From, SPF or DKIM. Its reply tells which."},

    {TABLES, WB_CAUSE_NOT_APPLIED, 0, WB_KIND_NOT_APPLIED, NULL,
     "Postfix does not know this route yet. Run waybill apply."},
    {TABLES, WB_CAUSE_TABLES_DIFFER, 0, WB_KIND_TABLES, NULL,
     "Postfix would not do what was tested here. Run waybill apply; if that "
     "refuses, somebody edited main.cf, master.cf or the tables since."},
    {TABLES, WB_CAUSE_MARKED_DOWN, 0, WB_KIND_TEMPORARY, NULL,
     "Mail by this route waits in the queue until its POP login works. Run "
     "waybill pop-login and see what it says."},
    {TABLES, WB_CAUSE_NOT_IN_DNS, 0, WB_KIND_RESOLVE, NULL,
     "Only this machine knows the host, by /etc/hosts or the like, and Postfix "
     "asks the DNS alone. Put the name into the DNS, or set smtp_host_lookup = "
     "dns, native in main.cf."},
    {TABLES, WB_CAUSE_OTHER, 0, WB_KIND_INTERNAL, NULL,
     "Postfix could not be asked. Run this as root, and see whether postconf "
     "and postmap work."},

    {ANY, WB_CAUSE_NO_SENDER, 0, WB_KIND_SENDER, NULL,
     "The test mail has no sender that can be used. Name one with --from; how "
     "its return path is made waybill return-path encode shows."},
    {ANY, WB_CAUSE_REPLY, 4, WB_KIND_TEMPORARY, NULL,
     "The server says that it may work later. Try again; if it stays so, its "
     "reply tells why."},
    {ANY, WB_CAUSE_REPLY, 0, WB_KIND_MESSAGE, NULL,
     "The server refuses. Its reply tells why."},
    {ANY, WB_CAUSE_TIMEOUT, 0, WB_KIND_TEMPORARY, NULL,
     "The server stopped answering. Try again later, or with a longer "
     "--timeout."},
    {ANY, WB_CAUSE_CLOSED, 0, WB_KIND_TEMPORARY, NULL,
     "The connection broke. Try again later; if it always breaks here, the "
     "server does not like what was sent last."},
    {ANY, WB_CAUSE_OTHER, 0, WB_KIND_INTERNAL, NULL,
     "The test itself could not go on; the text above tells why."},
};

static bool code_fits(int wanted, int code)
{
    return wanted == 0 || wanted == code || wanted == code / 100;
}

/* Is any of words, parted by '|', in text? */
static bool words_fit(const char *words, const char *text)
{
    char word[64];

    while (*words != '\0') {
        size_t octets = strcspn(words, "|");

        assert(octets < sizeof word);
        memcpy(word, words, octets);
        word[octets] = '\0';
        if (strcasestr(text, word) != NULL)
            return true;
        words += octets + (words[octets] == '|');
    }
    return false;
}

static bool fits(const struct wb_hint *h, const struct wb_fault *f)
{
    return (h->step == WB_STEP_ANY || h->step == f->step) &&
           h->cause == f->cause && code_fits(h->code, f->code) &&
           (h->words == NULL ||
            (f->text != NULL && words_fit(h->words, f->text)));
}

const struct wb_hint *wb_hint_find(const struct wb_fault *fault)
{
    for (size_t i = 0; i < COUNT(hints); i++)
        if (fits(&hints[i], fault))
            return &hints[i];
    return &hints[COUNT(hints) - 1];
}

const struct wb_hint *wb_hint_table(size_t *count)
{
    *count = COUNT(hints);
    return hints;
}

const char *wb_failure_name(enum wb_kind kind)
{
    return kinds[kind].name;
}

int wb_failure_status(enum wb_kind kind)
{
    return kinds[kind].status;
}

const char *wb_step_name(enum wb_step step)
{
    return step_names[step];
}
