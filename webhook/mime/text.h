/* Text becomes UTF-8 (RFC 3629) with line ends LF, piece by piece. */
#ifndef WB_MIME_TEXT_H
#define WB_MIME_TEXT_H

#include <iconv.h>
#include <stdbool.h>

#include "base/pool.h"
#include "mail/charset.h"
#include "webhook/mime/sink.h"

/* How a text is to be read. */
struct wb_text_way {
    const struct wb_charset *charset;
    unsigned converter; /* of its converters */
    bool is_lenient;    /* what is no character becomes U+FFFD */
    bool is_certain;    /* the text says so, or leaves no doubt */
};

/* Something that can be read again and again: puts all of it to the sink.
 * Returns EX_OK, what the sink returned, or a code of its own. */
struct wb_text_source {
    int (*read)(const void *from, const struct wb_sink *to);
    const void *from;
};

/* Find out how to read a text.
 * charset: as it says itself; NULL or unknown: nothing. Where that does not
 *          hold for most of it it is guessed. is_certain is then false,
 *          unless it says nothing and is ISO-2022-JP or UTF-8, which other
 *          texts hardly ever seem to be.
 * Returns EX_OK (there is always a way), EX_OSERR, or what the source
 * returned. */
int wb_text_choose(const char *charset, const struct wb_text_source *source,
                   struct wb_text_way *out);

enum { WB_TEXT_HELD_MAX = 16 };

struct wb_text {
    struct wb_text_way way;
    struct wb_sink out;
    iconv_t converter;
    bool is_euc;     /* ISO-2022-JP goes through EUC */
    enum wb_jis set; /* of ISO-2022-JP */
    bool after_cr, is_last;
    char held[WB_TEXT_HELD_MAX]; /* the beginning of a character */
    size_t held_count;
    size_t high, replaced; /* octets of 8 bits, and those that were wrong */
};

/* Begin, put any number of times, end; out gets the UTF-8. wb_text_free is
 * due, whatever they return: EX_OK, EX_OSERR, what out returned or, of a way
 * that is not lenient, EX_DATAERR at the first octet that is no character. */
int wb_text_begin(struct wb_text *t, const struct wb_text_way *way,
                  struct wb_sink out);
int wb_text_put(struct wb_text *t, const char *octets, size_t count);
int wb_text_end(struct wb_text *t);
void wb_text_free(struct wb_text *t);

/* A short text of unknown charset as UTF-8. Lives in p; NULL: no memory. */
const char *wb_text_guess(struct wb_pool *p, const char *octets);

/* The same, but octets are in this charset, as far as they can be. */
const char *wb_text_from(struct wb_pool *p, const char *charset,
                         const char *octets, size_t count);

#endif
