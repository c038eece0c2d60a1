#include "mail/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

/* What is accepted (RFC 5321, 4.1.2; RFC 6531, 3.3). Wider than the RFC in
 * two places, because such addresses exist and their mail must arrive: Atoms
 * has dots anywhere, and Label has "_".
 *
 *     Path        = "<>" / "<" Mailbox ">" / Mailbox
 *     Mailbox     = Local-part [ "@" ( Domain / Literal ) ]
 *     Local-part  = Atoms / Quoted
 *     Atoms       = 1*( atext / "." / UTF8-non-ascii )
 *     Quoted      = DQUOTE *( qtextSMTP / "\" %d32-126 / UTF8-non-ascii )
 *                   DQUOTE
 *     Domain      = Label *( "." Label )
 *     Label       = Let-dig [ *( Let-dig / "-" ) Let-dig ]    ; 1 to 63 octets
 *     Let-dig     = ALPHA / DIGIT / "_" / UTF8-non-ascii but no other dot
 *     Literal     = "[" ( IPv4 / "IPv6:" IPv6 ) "]"
 *
 * A Domain that ends in a dot and a source route are refused by name. */

enum { LABEL_MAX_OCTETS = 63 };

/* The wire form while it is taken apart; text is NUL-terminated. */
struct path {
    const char *text;
    char local[WB_MARKED_MAX_OCTETS + 1];
    const char *domain; /* the "@" and what follows, or "" */
};

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

bool wb_octet_is_atext(unsigned char c)
{
    return c >= 0x80 || is_alnum(c) ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_between(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

/*     UTF8-2 = %xC2-DF UTF8-tail
 *     UTF8-3 = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) /
 *              %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
 *     UTF8-4 = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) /
 *              %xF4 %x80-8F 2( UTF8-tail )
 */
size_t wb_utf8_octets(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char c = s[0];
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    size_t n;

    if (c < 0x80)
        return 1;
    if (!is_between(c, 0xc2, 0xf4))
        return 0;
    n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < n || !is_between(s[1], low, high))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (!is_between(s[i], 0x80, 0xbf))
            return 0;
    return n;
}

bool wb_utf8_is_valid(const char *s, size_t octets)
{
    size_t n;

    for (; octets > 0; s += n, octets -= n) {
        n = (unsigned char)*s < 0x80 ? 1 : wb_utf8_octets(s, octets);
        if (n == 0)
            return false;
    }
    return true;
}

bool wb_utf8_has_control(const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)s[0], next = (unsigned char)s[1];

        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && is_between(next, 0x80, 0x9f))
            return true;
    }
    return false;
}

/* U+3002, U+FF0E and U+FF61: dots to whoever makes an A-label of the name
 * (RFC 3490, 3.1), and then it is another domain than was judged here. */
static bool is_other_dot(const char *s)
{
    return strncmp(s, "\xe3\x80\x82", 3) == 0 ||
           strncmp(s, "\xef\xbc\x8e", 3) == 0 ||
           strncmp(s, "\xef\xbd\xa1", 3) == 0;
}

/* One label; returns its end, or NULL. "_" is no letter of a host name, but
 * hosts with it send mail. */
static const char *skip_label(const char *s, bool underscore_ok)
{
    const char *start = s;

    for (; *s != '\0' && *s != '.'; s++) {
        unsigned char c = (unsigned char)*s;

        if (!is_alnum(c) && c != '-' && c < 0x80 &&
            !(c == '_' && underscore_ok))
            return NULL;
        if (is_other_dot(s))
            return NULL;
    }
    if (s == start || s - start > LABEL_MAX_OCTETS)
        return NULL;
    return *start == '-' || s[-1] == '-' ? NULL : s;
}

static bool is_host_name(const char *s, bool underscore_ok)
{
    size_t octets = strnlen(s, WB_DOMAIN_MAX_OCTETS + 1);

    if (octets > WB_DOMAIN_MAX_OCTETS || !wb_utf8_is_valid(s, octets) ||
        wb_utf8_has_control(s))
        return false;
    for (; (s = skip_label(s, underscore_ok)) != NULL; s++)
        if (*s == '\0')
            return true;
    return false;
}

bool wb_domain_is_valid(const char *s)
{
    return is_host_name(s, false);
}

bool wb_domain_is_below(const char *domain, const char *suffix)
{
    size_t d = strlen(domain), s = strlen(suffix);

    return s > 0 && d > s + 1 && domain[d - s - 1] == '.' &&
           memcmp(domain + d - s, suffix, s) == 0;
}

