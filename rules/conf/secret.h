/* The keys that sign labels and marks (secret_file). */
#ifndef WB_CONF_SECRET_H
#define WB_CONF_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

enum {
    WB_KEY_MIN_OCTETS = 16,
    WB_KEY_MAX_OCTETS = 1024,
    WB_KEYS_MAX = 16,
    WB_SECRET_MAX_OCTETS = 32767, /* of the file */
    WB_LABEL_OCTETS = 8,          /* 40 bits, base32 */
    WB_MAC_OCTETS = 26,           /* 128 bits, base32 */
};

struct wb_key {
    const unsigned char *octets;
    size_t count;
    char label[WB_LABEL_OCTETS + 1];
};

/* keys[0] signs, all verify. count == 0: there is no secret (explain only). */
struct wb_secret {
    struct wb_key keys[WB_KEYS_MAX];
    size_t count;
};

/* Read a secret file: one key a line, blank lines and lines that begin with
 * '#' skipped. Refused: others may read or write it or the group may write
 * it, not a regular file, a key that is too short or too long, too many keys,
 * none. Key octets live in p.
 * Returns EX_OK, EX_NOINPUT, EX_NOPERM, EX_CONFIG or EX_OSERR with *err,
 * which never quotes a key; *line is the faulty line, 0 for the file. */
int wb_secret_read(struct wb_pool *p, const char *path, struct wb_secret *out,
                   unsigned *line, struct wb_err *err);

/* The two halves of wb_secret_read, for who writes the file anew.
 * wb_secret_text: the content of an open file; path is for *err. The caller
 * cleanses text. EX_OK, EX_NOPERM, EX_CONFIG or EX_OSERR.
 * wb_secret_parse: the keys in text. EX_OK, EX_CONFIG or EX_OSERR. */
int wb_secret_text(int fd, const char *path,
                   char text[WB_SECRET_MAX_OCTETS + 1], struct wb_err *err);
int wb_secret_parse(struct wb_pool *p, const char *text, struct wb_secret *out,
                    unsigned *line, struct wb_err *err);

enum wb_secret_line_kind {
    WB_SECRET_BLANK,
    WB_SECRET_COMMENT, /* text begins with '#' */
    WB_SECRET_KEY
};

struct wb_secret_line {
    enum wb_secret_line_kind kind;
    const char *text; /* not NUL-terminated, without blanks around it */
    size_t octets;
};

/* Take the first line off *rest. Returns false at the end. */
bool wb_secret_next_line(const char **rest, struct wb_secret_line *out);

/* The MAC of parts (each followed by a NUL, so that no two lists of parts
 * look alike) under key: HMAC-SHA-256, its first 128 bits in lower-case
 * base32 (RFC 4648, 6, without padding): one DNS label.
 * out: WB_MAC_OCTETS + 1. Returns EX_OK or EX_OSERR. */
int wb_secret_mac(const struct wb_key *key, const char *const *parts,
                  size_t count, char *out, struct wb_err *err);

/* Is mac the MAC of parts under any of the keys? Constant time per key. */
bool wb_secret_verify(const struct wb_secret *secret, const char *const *parts,
                      size_t count, const char *mac);

#endif
