#include "mail/charset.h"

#include <string.h>
#include <strings.h>

static const struct wb_charset charsets[] = {
    {"utf-8", {NULL}, false},
    {"us-ascii", {NULL}, false},
    {"iso-2022-jp", {"ISO-2022-JP", "EUC-JP-MS"}, true},
    {"shift_jis", {"SJIS", "CP932"}, false},
    {"euc-jp", {"EUC-JP", "EUC-JP-MS"}, false},
    {"iso-8859-1", {"ISO-8859-1"}, false},
    {"windows-1252", {"CP1252"}, false},
    {"iso-8859-15", {"ISO-8859-15"}, false},
    {"gb2312", {"GB18030"}, false},
    {"gbk", {"GB18030"}, false},
    {"gb18030", {"GB18030"}, false},
    {"big5", {"BIG5", "BIG5-HKSCS"}, false},
    {"euc-kr", {"UHC"}, false},
    {"utf8", {NULL}, false},
    {"ascii", {NULL}, false},
    {"sjis", {"SJIS", "CP932"}, false},
    {"shift-jis", {"SJIS", "CP932"}, false},
    {"x-sjis", {"SJIS", "CP932"}, false},
    {"windows-31j", {"CP932"}, false},
    {"cp932", {"CP932"}, false},
    {"eucjp-ms", {"EUC-JP-MS"}, false},
    {"x-euc-jp", {"EUC-JP", "EUC-JP-MS"}, false},
    {"cp50220", {"ISO-2022-JP", "EUC-JP-MS"}, true},
    {"cp50221", {"ISO-2022-JP", "EUC-JP-MS"}, true},
    {"latin1", {"ISO-8859-1"}, false},
    {"iso-8859-2", {"ISO-8859-2"}, false},
    {"iso-8859-3", {"ISO-8859-3"}, false},
    {"iso-8859-4", {"ISO-8859-4"}, false},
    {"iso-8859-5", {"ISO-8859-5"}, false},
    {"iso-8859-6", {"ISO-8859-6"}, false},
    {"iso-8859-7", {"ISO-8859-7"}, false},
    {"iso-8859-8", {"ISO-8859-8"}, false},
    {"iso-8859-9", {"ISO-8859-9"}, false},
    {"iso-8859-10", {"ISO-8859-10"}, false},
    {"iso-8859-13", {"ISO-8859-13"}, false},
    {"iso-8859-14", {"ISO-8859-14"}, false},
    {"iso-8859-16", {"ISO-8859-16"}, false},
    {"windows-1250", {"CP1250"}, false},
    {"windows-1251", {"CP1251"}, false},
    {"windows-1253", {"CP1253"}, false},
    {"windows-1254", {"CP1254"}, false},
    {"windows-1255", {"CP1255"}, false},
    {"windows-1256", {"CP1256"}, false},
    {"windows-1257", {"CP1257"}, false},
    {"windows-1258", {"CP1258"}, false},
    {"windows-874", {"CP874"}, false},
    {"koi8-r", {"KOI8-R"}, false},
    {"koi8-u", {"KOI8-U"}, false},
    {"tis-620", {"TIS-620"}, false},
    {"ks_c_5601-1987", {"UHC"}, false},
};

enum { NCHARSETS = sizeof charsets / sizeof charsets[0] };

const struct wb_charset *wb_charset_find(const char *name, size_t octets)
{
    for (size_t i = 0; i < NCHARSETS; i++)
        if (strncasecmp(charsets[i].name, name, octets) == 0 &&
            charsets[i].name[octets] == '\0')
            return &charsets[i];
    return NULL;
}

static enum wb_jis read_escape(const char *s, size_t left, size_t *octets)
{
    static const struct {
        const char *text;
        enum wb_jis set;
    } escapes[] = {
        {"\033(B", WB_JIS_ASCII}, {"\033(J", WB_JIS_ASCII},
        {"\033$@", WB_JIS_KANJI}, {"\033$B", WB_JIS_KANJI},
        {"\033(I", WB_JIS_KANA},  {"\033$(D", WB_JIS_HOJO},
    };

    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        *octets = strlen(escapes[i].text);
        if (left >= *octets && memcmp(s, escapes[i].text, *octets) == 0)
            return escapes[i].set;
    }
    return WB_JIS_NONE;
}

/* One character of set as EUC (0x8e: half-width katakana, 0x8f: JIS X 0212).
 * Returns how many octets of s it took, 0 when it is not one. */
static size_t put_euc(enum wb_jis set, const char *s, size_t left, char **out)
{
    size_t n = set == WB_JIS_KANJI || set == WB_JIS_HOJO ? 2 : 1;
    bool is_ascii = set == WB_JIS_ASCII || s[0] <= ' ';

    if (left < (is_ascii ? 1 : n) || (s[0] & 0x80) ||
        (n == 2 && !is_ascii && (s[1] & 0x80)))
        return 0;
    if (is_ascii) {
        *(*out)++ = s[0];
        return 1;
    }
    if (set == WB_JIS_KANA || set == WB_JIS_HOJO)
        *(*out)++ = (char)(set == WB_JIS_KANA ? 0x8e : 0x8f);
    for (size_t i = 0; i < n; i++)
        *(*out)++ = (char)(s[i] | 0x80);
    return n;
}

size_t wb_jis_to_euc(enum wb_jis *set, const char *in, size_t count, char *out,
                     size_t *written)
{
    const char *start = out;
    size_t used = 0, n;

    while (used < count) {
        if (in[used] == '\033') {
            enum wb_jis next = read_escape(in + used, count - used, &n);

            if (next == WB_JIS_NONE)
                break;
            *set = next;
        } else {
            n = put_euc(*set, in + used, count - used, &out);
            if (n == 0)
                break;
        }
        used += n;
    }
    *written = (size_t)(out - start);
    return used;
}