/* s begins with "[". */
static bool is_literal(const char *s)
{
    char inside[INET6_ADDRSTRLEN + sizeof "IPv6:"];
    unsigned char address[sizeof(struct in6_addr)];
    size_t n = strlen(s);

    if (n < 2 || s[n - 1] != ']' || n - 2 >= sizeof inside)
        return false;
    memcpy(inside, s + 1, n - 2);
    inside[n - 2] = '\0';
    if (strncasecmp(inside, "IPv6:", 5) == 0)
        return inet_pton(AF_INET6, inside + 5, address) == 1;
    return inet_pton(AF_INET, inside, address) == 1;
}

/* Atoms into path->local; returns its end. */
static const char *read_atoms(struct path *path)
{
    const char *s = path->text;
    char *local = path->local;

    while (*s == '.' || wb_octet_is_atext((unsigned char)*s))
        *local++ = *s++;
    *local = '\0';
    return s;
}

/* Quoted, without its quotes, into path->local; returns its end, or NULL when
 * the closing quote is missing. */
static const char *read_quoted(struct path *path)
{
    const char *s = path->text + 1;
    char *local = path->local;

    while (*s != '\0' && *s != '"') {
        if (*s == '\\' && *++s == '\0')
            return NULL;
        *local++ = *s++;
    }
    *local = '\0';
    return *s == '"' ? s + 1 : NULL;
}

/* A route is "@" domain *( "," "@" domain ) ":" in front of the mailbox. */
static int refuse_no_local(const char *text, struct wb_err *err)
{
    if (text[0] == '@' && strchr(text, ':') != NULL)
        return wb_err_set(err, EX_DATAERR,
                          "source route in \"%s\"; only user@domain is taken",
                          text);
    if (text[0] == '\0')
        return wb_err_set(err, EX_DATAERR,
                          "empty address; the null sender is \"<>\"");
    return wb_err_set(err, EX_DATAERR,
                      "no local part in \"%s\"; should be user@domain", text);
}

static int split(struct path *path, struct wb_err *err)
{
    const char *text = path->text;
    bool quoted = text[0] == '"';
    const char *end = quoted ? read_quoted(path) : read_atoms(path);

    if (end == NULL)
        return wb_err_set(err, EX_DATAERR, "closing quote missing in \"%s\"",
                          text);
    if (end == text && (*end == '@' || *end == '\0'))
        return refuse_no_local(text, err);
    if (*end != '@' && *end != '\0')
        return wb_err_set(err, EX_DATAERR,
                          "bad local part in \"%s\"; special characters "
                          "must be quoted",
                          text);
    path->domain = end;
    return EX_OK;
}

static int check_domain(const struct path *path, struct wb_err *err)
{
    const char *domain = path->domain + 1;
    size_t n;

    if (path->domain[0] == '\0')
        return EX_OK;
    n = strlen(domain);
    if (n == 0)
        return wb_err_set(err, EX_DATAERR,
                          "no domain after the \"@\" in \"%s\"", path->text);
    if (domain[0] == '[') {
        if (is_literal(domain))
            return EX_OK;
        return wb_err_set(err, EX_DATAERR,
                          "bad address literal in \"%s\"; should be like "
                          "[192.0.2.1] or [IPv6:2001:db8::1]",
                          path->text);
    }
    if (domain[n - 1] == '.')
        return wb_err_set(err, EX_DATAERR,
                          "domain ends in a dot in \"%s\"; leave that dot out",
                          path->text);
    if (!is_host_name(domain, true))
        return wb_err_set(err, EX_DATAERR,
                          "bad domain in \"%s\"; should be labels of 1 to %d "
                          "letters, digits or hyphens",
                          path->text, LABEL_MAX_OCTETS);
    return EX_OK;
}

static int check_text(const char *text, struct wb_err *err)
{
    if (!wb_utf8_is_valid(text, strlen(text)))
        return wb_err_set(err, EX_DATAERR, "address is not valid UTF-8");
    if (wb_utf8_has_control(text))
        return wb_err_set(err, EX_DATAERR, "control character in \"%s\"", text);
    return EX_OK;
}

/* Copy path, at most max octets, into p without its "<>", which must be both
 * there or neither. */
