/* Environment against file and defaults, and which Redis comes of it. */
#include "tests/unit/configs.h"

#include "config/url.h"
#include "tests/unit/suite.h"

/* Variables are "NAME=value" by spaces; `endpoint` is redis_endpoint_text() or the error.
 */
static const struct {
    const char *variables;
    const char *redis; /* inside redis: { … }; */
    const char *endpoint, *username, *password;
} servers[] = {
    /* by default and by file */
    {"", "", "unix:/var/lib/drover/redis.sock db 0", NULL, NULL},
    {"", "url = \"redis://h\";", "tcp:h:6379 db 0", NULL, NULL},
    {"", "url = \"tcp://h:1/3\";", "tcp:h:1 db 3", NULL, NULL},
    {"", "url = \"REDIS://h/\";", "tcp:h:6379 db 0", NULL, NULL},
    {"", "url = \"redis://h?db=3\";", "tcp:h:6379 db 3", NULL, NULL},
    {"", "url = \"tcp://127.0.0.1:6379?database=4&read_timeout=60\";",
     "tcp:127.0.0.1:6379 db 4", NULL, NULL},
    {"", "url = \"redis://[::1]:7/2\";", "tcp:[::1]:7 db 2", NULL, NULL},
    {"", "url = \"redis://[fe80::1]\";", "tcp:[fe80::1]:6379 db 0", NULL, NULL},
    {"", "url = \"redis://u:p@h\";", "tcp:h:6379 db 0", "u", "p"},
    {"", "url = \"redis://:p@h\";", "tcp:h:6379 db 0", NULL, "p"},
    {"", "url = \"redis://u@h\";", "tcp:h:6379 db 0", "u", NULL},
    {"", "url = \"redis://a%40b:p%2Fq%3a%25r@h\";", "tcp:h:6379 db 0", "a@b", "p/q:%r"},
    {"", "url = \"redis://u:100%zz@h\";", "tcp:h:6379 db 0", "u", "100%zz"},
    {"", "url = \"redis://u:p@q:r@h\";", "tcp:h:6379 db 0", "u", "p@q:r"},
    {"", "url = \"redis://h?username=u&password=p%26q\";", "tcp:h:6379 db 0", "u", "p&q"},
    {"", "url = \"unix:///run/r.sock\";", "unix:/run/r.sock db 0", NULL, NULL},
    {"", "url = \"unix:///run/r.sock?db=5\";", "unix:/run/r.sock db 5", NULL, NULL},
    {"", "url = \"unix:/run/r.sock\";", "unix:/run/r.sock db 0", NULL, NULL},
    {"", "url = \"/run/r.sock\";", "unix:/run/r.sock db 0", NULL, NULL},
    {"", "url = \"unix://u:p@/run/r.sock\";", "unix:/run/r.sock db 0", "u", "p"},
    {"", "host = \"h\"; port = 7; db = 2;", "tcp:h:7 db 2", NULL, NULL},
    {"", "port = 7;", "tcp:127.0.0.1:7 db 0", NULL, NULL},
    {"", "host = \"/run/r.sock\"; port = 0;", "unix:/run/r.sock db 0", NULL, NULL},
    {"", "host = \"::1\";", "tcp:[::1]:6379 db 0", NULL, NULL},
    {"", "url = \"redis://h\"; username = \"u\"; password = \"p\"; db = 4;",
     "tcp:h:6379 db 4", "u", "p"},
    {"", "db = 3;", "unix:/var/lib/drover/redis.sock db 3", NULL, NULL},

    /* by environment */
    {"REDIS_HOST=eh", "", "tcp:eh:6379 db 0", NULL, NULL},
    {"REDIS_PORT=7", "", "tcp:127.0.0.1:7 db 0", NULL, NULL},
    {"REDIS_HOST=eh REDIS_PORT=7 REDIS_DB=2 REDIS_USERNAME=eu REDIS_PASSWORD=ep", "",
     "tcp:eh:7 db 2", "eu", "ep"},
    {"REDIS_HOST=/run/r.sock REDIS_PORT=0", "", "unix:/run/r.sock db 0", NULL, NULL},
    {"REDIS_URL=redis://uh/5 REDIS_HOST=eh REDIS_PORT=nonsense", "", "tcp:uh:6379 db 5",
     NULL, NULL},
    {"REDIS_URL=redis://uh REDIS_DB=2 REDIS_PASSWORD=ep", "", "tcp:uh:6379 db 2", NULL,
     "ep"},
    {"REDIS_URL=redis://u:p@uh/5 REDIS_DB=2 REDIS_PASSWORD=ep REDIS_USERNAME=eu", "",
     "tcp:uh:6379 db 5", "u", "p"},
    {"REDIS_URL=embedded REDIS_HOST=eh", "", "unix:/var/lib/drover/redis.sock db 0", NULL,
     NULL},
    {"REDIS_DB=2 REDIS_PASSWORD=ep", "", "unix:/var/lib/drover/redis.sock db 2", NULL,
     NULL},

    /* file before environment */
    {"REDIS_HOST=eh REDIS_PORT=nonsense", "url = \"redis://fh\";", "tcp:fh:6379 db 0",
     NULL, NULL},
    {"REDIS_HOST=eh", "url = \"embedded\";", "unix:/var/lib/drover/redis.sock db 0", NULL,
     NULL},
    {"REDIS_URL=redis://uh", "url = \"redis://fh\";", "tcp:fh:6379 db 0", NULL, NULL},
    {"REDIS_URL=redis://uh REDIS_PORT=7", "host = \"fh\";", "tcp:fh:7 db 0", NULL, NULL},
    {"REDIS_URL=redis://uh REDIS_HOST=eh", "port = 8;", "tcp:eh:8 db 0", NULL, NULL},
    {"REDIS_PASSWORD=ep REDIS_DB=2", "url = \"redis://fh\"; password = \"fp\";",
     "tcp:fh:6379 db 2", NULL, "fp"},
    {"REDIS_PASSWORD=ep REDIS_DB=2", "url = \"redis://u:p@fh/1\";", "tcp:fh:6379 db 1",
     "u", "p"},

    /* as Laravel reads variables */
    {"REDIS_HOST= REDIS_PORT=", "", "unix:/var/lib/drover/redis.sock db 0", NULL, NULL},
    {"REDIS_HOST=eh REDIS_PASSWORD=null", "", "tcp:eh:6379 db 0", NULL, NULL},
    {"REDIS_HOST=eh REDIS_PASSWORD=(NULL) REDIS_USERNAME=empty", "", "tcp:eh:6379 db 0",
     NULL, NULL},
    {"REDIS_HOST=\"eh\" REDIS_PASSWORD='ep'", "", "tcp:eh:6379 db 0", NULL, "ep"},
    {"REDIS_HOST=eh REDIS_PASSWORD=\"", "", "tcp:eh:6379 db 0", NULL, "\""},

    /* errors */
    {"REDIS_PORT=tcp://10.0.0.1:6379", "",
     "environment REDIS_PORT: redis.port: \"tcp://10.0.0.1:6379\" is not a whole number",
     NULL, NULL},
    {"REDIS_PORT=65536", "",
     "environment REDIS_PORT: redis.port: 65536 is above the maximum of 65535", NULL,
     NULL},
    {"REDIS_DB=-1", "", "environment REDIS_DB: redis.db: -1 is below the minimum of 0",
     NULL, NULL},
    {"REDIS_URL=rediss://uh", "",
     "environment REDIS_URL: redis.url: rediss:// and tls:// need TLS, which this build "
     "has not: its hiredis is without it",
     NULL, NULL},
    {"REDIS_HOST=tls://h", "",
     "environment REDIS_HOST: redis.host: is a URL: give it as redis.url (REDIS_URL)",
     NULL, NULL},
    {"", "url = \"tls://h\";",
     "drover.conf:1: redis.url: rediss:// and tls:// need TLS, which this build has not: "
     "its hiredis is without it",
     NULL, NULL},
    {"", "url = \"http://h\";",
     "drover.conf:1: redis.url: is none of: embedded, redis://, tcp://, unix://, the "
     "path "
     "of a socket",
     NULL, NULL},
    {"", "url = \"Embedded\";",
     "drover.conf:1: redis.url: is none of: embedded, redis://, tcp://, unix://, the "
     "path "
     "of a socket",
     NULL, NULL},
    {"", "url = \"redis:h\";", "drover.conf:1: redis.url: has no // behind its scheme",
     NULL, NULL},
    {"", "url = \"redis://\";", "drover.conf:1: redis.url: names no host", NULL, NULL},
    {"", "url = \"redis://:6379\";", "drover.conf:1: redis.url: names no host", NULL,
     NULL},
    {"", "url = \"redis://h%00\";", "drover.conf:1: redis.url: holds %00", NULL, NULL},
    {"", "url = \"unix://run/r.sock\";",
     "drover.conf:1: redis.url: names a host before the socket's path: write "
     "unix:///path",
     NULL, NULL},
    {"", "url = \"unix:run\";",
     "drover.conf:1: redis.url: the socket's path must begin with /", NULL, NULL},
    {"", "url = \"redis://h:port\";",
     "drover.conf:1: redis.url: its port is not a number of 1 to 65535 (a password with "
     "/ "
     "? # or @ in it needs %2F %3F %23 %40 there)",
     NULL, NULL},
    {"", "url = \"redis://h:0\";",
     "drover.conf:1: redis.url: its port is not a number of 1 to 65535 (a password with "
     "/ "
     "? # or @ in it needs %2F %3F %23 %40 there)",
     NULL, NULL},
    {"", "url = \"redis://h/x\";",
     "drover.conf:1: redis.url: its database is not a number (a password with / or ? in "
     "it "
     "needs %2F or %3F there)",
     NULL, NULL},
};

