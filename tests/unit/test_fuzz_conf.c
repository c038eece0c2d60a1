#include "unit.h"

#include "tests/fuzz/fuzz_conf.c"

#include "replay.h"

static void corpus_keeps_every_promise(void **state)
{
    (void)state;
    replay_all("../fuzz/corpus/conf", 239);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_keeps_every_promise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
