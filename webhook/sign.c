#include "webhook/sign.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/base32.h"

enum { ID_BINARY_OCTETS = 20, CHUNK_OCTETS = 16384 };

int wb_sign_id(const unsigned char digest[WB_DIGEST_OCTETS],
               const char *const *parts, char *out, struct wb_err *err)
{
    unsigned char made[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

    for (; ok && *parts != NULL; parts++)
        ok = EVP_DigestUpdate(ctx, *parts, strlen(*parts) + 1);
    ok = ok && EVP_DigestUpdate(ctx, digest, WB_DIGEST_OCTETS) &&
         EVP_DigestFinal_ex(ctx, made, NULL);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return wb_err_set(err, EX_OSERR, "OpenSSL could not make a digest");
    wb_base32(made, ID_BINARY_OCTETS, out);
    return EX_OK;
}

static EVP_MAC_CTX *begin_hmac(const char *key)
{
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);
    if (ctx != NULL &&
        EVP_MAC_init(ctx, (const unsigned char *)key, strlen(key), digest))
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

static int mac_failed(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "OpenSSL could not make a MAC");
}

static int add_file(EVP_MAC_CTX *ctx, int fd, struct wb_err *err)
{
    unsigned char chunk[CHUNK_OCTETS];
    uint64_t offset = 0;
    ssize_t n;

    while ((n = wb_spool_file_read(fd, offset, (char *)chunk, sizeof chunk,
                                   err)) > 0) {
        if (!EVP_MAC_update(ctx, chunk, (size_t)n))
            return mac_failed(err);
        offset += (uint64_t)n;
    }
    return n == 0 ? EX_OK : EX_IOERR;
}

/* Append ",v1=HEX" to *out. */
static int add_signature(const char *key, const char *stamp, int fd,
                         struct wb_pool *p, const char **out,
                         struct wb_err *err)
{
    unsigned char made[WB_DIGEST_OCTETS];
    char hex[2 * sizeof made + 1];
    size_t octets = 0;
    EVP_MAC_CTX *ctx = begin_hmac(key);
    int rc = ctx != NULL && EVP_MAC_update(ctx, (const unsigned char *)stamp,
                                           strlen(stamp))
                 ? add_file(ctx, fd, err)
                 : mac_failed(err);

    if (rc == EX_OK && (!EVP_MAC_final(ctx, made, &octets, sizeof made) ||
                        octets != sizeof made))
        rc = mac_failed(err);
    EVP_MAC_CTX_free(ctx);
    if (rc != EX_OK)
        return rc;
    for (size_t i = 0; i < sizeof made; i++)
        snprintf(hex + 2 * i, 3, "%02x", made[i]);
    *out = wb_pool_printf(p, "%s,v1=%s", *out, hex);
    return *out != NULL ? EX_OK : wb_err_set(err, EX_OSERR, "out of memory");
}

int wb_sign_body(const char *const *keys, int64_t now_s, int fd,
                 struct wb_pool *p, const char **out, struct wb_err *err)
{
    char stamp[32];
    int rc = EX_OK;

    snprintf(stamp, sizeof stamp, "%" PRId64 ".", now_s);
    *out = wb_pool_printf(p, "t=%" PRId64, now_s);
    if (*out == NULL)
        return wb_err_set(err, EX_OSERR, "out of memory");
    for (; rc == EX_OK && *keys != NULL; keys++)
        rc = add_signature(*keys, stamp, fd, p, out, err);
    return rc;
}