static void text_is(const char *text, const char *expected)
{
    if (expected)
        ck_assert_str_eq(text, expected);
    else
        ck_assert_ptr_null(text);
}

START_TEST(file_then_environment_then_default_say_which_redis)
{
    char *text = must_format("redis: { %s };", servers[_i].redis), *shown;
    struct redis_endpoint endpoint;
    struct err err = {0};
    struct config *config;

    set_variables(servers[_i].variables);
    config = config_load_text("drover.conf", text, &err);
    free(text);
    if (config == NULL) {
        ck_assert_str_eq(err.text, servers[_i].endpoint);
        return;
    }
    ck_assert_int_eq(redis_endpoint_resolve(config, &endpoint, &err), 0);
    shown = redis_endpoint_text(&endpoint);
    ck_assert_str_eq(shown, servers[_i].endpoint);
    text_is(endpoint.username, servers[_i].username);
    text_is(endpoint.password, servers[_i].password);
    ck_assert_int_eq(endpoint.embedded,
                     strstr(shown, "/var/lib/drover/redis.sock") != NULL);
    ck_assert_int_eq(endpoint.unix_path == NULL, endpoint.host != NULL);
    free(shown);
    redis_endpoint_free(&endpoint);
    redis_endpoint_free(&endpoint);
    config_free(config);
}
END_TEST

