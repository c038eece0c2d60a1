#include "mail/mailbox.h"

#include <openssl/evp.h>
#include <string.h>
#include <sysexits.h>

#include "mail/header.h"

#define WORD_BEGIN "=?UTF-8?B?"
#define WORD_END   "?="

enum {
    LINE_MAX_OCTETS = 76, /* RFC 2047, 2: a line with encoded words */
    /* What one encoded word carries: as Base64 56 octets, with its ends 68, so
     * it fits behind "From: ", too. */
    WORD_MAX_OCTETS = 42,
    WORD_ENCODED_OCTETS = 68,
};

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- to a header field --------------------------------------------------- */

/* phrase = 1*atom, with one space between them: nothing to quote */
static bool is_atoms(const char *s)
{
    char before = ' ';

    for (; *s != '\0'; before = *s++)
        if (*s == ' ' ? before == ' ' : !wb_octet_is_atext((unsigned char)*s))
            return false;
    return before != ' ';
}

/* Readers decode what looks like an encoded word, within quotes as well. */
static bool must_be_encoded(const char *s)
{
    if (strstr(s, "=?") != NULL)
        return true;
    for (; *s != '\0'; s++)
        if (*s < ' ' || *s > '~')
            return true;
    return false;
}

static const char *quote(struct wb_pool *p, const char *s)
{
    char *text = wb_pool_array(p, strlen(s) + 2, 2), *out = text;

    if (text == NULL)
        return NULL;
    *out++ = '"';
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            *out++ = '\\';
        *out++ = *s;
    }
    *out = '"';
    return text;
}

/* As much of s as goes into one word: no character is cut (RFC 2047, 5). */
static size_t word_octets(const char *s)
{
    size_t n = strnlen(s, WORD_MAX_OCTETS), whole = n;

    while (whole > 0 && (s[whole] & 0xc0) == 0x80)
        whole--;
    return whole > 0 ? whole : n;
}

static const char *encode(struct wb_pool *p, const char *s)
{
    /* A word but the last carries 3 octets less than the most, or more. */
    size_t words = strlen(s) / (WORD_MAX_OCTETS - 3) + 1;
    char *text = wb_pool_array(p, words, WORD_ENCODED_OCTETS + 1), *out = text;
    size_t n;

    for (; text != NULL && *s != '\0'; s += n) {
        n = word_octets(s);
        if (out > text)
            *out++ = ' ';
        out = stpcpy(out, WORD_BEGIN);
        out += EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)s,
                               (int)n);
        out = stpcpy(out, WORD_END);
    }
    return text;
}

const char *wb_header_fold(struct wb_pool *p, const char *field,
                           const char *value)
{
    size_t column = strlen(field) + strlen(": ");
    char *text = wb_pool_array(p, strlen(value) + 1, 2), *out = text;

    while (text != NULL && *value != '\0') {
        size_t blanks = strspn(value, " \t");
        size_t octets = blanks + strcspn(value + blanks, " \t");

        if (column + octets > LINE_MAX_OCTETS && blanks > 0 &&
            octets > blanks && out > text) {
            *out++ = '\n';
            column = 0;
        }
        memcpy(out, value, octets);
        out += octets;
        value += octets;
        column += octets;
    }
    return text;
}

const char *wb_mailbox_format(struct wb_pool *p, const struct wb_mailbox *m)
{
    const char *address =
        wb_address_format(p, m->address.local, m->address.domain);
    const char *name = m->name;
    const char *value;

    if (address == NULL || name == NULL || *name == '\0')
        return address;
    if (must_be_encoded(name))
        name = encode(p, name);
    else if (!is_atoms(name))
        name = quote(p, name);
    value = name == NULL ? NULL : wb_pool_printf(p, "%s <%s>", name, address);
    return value == NULL ? NULL : wb_header_fold(p, "From", value);
}

/* ---- from a person's text ------------------------------------------------ */

/* Take the quotes off s, in place. Returns what follows the closing one, or
 * NULL when there is none. */
static char *unquote(char *s)
{
    char *out = s;

    for (char *in = s + 1; *in != '\0'; in++) {
        if (*in == '"') {
            *out = '\0';
            return in + 1;
        }
        if (*in == '\\' && in[1] != '\0')
            in++;
        *out++ = *in;
    }
    return NULL;
}

static char *trim(char *s)
{
    char *end = s + strlen(s);

    while (end > s && is_wsp(end[-1]))
        *--end = '\0';
    return s + strspn(s, " \t");
}

