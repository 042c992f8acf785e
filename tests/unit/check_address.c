/* Which addresses are public, and which lie in which network. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/address.h"
#include "tests/unit/suite.h"

#define ARRAY_CT(a) (sizeof(a) / sizeof((a)[0]))

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union any_address address_of(const char *text)
{
    union any_address address = {.any.sa_family = AF_INET};

    if (inet_pton(AF_INET, text, &address.v4.sin_addr) != 1) {
        address.any.sa_family = AF_INET6;
        ck_assert_msg(inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1, "%s", text);
    }
    return address;
}

/* First and last address of each denied network, and what is just outside. */
static const struct {
    const char *text, *why; /* NULL: public */
} kinds[] = {
    {"0.0.0.0", "this host (0.0.0.0/8)"},
    {"0.255.255.255", "this host (0.0.0.0/8)"},
    {"1.0.0.0", NULL},
    {"9.255.255.255", NULL},
    {"10.0.0.0", "private (10.0.0.0/8)"},
    {"10.255.255.255", "private (10.0.0.0/8)"},
    {"11.0.0.0", NULL},
    {"100.63.255.255", NULL},
    {"100.64.0.0", "carrier-grade NAT (100.64.0.0/10)"},
    {"100.127.255.255", "carrier-grade NAT (100.64.0.0/10)"},
    {"100.128.0.0", NULL},
    {"126.255.255.255", NULL},
    {"127.0.0.1", "loopback (127.0.0.0/8)"},
    {"127.255.255.255", "loopback (127.0.0.0/8)"},
    {"128.0.0.0", NULL},
    {"169.253.255.255", NULL},
    {"169.254.169.254", "link-local (169.254.0.0/16)"},
    {"169.255.0.0", NULL},
    {"172.15.255.255", NULL},
    {"172.16.0.0", "private (172.16.0.0/12)"},
    {"172.31.255.255", "private (172.16.0.0/12)"},
    {"172.32.0.0", NULL},
    {"192.0.0.255", "special purpose (192.0.0.0/24)"},
    {"192.0.1.0", NULL},
    {"192.0.2.1", "documentation (192.0.2.0/24)"},
    {"192.88.99.1", "6to4 relay (192.88.99.0/24)"},
    {"192.167.255.255", NULL},
    {"192.168.0.0", "private (192.168.0.0/16)"},
    {"192.168.255.255", "private (192.168.0.0/16)"},
    {"192.169.0.0", NULL},
    {"198.17.255.255", NULL},
    {"198.18.0.0", "benchmarking (198.18.0.0/15)"},
    {"198.19.255.255", "benchmarking (198.18.0.0/15)"},
    {"198.20.0.0", NULL},
    {"198.51.100.7", "documentation (198.51.100.0/24)"},
    {"203.0.113.7", "documentation (203.0.113.0/24)"},
    {"223.255.255.255", NULL},
    {"224.0.0.1", "multicast (224.0.0.0/4)"},
    {"239.255.255.255", "multicast (224.0.0.0/4)"},
    {"240.0.0.0", "reserved (240.0.0.0/4)"},
    {"255.255.255.255", "reserved (240.0.0.0/4)"},
    {"::", "unspecified (::)"},
    {"::1", "loopback (::1)"},
    {"::2", "IPv4-compatible (::/96)"},
    {"::127.0.0.1", "IPv4-compatible (::/96)"},
    {"::ffff:8.8.8.8", "IPv4-mapped (::ffff:0:0/96)"},
    {"::ffff:127.0.0.1", "IPv4-mapped (::ffff:0:0/96)"},
    {"64:ff9b::7f00:1", "IPv4 embedded (64:ff9b::/32)"},
    {"64:ff9b:1::a00:1", "IPv4 embedded (64:ff9b::/32)"},
    {"100::1", "discard (100::/64)"},
    {"2001::1", "special purpose (2001::/23)"},
    {"2001:1ff:ffff::1", "special purpose (2001::/23)"},
    {"2001:200::1", NULL},
    {"2001:db8::1", "documentation (2001:db8::/32)"},
    {"2002:7f00:1::", "6to4 (2002::/16)"},
    {"2606:4700::1111", NULL},
    {"3fff::1", "documentation (3fff::/20)"},
    {"5f00::1", "segment routing (5f00::/16)"},
    {"fbff:ffff::1", NULL},
    {"fc00::1", "private (fc00::/7)"},
    {"fdff:ffff::1", "private (fc00::/7)"},
    {"fe00::1", NULL},
    {"fe80::1", "link-local (fe80::/10)"},
    {"febf:ffff::1", "link-local (fe80::/10)"},
    {"fec0::1", "site-local (fec0::/10)"},
    {"ff02::1", "multicast (ff00::/8)"},
};

START_TEST(networks_end_where_the_registries_say)
{
    for (size_t i = 0; i < ARRAY_CT(kinds); i++) {
        union any_address address = address_of(kinds[i].text);
        const char *why = address_not_public(&address.any);

        ck_assert_msg((why == NULL) == (kinds[i].why == NULL) &&
                          (why == NULL || strcmp(why, kinds[i].why) == 0),
                      "%s: %s", kinds[i].text, why ? why : "public");
    }
}
END_TEST

START_TEST(other_families_are_not_public)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    char text[ADDRESS_TEXT_BYTES];

    ck_assert_str_eq(address_not_public((struct sockaddr *)&address),
                     "neither IPv4 nor IPv6");
    address_text((struct sockaddr *)&address, text);
    ck_assert_str_eq(text, "unix");
}
END_TEST

START_TEST(a_network_holds_its_addresses_and_no_others)
{
    static const struct {
        const char *network, *address;
        bool holds;
    } rows[] = {
        {"10.0.0.0/8", "10.9.8.7", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "a00::", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2606:4700::1111", true},
        {"172.16.0.0/12", "172.31.0.1", true},
        {"172.16.0.0/12", "172.32.0.1", false},
        {"fd00::/8", "fd12::1", true},
        {"fd00::/8", "fc12::1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        union any_address address = address_of(rows[i].address);
        struct network network;
        struct err err;

        ck_assert_msg(network_parse(rows[i].network, &network, &err) == 0, "%s",
                      err.text);
        ck_assert_msg(network_holds(&network, &address.any) == rows[i].holds, "%s in %s",
                      rows[i].address, rows[i].network);
    }
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
    static const char *const texts[] = {
        "",
        "/",
        "/8",
        "10/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.1.0.0/8",
        "fd00::/129",
        "fd00::1/8",
        "localhost",
        "10.0.0.0/ 8",
        "0x7f.1",
        "127.1",
        "2130706433",
        "fe80::1%lo",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd",
    };

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct network network;
        struct err err;

        ck_assert_msg(network_parse(texts[i], &network, &err) == -1, "'%s'", texts[i]);
        ck_assert_int_ne(err.text[0], '\0');
    }
}
END_TEST

START_TEST(an_address_is_told_in_numbers)
{
    static const char *const texts[] = {"192.0.2.7", "2001:db8::1", "::ffff:10.0.0.1"};

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        union any_address address = address_of(texts[i]);
        char text[ADDRESS_TEXT_BYTES];

        address_text(&address.any, text);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, networks_end_where_the_registries_say);
    tcase_add_test(tc, other_families_are_not_public);
    tcase_add_test(tc, a_network_holds_its_addresses_and_no_others);
    tcase_add_test(tc, what_is_no_network_is_refused);
    tcase_add_test(tc, an_address_is_told_in_numbers);
}

int main(void)
{
    return run_suite("address", 60, add_tests);
}