START_TEST(an_unreadable_url_is_never_quoted)
{
    static const char *const urls[] = {
        "redis://user:canary@",         "redis://user:can/canary@h",
        "redis://user:can?canary@h",    "redis://user:canary#x@h:1",
        "redis://u:p@h:canary",         "redis://u:p@h/canary",
        "canary://u:canary@h",          "canary",
        "rediss://u:canary@h",          "redis:canary@h",
        "unix://u:canary@h/run/r.sock", "redis://h?password=canary%00",
        "redis://u:canary\\n@h",
    };

    for (size_t i = 0; i < ARRAY_CT(urls); i++) {
        char *text = must_format("redis: { url = \"%s\"; };", urls[i]);
        struct err err = {0};
        struct buf masked;

        ck_assert_ptr_null(config_load_text("drover.conf", text, &err));
        ck_assert_msg(strstr(err.text, "canary") == NULL, "%s", err.text);
        buf_init(&masked, 0);
        redis_url_mask(urls[i], &masked);
        ck_assert_msg(strstr(masked.data, "canary") == NULL, "%s", masked.data);
        buf_free(&masked);
        free(text);
    }
}
END_TEST

START_TEST(a_url_is_shown_without_what_may_be_secret)
{
    static const struct {
        const char *url, *shown;
    } rows[] = {
        {"embedded", "embedded"},
        {"redis://h:1/2", "redis://h:1/2"},
        {"redis://u:p@h:1/2", "redis://u:(secret)@h:1/2"},
        {"redis://:p@h", "redis://:(secret)@h"},
        {"redis://p@h", "redis://(secret)@h"},
        {"redis://u:p@q@[::1]:1?db=3", "redis://u:(secret)@[::1]:1?db=3"},
        {"redis://h?password=p", "redis://h?(secret)"},
        {"redis://h?db=3&password=p", "redis://h?(secret)"},
        {"redis://h?db=1#p", "redis://h?db=1"},
        {"unix:///run/r.sock?db=3", "unix:///run/r.sock?db=3"},
        {"unix:/run/r.sock", "unix:/run/r.sock"},
        {"unix://u:p@/run/r.sock", "unix://u:(secret)@/run/r.sock"},
        {"/run/r.sock", "/run/r.sock"},
        {"rediss://u:p@h", "(secret)"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct buf masked;

        buf_init(&masked, 0);
        redis_url_mask(rows[i].url, &masked);
        ck_assert_str_eq(masked.data, rows[i].shown);
        buf_free(&masked);
    }
}
END_TEST

START_TEST(queues_of_the_environment_go_to_pools_that_name_none)
{
    struct config *config;

    set_variable("REDIS_QUEUE", "urgent,default");
    config =
        loaded("pools: ( { name = \"a\"; }, { name = \"b\"; queues = [ \"x\" ]; } );");
    ck_assert_uint_eq(config->pools[0].queues.ct, 2);
    ck_assert_str_eq(config->pools[0].queues.items[0], "urgent");
    ck_assert_str_eq(config->pools[0].queues.items[1], "default");
    ck_assert_uint_eq(config->pools[1].queues.ct, 1);
    source_is(config, SECTION_POOLS, "queues", 0, "environment REDIS_QUEUE");
    source_is(config, SECTION_POOLS, "queues", 1, "drover.conf:1");
    config_free(config);
    config = loaded("");
    ck_assert_str_eq(config->pools[0].queues.items[0], "urgent");
    config_free(config);
}
END_TEST

START_TEST(queues_of_the_environment_are_not_trimmed)
{
    set_variable("REDIS_QUEUE", "high, default");
    refused("", "environment REDIS_QUEUE: pools[0].queues: \" default\" holds a space");
    set_variable("REDIS_QUEUE", "high,,low");
    refused("", "environment REDIS_QUEUE: pools[0].queues: is empty");
    set_variable("REDIS_QUEUE", "a,b,a");
    refused("", "environment REDIS_QUEUE: pools[0].queues[2]: \"a\" is there twice");
}
END_TEST

START_TEST(each_value_knows_where_it_came_from)
{
    struct config *config;

    set_variable("REDIS_PREFIX", "laravel_database_");
    set_variable("REDIS_HOST", "eh");
    set_variable("REDIS_DB", "");
    config =
        loaded("\nstop_grace = 5;\npools: (\n {\n  lease = 40;\n queues =\n [ \"a\" ];"
               " } );");
    ck_assert_str_eq(config->redis.prefix, "laravel_database_");
    source_is(config, SECTION_TOP, "stop_grace", 0, "drover.conf:2");
    source_is(config, SECTION_TOP, "state_dir", 0, "default");
    source_is(config, SECTION_POOLS, "lease", 0, "drover.conf:5");
    source_is(config, SECTION_POOLS, "queues", 0, "drover.conf:6");
    source_is(config, SECTION_POOLS, "workers", 0, "default");
    source_is(config, SECTION_REDIS, "prefix", 0, "environment REDIS_PREFIX");
    source_is(config, SECTION_REDIS, "host", 0, "environment REDIS_HOST");
    source_is(config, SECTION_REDIS, "port", 0, "default");
    source_is(config, SECTION_REDIS, "url", 0, "not used");
    source_is(config, SECTION_REDIS, "db", 0, "default");
    config_free(config);
}
END_TEST

START_TEST(settings_in_the_file_keep_the_environment_out)
{
    struct config *config;

    set_variable("REDIS_PREFIX", "laravel_database_");
    config = loaded("redis: { prefix = \"\"; };");
    ck_assert_str_eq(config->redis.prefix, "");
    source_is(config, SECTION_REDIS, "prefix", 0, "drover.conf:1");
    config_free(config);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_loop_test(tc, file_then_environment_then_default_say_which_redis, 0,
                        ARRAY_CT(servers));
    tcase_add_test(tc, an_unreadable_url_is_never_quoted);
    tcase_add_test(tc, a_url_is_shown_without_what_may_be_secret);
    tcase_add_test(tc, queues_of_the_environment_go_to_pools_that_name_none);
    tcase_add_test(tc, queues_of_the_environment_are_not_trimmed);
    tcase_add_test(tc, each_value_knows_where_it_came_from);
    tcase_add_test(tc, settings_in_the_file_keep_the_environment_out);
}

int main(void)
{
    return run_suite("config env", 60, add_tests);
}
