/* What is never connected to: addresses that are not public, however they are written or
 * found.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include "tests/unit/http_trial.h"
#include "tests/unit/suite.h"

#define INSIDE "127.0.0.2"

/* Names for tests, in place of the system's resolver: libcurl asks for addresses here. A
 * name has one address, or two: in one answer, or in turn, an answer each. Every other
 * name is looked up as a number, or is not there. */
static const struct {
    const char *name, *addresses[2];
    bool in_turn;
} names[] = {{"inside.example", {"127.0.0.1"}, false},
             {"inside6.example", {"::1"}, false},
             {"localhost.", {"127.0.0.1"}, false},
             {"metadata.example", {"169.254.169.254"}, false},
             {"turning.example", {"127.0.0.1", INSIDE}, true},
             {"turning6.example", {"::1", "127.0.0.1"}, true},
             {"both.example", {INSIDE, "127.0.0.1"}, false},
             {"mixed.example", {"::1", "127.0.0.1"}, false},
             {"dead.example", {"127.0.0.3", INSIDE}, false}};

/* By the real one, of a number. */
static int add_number(const char *number, const char *service,
                      const struct addrinfo *hints, struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);
    struct addrinfo numeric = *hints;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    numeric.ai_flags |= AI_NUMERICHOST;
    return real(number, service, &numeric, found);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    static _Atomic unsigned turn;
    struct addrinfo *second = NULL;
    size_t at;

    for (at = 0; at < ARRAY_CT(names) && strcasecmp(name, names[at].name) != 0; at++)
        ;
    if (at == ARRAY_CT(names))
        return add_number(name, service, hints, found);
    if (names[at].in_turn)
        return add_number(names[at].addresses[turn++ % 2], service, hints, found);
    if (names[at].addresses[1] != NULL &&
        add_number(names[at].addresses[1], service, hints, &second) != 0)
        return EAI_NONAME;
    if (add_number(names[at].addresses[0], service, hints, found) != 0)
        return EAI_NONAME;
    while (*found != NULL)
        found = &(*found)->ai_next;
    *found = second;
    return 0;
}

/* Ways to write addresses that are nobody else's business; #: the server's port. */
static const char *const spellings[] = {
    "http://127.0.0.1:#/status/200",
    "http://127.0.0.1:#",
    "http://127.1:#/",
    "http://127.0.1:#/",
    "http://2130706433:#/",
    "http://0x7f000001:#/",
    "http://0x7f.0.0.1:#/",
    "http://0x7f.1:#/",
    "http://0177.0.0.1:#/",
    "http://0177.1:#/",
    "http://017700000001:#/",
    "http://127.0.0.01:#/",
    "http://127.0.0.0x1:#/",
    "http://127.255.255.254:#/",
    "http://0:#/",
    "http://0.0.0.0:#/",
    "http://0x0:#/",
    "http://00:#/",
    "http://0.0:#/",
    "http://[::1]:#/",
    "http://[0:0:0:0:0:0:0:1]:#/",
    "http://[::0001]:#/",
    "http://[::]:#/",
    "http://[::127.0.0.1]:#/",
    "http://[::7f00:1]:#/",
    "http://[::ffff:127.0.0.1]:#/",
    "http://[::ffff:7f00:1]:#/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:#/",
    "http://[::FFFF:7F00:0001]:#/",
    "http://[::ffff:10.0.0.1]:#/",
    "http://[::ffff:169.254.169.254]:#/",
    "http://[64:ff9b::127.0.0.1]:#/",
    "http://[64:ff9b::a9fe:a9fe]:#/",
    "http://[64:ff9b:1::7f00:1]:#/",
    "http://[2002:7f00:1::]:#/",
    "http://[2002:a9fe:a9fe::]:#/",
    "http://[2001::1]:#/",
    "http://[fe80::1]:#/",
    "http://[fe80::1%25lo]:#/",
    "http://[fc00::1]:#/",
    "http://[fd00:ec2::254]:#/",
    "http://[ff02::1]:#/",
    "http://[fec0::1]:#/",
    "http://[100::1]:#/",
    "http://localhost:#/",
    "http://LOCALHOST:#/",
    "http://localhost.:#/",
    "http://inside.example:#/",
    "http://inside6.example:#/",
    "http://INSIDE.example:#/",
    "http://metadata.example:#/latest/meta-data",
    "http://169.254.169.254:#/",
    "http://2852039166:#/",
    "http://0xa9fea9fe:#/",
    "http://0251.0376.0251.0376:#/",
    "http://10.0.0.1:#/",
    "http://10.1:#/",
    "http://172.16.0.1:#/",
    "http://172.31.255.255:#/",
    "http://192.168.0.1:#/",
    "http://192.168.1:#/",
    "http://100.64.0.1:#/",
    "http://198.18.0.1:#/",
    "http://192.0.0.192:#/",
    "http://224.0.0.1:#/",
    "http://255.255.255.255:#/",
    "http://240.0.0.1:#/",
    "http://%31%32%37.0.0.1:#/",
    "http://127%2e0%2e0%2e1:#/",
    "https://127.0.0.1:#/",
    "HTTP://127.0.0.1:#/",
};

