/* libFuzzer target for mail/header.h, mail/mailbox.h and mail/parameter.h: the
 * value of a header field.
 *
 * Reaches: rules/mail/header.c rules/mail/charset.c rules/mail/mailbox.c
 * rules/mail/parameter.c
 *
 * However it is encoded and folded, what comes of it is bounded and ends no
 * line; addresses are addresses; what waybill writes is read back the same. An
 * input that begins with m and an octet has only 64 times that octet of memory
 * for the rest. test_fuzz_header.c replays the corpus. */
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mail/header.h"
#include "mail/mailbox.h"
#include "mail/parameter.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_MAX_OCTETS = 4096, BOUND = 2048, MOST_ADDRESSES = 8 };

/* p is for the test; work is what the code under test may use. */
struct bench {
    struct wb_pool *p;
    struct wb_pool *work;
};

static bool is_there(const struct bench *b, const void *made)
{
    PROMISE(made != NULL || b->p != b->work);
    return made != NULL;
}

static void decode(const struct bench *b, const char *value)
{
    size_t read = strnlen(value, BOUND);
    const char *unfolded = wb_header_unfold(b->work, value, BOUND);
    const char *decoded = wb_header_decode(b->work, value, BOUND);

    if (is_there(b, unfolded)) {
        PROMISE(strlen(unfolded) <= read);
        PROMISE(strpbrk(unfolded, "\r\n") == NULL);
    }
    if (is_there(b, decoded)) {
        PROMISE(strlen(decoded) <= 4 * read);
        PROMISE(strpbrk(decoded, "\r\n") == NULL);
    }
}

static void find_addresses(const struct bench *b, const char *value)
{
    const char *const *found = NULL;
    size_t count = 0;
    int rc =
        wb_header_addresses(b->work, value, MOST_ADDRESSES, &found, &count);

    PROMISE(rc == EX_OK || (rc == EX_OSERR && b->p != b->work));
    PROMISE(count <= MOST_ADDRESSES);
    for (size_t i = 0; i < count; i++) {
        size_t octets = strlen(found[i]);

        PROMISE(octets + 2 <= WB_PATH_MAX_OCTETS);
        PROMISE(strchr(found[i], '@') != NULL);
        PROMISE(wb_utf8_is_valid(found[i], octets));
        PROMISE(strpbrk(found[i], "\r\n") == NULL);
    }
}

static void take_apart(const struct bench *b, const char *value)
{
    const char *word = wb_field_word(b->work, value);
    const char *charset = wb_field_parameter(b->work, value, "charset");

    if (is_there(b, word))
        PROMISE(strpbrk(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
    if (is_there(b, charset))
        PROMISE(strpbrk(charset, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
}

/* Folding puts ends of line before white space, and changes nothing else. */
static void fold(const struct bench *b, const char *value)
{
    const char *line = wb_header_unfold(b->p, value, BOUND), *folded;

    PROMISE(line != NULL);
    folded = wb_header_fold(b->work, "From", line);
    if (!is_there(b, folded))
        return;
    for (; *folded != '\0'; folded++) {
        if (*folded == '\n') {
            PROMISE(folded[1] == ' ' || folded[1] == '\t');
            continue;
        }
        PROMISE(*folded == *line);
        line++;
    }
    PROMISE(*line == '\0');
}

/* What an admin wrote as from is what a reader sees, whole. */
static void mailbox(const struct bench *b, const char *text)
{
    struct wb_mailbox m;
    const char *value, *const *found;
    size_t count;
    int rc = wb_mailbox_parse(b->work, text, &m, NULL);

    PROMISE(rc == EX_OK || rc == EX_DATAERR ||
            (rc == EX_OSERR && b->p != b->work));
    if (rc != EX_OK)
        return;
    value = wb_mailbox_format(b->work, &m);
    if (!is_there(b, value))
        return;
    PROMISE(wb_header_addresses(b->p, value, 2, &found, &count) == EX_OK);
    PROMISE(count == 1 &&
            strncmp(found[0], m.address.local, strlen(m.address.local)) == 0);
    if (m.name != NULL)
        PROMISE(strlen(m.name) <= WB_NAME_MAX_OCTETS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    bool is_short = octets > 2 && data[0] == 'm' && data[1] > 0;
    size_t head = is_short ? 2 : 0;
    struct bench b;
    char *value;

    if (octets > FUZZ_MAX_OCTETS)
        return 0;
    b.p = wb_pool_new(0);
    b.work = is_short ? wb_pool_new(64 * (size_t)data[1]) : b.p;
    PROMISE(b.p != NULL && b.work != NULL);
    value = wb_pool_strndup(b.p, (const char *)data + head, octets - head);
    PROMISE(value != NULL);
    decode(&b, value);
    find_addresses(&b, value);
    take_apart(&b, value);
    fold(&b, value);
    mailbox(&b, value);
    if (b.work != b.p)
        wb_pool_free(b.work);
    wb_pool_free(b.p);
    return 0;
}
