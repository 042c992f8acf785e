/* Network addresses as a policy sees them: which are public, which lie in a given
 * network. Pure; knows no names and opens nothing.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"

/* The addresses that share the first `bits` bits. */
struct network {
    int family; /* AF_INET, AF_INET6 */
    unsigned bits;
    unsigned char bytes[16]; /* in network order; 4 of them where AF_INET */
};

/* "10.0.0.0/8", "fd00::/8", "192.0.2.7" (that address alone). Bits behind the prefix must
 * be 0. */
int network_parse(const char *text, struct network *network, struct err *err) MUSTCHECK;

bool network_holds(const struct network *network, const struct sockaddr *address);

/* What keeps an address from being a public one: a few words, such as "private
 * (10.0.0.0/8)"; NULL where nothing does. The list is IANA's special-purpose registries
 * (RFC 6890) with multicast, and the IPv6 prefixes that carry an IPv4 address in them,
 * since what they reach is not told by the prefix. Families other than IPv4 and IPv6 are
 * never public. */
const char *address_not_public(const struct sockaddr *address);

/* "192.0.2.7", "2001:db8::1", "unix": numbers only, without the port. */
enum { ADDRESS_TEXT_BYTES = 64 };
void address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES]);

#endif
