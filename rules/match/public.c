#include "match/public.h"

#include <stddef.h>
#include <string.h>

struct range {
    uint8_t octets[16];
    unsigned bits;
};

/* IPv4, by its four octets */
static const struct range closed4[] = {
    {{0}, 8},             /* this network (RFC 791) */
    {{10}, 8},            /* private (RFC 1918) */
    {{100, 64}, 10},      /* shared by a provider's customers (RFC 6598) */
    {{127}, 8},           /* this host (RFC 1122) */
    {{169, 254}, 16},     /* link-local (RFC 3927): clouds' metadata, too */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments (RFC 6890) */
    {{192, 0, 2}, 24},    /* documentation (RFC 5737) */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks (RFC 2544) */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast (RFC 5771) */
    {{240}, 4},           /* reserved, and 255.255.255.255 */
};

/* Only 2000::/3 is given out (RFC 4291, 2.4), less these. */
static const struct range open6 = {{0x20}, 3};
static const struct range closed6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation (RFC 3849) */
    {{0x3f, 0xff}, 20},             /* documentation (RFC 9637) */
};

/* IPv6 that carries IPv4, which begins at an octet */
static const struct carrier {
    struct range range;
    size_t at;
} carriers[] = {
    {{{[10] = 0xff, [11] = 0xff}, 96}, 12}, /* mapped (RFC 4291, 2.5.5.2) */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},   /* NAT64 (RFC 6052) */
    {{{0x20, 0x02}, 16}, 2},                /* 6to4 (RFC 3056) */
};

static bool is_in(const struct range *r, const uint8_t *octets)
{
    size_t whole = r->bits / 8;
    unsigned rest = r->bits % 8;

    return memcmp(r->octets, octets, whole) == 0 &&
           (rest == 0 || (r->octets[whole] ^ octets[whole]) >> (8 - rest) == 0);
}

static bool is_in_any(const struct range *ranges, size_t count,
                      const uint8_t *octets)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(&ranges[i], octets))
            return true;
    return false;
}

bool wb_ip_is_public(const uint8_t octets[16])
{
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++)
        if (is_in(&carriers[i].range, octets))
            return !is_in_any(closed4, sizeof closed4 / sizeof closed4[0],
                              octets + carriers[i].at);
    return is_in(&open6, octets) &&
           !is_in_any(closed6, sizeof closed6 / sizeof closed6[0], octets);
}
