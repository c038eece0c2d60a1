#include "webhook/mime/text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/address.h"

enum {
    PIECE_OCTETS = 2048,
    UTF8_MAX_OCTETS = 4, /* what one octet of any charset can become */
};

#define NO_CONVERTER ((iconv_t)-1)

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* ---- one way ------------------------------------------------------------ */

/* NULL: it is UTF-8 already; glibc's converter would let pass what RFC 3629
 * forbids. */
static const char *converter_name(const struct wb_text_way *way)
{
    return way->charset->converters[way->converter];
}

int wb_text_begin(struct wb_text *t, const struct wb_text_way *way,
                  struct wb_sink out)
{
    *t = (struct wb_text){.way = *way,
                          .out = out,
                          .converter = NO_CONVERTER,
                          .is_euc = way->charset->is_jis && way->converter == 1,
                          .set = WB_JIS_ASCII};
    if (converter_name(way) == NULL)
        return EX_OK;
    t->converter = iconv_open("UTF-8", converter_name(way));
    if (t->converter != NO_CONVERTER)
        return EX_OK;
    return errno == EINVAL ? EX_DATAERR : EX_OSERR;
}

void wb_text_free(struct wb_text *t)
{
    if (t->converter != NO_CONVERTER)
        iconv_close(t->converter);
    t->converter = NO_CONVERTER;
}

/* CR LF becomes LF, in place. Returns how many octets are left. */
static size_t use_lf(struct wb_text *t, char *text, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (text[i] != '\r' || i + 1 == count || text[i + 1] != '\n')
            text[n++] = text[i];
    t->after_cr = n > 0 && text[n - 1] == '\r';
    return t->after_cr ? n - 1 : n;
}

static int emit(struct wb_text *t, char *text, size_t count)
{
    int rc = EX_OK;

    if (count == 0)
        return EX_OK;
    if (t->after_cr && text[0] != '\n')
        rc = wb_sink_put(&t->out, "\r", 1);
    /* glibc passes an escape sequence that it does not know as text. */
    if (rc == EX_OK && t->way.charset->is_jis && !t->way.is_lenient &&
        memchr(text, '\033', count) != NULL)
        rc = EX_DATAERR;
    count = use_lf(t, text, count);
    return rc == EX_OK && count > 0 ? wb_sink_put(&t->out, text, count) : rc;
}

static int replace(struct wb_text *t)
{
    char text[sizeof replacement];

    if (!t->way.is_lenient)
        return EX_DATAERR;
    t->replaced++;
    memcpy(text, replacement, sizeof text);
    return emit(t, text, sizeof text - 1);
}

/* Check it, and copy it. *left: what is the beginning of a character, at in. */
static int check(struct wb_text *t, char **in, size_t *left)
{
    int rc = EX_OK;

    while (rc == EX_OK && *left > 0) {
        char *start = *in;
        size_t n;

        while (*left > 0 && (n = wb_utf8_octets(*in, *left)) > 0) {
            *in += n;
            *left -= n;
        }
        rc = emit(t, start, (size_t)(*in - start));
        if (*left == 0 || (*left < UTF8_MAX_OCTETS && !t->is_last))
            break;
        if (rc == EX_OK)
            rc = replace(t);
        ++*in;
        --*left;
    }
    return rc;
}

/* Convert what can be. *left: what is the beginning of a character, at in. */
static int convert(struct wb_text *t, char **in, size_t *left)
{
    char text[PIECE_OCTETS * UTF8_MAX_OCTETS];
    int rc = EX_OK;

    while (rc == EX_OK && *left > 0) {
        char *out = text;
        size_t room = sizeof text;
        size_t done = iconv(t->converter, in, left, &out, &room);
        int why = done == (size_t)-1 ? errno : 0;

        rc = emit(t, text, (size_t)(out - text));
        if (why == EINVAL && *left < WB_TEXT_HELD_MAX && !t->is_last)
            break;
        if (rc == EX_OK && why != 0 && why != E2BIG) {
            rc = replace(t);
            ++*in;
            --*left;
        }
    }
    return rc;
}