START_TEST(an_address_inside_is_refused_however_it_is_written)
{
    struct scene scene;
    struct trial *trial;
    char *url;

    set_scene(&scene, "/");
    url = must_format("%.*s%d%s", (int)strcspn(spellings[_i], "#"), spellings[_i],
                      server.port, strchr(spellings[_i], '#') + 1);
    scene.jobs[0].http.url = url;
    scene.jobs[0].http.allow_networks.ct = 0;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_msg(trial->outcome.kind == OUTCOME_FAIL, "%s: %s", url,
                  trial->outcome.reason);
    ck_assert_uint_eq(http_server_connections(&server), 0);
    clear(trial);
    close_scene();
    free(url);
}
END_TEST

START_TEST(a_refusal_names_the_address)
{
    struct scene scene;
    struct trial *trial;
    char *url;

    set_scene(&scene, "/");
    url = must_format("http://inside.example:%d/", server.port);
    scene.jobs[0].http.url = url;
    scene.jobs[0].http.allow_networks.ct = 0;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    assert_outcome(trial, OUTCOME_FAIL,
                   "address 127.0.0.1 is refused: loopback (127.0.0.0/8); "
                   "allow_networks would open it");
    clear(trial);
    close_scene();
    free(url);
}
END_TEST

/* Somebody inside whom nobody outside may reach, on the server's port. */
static int open_inside(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(inet_pton(AF_INET, INSIDE, &address.sin_addr), 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

static bool was_visited(int inside)
{
    struct pollfd visit = {.fd = inside, .events = POLLIN};

    return poll(&visit, 1, 0) != 0;
}

/* The outcome of one job to that name, asked for afresh. */
static struct outcome call(const char *name, const char *allowed)
{
    struct scene scene;
    struct trial *trial;
    struct outcome outcome;
    char *networks[] = {(char *)(uintptr_t)allowed};
    char *url = must_format("http://%s:%d/status/200", name, server.port);

    set_scene(&scene, "/");
    scene.jobs[0].http.url = url;
    scene.jobs[0].http.allow_networks.items = networks;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    outcome = trial->outcome;
    clear(trial);
    close_scene();
    free(url);
    return outcome;
}

static const struct {
    const char *name, *refused;
} turns[] = {
    {"turning.example", "address " INSIDE " is refused: loopback (127.0.0.0/8); "},
    {"turning6.example", "address ::1 is refused: loopback (::1); "},
};

START_TEST(a_name_that_turns_inside_between_attempts_gains_nothing)
{
    int inside = open_inside();
    unsigned done_ct = 0;

    for (int i = 0; i < 6; i++) {
        struct outcome outcome = call(turns[_i].name, "127.0.0.1");

        done_ct += outcome.kind == OUTCOME_DONE;
        if (outcome.kind == OUTCOME_DONE)
            continue;
        ck_assert_int_eq(outcome.kind, OUTCOME_FAIL);
        ck_assert_msg(
            strncmp(outcome.reason, turns[_i].refused, strlen(turns[_i].refused)) == 0,
            "%s", outcome.reason);
    }
    ck_assert_uint_eq(done_ct, 3);
    ck_assert_uint_eq(http_server_connections(&server), 3);
    ck_assert(!was_visited(inside));
    (void)close(inside);
}
END_TEST

static const struct {
    const char *name, *allowed;
    enum outcome_kind kind;
} mixes[] = {
    {"both.example", "127.0.0.1", OUTCOME_DONE},
    {"mixed.example", "127.0.0.1", OUTCOME_DONE},
    {"dead.example", "127.0.0.3", OUTCOME_RETRY}, /* who is allowed is not there */
    {"dead.example", "127.0.0.4", OUTCOME_FAIL},
};

START_TEST(of_several_addresses_those_inside_are_passed_over)
{
    int inside = open_inside();
    struct outcome outcome = call(mixes[_i].name, mixes[_i].allowed);

    ck_assert_msg(outcome.kind == mixes[_i].kind, "%s: %s", mixes[_i].name,
                  outcome.reason);
    ck_assert(!was_visited(inside));
    (void)close(inside);
}
END_TEST

START_TEST(a_kept_connection_opens_nothing_for_others)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, "/status/200");
    scene.jobs[1].http.allow_networks.ct = 0;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    assert_outcome(trial, OUTCOME_DONE, "");
    clear(trial);
    trial = run_entry(&scene, 1); /* the connection is there, but not for this one */
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_FAIL);
    ck_assert_int_eq(strncmp(trial->outcome.reason, "address 127.0.0.1 is refused", 28),
                     0);
    clear(trial);
    close_scene();
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, begin_server, end_server);
    tcase_add_loop_test(tc, an_address_inside_is_refused_however_it_is_written, 0,
                        ARRAY_CT(spellings));
    tcase_add_test(tc, a_refusal_names_the_address);
    tcase_add_loop_test(tc, a_name_that_turns_inside_between_attempts_gains_nothing, 0,
                        ARRAY_CT(turns));
    tcase_add_loop_test(tc, of_several_addresses_those_inside_are_passed_over, 0,
                        ARRAY_CT(mixes));
    tcase_add_test(tc, a_kept_connection_opens_nothing_for_others);
}

int main(void)
{
    return run_suite("http addresses", 60, add_tests);
}
