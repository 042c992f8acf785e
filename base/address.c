/* What kind of address an address is.
 *
 * Decides on the bytes that a connection would be made to, never on a spelling: whatever
 * way somebody writes 127.0.0.1, it is the same four bytes here.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static unsigned bits_of(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* The address's own bytes; NULL: neither IPv4 nor IPv6. They lie inside `address`, which
 * may be aligned as its caller likes: only bytes are read. */
static const unsigned char *bytes_of(const struct sockaddr *address)
{
    const char *start = (const char *)address;

    if (address->sa_family == AF_INET)
        return (const unsigned char *)start + offsetof(struct sockaddr_in, sin_addr);
    if (address->sa_family == AF_INET6)
        return (const unsigned char *)start + offsetof(struct sockaddr_in6, sin6_addr);
    return NULL;
}

static bool bits_equal(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;

    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || (a[whole] & mask) == (b[whole] & mask));
}

bool network_holds(const struct network *network, const struct sockaddr *address)
{
    return address->sa_family == network->family &&
           bits_equal(network->bytes, bytes_of(address), network->bits);
}

static bool rest_is_zero(const struct network *network)
{
    for (unsigned bit = network->bits; bit < bits_of(network->family); bit++)
        if (network->bytes[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

int network_parse(const char *text, struct network *network, struct err *err)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char address[INET6_ADDRSTRLEN];
    int64_t bits;

    memset(network, 0, sizeof(*network));
    if (len >= sizeof(address))
        return err_set(err, ERR_BAD_INPUT, "no address and no network");
    memcpy(address, text, len);
    address[len] = '\0';
    network->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(network->family, address, network->bytes) != 1)
        return err_set(err, ERR_BAD_INPUT,
                       "'%s' is no address; networks are written 10.0.0.0/8, fd00::/8",
                       address);
    network->bits = bits_of(network->family);
    if (slash == NULL)
        return 0;
    if (text_integer(slash + 1, 0, network->bits, &bits, err) != 0)
        return err_prefix(err, "after the slash");
    network->bits = (unsigned)bits;
    if (!rest_is_zero(network))
        return err_set(err, ERR_BAD_INPUT, "%s has bits set behind the first %u", address,
                       network->bits);
    return 0;
}

/* ---- what is not public ---- */

#define V4(a, b, c, d, len)                                                              \
    {                                                                                    \
        .family = AF_INET, .bits = (len), .bytes = {(a), (b), (c), (d) }                 \
    }
#define V6(a, b, c, d, len)                                                              \
    {                                                                                    \
        .family = AF_INET6, .bits = (len), .bytes = {(a), (b), (c), (d) }                \
    }

/* The first that holds an address names it: narrow ones stand before wide ones. */
static const struct {
    struct network network;
    const char *why;
} not_public[] = {
    {V4(0, 0, 0, 0, 8), "this host (0.0.0.0/8)"},
    {V4(10, 0, 0, 0, 8), "private (10.0.0.0/8)"},
    {V4(100, 64, 0, 0, 10), "carrier-grade NAT (100.64.0.0/10)"},
    {V4(127, 0, 0, 0, 8), "loopback (127.0.0.0/8)"},
    {V4(169, 254, 0, 0, 16), "link-local (169.254.0.0/16)"},
    {V4(172, 16, 0, 0, 12), "private (172.16.0.0/12)"},
    {V4(192, 0, 0, 0, 24), "special purpose (192.0.0.0/24)"},
    {V4(192, 0, 2, 0, 24), "documentation (192.0.2.0/24)"},
    {V4(192, 88, 99, 0, 24), "6to4 relay (192.88.99.0/24)"},
    {V4(192, 168, 0, 0, 16), "private (192.168.0.0/16)"},
    {V4(198, 18, 0, 0, 15), "benchmarking (198.18.0.0/15)"},
    {V4(198, 51, 100, 0, 24), "documentation (198.51.100.0/24)"},
    {V4(203, 0, 113, 0, 24), "documentation (203.0.113.0/24)"},
    {V4(224, 0, 0, 0, 4), "multicast (224.0.0.0/4)"},
    {V4(240, 0, 0, 0, 4), "reserved (240.0.0.0/4)"},
    {{.family = AF_INET6, .bits = 128}, "unspecified (::)"},
    {{.family = AF_INET6, .bits = 128, .bytes = {[15] = 1}}, "loopback (::1)"},
    {{.family = AF_INET6, .bits = 96, .bytes = {[10] = 0xff, [11] = 0xff}},
     "IPv4-mapped (::ffff:0:0/96)"},
    {{.family = AF_INET6, .bits = 96}, "IPv4-compatible (::/96)"},
    {V6(0x00, 0x64, 0xff, 0x9b, 32), "IPv4 embedded (64:ff9b::/32)"},
    {V6(0x01, 0, 0, 0, 64), "discard (100::/64)"},
    {V6(0x20, 0x01, 0x00, 0x00, 23), "special purpose (2001::/23)"},
    {V6(0x20, 0x01, 0x0d, 0xb8, 32), "documentation (2001:db8::/32)"},
    {V6(0x20, 0x02, 0, 0, 16), "6to4 (2002::/16)"},
    {V6(0x3f, 0xff, 0, 0, 20), "documentation (3fff::/20)"},
    {V6(0x5f, 0x00, 0, 0, 16), "segment routing (5f00::/16)"},
    {V6(0xfc, 0, 0, 0, 7), "private (fc00::/7)"},
    {V6(0xfe, 0x80, 0, 0, 10), "link-local (fe80::/10)"},
    {V6(0xfe, 0xc0, 0, 0, 10), "site-local (fec0::/10)"},
    {V6(0xff, 0, 0, 0, 8), "multicast (ff00::/8)"},
};

const char *address_not_public(const struct sockaddr *address)
{
    if (bytes_of(address) == NULL)
        return "neither IPv4 nor IPv6";
    for (size_t i = 0; i < ARRAY_CT(not_public); i++)
        if (network_holds(&not_public[i].network, address))
            return not_public[i].why;
    return NULL;
}

void address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES])
{
    const unsigned char *bytes = bytes_of(address);

    if (bytes == NULL || !inet_ntop(address->sa_family, bytes, text, ADDRESS_TEXT_BYTES))
        (void)snprintf(text, ADDRESS_TEXT_BYTES, "%s",
                       address->sa_family == AF_UNIX ? "unix" : "unknown");
}
