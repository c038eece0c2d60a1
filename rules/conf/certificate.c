/* A route's client certificate and its key. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/check.h"

/* A key that asks for a passphrase is of no use to a daemon. */
static int no_passphrase(char *out, int room, int is_writing, void *context)
{
    (void)out, (void)room, (void)is_writing, (void)context;
    return -1;
}

static FILE *open_file(struct wb_checker *c, const struct wb_raw_option *option,
                       const char *path)
{
    const char *why;
    FILE *in = wb_raw_open(path, &why);

    if (!in)
        wb_option_tell(c, option, "%s cannot be read: %s", path, why);
    return in;
}

static X509 *read_certificate(struct wb_checker *c,
                              const struct wb_raw_option *option,
                              const char *path)
{
    FILE *in = open_file(c, option, path);
    X509 *certificate = NULL;

    if (!in)
        return NULL;
    certificate = PEM_read_X509(in, NULL, no_passphrase, NULL);
    if (!certificate)
        wb_option_tell(c, option, "%s holds no certificate (PEM)", path);
    else if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        wb_problem_add(c->problems, WB_WARNING, option->file, option->line,
                       option->name, "%s has expired", path);
    fclose(in);
    return certificate;
}

static EVP_PKEY *read_key(struct wb_checker *c,
                          const struct wb_raw_option *option, const char *path)
{
    FILE *in = open_file(c, option, path);
    EVP_PKEY *key = NULL;
    struct stat st;

    if (!in)
        return NULL;
    if (fstat(fileno(in), &st) == 0 && (st.st_mode & 077))
        wb_option_tell(c, option, "%s has mode %04o; chmod 600 %s", path,
                       (unsigned)st.st_mode & 07777, path);
    else if (!(key = PEM_read_PrivateKey(in, NULL, no_passphrase, NULL)))
        wb_option_tell(c, option,
                       "%s holds no key (PEM) that can be used without a "
                       "passphrase",
                       path);
    fclose(in);
    return key;
}

static void check_files(struct wb_checker *c, const struct wb_raw_section *raw,
                        const struct wb_route *r)
{
    const struct wb_raw_option *of_key = wb_raw_find(raw, "key_file");
    X509 *certificate =
        read_certificate(c, wb_raw_find(raw, "cert_file"), r->cert_file);
    EVP_PKEY *key = read_key(c, of_key, r->key_file);

    if (certificate && key && X509_check_private_key(certificate, key) != 1)
        wb_option_tell(c, of_key, "%s is not the key of %s", r->key_file,
                       r->cert_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void wb_route_check_certificate(struct wb_checker *c,
                                const struct wb_raw_section *raw,
                                const struct wb_route *r)
{
    const struct wb_raw_option *cert = wb_raw_find(raw, "cert_file");
    const struct wb_raw_option *key = wb_raw_find(raw, "key_file");

    if (c->is_broken || (!r->cert_file && !r->key_file))
        return;
    if (!r->key_file)
        wb_option_tell(c, cert, "without key_file; add key_file = FILE");
    else if (!r->cert_file)
        wb_option_tell(c, key, "without cert_file; add cert_file = FILE");
    else if (r->tls == WB_TLS_NONE)
        wb_option_tell(c, cert,
                       "is never shown without TLS; tls = starttls is right");
    else if (c->use == WB_USE_CHECK)
        check_files(c, raw, r);
}
