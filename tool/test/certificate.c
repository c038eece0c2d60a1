#include "tool/test/certificate.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "tool/maps/memory.h"

enum { MAX_NAMES = 20, MAX_NAME_OCTETS = 255 };

static const char *plain_text(struct wb_pool *pool, const ASN1_STRING *text)
{
    const unsigned char *octets = ASN1_STRING_get0_data(text);
    int length = ASN1_STRING_length(text);
    struct wb_text t;

    wb_text_open(&t);
    for (int i = 0; i < length && i < MAX_NAME_OCTETS; i++)
        fputc(octets[i] > ' ' && octets[i] < 0x7f ? octets[i] : '?', t.file);
    return wb_text_close(&t, pool);
}

static const char *address_text(struct wb_pool *pool,
                                const ASN1_OCTET_STRING *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    int length = ASN1_STRING_length(address);

    if (length == 4 || length == 16)
        inet_ntop(length == 4 ? AF_INET : AF_INET6,
                  ASN1_STRING_get0_data(address), text, sizeof text);
    return wb_say(pool, "%s", text);
}

/* subjectAltName (RFC 5280, 4.2.1.6) */
static size_t take_alternatives(struct wb_pool *pool, const X509 *x,
                                const char **out)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    size_t count = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && count < MAX_NAMES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            out[count++] = plain_text(pool, name->d.dNSName);
        else if (name->type == GEN_IPADD)
            out[count++] = address_text(pool, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
    return count;
}

static size_t take_common_name(struct wb_pool *pool, const X509 *x,
                               const char **out)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at < 0)
        return 0;
    *out = plain_text(
        pool, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return 1;
}

static int64_t expiry(const X509 *x)
{
    struct tm tm = {0};

    if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm);
}

bool wb_certificate_read(struct wb_pool *pool, const char *pem,
                         struct wb_certificate *out)
{
    const char **names = wb_must(wb_pool_array(pool, MAX_NAMES, sizeof *names));
    BIO *in = wb_must(BIO_new_mem_buf(pem, -1));
    X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
    size_t count;

    BIO_free(in);
    if (x == NULL)
        return false;
    count = take_alternatives(pool, x, names);
    if (count == 0)
        count = take_common_name(pool, x, names);
    out->names = (struct wb_strings){names, count};
    out->expires_s = expiry(x);
    X509_free(x);
    return true;
}

const char *wb_certificate_names(struct wb_pool *pool,
                                 const struct wb_certificate *certificate)
{
    const struct wb_strings *names = &certificate->names;
    struct wb_text t;

    wb_text_open(&t);
    for (size_t i = 0; i < names->count; i++)
        fprintf(t.file, "%s%s", i > 0 ? ", " : "", names->items[i]);
    return wb_text_close(&t, pool);
}
