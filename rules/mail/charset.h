/* The charsets that mail is written in, and how they become UTF-8. */
#ifndef WB_MAIL_CHARSET_H
#define WB_MAIL_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

/* Only what mail is really written in. iconv knows hundreds more, and some of
 * their converters have crashed or hung on hostile input (CVE-2019-25013,
 * CVE-2020-27618, CVE-2021-3326): a sender must not choose among those.
 * The second converter takes over where the first one fails: mail programs
 * put vendor characters (circled digits and the like) under the plain name. */
struct wb_charset {
    const char *name;
    const char *converters[2]; /* none: the octets must be UTF-8 already */
    bool is_jis;               /* the second one wants EUC */
};

/* NULL: none of these. Case is ignored. */
const struct wb_charset *wb_charset_find(const char *name, size_t octets);

/* ISO-2022-JP switches between character sets by escape sequences (RFC 1468;
 * half-width katakana and JIS X 0212 as mail programs add them). */
enum wb_jis {
    WB_JIS_NONE,
    WB_JIS_ASCII,
    WB_JIS_KANJI,
    WB_JIS_KANA,
    WB_JIS_HOJO
};

enum { WB_JIS_MAX_OCTETS = 4 }; /* of a character, or an escape sequence */

/* ISO-2022-JP as EUC, for converters that know vendor characters in that form
 * only. *set is what the text has switched to: WB_JIS_ASCII at its beginning.
 * out: room for 2 * count.
 * Returns how many octets were used: less than count where the rest is not
 * ISO-2022-JP, or is a cut-off character or escape sequence. */
size_t wb_jis_to_euc(enum wb_jis *set, const char *in, size_t count, char *out,
                     size_t *written);

#endif
