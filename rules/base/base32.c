#include "base/base32.h"

#include <stdint.h>

void wb_base32(const unsigned char *in, size_t octets, char *out)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint32_t bits = 0;
    unsigned pending = 0;

    for (size_t i = 0; i < octets; i++) {
        bits = bits << 8 | in[i];
        for (pending += 8; pending >= 5; pending -= 5)
            *out++ = alphabet[bits >> (pending - 5) & 31];
    }
    if (pending > 0)
        *out++ = alphabet[bits << (5 - pending) & 31];
    *out = '\0';
}