/* The same, through EUC. */
static int convert_jis(struct wb_text *t, char **in, size_t *left)
{
    int rc = EX_OK;

    while (rc == EX_OK && *left > 0) {
        char euc[2 * (PIECE_OCTETS + WB_TEXT_HELD_MAX)], *from = euc;
        size_t written;
        size_t used = wb_jis_to_euc(&t->set, *in, *left, euc, &written);

        *in += used;
        *left -= used;
        rc = convert(t, &from, &written);
        if (rc != EX_OK || *left == 0)
            break;
        /* maybe a character or an escape sequence that is cut off */
        if (*left < WB_JIS_MAX_OCTETS && !t->is_last)
            break;
        rc = replace(t);
        ++*in;
        --*left;
    }
    return rc;
}

/* What is held, and count more, at most PIECE_OCTETS. */
static int put_piece(struct wb_text *t, const char *octets, size_t count)
{
    char work[WB_TEXT_HELD_MAX + PIECE_OCTETS], *in = work;
    size_t left = t->held_count + count;
    int rc;

    memcpy(work, t->held, t->held_count);
    memcpy(work + t->held_count, octets, count);
    for (size_t i = 0; i < count; i++)
        t->high += (octets[i] & 0x80) != 0;
    rc = t->is_euc                      ? convert_jis(t, &in, &left)
         : t->converter == NO_CONVERTER ? check(t, &in, &left)
                                        : convert(t, &in, &left);
    t->held_count = rc == EX_OK ? left : 0;
    memcpy(t->held, in, t->held_count);
    return rc;
}

int wb_text_put(struct wb_text *t, const char *octets, size_t count)
{
    int rc = EX_OK;

    while (rc == EX_OK && count > 0) {
        size_t n = count < PIECE_OCTETS ? count : PIECE_OCTETS;

        rc = put_piece(t, octets, n);
        octets += n;
        count -= n;
    }
    return rc;
}

int wb_text_end(struct wb_text *t)
{
    char text[PIECE_OCTETS], *out = text;
    size_t room = sizeof text;
    int rc;

    t->is_last = true;
    rc = put_piece(t, "", 0);
    /* some converters wait for what may combine with the last character */
    if (rc == EX_OK && t->converter != NO_CONVERTER &&
        iconv(t->converter, NULL, NULL, &out, &room) != (size_t)-1)
        rc = emit(t, text, (size_t)(out - text));
    if (rc == EX_OK && t->after_cr)
        rc = wb_sink_put(&t->out, "\r", 1);
    return rc;
}

/* ---- choosing ----------------------------------------------------------- */

static const struct wb_charset *charset_of(const char *name)
{
    return wb_charset_find(name, strlen(name));
}

static int put_text(void *to, const char *octets, size_t count)
{
    return wb_text_put(to, octets, count);
}

/* Read all of it this way. is_mostly_wrong may be NULL. */
static int read_as(const struct wb_text_way *way,
                   const struct wb_text_source *source, struct wb_sink out,
                   bool *is_mostly_wrong)
{
    struct wb_text t;
    const struct wb_sink through = {put_text, &t};
    int rc = wb_text_begin(&t, way, out);

    if (rc == EX_OK)
        rc = source->read(source->from, &through);
    if (rc == EX_OK)
        rc = wb_text_end(&t);
    wb_text_free(&t);
    if (is_mostly_wrong != NULL)
        *is_mostly_wrong = t.replaced > t.high / 2;
    return rc;
}

/* All of these return EX_DATAERR when it cannot be read so. */

static int try_way(const struct wb_charset *charset, unsigned converter,
                   bool is_certain, const struct wb_text_source *source,
                   struct wb_text_way *out)
{
    *out = (struct wb_text_way){
        .charset = charset, .converter = converter, .is_certain = is_certain};
    return read_as(out, source, wb_sink_nowhere, NULL);
}

static bool has_second(const struct wb_charset *charset)
{
    return charset->converters[0] != NULL && charset->converters[1] != NULL;
}

