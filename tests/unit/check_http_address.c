/* What is never connected to: addresses that are not public, however they are written or
 * found.
 */
#include <dlfcn.h>
#include <netdb.h>

#include "tests/unit/http_trial.h"
#include "tests/unit/suite.h"

/* Names for tests, in place of the system's resolver: libcurl asks for addresses here.
 * Every other name is looked up as a number, or is not there. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);
    static const struct {
        const char *name, *address;
    } names[] = {{"inside.example", "127.0.0.1"},
                 {"inside6.example", "::1"},
                 {"localhost.", "127.0.0.1"},
                 {"metadata.example", "169.254.169.254"}};
    struct addrinfo numeric = *hints;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    numeric.ai_flags |= AI_NUMERICHOST;
    for (size_t i = 0; i < ARRAY_CT(names); i++)
        if (strcasecmp(name, names[i].name) == 0)
            name = names[i].address;
    return real(name, service, &numeric, found);
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
    tcase_add_test(tc, a_kept_connection_opens_nothing_for_others);
}

int main(void)
{
    return run_suite("http addresses", 60, add_tests);
}
