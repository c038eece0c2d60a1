/* What every libFuzzer target includes. */
#ifndef WB_FUZZ_FUZZ_H
#define WB_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* As assert, in every build: libFuzzer keeps the input of an abort. */
#define PROMISE(claim)                                                         \
    do {                                                                       \
        if (!(claim)) {                                                        \
            fprintf(stderr, "broken promise: %s\n", #claim);                   \
            abort();                                                           \
        }                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t octets);

#endif
