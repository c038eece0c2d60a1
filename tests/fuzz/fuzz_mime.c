/* libFuzzer target for webhook/payload.h: a message, posted in every format.
 *
 * Reaches: webhook/payload.c webhook/format/cmc.c webhook/format/form.c
 * webhook/format/json.c webhook/format/mailgun.c webhook/mime/fields.c
 * webhook/mime/lines.c webhook/mime/mime.c webhook/mime/parameters.c
 * webhook/mime/split.c webhook/mime/text.c webhook/mime/transfer.c
 *
 * Whatever it is: there is a body, JSON is JSON (which makes all text UTF-8),
 * a multipart body ends as it must, and parts lie one behind another within
 * the message. test_fuzz_mime.c replays the corpus. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "webhook/mime/split.h"
#include "webhook/payload.h"
#include "webhook/spool.h"

enum { FUZZ_MAX_OCTETS = 65536 };

static const struct wb_payload_facts facts = {
    .id = "id",
    .webhook = "crm",
    .filter = "mailform",
    .server_composition = "site",
    .envelope_from = "a@example.com",
    .envelope_to = "b@example.net",
    .api_key = "key",
    .signing_key = "0123456789abcdef",
    .now_s = 1700000000,
};

static int open_file(const char *text, size_t octets)
{
    int fd = memfd_create("message", MFD_CLOEXEC);

    PROMISE(fd >= 0);
    PROMISE(wb_spool_file_write(fd, text, octets, NULL) == EX_OK);
    return fd;
}

static void check_json(const char *text, size_t octets)
{
    json_error_t error;
    json_t *root = json_loadb(text, octets,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    PROMISE(json_is_object(root));
    PROMISE(json_is_array(json_object_get(root, "headers")));
    PROMISE(json_is_integer(json_object_get(root, "attachments")));
    PROMISE(json_is_string(json_object_get(root, "subject")));
    json_decref(root);
}

static void check_form(const char *text, size_t octets, const char *type)
{
    static const char start[] = "multipart/form-data; boundary=";
    char end[64];
    size_t n;

    PROMISE(strncmp(type, start, sizeof start - 1) == 0);
    n = (size_t)snprintf(end, sizeof end, "\r\n--%s--\r\n",
                         type + sizeof start - 1);
    PROMISE(octets > n && memcmp(text + octets - n, end, n) == 0);
}

static void check_payload(enum wb_format format, int in, size_t in_octets)
{
    struct wb_pool *p = wb_pool_new(0);
    int out = open_file("", 0);
    const char *type;
    size_t octets;
    char *text;

    PROMISE(p != NULL);
    PROMISE(wb_payload_write(format, &facts, in, out, p, &type, NULL) == EX_OK);
    octets = (size_t)lseek(out, 0, SEEK_END);
    text = malloc(octets + 1);
    PROMISE(text != NULL && pread(out, text, octets, 0) == (ssize_t)octets);
    if (format == WB_FORMAT_CMC_JSON)
        check_json(text, octets);
    else if (format == WB_FORMAT_RAW)
        PROMISE(octets == in_octets);
    else
        check_form(text, octets, type);
    free(text);
    close(out);
    wb_pool_free(p);
}

static void check_parts(int in, size_t octets)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_split split;
    uint64_t at = 0;

    PROMISE(p != NULL && wb_split(in, p, &split, NULL) == EX_OK);
    for (size_t i = 0; i < split.count; i++) {
        PROMISE(split.parts[i].begin >= at);
        PROMISE(split.parts[i].end >= split.parts[i].begin);
        at = split.parts[i].end;
    }
    PROMISE(at <= octets);
    wb_pool_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    int in;

    if (octets > FUZZ_MAX_OCTETS)
        return 0;
    in = open_file((const char *)data, octets);
    check_parts(in, octets);
    for (int f = WB_FORMAT_CMC; f <= WB_FORMAT_RAW; f++)
        check_payload((enum wb_format)f, in, octets);
    close(in);
    return 0;
}
