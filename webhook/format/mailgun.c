/* Fields and their names are those that Mailgun's routes post. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sysexits.h>

#include "webhook/format/format.h"

enum { TOKEN_OCTETS = 25, SHA256_OCTETS = 32 };

/* ---- the signature ------------------------------------------------------ */

static void hex(const unsigned char *in, size_t octets, char *out)
{
    for (size_t i = 0; i < octets; i++)
        sprintf(out + 2 * i, "%02x", in[i]);
}

/* It covers timestamp and token only: X-Waybill-Signature is the one that
 * covers the body. Without a key there is none. */
static int put_signature(struct wb_form *f,
                         const struct wb_payload_facts *facts,
                         struct wb_err *err)
{
    unsigned char random[TOKEN_OCTETS], mac[SHA256_OCTETS];
    char timestamp[24], token[2 * TOKEN_OCTETS + 1];
    char signature[2 * SHA256_OCTETS + 1];
    char text[sizeof timestamp + sizeof token];
    const char *key = facts->signing_key;
    size_t octets = 0;

    if (key == NULL)
        return EX_OK;
    if (RAND_bytes(random, sizeof random) != 1)
        return wb_err_set(err, EX_OSERR, "OpenSSL has no random octets");
    hex(random, sizeof random, token);
    snprintf(timestamp, sizeof timestamp, "%" PRId64, facts->now_s);
    snprintf(text, sizeof text, "%s%s", timestamp, token);
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, strlen(key),
                  (const unsigned char *)text, strlen(text), mac, sizeof mac,
                  &octets) == NULL ||
        octets != sizeof mac)
        return wb_err_set(err, EX_OSERR, "OpenSSL could not make a MAC");
    hex(mac, sizeof mac, signature);
    wb_form_text(f, "timestamp", timestamp);
    wb_form_text(f, "token", token);
    wb_form_text(f, "signature", signature);
    return EX_OK;
}

/* ---- stripped-text ------------------------------------------------------ */

static const char separator[] = "-- \n"; /* of a signature: RFC 3676, 4.3 */

/* Passes on all lines but quoted ones ("> ..."), up to the signature. */
struct stripper {
    struct wb_sink out;
    size_t matched; /* octets of separator at the beginning of this line */
    enum { AT_START, IN_LINE, IN_QUOTE, IN_SIGNATURE } place;
};

static int strip_octet(struct stripper *s, char c)
{
    int rc = EX_OK;

    if (s->place == AT_START && c == separator[s->matched]) {
        if (separator[++s->matched] == '\0')
            s->place = IN_SIGNATURE;
        return EX_OK;
    }
    if (s->place == AT_START) {
        rc = wb_sink_put(&s->out, separator, s->matched);
        s->place = s->matched == 0 && c == '>' ? IN_QUOTE : IN_LINE;
        s->matched = 0;
    }
    if (rc == EX_OK && s->place == IN_LINE)
        rc = wb_sink_put(&s->out, &c, 1);
    if (c == '\n' && s->place != IN_SIGNATURE)
        s->place = AT_START;
    return rc;
}

static int put_stripped(void *to, const char *octets, size_t count)
{
    int rc = EX_OK;

    for (size_t i = 0; i < count && rc == EX_OK; i++)
        rc = strip_octet(to, octets[i]);
    return rc;
}

static int put_stripped_text(struct wb_form *f, const struct wb_mime *m,
                             struct wb_err *err)
{
    struct stripper s = {.place = AT_START};
    const struct wb_sink in = {put_stripped, &s};
    int rc;

    if (!wb_mime_has_body(m, WB_PART_PLAIN))
        return EX_OK;
    s.out = wb_form_begin_text(f, "stripped-text");
    rc = wb_mime_read_body(m, WB_PART_PLAIN, &in, err);
    if (rc == EX_OK && s.place == AT_START)
        rc = wb_sink_put(&s.out, separator, s.matched);
    wb_form_end_text(f);
    return rc;
}

/* ---- all of it ---------------------------------------------------------- */

static int put_texts(struct wb_form *f, const struct wb_mime *m,
                     struct wb_err *err)
{
    int rc = wb_format_body(f, "body-plain", m, WB_PART_PLAIN, err);

    if (rc == EX_OK)
        rc = put_stripped_text(f, m, err);
    if (rc == EX_OK)
        rc = wb_format_body(f, "body-html", m, WB_PART_HTML, err);
    return rc;
}

int wb_format_mailgun(struct wb_form *f, const struct wb_payload_facts *facts,
                      const struct wb_mime *m, struct wb_err *err)
{
    int rc;

    wb_form_text(f, "recipient", facts->envelope_to);
    wb_form_text(f, "sender", facts->envelope_from);
    rc = wb_format_header(f, "from", m, "From", err);
    if (rc == EX_OK)
        rc = wb_format_header(f, "subject", m, "Subject", err);
    if (rc == EX_OK)
        rc = put_signature(f, facts, err);
    if (rc == EX_OK)
        rc = wb_format_headers(f, "message-headers", m, WB_ROW_PAIR, err);
    if (rc == EX_OK)
        rc = put_texts(f, m, err);
    wb_form_number(f, "attachment-count", wb_mime_attachment_count(m));
    if (rc == EX_OK)
        rc = wb_format_attachments(f, "attachment-", m, err);
    return rc;
}
