#include "unit.h"

#include <arpa/inet.h>

#include "match/public.h"

static const struct {
    const char *why;
    const char *address;
    bool is_public;
} rows[] = {
    {"a public address", "8.8.8.8", true},
    {"just below 10/8", "9.255.255.255", true},
    {"private", "10.0.0.0", false},
    {"private, the last", "10.255.255.255", false},
    {"just above 10/8", "11.0.0.0", true},
    {"this network", "0.0.0.0", false},
    {"shared", "100.64.0.1", false},
    {"shared, the last", "100.127.255.255", false},
    {"just below shared", "100.63.255.255", true},
    {"just above shared", "100.128.0.0", true},
    {"loopback", "127.0.0.1", false},
    {"all of loopback", "127.255.255.254", false},
    {"link-local: a cloud's metadata", "169.254.169.254", false},
    {"private 172", "172.16.0.1", false},
    {"private 172, the last", "172.31.255.255", false},
    {"just above private 172", "172.32.0.0", true},
    {"assignments", "192.0.0.8", false},
    {"documentation", "192.0.2.1", false},
    {"private 192", "192.168.1.1", false},
    {"benchmarks", "198.19.255.255", false},
    {"multicast", "224.0.0.1", false},
    {"broadcast", "255.255.255.255", false},
    {"IPv6", "2600::1", true},
    {"IPv6, 3fff is documentation", "3fff::1", false},
    {"IPv6 any", "::", false},
    {"IPv6 loopback", "::1", false},
    {"compatible, long gone", "::8.8.8.8", false},
    {"mapped public", "::ffff:8.8.8.8", true},
    {"mapped loopback", "::ffff:127.0.0.1", false},
    {"mapped private", "::ffff:192.168.0.1", false},
    {"NAT64 to a public one", "64:ff9b::8.8.8.8", true},
    {"NAT64 to loopback", "64:ff9b::127.0.0.1", false},
    {"local NAT64", "64:ff9b:1::8.8.8.8", false},
    {"6to4 of a public one", "2002:808:808::1", true},
    {"6to4 of a private one", "2002:a00:1::1", false},
    {"Teredo", "2001::1", false},
    {"an allocated 2001", "2001:4860:4860::8888", true},
    {"documentation, IPv6", "2001:db8::1", false},
    {"unique local", "fd00::1", false},
    {"link-local, IPv6", "fe80::1", false},
    {"site-local", "fec0::1", false},
    {"multicast, IPv6", "ff02::1", false},
    {"discard", "100::1", false},
};

static void addresses_are_public_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t octets[16] = {[10] = 0xff, [11] = 0xff};

        ROW_TRUE(&rows[i],
                 inet_pton(AF_INET, rows[i].address, octets + 12) == 1 ||
                     inet_pton(AF_INET6, rows[i].address, octets) == 1);
        ROW_TRUE(&rows[i], wb_ip_is_public(octets) == rows[i].is_public);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_public_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
