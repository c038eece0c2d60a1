/* libFuzzer target for mail/address.h: an envelope path, and xtext.
 *
 * Reaches all of: rules/mail/address.c
 *
 * The input is one text. What is parsed has a form on the wire that reads the
 * same again, and nothing in it ends a line. An input that begins with m and an
 * octet has only 16 times that octet of memory for the rest.
 * test_fuzz_address.c replays the corpus. */
#include <string.h>
#include <sysexits.h>

#include "mail/address.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_MAX_OCTETS = 1024 };

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* As it goes on the wire, and back. */
static void comes_back(struct wb_pool *p, const struct wb_address *a)
{
    const char *text = wb_address_format(p, a->local, a->domain);
    struct wb_address again;

    PROMISE(text != NULL);
    PROMISE(wb_address_parse_marked(p, *text != '\0' ? text : "<>", &again,
                                    NULL) == EX_OK);
    PROMISE(is_same(a->local, again.local));
    PROMISE(is_same(a->domain, again.domain));
    PROMISE(a->is_literal == again.is_literal);
}

static void check_address(struct wb_pool *p, const struct wb_address *a)
{
    PROMISE(!wb_utf8_has_control(a->text));
    PROMISE(wb_utf8_is_valid(a->text, strlen(a->text)));
    PROMISE(wb_address_is_null(a) == (*a->text == '\0'));
    PROMISE(!wb_address_is_null(a) || a->domain == NULL);
    if (a->domain != NULL) {
        PROMISE(strlen(a->domain) <= WB_DOMAIN_MAX_OCTETS);
        PROMISE(a->is_literal == (*a->domain == '['));
    }
    comes_back(p, a);
}

static void parse(struct wb_pool *p, struct wb_pool *work, const char *text)
{
    struct wb_address a = {.text = "untouched"}, marked = a;
    int rc = wb_address_parse(work, text, &a, NULL);

    PROMISE(rc == EX_OK || rc == EX_DATAERR || (rc == EX_OSERR && p != work));
    if (rc != EX_OK) {
        PROMISE(strcmp(a.text, "untouched") == 0);
    } else {
        PROMISE(strlen(a.text) + 2 <= WB_PATH_MAX_OCTETS);
        check_address(p, &a);
    }
    rc = wb_address_parse_marked(p, text, &marked, NULL);
    PROMISE(rc == EX_OK || strcmp(a.text, "untouched") == 0);
    if (rc == EX_OK)
        check_address(p, &marked);
}

static void code(struct wb_pool *p, struct wb_pool *work, const char *text)
{
    const char *encoded = wb_xtext_encode(work, text), *decoded;
    int rc;

    PROMISE(encoded != NULL || p != work);
    if (encoded != NULL) {
        for (const char *c = encoded; *c != '\0'; c++)
            PROMISE(*c >= '!' && *c <= '~' && *c != '=');
        PROMISE(wb_xtext_decode(p, encoded, &decoded) == EX_OK);
        PROMISE(strcmp(decoded, text) == 0);
    }
    rc = wb_xtext_decode(work, text, &decoded);
    PROMISE(rc == EX_OK || rc == EX_DATAERR || (rc == EX_OSERR && p != work));
}

/* Any text as a local part, and as a domain: what has a form on the wire ends
 * no line. */
static void format(struct wb_pool *p, struct wb_pool *work, const char *text)
{
    const char *local = wb_address_format(work, text, "x.test");
    const char *domain = wb_address_format(p, "a", text);

    if (local != NULL)
        PROMISE(!wb_utf8_has_control(local));
    PROMISE((domain != NULL) == !wb_utf8_has_control(text));
}

/* A domain lies below its parent, and not below another one. */
static void lie_below(const char *domain)
{
    const char *dot = strchr(domain, '.');

    PROMISE(!wb_domain_is_below(domain, ""));
    PROMISE(!wb_domain_is_below(domain, domain));
    if (dot == NULL || dot == domain || dot[1] == '\0')
        return;
    PROMISE(wb_domain_is_below(domain, dot + 1));
    PROMISE(wb_domain_is_below(domain, dot) == (dot[-1] == '.'));
    PROMISE(!wb_domain_is_below(domain, "other.invalid.test"));
}

/* What is a host name is a domain. */
static void judge(struct wb_pool *p, const char *text)
{
    const char *path = wb_pool_printf(p, "a@%s", text);
    struct wb_address a;

    PROMISE(path != NULL);
    if (wb_domain_is_valid(text) && strlen(path) + 2 <= WB_PATH_MAX_OCTETS)
        PROMISE(wb_address_parse(p, path, &a, NULL) == EX_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    bool is_short = octets > 2 && data[0] == 'm' && data[1] > 0;
    size_t head = is_short ? 2 : 0;
    struct wb_pool *p, *work;
    char *text;

    if (octets > FUZZ_MAX_OCTETS)
        return 0;
    p = wb_pool_new(0);
    work = is_short ? wb_pool_new(16 * (size_t)data[1]) : p;
    PROMISE(p != NULL && work != NULL);
    text = wb_pool_strndup(p, (const char *)data + head, octets - head);
    PROMISE(text != NULL);
    parse(p, work, text);
    code(p, work, text);
    format(p, work, text);
    lie_below(text);
    judge(p, text);
    if (work != p)
        wb_pool_free(work);
    wb_pool_free(p);
    return 0;
}
