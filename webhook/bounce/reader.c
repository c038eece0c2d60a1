#include "webhook/bounce/reader.h"

#include <string.h>
#include <sysexits.h>

#include "mail/address.h"
#include "mail/header.h"

enum { TEXT_OCTETS = 64 * 1024, LINE_OCTETS = 1000 };

int wb_bounce_no_memory(struct wb_err *err)
{
    return wb_err_set(err, EX_OSERR, "out of memory");
}

struct wb_bounce *wb_bounce_add(struct wb_bounce_reader *r, int *rc)
{
    struct wb_bounce_report *out = r->out;
    struct wb_bounce *b;

    *rc = EX_OK;
    if (out->items == NULL)
        out->items = wb_pool_array(r->p, WB_BOUNCE_ITEMS_MAX, sizeof *b);
    if (out->items == NULL)
        *rc = wb_bounce_no_memory(r->err);
    if (out->items == NULL || out->count == WB_BOUNCE_ITEMS_MAX)
        return NULL;
    b = &out->items[out->count++];
    *b = (struct wb_bounce){.recipient = "",
                            .final_recipient = "",
                            .code = "",
                            .reason = "",
                            .remote_mta = ""};
    return b;
}

/* ---- text --------------------------------------------------------------- */

struct growing {
    char *text;
    size_t count;
};

/* EX_DATAERR: it has all it wants. NUL would end the text. */
static int put(void *to, const char *octets, size_t count)
{
    struct growing *g = to;

    for (size_t i = 0; i < count && g->count < TEXT_OCTETS; i++)
        if (octets[i] != '\0')
            g->text[g->count++] = octets[i];
    return g->count < TEXT_OCTETS ? EX_OK : EX_DATAERR;
}

/* part is NULL: the text that people read. */
static int read_text(struct wb_bounce_reader *r, const struct wb_part *part,
                     char **text)
{
    struct growing g = {.text = wb_pool_alloc(r->p, TEXT_OCTETS + 1)};
    const struct wb_sink sink = {put, &g};
    int rc;

    *text = g.text;
    if (g.text == NULL)
        return wb_bounce_no_memory(r->err);
    rc = part != NULL ? wb_mime_read_part(r->m, part, &sink, r->err)
                      : wb_mime_read_body(r->m, WB_PART_PLAIN, &sink, r->err);
    return rc == EX_DATAERR ? EX_OK : rc;
}

int wb_bounce_read_part(struct wb_bounce_reader *r, const struct wb_part *part,
                        char **text)
{
    return read_text(r, part, text);
}

int wb_bounce_read_body(struct wb_bounce_reader *r, char **text)
{
    return read_text(r, NULL, text);
}

const char *wb_bounce_line(struct wb_pool *p, const char *text)
{
    size_t octets = strlen(text), n = 0;
    char *out = wb_pool_alloc(p, LINE_OCTETS + 1);
    bool is_blank = false;

    while (out != NULL && octets > 0) {
        size_t width = wb_utf8_octets(text, octets);
        bool is_space = (unsigned char)*text <= ' ' || *text == 0x7f;

        if (n + width + 1 > LINE_OCTETS)
            break;
        if (is_blank && !is_space && n > 0)
            out[n++] = ' ';
        for (size_t i = 0; i < width && !is_space; i++)
            out[n++] = text[i];
        is_blank = is_space;
        width += width == 0; /* what is no UTF-8 is dropped */
        text += width;
        octets -= width;
    }
    return out;
}

/* ---- addresses ---------------------------------------------------------- */

/* Labels that waybill appends: ROUTE.LABEL, ROUTE.MAC.again.LABEL, or
 * WEBHOOK.FILTER.MAC.hook.LABEL, before waybill.invalid. */
static void cut_suffix(char *address)
{
    static const char domain[] = ".waybill.invalid";
    size_t octets = strlen(address);
    char *end, *dots[6] = {NULL};

    if (octets < sizeof domain ||
        strcasecmp(address + octets - (sizeof domain - 1), domain) != 0)
        return;
    end = address + octets - (sizeof domain - 1);
    for (size_t i = 0; i < 6 && end > address; i++) {
        while (--end > address && *end != '.' && *end != '@')
            ;
        if (*end != '.')
            break;
        dots[i] = end;
    }
    if (dots[4] != NULL && strncasecmp(dots[1], ".hook.", 6) == 0)
        *dots[4] = '\0';
    else if (dots[3] != NULL && strncasecmp(dots[1], ".again.", 7) == 0)
        *dots[3] = '\0';
    else if (dots[1] != NULL)
        *dots[1] = '\0';
}

const char *wb_bounce_address(struct wb_pool *p, const char *text)
{
    const char *semicolon = strchr(text, ';');
    const char *start = semicolon != NULL ? semicolon + 1 : text;
    struct wb_address parsed;
    char *address;
    size_t octets;
    int rc;

    start += strspn(start, " \t<");
    octets = strcspn(start, ">\t\r\n");
    while (octets > 0 && start[octets - 1] == ' ')
        octets--;
    address = wb_pool_strndup(p, start, octets);
    if (address == NULL)
        return NULL;
    cut_suffix(address);
    rc = wb_address_parse(p, address, &parsed, NULL);
    if (rc == EX_OSERR)
        return NULL;
    return rc == EX_OK && parsed.domain != NULL ? parsed.text : "";
}

/* ---- the original ------------------------------------------------------- */

/* The first address of a header field. */
static int take_address(struct wb_bounce_reader *r, const char *value,
                        const char **to)
{
    const char *const *addresses;
    size_t count = 0;

    if (value == NULL || **to != '\0')
        return EX_OK;
    if (wb_header_addresses(r->p, value, 1, &addresses, &count) != EX_OK)
        return wb_bounce_no_memory(r->err);
    if (count > 0)
        *to = addresses[0];
    return EX_OK;
}

static int take_text(struct wb_bounce_reader *r, const char *value,
                     const char **to)
{
    if (value == NULL || **to != '\0')
        return EX_OK;
    *to = wb_field_text(r->p, value);
    return *to != NULL ? EX_OK : wb_bounce_no_memory(r->err);
}

int wb_bounce_take_original(struct wb_bounce_reader *r,
                            const struct wb_fields *fields)
{
    struct wb_bounce_report *out = r->out;
    int rc = take_address(r, wb_fields_get(fields, "From"), &out->from);

    if (rc == EX_OK)
        rc = take_address(r, wb_fields_get(fields, "To"), &out->to);
    if (rc == EX_OK)
        rc = take_text(r, wb_fields_get(fields, "Subject"), &out->subject);
    if (rc == EX_OK)
        rc =
            take_text(r, wb_fields_get(fields, "Message-ID"), &out->message_id);
    return rc;
}