static int try_charset(const struct wb_charset *charset, bool is_certain,
                       const struct wb_text_source *source,
                       struct wb_text_way *out)
{
    int rc = try_way(charset, 0, is_certain, source, out);

    if (rc == EX_DATAERR && has_second(charset))
        rc = try_way(charset, 1, is_certain, source, out);
    return rc;
}

/* What leaves no doubt. */
static int try_plain(bool is_certain, const struct wb_text_source *source,
                     struct wb_text_way *out)
{
    int rc = try_charset(charset_of("iso-2022-jp"), is_certain, source, out);

    if (rc == EX_DATAERR)
        rc = try_charset(charset_of("utf-8"), is_certain, source, out);
    return rc;
}

/* The vendor's characters of EUC fill so much of it that Latin-1 would pass. */
static int guess(const struct wb_text_source *source, struct wb_text_way *out)
{
    int rc = try_way(charset_of("euc-jp"), 0, false, source, out);

    if (rc == EX_DATAERR)
        rc = try_charset(charset_of("shift_jis"), false, source, out);
    if (rc == EX_DATAERR)
        rc = try_charset(charset_of("iso-8859-1"), false, source, out);
    return rc;
}

/* What can be read of it, and whether that is little. */
static int read_some(const struct wb_charset *charset,
                     const struct wb_text_source *source,
                     struct wb_text_way *out, bool *is_mostly_wrong)
{
    *out = (struct wb_text_way){.charset = charset, .is_lenient = true};
    out->converter = has_second(charset);
    return read_as(out, source, wb_sink_nowhere, is_mostly_wrong);
}

static int choose_other(const struct wb_charset *said,
                        const struct wb_text_source *source,
                        struct wb_text_way *out)
{
    bool is_mostly_wrong = true;
    int rc = EX_DATAERR;

    if (said != NULL)
        rc = read_some(said, source, out, &is_mostly_wrong);
    if (rc == EX_DATAERR || (rc == EX_OK && is_mostly_wrong))
        rc = guess(source, out);
    if (rc == EX_DATAERR) /* every system can read UTF-8 */
        rc = read_some(charset_of("utf-8"), source, out, NULL);
    return rc;
}

int wb_text_choose(const char *charset, const struct wb_text_source *source,
                   struct wb_text_way *out)
{
    const struct wb_charset *said = charset ? charset_of(charset) : NULL;
    bool is_silent = charset == NULL;
    int rc = EX_DATAERR;

    if (said == charset_of("us-ascii") || said == charset_of("ascii")) {
        is_silent = true; /* it is what is said of anything */
        said = NULL;
    }
    if (said != NULL)
        rc = try_charset(said, true, source, out);
    if (rc == EX_DATAERR)
        rc = try_plain(is_silent, source, out);
    return rc == EX_DATAERR ? choose_other(said, source, out) : rc;
}

/* ---- in memory ---------------------------------------------------------- */

struct memory {
    const char *octets;
    size_t count;
};

struct growing {
    char *text;
    size_t count;
};

static int read_memory(const void *from, const struct wb_sink *to)
{
    const struct memory *m = from;

    return wb_sink_put(to, m->octets, m->count);
}

static int put_growing(void *to, const char *octets, size_t count)
{
    struct growing *g = to;

    memcpy(g->text + g->count, octets, count);
    g->count += count;
    return EX_OK;
}

const char *wb_text_from(struct wb_pool *p, const char *charset,
                         const char *octets, size_t count)
{
    const struct memory m = {octets, count};
    const struct wb_text_source source = {read_memory, &m};
    struct growing g = {.text = wb_pool_array(p, count + 1, UTF8_MAX_OCTETS)};
    const struct wb_sink out = {put_growing, &g};
    struct wb_text_way way;

    if (g.text == NULL || wb_text_choose(charset, &source, &way) != EX_OK ||
        read_as(&way, &source, out, NULL) != EX_OK)
        return NULL;
    return g.text;
}

const char *wb_text_guess(struct wb_pool *p, const char *octets)
{
    return wb_text_from(p, NULL, octets, strlen(octets));
}
