/* Transfer encodings (RFC 2045, 6), undone piece by piece. */
#ifndef WB_MIME_TRANSFER_H
#define WB_MIME_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "webhook/mime/sink.h"

enum wb_transfer {
    WB_TRANSFER_NONE, /* 7bit, 8bit, binary, and what is not known */
    WB_TRANSFER_BASE64,
    WB_TRANSFER_QUOTED, /* quoted-printable */
};

/* A Content-Transfer-Encoding. Case is ignored; NULL is none. */
enum wb_transfer wb_transfer_find(const char *name);

enum { WB_TRANSFER_HELD_MAX = 80 };

struct wb_transfer_state {
    enum wb_transfer encoding;
    struct wb_sink out;
    bool is_wrong; /* it cannot have been encoded so */
    uint32_t bits; /* of base64 */
    unsigned digits;
    char held[WB_TRANSFER_HELD_MAX]; /* of quoted-printable: not judged yet */
    size_t held_count;
};

/* Begin, put any number of times, end: out gets the octets. Base64 may be cut
 * off anywhere, padded in the middle or not at all; an octet that is none of
 * its digits makes it wrong, and is skipped. A "=" of quoted-printable that
 * means nothing stays as it is.
 * Return EX_OK or what out returned. */
void wb_transfer_begin(struct wb_transfer_state *t, enum wb_transfer encoding,
                       struct wb_sink out);
int wb_transfer_put(struct wb_transfer_state *t, const char *octets,
                    size_t count);
int wb_transfer_end(struct wb_transfer_state *t);

#endif
