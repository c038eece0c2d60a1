/* The fuzzer's corpus, every time the tests run, and without libFuzzer. */
#include "unit.h"

#include <dirent.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz_mime.c"

static const char folder[] = "../fuzz/corpus/mime";

static void replay(const char *name)
{
    unsigned char octets[FUZZ_MAX_OCTETS + 1];
    char path[512];
    size_t count;
    FILE *in;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    in = fopen(path, "rb");
    assert_non_null(in);
    count = fread(octets, 1, sizeof octets, in);
    fclose(in);
    assert_int_equal(LLVMFuzzerTestOneInput(octets, count), 0);
}

/* A broken promise aborts. */
static void corpus_keeps_every_promise(void **state)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t replayed = 0;

    (void)state;
    if (dir == NULL)
        fail_msg("no %s; the tests run in tests/unit", folder);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        replay(entry->d_name);
        replayed++;
    }
    closedir(dir);
    assert_true(replayed >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_keeps_every_promise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
