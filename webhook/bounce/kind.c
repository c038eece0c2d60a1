#include "webhook/bounce/kind.h"

#include <stdio.h>
#include <string.h>

/* strcasestr folds ASCII only where the locale is C, which it is here. */

const char *wb_bounce_kind_name(enum wb_bounce_kind kind)
{
    static const char *const names[] = {
        [WB_BOUNCE_NONE] = "none",
        [WB_BOUNCE_AUTO_REPLY] = "auto-reply",
        [WB_BOUNCE_DELAYED] = "delayed",
        [WB_BOUNCE_DELIVERED] = "delivered",
        [WB_BOUNCE_HARD] = "hard",
        [WB_BOUNCE_SOFT] = "soft",
        [WB_BOUNCE_FULL] = "full",
        [WB_BOUNCE_BLOCKED] = "blocked",
        [WB_BOUNCE_COMPLAINT] = "complaint",
    };

    return names[kind];
}

bool wb_bounce_is_failure(enum wb_bounce_kind kind)
{
    return kind >= WB_BOUNCE_HARD;
}

/* ---- what is known ------------------------------------------------------ */

/* The first row that fits counts. code: all of it, or its beginning where it
 * ends in a dot; "*" is any digit. phrase: anywhere in the words, in any case.
 * First come words that are surer than most codes, since many servers send
 * one code for everything; then codes that are clear; then words that help
 * where the code is vague; then what the code's class says. */
static const struct row {
    const char *code, *phrase;
    enum wb_bounce_kind kind;
} rows[] = {
    /* full: 4.2.2 and 5.2.2, and what is said instead */
    {"*.2.2", "", WB_BOUNCE_FULL},
    {"", "mailbox full", WB_BOUNCE_FULL},
    {"", "mailbox is full", WB_BOUNCE_FULL},
    {"", "mailbox exceeds", WB_BOUNCE_FULL},
    {"", "mailbox size limit", WB_BOUNCE_FULL},
    {"", "mailbox has exceeded", WB_BOUNCE_FULL},
    {"", "inbox is full", WB_BOUNCE_FULL},
    {"", "over quota", WB_BOUNCE_FULL},
    {"", "overquota", WB_BOUNCE_FULL},
    {"", "quota exceeded", WB_BOUNCE_FULL},
    {"", "exceeded storage", WB_BOUNCE_FULL},
    {"", "quotaexceeded", WB_BOUNCE_FULL},
    {"", "out of storage", WB_BOUNCE_FULL},
    {"", "storage allocation", WB_BOUNCE_FULL},
    {"", "insufficient disk space", WB_BOUNCE_FULL},
    {"", "552 too much mail data", WB_BOUNCE_FULL}, /* docomo */

    /* blocked */
    {"", "550 : user unknown", WB_BOUNCE_BLOCKED}, /* au: the user's filter */
    {"5.2.0", "unknown user", WB_BOUNCE_BLOCKED},  /* docomo: the same */
    {"", "spamhaus", WB_BOUNCE_BLOCKED},
    {"", "spamcop", WB_BOUNCE_BLOCKED},
    {"", "barracuda", WB_BOUNCE_BLOCKED},
    {"", "blacklist", WB_BOUNCE_BLOCKED},
    {"", "blocklist", WB_BOUNCE_BLOCKED},
    {"", "block list", WB_BOUNCE_BLOCKED},
    {"", "black list", WB_BOUNCE_BLOCKED},
    {"", "dnsbl", WB_BOUNCE_BLOCKED},
    {"", "poor reputation", WB_BOUNCE_BLOCKED},
    {"", "low reputation", WB_BOUNCE_BLOCKED},
    {"", "ip reputation", WB_BOUNCE_BLOCKED},
    {"", "dmarc", WB_BOUNCE_BLOCKED},
    {"", "considered spam", WB_BOUNCE_BLOCKED},
    {"", "detected as spam", WB_BOUNCE_BLOCKED},
    {"", "likely unsolicited", WB_BOUNCE_BLOCKED},
    {"", "unsolicited mail", WB_BOUNCE_BLOCKED},
    {"", "message content rejected", WB_BOUNCE_BLOCKED},

    /* hard, though the code says policy or routing */
    {"", "recipient address rejected: access denied", WB_BOUNCE_HARD},
    {"", "user unknown", WB_BOUNCE_HARD},
    {"", "unknown user", WB_BOUNCE_HARD},
    {"", "no such user", WB_BOUNCE_HARD},
    {"", "user not found", WB_BOUNCE_HARD},
    {"", "recipnotfound", WB_BOUNCE_HARD},
    {"", "recipientnotfound", WB_BOUNCE_HARD},

    /* codes that are clear (RFC 3463, 3) */
    {"*.1.8", "", WB_BOUNCE_BLOCKED}, /* of the sender */
    {"*.1.7", "", WB_BOUNCE_BLOCKED},
    {"5.1.0", "sender", WB_BOUNCE_BLOCKED},
    {"5.1.", "", WB_BOUNCE_HARD},
    {"5.2.1", "", WB_BOUNCE_HARD}, /* disabled */
    {"5.2.3", "", WB_BOUNCE_SOFT}, /* this message is too large */
    {"5.3.4", "", WB_BOUNCE_SOFT},
    {"5.4.4", "", WB_BOUNCE_HARD}, /* no such host */
    {"5.4.", "", WB_BOUNCE_SOFT},  /* networks and routes can be mended */
    {"5.6.", "", WB_BOUNCE_SOFT},  /* this message's form */
    {"*.7.", "", WB_BOUNCE_BLOCKED},

    /* words, where the code is vague */
    {"", "does not exist", WB_BOUNCE_HARD},
    {"", "doesn't exist", WB_BOUNCE_HARD},
    {"", "invalid recipient", WB_BOUNCE_HARD}, /* softbank */
    {"", "invalid mailbox", WB_BOUNCE_HARD},
    {"", "invalid address", WB_BOUNCE_HARD},
    {"", "unknown recipient", WB_BOUNCE_HARD},
    {"", "recipient unknown", WB_BOUNCE_HARD},
    {"", "unknown address", WB_BOUNCE_HARD},
    {"", "address unknown", WB_BOUNCE_HARD},
    {"", "address not found", WB_BOUNCE_HARD},
    {"", "no mailbox here", WB_BOUNCE_HARD},
    {"", "no such mailbox", WB_BOUNCE_HARD},
    {"", "no such recipient", WB_BOUNCE_HARD},
    {"", "no such address", WB_BOUNCE_HARD},
    {"", "mailbox not found", WB_BOUNCE_HARD},
    {"", "mailbox unavailable", WB_BOUNCE_HARD},
    {"", "not a valid mailbox", WB_BOUNCE_HARD},
    {"", "account is disabled", WB_BOUNCE_HARD}, /* au */
    {"", "account has been disabled", WB_BOUNCE_HARD},
    {"", "account is not active", WB_BOUNCE_HARD},
    {"", "account disabled", WB_BOUNCE_HARD},
    {"", "host not found", WB_BOUNCE_HARD},
    {"", "host unknown", WB_BOUNCE_HARD},
    {"", "name or domain", WB_BOUNCE_HARD},
    {"", "find any host named", WB_BOUNCE_HARD}, /* qmail */
    {"", "unrouteable address", WB_BOUNCE_HARD}, /* Exim */
    {"", "unrouteable mail domain", WB_BOUNCE_HARD},
    {"", "rejected due to", WB_BOUNCE_BLOCKED},
    {"", "access denied", WB_BOUNCE_BLOCKED},
    {"", "permission denied", WB_BOUNCE_BLOCKED},
    {"", "not permitted", WB_BOUNCE_BLOCKED},
    {"", "relaying denied", WB_BOUNCE_BLOCKED},
    {"", "policy", WB_BOUNCE_BLOCKED},
    {"", "spam", WB_BOUNCE_BLOCKED},
    {"", "blocked", WB_BOUNCE_BLOCKED},
    {"", "timed out", WB_BOUNCE_SOFT},
    {"", "timeout", WB_BOUNCE_SOFT},
    {"", "not responding", WB_BOUNCE_SOFT},
    {"", "temporarily", WB_BOUNCE_SOFT},
    {"", "connection refused", WB_BOUNCE_SOFT},
    {"", "too large", WB_BOUNCE_SOFT},
    {"", "retry time", WB_BOUNCE_SOFT}, /* Exim */
    {"", "not delivered within", WB_BOUNCE_SOFT},

    {"5.2.0", "", WB_BOUNCE_BLOCKED}, /* softbank: the user's filter */
    {"5.", "", WB_BOUNCE_HARD},
    {"", "", WB_BOUNCE_SOFT},
};

