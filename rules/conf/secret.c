#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base32.h"

enum { SHA256_OCTETS = 32 };

/* HMAC-SHA-256 over the parts, each with its NUL. */
static bool hmac(const unsigned char *key, size_t octets,
                 const char *const *parts, size_t count,
                 unsigned char out[SHA256_OCTETS])
{
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    size_t written = 0;
    bool ok = ctx != NULL && EVP_MAC_init(ctx, key, octets, digest);

    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_MAC_update(ctx, (const unsigned char *)parts[i],
                            strlen(parts[i]) + 1);
    ok = ok && EVP_MAC_final(ctx, out, &written, SHA256_OCTETS) &&
         written == SHA256_OCTETS;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return ok;
}

int wb_secret_mac(const struct wb_key *key, const char *const *parts,
                  size_t count, char *out, struct wb_err *err)
{
    unsigned char full[SHA256_OCTETS];

    if (!hmac(key->octets, key->count, parts, count, full))
        return wb_err_set(err, EX_OSERR, "OpenSSL could not make a MAC");
    wb_base32(full, 16, out);
    return EX_OK;
}

bool wb_secret_verify(const struct wb_secret *secret, const char *const *parts,
                      size_t count, const char *mac)
{
    char expected[WB_MAC_OCTETS + 1];
    bool found = false;

    if (strlen(mac) != WB_MAC_OCTETS)
        return false;
    for (size_t i = 0; i < secret->count; i++)
        if (wb_secret_mac(&secret->keys[i], parts, count, expected, NULL) ==
                EX_OK &&
            CRYPTO_memcmp(expected, mac, WB_MAC_OCTETS) == 0)
            found = true;
    return found;
}

/* The label is derived, so that every host with the secret has the same. */
static bool derive_label(struct wb_key *key)
{
    static const char *const purpose[] = {"label"};
    unsigned char full[SHA256_OCTETS];

    if (!hmac(key->octets, key->count, purpose, 1, full))
        return false;
    wb_base32(full, 5, key->label);
    return true;
}

static int check_file(int fd, const char *path, struct wb_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return wb_err_set(err, EX_OSERR, "cannot examine %s: %s", path,
                          strerror(errno));
    if (!S_ISREG(st.st_mode))
        return wb_err_set(err, EX_CONFIG, "%s is not a regular file", path);
    if ((st.st_mode & 027) != 0)
        return wb_err_set(err, EX_NOPERM,
                          "%s has mode %04o and can be read by others or "
                          "written by its group; chmod 640 %s",
                          path, (unsigned)st.st_mode & 07777, path);
    return EX_OK;
}

int wb_secret_text(int fd, const char *path,
                   char text[WB_SECRET_MAX_OCTETS + 1], struct wb_err *err)
{
    size_t octets = 0;
    ssize_t got = 1;
    int rc = check_file(fd, path, err);

    if (rc != EX_OK)
        return rc;
    /* One octet more than may be, which then is the NUL's place. */
    while (got > 0 && octets <= WB_SECRET_MAX_OCTETS) {
        got = read(fd, text + octets, WB_SECRET_MAX_OCTETS + 1 - octets);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            return wb_err_set(err, EX_OSERR, "cannot read %s: %s", path,
                              strerror(errno));
        else
            octets += (size_t)got;
    }
    if (octets > WB_SECRET_MAX_OCTETS)
        return wb_err_set(err, EX_CONFIG, "%s has more than %d octets", path,
                          WB_SECRET_MAX_OCTETS);
    if (memchr(text, '\0', octets) != NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s holds a NUL octet; one key of text a line is "
                          "right",
                          path);
    text[octets] = '\0';
    return EX_OK;
}

static int add_key(struct wb_pool *p, const char *line, size_t octets,
                   struct wb_secret *out, struct wb_err *err)
{
    struct wb_key *key = &out->keys[out->count];

    if (octets < WB_KEY_MIN_OCTETS || octets > WB_KEY_MAX_OCTETS)
        return wb_err_set(err, EX_CONFIG,
                          "the key has %zu octets; %d to %d are right", octets,
                          WB_KEY_MIN_OCTETS, WB_KEY_MAX_OCTETS);
    if (out->count == WB_KEYS_MAX)
        return wb_err_set(err, EX_CONFIG,
                          "more than %d keys; remove the oldest", WB_KEYS_MAX);
    key->octets = (const unsigned char *)wb_pool_strndup(p, line, octets);
    key->count = octets;
    if (key->octets == NULL || !derive_label(key))
        return wb_err_set(err, EX_OSERR, "cannot prepare the key");
    out->count++;
    return EX_OK;
}

bool wb_secret_next_line(const char **rest, struct wb_secret_line *out)
{
    static const char blank[] = " \t\r";
    const char *text = *rest;
    size_t octets = strcspn(text, "\n");

    if (*text == '\0')
        return false;
    *rest = text + octets + (text[octets] == '\n');
    while (octets > 0 && strchr(blank, text[octets - 1]) != NULL)
        octets--;
    for (; octets > 0 && strchr(blank, *text) != NULL; octets--)
        text++;
    out->kind = octets == 0    ? WB_SECRET_BLANK
                : *text == '#' ? WB_SECRET_COMMENT
                               : WB_SECRET_KEY;
    out->text = text;
    out->octets = octets;
    return true;
}

int wb_secret_parse(struct wb_pool *p, const char *text, struct wb_secret *out,
                    unsigned *line, struct wb_err *err)
{
    struct wb_secret_line l;

    memset(out, 0, sizeof *out);
    for (*line = 1; wb_secret_next_line(&text, &l); ++*line) {
        int rc = EX_OK;

        if (l.kind == WB_SECRET_KEY)
            rc = add_key(p, l.text, l.octets, out, err);
        if (rc != EX_OK)
            return rc;
    }
    *line = 0;
    return out->count > 0 ? EX_OK
                          : wb_err_set(err, EX_CONFIG,
                                       "holds no key; one key a line is right");
}

int wb_secret_read(struct wb_pool *p, const char *path, struct wb_secret *out,
                   unsigned *line, struct wb_err *err)
{
    /* O_NONBLOCK: a FIFO at this path must not hang the daemon. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char text[WB_SECRET_MAX_OCTETS + 1];
    int rc;

    *line = 0;
    memset(out, 0, sizeof *out);
    if (fd < 0)
        return wb_err_set(err, errno == ENOENT ? EX_NOINPUT : EX_NOPERM,
                          "cannot open %s: %s", path, strerror(errno));
    rc = wb_secret_text(fd, path, text, err);
    close(fd);
    if (rc == EX_OK)
        rc = wb_secret_parse(p, text, out, line, err);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}
