/* A fuzzer's corpus, every time the tests run, and without libFuzzer. Include
 * behind the target's source, whose FUZZ_MAX_OCTETS and function it calls. */
#ifndef WB_UNIT_REPLAY_H
#define WB_UNIT_REPLAY_H

#include <dirent.h>

static void replay(const char *corpus, const char *name)
{
    unsigned char octets[FUZZ_MAX_OCTETS + 1];
    char path[512];
    size_t count;
    FILE *in;

    snprintf(path, sizeof path, "%s/%s", corpus, name);
    in = fopen(path, "rb");
    assert_non_null(in);
    count = fread(octets, 1, sizeof octets, in);
    fclose(in);
    assert_int_equal(LLVMFuzzerTestOneInput(octets, count), 0);
}

/* Every input of corpus, of which there are least or more. A broken promise
 * aborts. */
static void replay_all(const char *corpus, size_t least)
{
    DIR *dir = opendir(corpus);
    struct dirent *entry;
    size_t replayed = 0;

    if (dir == NULL)
        fail_msg("no %s; the tests run in tests/unit", corpus);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        replay(corpus, entry->d_name);
        replayed++;
    }
    closedir(dir);
    assert_true(replayed >= least);
}

#endif