/* ---- finding it --------------------------------------------------------- */

static bool fits_code(const char *pattern, const char *code)
{
    size_t n = strlen(pattern);

    for (size_t i = 0; i < n; i++)
        if (pattern[i] == '*' ? code[i] < '0' || code[i] > '9'
                              : pattern[i] != code[i])
            return false;
    return n == 0 || pattern[n - 1] == '.' || code[n] == '\0';
}

enum wb_bounce_kind wb_bounce_classify(const char *code, const char *words)
{
    const struct row *row = rows;

    while (!fits_code(row->code, code) ||
           strcasestr(words, row->phrase) == NULL)
        row++; /* the last one fits anything */
    return row->kind;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "5.1.1" at s: how many octets, or 0. A subject is at most 7 (RFC 3463, 3),
 * which tells most versions of programs apart, and an address goes on. */
static size_t code_octets(const char *s)
{
    size_t n = 4;

    if ((*s != '4' && *s != '5') || s[1] != '.' || s[2] < '0' || s[2] > '7' ||
        s[3] != '.')
        return 0;
    while (n < 7 && is_digit(s[n]))
        n++;
    return n == 4 || is_digit(s[n]) || (s[n] == '.' && is_digit(s[n + 1])) ? 0
                                                                           : n;
}

static bool is_reply(const char *s)
{
    return (*s == '4' || *s == '5') && s[1] >= '0' && s[1] <= '5' &&
           is_digit(s[2]) && (s[3] == ' ' || s[3] == '-' || s[3] == '\0');
}

void wb_bounce_find_code(const char *words, char code[WB_BOUNCE_CODE_OCTETS])
{
    char before = ' ';

    *code = '\0';
    for (const char *s = words; *s != '\0'; before = *s++) {
        bool is_start = !is_digit(before) && before != '.';
        bool is_vague = *code == '\0' || strcmp(code + 1, ".0.0") == 0;
        size_t n = is_start && is_vague ? code_octets(s) : 0;

        if (n > 0)
            snprintf(code, WB_BOUNCE_CODE_OCTETS, "%.*s", (int)n, s);
        else if (is_start && *code == '\0' && is_reply(s))
            snprintf(code, WB_BOUNCE_CODE_OCTETS, "%c.0.0", *s);
    }
}