static int strip(struct wb_pool *p, const char *path, size_t max,
                 const char **text, struct wb_err *err)
{
    size_t n = strnlen(path, max + 1);
    bool open = path[0] == '<', closed = n > 0 && path[n - 1] == '>';

    if (n > (open || closed ? max : max - 2))
        return wb_err_set(err, EX_DATAERR,
                          "address too long; at most %zu octets", max - 2);
    if (open != closed)
        return wb_err_set(err, EX_DATAERR,
                          "\"<\" and \">\" do not match in \"%s\"", path);
    *text = open ? wb_pool_strndup(p, path + 1, n - 2)
                 : wb_pool_strndup(p, path, n);
    return *text != NULL ? EX_OK : wb_err_set(err, EX_OSERR, "out of memory");
}

static int keep(struct wb_pool *p, const struct path *path,
                struct wb_address *out, struct wb_err *err)
{
    struct wb_address a = {.text = path->text};

    a.local = wb_pool_strdup(p, path->local);
    if (path->domain[0] == '@') {
        a.domain = wb_pool_strlower(p, path->domain + 1);
        a.is_literal = path->domain[1] == '[';
    }
    if (a.local == NULL || (path->domain[0] == '@' && a.domain == NULL))
        return wb_err_set(err, EX_OSERR, "out of memory");
    *out = a;
    return EX_OK;
}

static int parse(struct wb_pool *p, const char *path, size_t max,
                 struct wb_address *out, struct wb_err *err)
{
    struct path parts = {.text = "", .domain = ""};
    int rc = strip(p, path, max, &parts.text, err);

    if (rc != EX_OK)
        return rc;
    if (strcmp(path, "<>") == 0) {
        *out = (struct wb_address){.text = parts.text};
        return EX_OK;
    }
    if ((rc = check_text(parts.text, err)) != EX_OK ||
        (rc = split(&parts, err)) != EX_OK ||
        (rc = check_domain(&parts, err)) != EX_OK)
        return rc;
    return keep(p, &parts, out, err);
}

int wb_address_parse(struct wb_pool *p, const char *path,
                     struct wb_address *out, struct wb_err *err)
{
    return parse(p, path, WB_PATH_MAX_OCTETS, out, err);
}

int wb_address_parse_marked(struct wb_pool *p, const char *path,
                            struct wb_address *out, struct wb_err *err)
{
    return parse(p, path, WB_MARKED_MAX_OCTETS, out, err);
}

/* Dot-string = Atom *( "." Atom ): all that RFC 5321 lets go unquoted. */
static bool is_dot_string(const char *s)
{
    char before = '.';

    for (; *s != '\0'; before = *s++)
        if (*s == '.' ? before == '.' : !wb_octet_is_atext((unsigned char)*s))
            return false;
    return before != '.';
}

static void quote(char *out, const char *s)
{
    *out++ = '"';
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            *out++ = '\\';
        *out++ = *s;
    }
    *out++ = '"';
    *out = '\0';
}

const char *wb_address_format(struct wb_pool *p, const char *local,
                              const char *domain)
{
    char *quoted = NULL;

    if (local == NULL)
        return wb_pool_strdup(p, "");
    /* A CR or LF here would be a second SMTP command. */
    if (wb_utf8_has_control(local) ||
        (domain != NULL && wb_utf8_has_control(domain)))
        return NULL;
    if (!is_dot_string(local)) {
        if ((quoted = wb_pool_array(p, strlen(local) + 2, 2)) == NULL)
            return NULL;
        quote(quoted, local);
        local = quoted;
    }
    return domain == NULL ? wb_pool_strdup(p, local)
                          : wb_pool_printf(p, "%s@%s", local, domain);
}

bool wb_address_is_null(const struct wb_address *a)
{
    return a->local == NULL;
}

const char *wb_xtext_encode(struct wb_pool *p, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *text = wb_pool_array(p, strlen(s) + 1, 3), *out = text;

    if (text == NULL)
        return NULL;
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;

        if (c >= '!' && c <= '~' && c != '+' && c != '=') {
            *out++ = *s;
            continue;
        }
        *out++ = '+';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 0xf];
    }
    *out = '\0';
    return text;
}

/* Capitals only (RFC 3461, 4), but small letters have been seen. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int wb_xtext_decode(struct wb_pool *p, const char *s, const char **out)
{
    char *text = wb_pool_alloc(p, strlen(s) + 1), *o = text;

    if (text == NULL)
        return EX_OSERR;
    for (; *s != '\0'; s++) {
        int high, low;

        if (*s != '+') {
            *o++ = *s;
            continue;
        }
        if ((high = hex_digit(s[1])) < 0 || (low = hex_digit(s[2])) < 0 ||
            high + low == 0)
            return EX_DATAERR;
        *o++ = (char)(high << 4 | low);
        s += 2;
    }
    *o = '\0';
    *out = text;
    return EX_OK;
}
