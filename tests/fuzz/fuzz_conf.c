/* libFuzzer target for conf/conf.h: a configuration, and a table beside it.
 *
 *     waybill.conf, NUL, t.tsv
 *
 * Reaches: rules/conf/read.c rules/conf/table.c rules/conf/check.c
 * rules/conf/sections.c rules/conf/value.c rules/conf/convert.c
 * rules/conf/from.c rules/conf/fallback.c rules/conf/relay.c
 *
 * It is taken, or what is wrong is told with its place; never both.
 * test_fuzz_conf.c replays the corpus. */
#include <string.h>
#include <sysexits.h>

#include "conf/conf.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_MAX_OCTETS = 8192 };

/* "FILE:LINE: option: what; what would be right" */
static void check_told(struct wb_problems *problems)
{
    char *text = NULL;
    size_t octets = 0;
    FILE *out = open_memstream(&text, &octets);

    PROMISE(out != NULL);
    wb_problems_print(problems, out);
    fclose(out);
    for (size_t i = 0; i < octets; i++)
        PROMISE((unsigned char)text[i] >= ' ' || text[i] == '\n');
    for (size_t i = 0; i < problems->count; i++) {
        PROMISE(problems->items[i].file != NULL);
        PROMISE(*problems->items[i].text != '\0');
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets)
{
    const uint8_t *table = octets > 0 ? memchr(data, '\0', octets) : NULL;
    size_t conf_octets = table != NULL ? (size_t)(table - data) : octets;
    struct wb_problems problems = {.count = 0};
    struct wb_conf *conf = NULL;
    int rc;

    if (octets > FUZZ_MAX_OCTETS)
        return 0;
    folder_make();
    folder_write("waybill.conf", data, conf_octets);
    if (table != NULL)
        folder_write("t.tsv", table + 1, octets - conf_octets - 1);
    rc = wb_conf_load(folder_path("waybill.conf"), WB_USE_EXPLAIN, &conf,
                      &problems);
    PROMISE(rc == EX_OK || rc == EX_CONFIG);
    PROMISE((rc == EX_OK) == (conf != NULL));
    PROMISE((rc == EX_OK) == (problems.error_count == 0));
    check_told(&problems);
    if (conf != NULL)
        wb_conf_unref(conf);
    wb_problems_free(&problems);
    folder_remove();
    return 0;
}