/* The "<" that begins the address: the last one outside of quotes, if these
 * are closed. */
static char *find_angle(char *text)
{
    char *found = NULL;
    bool is_quoted = false;

    for (char *s = text; *s != '\0'; s++) {
        if (*s == '\\' && is_quoted && s[1] != '\0')
            s++;
        else if (*s == '"')
            is_quoted = !is_quoted;
        else if (*s == '<' && !is_quoted)
            found = s;
    }
    return is_quoted ? strrchr(text, '<') : found;
}

static int check_name(struct wb_pool *p, const char *name, struct wb_err *err)
{
    size_t octets = strlen(name);
    const char *decoded = wb_header_decode(p, name, octets);

    if (decoded == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (!wb_utf8_is_valid(name, octets))
        return wb_err_set(err, EX_DATAERR,
                          "the name is not UTF-8; write it in UTF-8");
    if (wb_utf8_has_control(name))
        return wb_err_set(err, EX_DATAERR,
                          "the name holds a control character; leave it out");
    if (octets > WB_NAME_MAX_OCTETS)
        return wb_err_set(err, EX_DATAERR,
                          "the name is too long; at most %d octets are right",
                          WB_NAME_MAX_OCTETS);
    if (strcmp(decoded, name) != 0)
        return wb_err_set(err, EX_DATAERR,
                          "the name is encoded; write it as it is read, "
                          "\"%s\"",
                          decoded);
    return EX_OK;
}

/* name: trimmed; changed in place. */
static int read_name(struct wb_pool *p, char *name, const char **out,
                     struct wb_err *err)
{
    bool is_quoted = *name == '"';
    const char *rest = is_quoted ? unquote(name) : "";

    if (rest == NULL || *rest != '\0')
        return wb_err_set(err, EX_DATAERR,
                          "quotes stand around the whole name or not at all; "
                          "\"Name\" <user@example.com> is right");
    if (!is_quoted && strpbrk(name, "\"<>") != NULL)
        return wb_err_set(err, EX_DATAERR,
                          "a quote or angle bracket stands in the name; put "
                          "the name in quotes, with \\\" for a quote");
    name = trim(name);
    *out = *name != '\0' ? name : NULL;
    return check_name(p, name, err);
}

/* "a@b.test, Name <c@d.test>" must not become a strange name. */
static int refuse_several(struct wb_pool *p, const char *text,
                          struct wb_err *err)
{
    const char *const *addresses;
    size_t count;

    if (wb_header_addresses(p, text, 2, &addresses, &count) != EX_OK)
        return wb_err_set(err, EX_OSERR, "out of memory");
    return count < 2 ? EX_OK
                     : wb_err_set(err, EX_DATAERR,
                                  "more than one address in \"%s\"; one is "
                                  "right",
                                  text);
}

static int no_address(const char *text, struct wb_err *err)
{
    return wb_err_set(err, EX_DATAERR,
                      "no address in \"%s\"; user@example.com, or Name "
                      "<user@example.com>, is right",
                      text);
}

static int read_address(struct wb_pool *p, const char *text,
                        struct wb_address *out, struct wb_err *err)
{
    int rc = strchr(text, '@') == NULL ? no_address(text, err)
                                       : wb_address_parse(p, text, out, err);

    if (rc != EX_OK)
        return rc;
    if (out->domain == NULL)
        return no_address(text, err);
    for (const char *s = out->text; *s != '\0'; s++)
        if ((unsigned char)*s > '~')
            return wb_err_set(err, EX_DATAERR,
                              "\"%s\" is not ASCII, so some servers would not "
                              "take it; a domain as xn--... is right",
                              text);
    return EX_OK;
}

int wb_mailbox_parse(struct wb_pool *p, const char *text,
                     struct wb_mailbox *out, struct wb_err *err)
{
    struct wb_mailbox m = {.name = NULL};
    char *copy = wb_pool_strdup(p, text), *angle, *address;
    int rc;

    if (copy == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    copy = trim(copy);
    angle = find_angle(copy);
    address = wb_pool_strdup(p, angle != NULL ? angle : copy);
    if (address == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    if (angle != NULL)
        *angle = '\0';
    if ((rc = refuse_several(p, text, err)) != EX_OK ||
        (angle != NULL &&
         (rc = read_name(p, trim(copy), &m.name, err)) != EX_OK) ||
        (rc = read_address(p, address, &m.address, err)) != EX_OK)
        return rc;
    *out = m;
    return EX_OK;
}
