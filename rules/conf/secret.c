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

enum { SHA256_OCTETS = 32, FILE_MAX_OCTETS = 32768 };

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

/* The whole file as text, with one octet to spare for the bound. */
static int read_text(int fd, const char *path, char text[], size_t *octets,
                     struct wb_err *err)
{
    ssize_t got = 1;

    for (*octets = 0; got > 0 && *octets < FILE_MAX_OCTETS;) {
        got = read(fd, text + *octets, FILE_MAX_OCTETS - *octets);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            return wb_err_set(err, EX_OSERR, "cannot read %s: %s", path,
                              strerror(errno));
        else
            *octets += (size_t)got;
    }
    if (*octets == FILE_MAX_OCTETS)
        return wb_err_set(err, EX_CONFIG, "%s has %d octets or more", path,
                          FILE_MAX_OCTETS);
    if (memchr(text, '\0', *octets) != NULL)
        return wb_err_set(err, EX_CONFIG,
                          "%s holds a NUL octet; one key of text a line is "
                          "right",
                          path);
    text[*octets] = '\0';
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

static int parse_keys(struct wb_pool *p, const char *text,
                      struct wb_secret *out, unsigned *line, struct wb_err *err)
{
    static const char blank[] = " \t\r";
    int rc = EX_OK;

    for (*line = 1; rc == EX_OK && *text != '\0'; ++*line) {
        size_t octets = strcspn(text, "\n");
        const char *next = text + octets + (text[octets] == '\n');

        while (octets > 0 && strchr(blank, text[octets - 1]) != NULL)
            octets--;
        for (; octets > 0 && strchr(blank, *text) != NULL; octets--)
            text++;
        if (octets > 0 && *text != '#')
            rc = add_key(p, text, octets, out, err);
        if (rc != EX_OK)
            return rc;
        text = next;
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
    char text[FILE_MAX_OCTETS + 1];
    size_t octets;
    int rc;

    *line = 0;
    memset(out, 0, sizeof *out);
    if (fd < 0)
        return wb_err_set(err, errno == ENOENT ? EX_NOINPUT : EX_NOPERM,
                          "cannot open %s: %s", path, strerror(errno));
    rc = check_file(fd, path, err);
    if (rc == EX_OK)
        rc = read_text(fd, path, text, &octets, err);
    close(fd);
    if (rc == EX_OK)
        rc = parse_keys(p, text, out, line, err);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}
