/* Is an address one of the Internet's? */
#ifndef WB_MATCH_PUBLIC_H
#define WB_MATCH_PUBLIC_H

#include <stdbool.h>
#include <stdint.h>

/* octets: an IPv6 address, or an IPv4 address as ::ffff:a.b.c.d.
 * False for what IANA's registries of special-purpose addresses (RFC 6890 and
 * after) keep from the Internet: this host, link-local, private, shared and
 * benchmark networks, multicast, reserved. An IPv6 address that only carries
 * an IPv4 address (mapped, 6to4, NAT64) is judged by that. */
bool wb_ip_is_public(const uint8_t octets[16]);

#endif
