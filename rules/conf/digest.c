#include "conf/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wb_digest {
    EVP_MD_CTX *sum;
    bool is_good;
};

struct wb_digest *wb_digest_new(void)
{
    struct wb_digest *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->sum = EVP_MD_CTX_new();
    d->is_good = d->sum && EVP_DigestInit_ex(d->sum, EVP_sha256(), NULL) == 1;
    if (d->is_good)
        return d;
    wb_digest_free(d);
    return NULL;
}

void wb_digest_free(struct wb_digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->sum);
    free(d);
}

/* With its NUL, so that "ab", "c" is not "a", "bc"; mark tells what it is. */
static void add(struct wb_digest *d, char mark, const char *text)
{
    d->is_good = d->is_good && EVP_DigestUpdate(d->sum, &mark, 1) == 1 &&
                 (!text || EVP_DigestUpdate(d->sum, text, strlen(text) + 1));
}

void wb_digest_add(struct wb_digest *d, const struct wb_raw_section *section)
{
    if (!d)
        return;
    add(d, 'k', section->kind);
    add(d, 't', section->title);
    for (size_t i = 0; i < section->option_count; i++) {
        const struct wb_raw_option *option = &section->options[i];

        add(d, 'o', option->name);
        for (size_t k = 0; k < option->count; k++)
            add(d, 'v', option->values[k].text);
    }
}

bool wb_digest_end(struct wb_digest *d, char out[WB_CONF_DIGEST_OCTETS + 1])
{
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    unsigned octets = 0;

    out[0] = '\0';
    if (!d->is_good || EVP_DigestFinal_ex(d->sum, sum, &octets) != 1 ||
        octets != WB_CONF_DIGEST_OCTETS / 2)
        return false;
    for (unsigned i = 0; i < octets; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
    return true;
}
