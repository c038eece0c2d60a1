/* libFuzzer target for webhook/bounce/bounce.h: a message that came back.
 *
 * Reaches: webhook/bounce/bounce.c webhook/bounce/dsn.c webhook/bounce/kind.c
 * webhook/bounce/reader.c webhook/bounce/text.c webhook/format/event.c
 *
 * Whatever it is: it can be read, every string is there and is text, failures
 * have a class, and the event that is made of them is JSON on one line.
 * test_fuzz_bounce.c replays the corpus. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "mail/address.h"
#include "tests/fuzz/fuzz.h"
#include "webhook/format/event.h"
#include "webhook/spool.h"

enum { FUZZ_MAX_OCTETS = 65536, NOW_S = 1700000000 };

static void check_text(const char *text)
{
    PROMISE(text != NULL && wb_utf8_is_valid(text, strlen(text)));
}

static void check_item(const struct wb_bounce *b)
{
    PROMISE(b->kind >= WB_BOUNCE_DELAYED && b->kind <= WB_BOUNCE_COMPLAINT);
    check_text(b->recipient);
    check_text(b->final_recipient);
    check_text(b->reason);
    check_text(b->remote_mta);
    PROMISE(strlen(b->reason) <= 1000 && strpbrk(b->reason, "\r\n") == NULL);
    PROMISE(strlen(b->code) < WB_BOUNCE_CODE_OCTETS);
    PROMISE(*b->code == '\0' || *b->code == '4' || *b->code == '5');
}

static void check_event(const struct wb_bounce_report *report,
                        const struct wb_bounce *b)
{
    const struct wb_payload_facts facts = {.id = "id", .envelope_to = "a@b"};
    char *text = NULL;
    size_t octets = 0;
    FILE *out = open_memstream(&text, &octets);
    json_t *json;

    PROMISE(out != NULL);
    wb_event_write(out, &facts, report, b);
    fclose(out);
    PROMISE(strchr(text, '\n') == NULL);
    json = json_loadb(text, octets, JSON_REJECT_DUPLICATES, NULL);
    PROMISE(json_is_object(json));
    json_decref(json);
    free(text);
}

static void check_report(const struct wb_bounce_report *report)
{
    check_text(report->form);
    check_text(report->sender);
    check_text(report->recipient);
    check_text(report->from);
    check_text(report->to);
    check_text(report->subject);
    check_text(report->message_id);
    check_text(report->reporting_mta);
    PROMISE(report->created_s > 0 && report->created_s <= NOW_S);
    PROMISE(report->count <= WB_BOUNCE_ITEMS_MAX);
    PROMISE(report->count > 0 || !wb_bounce_is_failure(report->kind));
    for (size_t i = 0; i < report->count; i++) {
        check_item(&report->items[i]);
        check_event(report, &report->items[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_bounce_report report;
    struct wb_mime *m;
    int fd;

    if (octets > FUZZ_MAX_OCTETS) {
        wb_pool_free(p);
        return 0;
    }
    fd = memfd_create("message", MFD_CLOEXEC);
    PROMISE(p != NULL && fd >= 0);
    PROMISE(wb_spool_file_write(fd, (const char *)data, octets, NULL) == EX_OK);
    PROMISE(wb_mime_open(fd, &m, NULL) == EX_OK);
    PROMISE(wb_bounce_read(m, NULL, NOW_S, p, &report, NULL) == EX_OK);
    check_report(&report);
    wb_mime_free(m);
    wb_pool_free(p);
    close(fd);
    return 0;
}
