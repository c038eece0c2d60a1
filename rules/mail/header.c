#include "mail/header.h"

#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/base64.h"
#include "mail/address.h"
#include "mail/charset.h"

enum {
    NAME_MAX_OCTETS = 77,
    CHARSET_SWITCHES_MAX = 32, /* a value; opening a converter is slow */
    UTF8_MAX_OCTETS = 4,       /* what one octet of any charset can become */
};

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

bool wb_header_name_is_valid(const char *name)
{
    size_t n = strnlen(name, NAME_MAX_OCTETS + 1);

    for (size_t i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
            return false;
    return n > 0 && n <= NAME_MAX_OCTETS;
}

/* ---- encoded words ----------------------------------------------------- */

/* RFC 2047, 2, and RFC 2231, 5. Senders do not keep the bound of 75 octets,
 * so it is not asked for.
 *
 *     encoded-word = "=?" charset [ "*" language ] "?" encoding "?"
 *                    encoded-text "?="
 *     encoding     = "B" / "Q"
 *     encoded-text = *( any printable ASCII character but "?" or SPACE )
 */
struct word {
    const struct wb_charset *charset;
    bool is_base64;
    const char *text;
    size_t octets;
    const char *end;
};

#define NO_CONVERTER ((iconv_t)-1)

struct decoder {
    char *octets; /* what a group of words carries, in its charset */
    char *euc;    /* the same as EUC */
    char *utf8;   /* the same as UTF-8 */
    char *out;
    size_t used;  /* octets of out */
    bool joining; /* only white space since the last decoded word, */
    size_t joint; /* which ended here in out */
    const char *single_until; /* words before this do not decode as a group */
    const struct wb_charset *charset; /* the converters are for this one */
    iconv_t converters[2];
    unsigned switches_left;
};

/* Every scan stops at the next "?", so a value is scanned a few times at
 * most, however many "=?" it has. */
static bool read_word(const char *s, struct word *w)
{
    const char *name = s + 2, *c;

    if (s[0] != '=' || s[1] != '?')
        return false;
    c = name + strcspn(name, "*? \t");
    w->charset = wb_charset_find(name, (size_t)(c - name));
    if (*c == '*')
        c += strcspn(c, "? \t");
    if (w->charset == NULL || c[0] != '?' || c[1] == '\0' ||
        strchr("BbQq", c[1]) == NULL || c[2] != '?')
        return false;
    w->is_base64 = (c[1] | 0x20) == 'b';
    w->text = c + 3;
    w->octets = strcspn(w->text, "? \t");
    if (w->text[w->octets] != '?' || w->text[w->octets + 1] != '=')
        return false;
    w->end = w->text + w->octets + 2;
    return true;
}

/* Padding may be missing (some senders drop it) but not wrong. Returns the
 * octets written, or -1. */
static ptrdiff_t from_base64(const char *in, size_t n, char *out)
{
    const char *start = out;
    size_t digits = n;
    uint32_t bits = 0;

    while (digits > 0 && in[digits - 1] == '=')
        digits--;
    if (digits % 4 == 1 || n - digits > 2 || (n != digits && n % 4 != 0))
        return -1;
    for (size_t i = 0; i < digits; i++) {
        int digit = wb_base64_digit(in[i]);

        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            *out++ = (char)(bits >> (6 - i % 4 * 2) & 0xff);
    }
    return out - start;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the octets written, or -1. */
static ptrdiff_t from_q(const char *in, size_t n, char *out)
{
    const char *start = out;

    for (size_t i = 0; i < n; i++) {
        if (in[i] <= ' ' || in[i] > '~')
            return -1;
        if (in[i] != '=') {
            *out++ = (char)(in[i] == '_' ? ' ' : in[i]);
            continue;
        }
        if (n - i < 3 || hex_digit(in[i + 1]) < 0 || hex_digit(in[i + 2]) < 0)
            return -1;
        *out++ = (char)(hex_digit(in[i + 1]) << 4 | hex_digit(in[i + 2]));
        i += 2;
    }
    return out - start;
}

/* The octets of the word at s and, unless single, of those that follow in the
 * same charset. Returns the end of the last one, NULL when there is none. */
static const char *gather(struct decoder *d, const char *s, bool single,
                          size_t *octets)
{
    const struct wb_charset *charset = NULL;
    const char *end = NULL;
    struct word w;

    *octets = 0;
    while (read_word(s, &w) && (charset == NULL || w.charset == charset)) {
        char *to = d->octets + *octets;
        ptrdiff_t n = w.is_base64 ? from_base64(w.text, w.octets, to)
                                  : from_q(w.text, w.octets, to);

        if (n < 0)
            break;
        *octets += (size_t)n;
        charset = w.charset;
        end = w.end;
        if (single)
            break;
        for (s = end; is_wsp(*s); s++)
            ;
    }
    return end;
}

static void close_converters(struct decoder *d)
{
    for (size_t i = 0; i < 2; i++) {
        if (d->converters[i] != NO_CONVERTER)
            iconv_close(d->converters[i]);
        d->converters[i] = NO_CONVERTER;
    }
}

/* Converters are kept while the charset stays: a list of a thousand names
 * opens one. */
static bool use_charset(struct decoder *d, const struct wb_charset *charset)
{
    if (d->charset == charset)
        return true;
    if (d->switches_left == 0)
        return false;
    d->switches_left--;
    close_converters(d);
    d->charset = charset;
    return true;
}

static bool run_iconv(iconv_t *cd, const char *name, char *in, size_t left,
                      char *out, size_t *octets)
{
    size_t room = *octets;

    if (*cd == NO_CONVERTER)
        *cd = iconv_open("UTF-8", name);
    if (*cd == NO_CONVERTER)
        return false;
    iconv(*cd, NULL, NULL, NULL, NULL);
    if (iconv(*cd, &in, &left, &out, &room) == (size_t)-1 ||
        iconv(*cd, NULL, NULL, &out, &room) == (size_t)-1)
        return false;
    *octets -= room;
    return true;
}

/* out has room for 2 * count. Returns the octets written, 0 when in is not
 * ISO-2022-JP. */
static size_t all_to_euc(const char *in, size_t count, char *out)
{
    enum wb_jis set = WB_JIS_ASCII;
    size_t written;

    return wb_jis_to_euc(&set, in, count, out, &written) == count ? written : 0;
}

/* d->octets to d->utf8. */
static bool convert(struct decoder *d, const struct wb_charset *charset,
                    size_t octets, size_t *utf8_octets)
{
    if (charset->converters[0] == NULL) {
        memcpy(d->utf8, d->octets, octets);
        *utf8_octets = octets;
        return wb_utf8_is_valid(d->utf8, octets);
    }
    if (!use_charset(d, charset))
        return false;
    for (size_t i = 0; i < 2 && charset->converters[i] != NULL; i++) {
        char *in = d->octets;
        size_t n = octets;

        if (charset->is_jis && i == 1) {
            in = d->euc;
            n = all_to_euc(d->octets, octets, d->euc);
        }
        *utf8_octets = octets * UTF8_MAX_OCTETS;
        /* glibc passes an escape sequence that it does not know as text. */
        if ((n > 0 || octets == 0) &&
            run_iconv(&d->converters[i], charset->converters[i], in, n, d->utf8,
                      utf8_octets) &&
            !(charset->is_jis && memchr(d->utf8, '\033', *utf8_octets)))
            return true;
    }
    return false;
}

static void emit(struct decoder *d, size_t octets)
{
    if (d->joining)
        d->used = d->joint;
    for (size_t i = 0; i < octets; i++)
        if (d->utf8[i] != '\0' && d->utf8[i] != '\r' && d->utf8[i] != '\n')
            d->out[d->used++] = d->utf8[i];
    d->joint = d->used;
    d->joining = true;
}

static const char *decode_group(struct decoder *d, const char *s,
                                const struct wb_charset *charset, bool single)
{
    size_t octets, utf8_octets;
    const char *end = gather(d, s, single, &octets);

    if (end == NULL)
        return NULL;
    if (convert(d, charset, octets, &utf8_octets)) {
        emit(d, utf8_octets);
        return end;
    }
    if (!single)
        d->single_until = end;
    return NULL;
}

/* The words from s on as a group, else the one at s by itself: no word is
 * tried more than twice. Returns the end of what was decoded, or NULL. */
static const char *decode_words(struct decoder *d, const char *s)
{
    struct word w;

    if (!read_word(s, &w))
        return NULL;
    if (s >= d->single_until) {
        const char *end = decode_group(d, s, w.charset, false);

        if (end != NULL || d->single_until <= w.end)
            return end;
    }
    return decode_group(d, s, w.charset, true);
}

static void decode(struct decoder *d, const char *s)
{
    while (*s != '\0') {
        const char *end = decode_words(d, s);

        if (end != NULL) {
            s = end;
            continue;
        }
        if (!is_wsp(*s))
            d->joining = false;
        d->out[d->used++] = *s++;
    }
}

char *wb_header_unfold(struct wb_pool *p, const char *value, size_t max_octets)
{
    char *s = wb_pool_strndup(p, value, max_octets), *out = s;

    if (s == NULL)
        return NULL;
    for (const char *c = s; *c != '\0'; c++)
        if (*c != '\r' && *c != '\n')
            *out++ = *c;
    while (out > s && is_wsp(out[-1]))
        out--;
    *out = '\0';
    while (is_wsp(*s))
        s++;
    return s;
}

const char *wb_header_decode(struct wb_pool *p, const char *value,
                             size_t max_octets)
{
    struct decoder d = {.converters = {NO_CONVERTER, NO_CONVERTER},
                        .switches_left = CHARSET_SWITCHES_MAX};
    const char *s = wb_header_unfold(p, value, max_octets), *text;
    size_t n;

    if (s == NULL || strstr(s, "=?") == NULL)
        return s;
    /* A word is longer than what it carries, so n octets are enough for that,
     * 2 n for EUC, and UTF8_MAX_OCTETS * n for UTF-8 and for the result. */
    n = strlen(s);
    if ((d.octets = calloc(n, 3 + 2 * UTF8_MAX_OCTETS)) == NULL)
        return NULL;
    d.euc = d.octets + n;
    d.utf8 = d.euc + 2 * n;
    d.out = d.utf8 + UTF8_MAX_OCTETS * n;
    d.single_until = s;
    decode(&d, s);
    text = wb_pool_strndup(p, d.out, d.used);
    close_converters(&d);
    free(d.octets);
    return text;
}

/* ---- address lists ----------------------------------------------------- */

/* RFC 5322, 3.4 and 4.4, as it is read here; CFWS (white space and nested
 * comments) may stand between any two tokens:
 *
 *     list      = element *( ( "," / ";" / ":" ) element )
 *     element   = [ addr-spec / phrase *( "<" [ route ] addr-spec ">" ) ]
 *     route     = 1*( "@" domain / "," ) ":"
 *     addr-spec = local "@" domain
 *     local     = word *( "." / "." word )      ; also ".a", "a..b" and "a."
 *     domain    = atom *( "." atom ) / literal
 *     word      = atom / quoted-string
 *
 * ":" ends a group's name and ";" the group; what does not fit is skipped up
 * to the end of its element. Read from left to right with one token of
 * lookahead: linear, without recursion. */
enum token {
    T_END,
    T_ATOM,
    T_QUOTED,
    T_LITERAL,
    T_OTHER, /* a single octet: *list->start */
};

struct list {
    const char *next;  /* what follows the token */
    enum token token;  /* the lookahead */
    const char *start; /* its text, without quotes; with brackets */
    const char *end;
    char text[WB_PATH_MAX_OCTETS - 2 + 1]; /* the address so far */
    size_t octets;
    bool is_bad; /* text cannot become an address */
    struct wb_pool *pool;
    const char **out;
    size_t count;
    size_t max;
    bool out_of_memory;
};

/* Comments nest, so depth is counted; one that is left open swallows the
 * rest, as does a quoted string. */
static const char *skip_comment(const char *s)
{
    size_t depth = 0;

    for (; *s != '\0'; s++) {
        if (*s == '\\' && s[1] != '\0')
            s++;
        else if (*s == '(')
            depth++;
        else if (*s == ')' && --depth == 0)
            return s + 1;
    }
    return s;
}

const char *wb_header_skip_cfws(const char *s)
{
    for (;;) {
        s += strspn(s, " \t\r\n");
        if (*s != '(')
            return s;
        s = skip_comment(s);
    }
}

static void lex_quoted(struct list *l)
{
    const char *s = ++l->start;

    while (*s != '\0' && *s != '"')
        s += *s == '\\' && s[1] != '\0' ? 2 : 1;
    l->token = *s == '"' ? T_QUOTED : T_END;
    l->end = s;
    l->next = *s == '"' ? s + 1 : s;
}

/* A "[" inside ends the try, or "[[[[" would be read again and again. */
static void lex_literal(struct list *l)
{
    const char *s = l->start + 1;

    s += strcspn(s, "[]\\");
    l->token = *s == ']' ? T_LITERAL : T_OTHER;
    l->end = l->next = *s == ']' ? s + 1 : s;
}

static void advance(struct list *l)
{
    const char *s = wb_header_skip_cfws(l->next);

    l->start = s;
    if (*s == '"') {
        lex_quoted(l);
        return;
    }
    if (*s == '[') {
        lex_literal(l);
        return;
    }
    while (wb_octet_is_atext((unsigned char)*s))
        s++;
    l->token = s > l->start ? T_ATOM : *s == '\0' ? T_END : T_OTHER;
    if (l->token == T_OTHER)
        s++;
    l->end = l->next = s;
}

static bool is_at(const struct list *l, char c)
{
    return l->token == T_OTHER && *l->start == c;
}

static bool is_at_word(const struct list *l)
{
    return l->token == T_ATOM || l->token == T_QUOTED;
}

/* The end of an element. */
static bool is_at_end(const struct list *l)
{
    return l->token == T_END || is_at(l, ',') || is_at(l, ';') || is_at(l, ':');
}

static void add_octet(struct list *l, char c)
{
    if ((unsigned char)c < ' ' || c == 0x7f || l->octets + 1 >= sizeof l->text)
        l->is_bad = true;
    else
        l->text[l->octets++] = c;
}

static void add_token(struct list *l)
{
    for (const char *s = l->start; s < l->end; s++) {
        if (*s == '\\' && l->token == T_QUOTED && s + 1 < l->end)
            s++;
        /* A fold inside a quoted string. */
        if (*s != '\r' && *s != '\n')
            add_octet(l, *s);
    }
}

static bool read_local(struct list *l)
{
    bool after_word = false, any = false;

    while ((is_at_word(l) && !after_word) || is_at(l, '.')) {
        after_word = is_at_word(l);
        add_token(l);
        advance(l);
        any = true;
    }
    return any;
}

static bool is_domain_atom(const char *s, const char *end)
{
    for (; s < end; s++)
        if ((unsigned char)*s < 0x80 && strchr("!#$%&'*+/=?^`{|}~", *s) != NULL)
            return false;
    return true;
}

static bool read_domain(struct list *l)
{
    if (l->token == T_LITERAL) {
        add_token(l);
        advance(l);
        return true;
    }
    while (l->token == T_ATOM && is_domain_atom(l->start, l->end)) {
        add_token(l);
        advance(l);
        if (!is_at(l, '.'))
            return true;
        add_token(l);
        advance(l);
    }
    return false;
}

static bool read_addr_spec(struct list *l)
{
    l->octets = 0;
    l->is_bad = false;
    if (!read_local(l) || !is_at(l, '@'))
        return false;
    add_octet(l, '@');
    advance(l);
    return read_domain(l);
}

static bool skip_route(struct list *l)
{
    while (is_at(l, '@') || is_at(l, ',')) {
        bool domain_follows = is_at(l, '@');

        advance(l);
        if (domain_follows && !read_domain(l))
            return false;
    }
    if (!is_at(l, ':'))
        return false;
    advance(l);
    return true;
}

static void keep(struct list *l)
{
    if (l->is_bad || l->count == l->max ||
        !wb_utf8_is_valid(l->text, l->octets))
        return;
    l->out[l->count] = wb_pool_strndup(l->pool, l->text, l->octets);
    if (l->out[l->count] == NULL)
        l->out_of_memory = true;
    else
        l->count++;
}

static void read_angle(struct list *l)
{
    advance(l);
    if (is_at(l, '@') && !skip_route(l))
        return;
    if (!read_addr_spec(l) || !is_at(l, '>'))
        return;
    keep(l);
    advance(l);
}

static void read_element(struct list *l)
{
    /* A ":" after it makes it a group's name. */
    if (read_addr_spec(l) && is_at_end(l) && !is_at(l, ':')) {
        keep(l);
        return;
    }
    while (!is_at_end(l)) {
        if (is_at(l, '<'))
            read_angle(l);
        else
            advance(l);
    }
}

static size_t count_at(const char *s)
{
    size_t n = 0;

    while ((s = strchr(s, '@')) != NULL) {
        s++;
        n++;
    }
    return n;
}

int wb_header_addresses(struct wb_pool *p, const char *value,
                        size_t max_addresses, const char *const **out,
                        size_t *count)
{
    size_t most = count_at(value);
    struct list l = {.next = value, .pool = p};

    l.max = most < max_addresses ? most : max_addresses;
    if ((l.out = wb_pool_array(p, l.max, sizeof *l.out)) == NULL)
        return EX_OSERR;
    for (advance(&l); l.token != T_END && l.count < l.max; advance(&l)) {
        read_element(&l);
        if (l.out_of_memory)
            return EX_OSERR;
    }
    *out = l.out;
    *count = l.count;
    return EX_OK;
}
