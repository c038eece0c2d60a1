#include "webhook/mime/transfer.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/base64.h"

enum { PIECE_OCTETS = 4096 };

/* What one octet can become: what was held before it is settled then, too. */
enum { MOST_AT_ONCE = WB_TRANSFER_HELD_MAX + 2 };

enum wb_transfer wb_transfer_find(const char *name)
{
    if (name != NULL && strcasecmp(name, "base64") == 0)
        return WB_TRANSFER_BASE64;
    if (name != NULL && strcasecmp(name, "quoted-printable") == 0)
        return WB_TRANSFER_QUOTED;
    return WB_TRANSFER_NONE;
}

void wb_transfer_begin(struct wb_transfer_state *t, enum wb_transfer encoding,
                       struct wb_sink out)
{
    *t = (struct wb_transfer_state){.encoding = encoding, .out = out};
}

/* ---- base64 ------------------------------------------------------------- */

/* Returns how many octets were written. */
static size_t end_group(struct wb_transfer_state *t, char *out)
{
    size_t n = t->digits > 0 ? t->digits - 1 : 0;

    t->bits <<= 6 * (4 - t->digits);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(t->bits >> (16 - 8 * i) & 0xff);
    t->bits = 0;
    t->digits = 0;
    return n;
}

static size_t base64(struct wb_transfer_state *t, char c, char *out)
{
    int digit = wb_base64_digit(c);

    if (c == '=')
        return end_group(t, out);
    if (digit < 0) {
        t->is_wrong = t->is_wrong || strchr(" \t\r\n", c) == NULL || c == '\0';
        return 0;
    }
    t->bits = t->bits << 6 | (uint32_t)digit;
    return ++t->digits == 4 ? end_group(t, out) : 0;
}

/* ---- quoted-printable --------------------------------------------------- */

/* What is held is "", or white space that a line end would make void, or "="
 * with what follows it.
 *
 *     quoted     = "=" 2HEXDIG
 *     soft-break = "=" *WSP [CR] LF
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t let_go(struct wb_transfer_state *t, char *out)
{
    size_t n = t->held_count;

    memcpy(out, t->held, n);
    t->held_count = 0;
    return n;
}

static size_t plain(struct wb_transfer_state *t, char c, char *out)
{
    size_t n = 0;

    if (c == '\n') { /* white space before it was added on the way */
        if (t->held_count > 0 && t->held[t->held_count - 1] == '\r')
            out[n++] = '\r';
        out[n++] = c;
        t->held_count = 0;
        return n;
    }
    if (is_blank(c) && t->held_count < sizeof t->held) {
        t->held[t->held_count++] = c;
        return 0;
    }
    n = let_go(t, out);
    if (c == '=' || is_blank(c))
        t->held[t->held_count++] = c;
    else
        out[n++] = c;
    return n;
}

static size_t quoted(struct wb_transfer_state *t, char c, char *out)
{
    int high = t->held_count == 2 ? hex_digit(t->held[1]) : -1;
    int low = high >= 0 ? hex_digit(c) : -1;
    size_t n;

    if (t->held_count == 0 || t->held[0] != '=')
        return plain(t, c, out);
    if (low >= 0) {
        out[0] = (char)(high * 16 + low);
        t->held_count = 0;
        return 1;
    }
    if (c == '\n' && (t->held_count == 1 || is_blank(t->held[1]))) {
        t->held_count = 0;
        return 0;
    }
    if ((t->held_count == 1 && hex_digit(c) >= 0) ||
        (is_blank(c) && t->held_count < sizeof t->held &&
         (t->held_count == 1 || is_blank(t->held[1])))) {
        t->held[t->held_count++] = c;
        return 0;
    }
    n = let_go(t, out);
    return n + plain(t, c, out + n);
}

/* ---- both --------------------------------------------------------------- */

int wb_transfer_put(struct wb_transfer_state *t, const char *octets,
                    size_t count)
{
    char out[PIECE_OCTETS + MOST_AT_ONCE];
    size_t n = 0;

    if (t->encoding == WB_TRANSFER_NONE)
        return wb_sink_put(&t->out, octets, count);
    for (size_t i = 0; i < count; i++) {
        n += t->encoding == WB_TRANSFER_BASE64 ? base64(t, octets[i], out + n)
                                               : quoted(t, octets[i], out + n);
        if (n >= PIECE_OCTETS) {
            int rc = wb_sink_put(&t->out, out, n);

            if (rc != EX_OK)
                return rc;
            n = 0;
        }
    }
    return n > 0 ? wb_sink_put(&t->out, out, n) : EX_OK;
}

int wb_transfer_end(struct wb_transfer_state *t)
{
    char out[WB_TRANSFER_HELD_MAX];
    size_t n = 0;

    if (t->encoding == WB_TRANSFER_BASE64)
        n = end_group(t, out);
    else if (t->held_count > 0 && t->held[0] == '=' &&
             (t->held_count > 1 && !is_blank(t->held[1])))
        n = let_go(t, out); /* "=4": nothing that has a meaning */
    return n > 0 ? wb_sink_put(&t->out, out, n) : EX_OK;
}
