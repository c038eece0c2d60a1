#include "webhook/mark.h"

#include <string.h>
#include <sysexits.h>

#include "mail/address.h"
#include "plan/suffix.h"

enum { MARK_LABELS = 7 }; /* WEBHOOK.FILTER.MAC.hook.LABEL.waybill.invalid */

/* Where the mark begins, with its dot; NULL when there is none. */
static const char *find_mark(const char *address)
{
    const char *s = address + strlen(address);
    unsigned dots = 0;

    while (s > address && dots < MARK_LABELS) {
        s--;
        if (*s == '@' || *s == '"')
            return NULL;
        dots += *s == '.' ? 1 : 0;
    }
    return dots == MARK_LABELS ? s : NULL;
}

/* The marked address, which may be longer than an address that is not. */
static int parse(struct wb_pool *p, const char *text, struct wb_address *plain,
                 struct wb_address *marked)
{
    const char *mark = find_mark(text);
    const char *without, *folded;
    int rc;

    if (mark == NULL)
        return EX_DATAERR;
    without = wb_pool_strndup(p, text, (size_t)(mark - text));
    folded = wb_pool_strlower(p, mark);
    if (without == NULL || folded == NULL)
        return EX_OSERR;
    rc = wb_address_parse(p, without, plain, NULL);
    if (rc != EX_OK)
        return rc;
    if (plain->domain == NULL || plain->is_literal)
        return EX_DATAERR;
    *marked = *plain;
    marked->text = text;
    marked->domain = wb_pool_printf(p, "%s%s", plain->domain, folded);
    return marked->domain != NULL ? EX_OK : EX_OSERR;
}

int wb_mark_read(const struct wb_conf *conf, struct wb_pool *p,
                 const char *path, struct wb_mark *out)
{
    size_t octets = strlen(path);
    struct wb_address plain, marked;
    struct wb_suffix suffix;
    const char *text;
    int rc;

    if (octets < 2 || path[0] != '<' || path[octets - 1] != '>')
        return EX_DATAERR;
    text = wb_pool_strndup(p, path + 1, octets - 2);
    rc = text != NULL ? parse(p, text, &plain, &marked) : EX_OSERR;
    if (rc == EX_OK)
        rc = wb_suffix_parse(conf, p, &marked, &suffix);
    if (rc == EX_OK && suffix.filter == NULL)
        rc = EX_DATAERR; /* a route's */
    if (rc != EX_OK)
        return rc;
    out->webhook = suffix.webhook;
    out->filter = suffix.filter;
    /* Carried whole as a local part of "x" (plan/suffix.h)? */
    out->recipient =
        strcmp(plain.domain, "x") == 0 && strchr(plain.local, '@') != NULL
            ? plain.local
            : plain.text;
    return EX_OK;
}
