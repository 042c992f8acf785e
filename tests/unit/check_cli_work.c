/* The arguments of `drover work`, and the configuration that they, the environment and an
 * application make together.
 */
#include "tests/unit/configs.h"

#include "base/log.h"
#include "cli/args.h"
#include "cli/work_compose.h"
#include "tests/unit/suite.h"

#define REDIS(more)                                                                      \
    "{\"name\":\"redis\",\"driver\":\"redis\",\"queue\":\"mail\",\"connection\":"        \
    "\"default\",\"retry_after\":120,\"redis\":{\"client\":\"phpredis\",\"cluster\":"    \
    "false,\"host\":\"cache\",\"port\":6380,\"db\":2,\"username\":\"shop\","             \
    "\"password\":\"secret\",\"prefix\":\"shop_\"" more "}}"
#define APP(connections, failed)                                                         \
    "{\"default\":\"redis\",\"timezone\":\"Europe/Rome\",\"connections\":["              \
    "" connections "],\"failed\":" failed "}"
#define NO_FAILED "{\"driver\":\"null\"}"

enum { ARGS_MAX = 16 };

static const struct cli_command command = {.words = "work",
                                           .operands = "[CONNECTION]",
                                           .operand_max = 1,
                                           .options = work_options};
static struct work_flags flags;
static struct cli_args args;
static struct laravel_app *app;
static struct config *config;
static struct buf ignored, notes;
static struct err err;

/* Arguments, with spaces between them. */
static int read_flags(const char *line)
{
    static char text[512], *words[ARGS_MAX];
    size_t ct = 0;
    char *save = NULL;

    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok_r(text, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        ck_assert_uint_lt(ct, ARGS_MAX);
        words[ct++] = word;
    }
    ck_assert_msg(args_parse(&args, &command, ct, words, &err) == ARGS_RUN, "%s",
                  err.text);
    if (work_flags_read(&flags, &args, &ignored, &err) != 0)
        return -1;
    return work_check_flags(&flags, &err);
}

static struct config *compose(const char *told, const char *line)
{
    struct work_setting setting = {.flags = &flags,
                                   .directory = "/srv/shop",
                                   .bridge = "/usr/share/bridge.php",
                                   .state_dir = "/tmp/state"};

    ck_assert_msg(read_flags(line) == 0, "%s", err.text);
    app = laravel_app_read(slice_text(told), &err);
    ck_assert_msg(app != NULL, "%s", err.text);
    setting.app = app;
    setting.connection = laravel_app_connection(app, flags.connection, &err);
    ck_assert_msg(setting.connection != NULL, "%s", err.text);
    config = work_compose(&setting, &notes, &err);
    return config;
}

static void compose_well(const char *told, const char *line)
{
    ck_assert_msg(compose(told, line) != NULL, "%s", err.text);
}

static void set_up(void)
{
    clear_environment();
    buf_init(&ignored, 0);
    buf_init(&notes, 0);
}

static void clear(void)
{
    config_free(config);
    laravel_app_free(app);
    args_free(&args);
    buf_free(&ignored);
    buf_free(&notes);
}

/* ---- arguments ---- */

struct told {
    enum section_id section;
    const char *name, *text; /* as in the file */
};

/* Of the first pool and job. */
static void assert_settings(const struct told *told, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        value_is(config, told[i].section, told[i].name, 0, told[i].text);
}

START_TEST(without_arguments_it_is_as_queue_work)
{
    static const struct told usual[] = {
        {SECTION_TOP, "stop_grace", "70"},      {SECTION_LOG, "level", "\"warning\""},
        {SECTION_POOLS, "name", "\"default\""}, {SECTION_POOLS, "queues", "[ \"mail\" ]"},
        {SECTION_POOLS, "workers", "1"},        {SECTION_POOLS, "concurrency", "1"},
        {SECTION_POOLS, "tries", "1"},          {SECTION_POOLS, "timeout", "60"},
        {SECTION_POOLS, "backoff", "[ 0 ]"},    {SECTION_POOLS, "lease", "120"},
        {SECTION_POOLS, "max_jobs", "0"},       {SECTION_POOLS, "max_time", "0"},
        {SECTION_JOBS, "name", "\"*\""},        {SECTION_JOBS, "type", "\"laravel\""},
        {SECTION_JOBS, "app", "\"/srv/shop\""}, {SECTION_JOBS, "connection", "\"redis\""},
        {SECTION_JOBS, "memory", "128"},
    };

    compose_well(APP(REDIS(""), NO_FAILED), "");
    ck_assert_uint_eq(config->pool_ct, 1);
    ck_assert_uint_eq(config->job_ct, 1);
    assert_settings(usual, ARRAY_CT(usual));
    ck_assert(config->jobs[0].laravel.echo);
    ck_assert(config->work.on && !config->work.leaves_when_empty);
    ck_assert_int_eq(config->work.memory_mib, 128);
    ck_assert_int_eq(config->work.output, WORK_LINES);
    ck_assert_str_eq(config->work.timezone, "Europe/Rome");
}
END_TEST

START_TEST(the_arguments_become_settings)
{
    static const struct told given[] = {
        {SECTION_TOP, "stop_grace", "100"},
        {SECTION_POOLS, "name", "\"mailer\""},
        {SECTION_POOLS, "queues", "[ \"high\", \"default\", \"low\" ]"},
        {SECTION_POOLS, "concurrency", "4"},
        {SECTION_POOLS, "tries", "3"},
        {SECTION_POOLS, "timeout", "90"},
        {SECTION_POOLS, "poll_interval", "0.5"},
        {SECTION_POOLS, "backoff", "[ 1, 5, 10 ]"},
        {SECTION_POOLS, "max_jobs", "7"},
        {SECTION_POOLS, "max_time", "60"},
        {SECTION_JOBS, "env", "[ \"APP_ENV=staging\" ]"},
    };

    compose_well(APP(REDIS(""), NO_FAILED),
                 "redis --queue=high,default,low --tries=3 --timeout 90 --memory=256 "
                 "--sleep=0.5 --rest=0.25 --backoff=1,5,10 --max-jobs=7 --max-time=60 "
                 "--name=mailer --force --concurrency 4 --env=staging");
    assert_settings(given, ARRAY_CT(given));
    ck_assert_int_eq(config->work.rest_ms, 250);
    ck_assert_int_eq(config->work.memory_mib, 256);
    ck_assert(config->jobs[0].laravel.force);
}
END_TEST

START_TEST(an_empty_value_is_none)
{
    compose_well(APP(REDIS(""), NO_FAILED),
                 "--queue= --max-jobs= --max-time= --tries= --sleep= --memory=0");
    ck_assert_str_eq(config->pools[0].queues.items[0], "mail");
    ck_assert_int_eq(config->pools[0].max_jobs, 0);
    ck_assert_int_eq(config->pools[0].tries, 1);
    ck_assert_int_eq(config->pools[0].poll_interval_ms, 1000);
    ck_assert_int_eq(config->work.memory_mib, 0);
}
END_TEST

static const struct {
    const char *line;
    bool leaves;
    int64_t empty_ms, max_jobs, concurrency;
} ends[] = {
    {"", false, 0, 0, 1},
    {"--once", true, 3000, 1, 1},
    {"--once --sleep=0", true, 0, 1, 1},
    {"--once --sleep=0.5 --concurrency=4", true, 500, 1, 1},
    {"--stop-when-empty --sleep=9", true, 0, 0, 1},
    {"--stop-when-empty-for=10", true, 10000, 0, 1},
    {"--stop-when-empty-for=0", false, 0, 0, 1},
    {"--stop-when-empty --stop-when-empty-for=10", true, 0, 0, 1},
    {"--max-jobs=5", false, 0, 5, 1},
};

START_TEST(it_leaves_when_it_is_told_to)
{
    compose_well(APP(REDIS(""), NO_FAILED), ends[_i].line);
    ck_assert_int_eq(config->work.leaves_when_empty, ends[_i].leaves);
    ck_assert_int_eq(config->work.empty_ms, ends[_i].empty_ms);
    ck_assert_int_eq(config->pools[0].max_jobs, ends[_i].max_jobs);
    ck_assert_int_eq(config->pools[0].concurrency, ends[_i].concurrency);
}
END_TEST

static const struct {
    const char *line;
    int64_t first_ms;
    size_t ct;
} backoffs[] = {
    {"--delay=5", 5000, 1},
    {"--delay=5 --backoff=9", 9000, 1},
    {"--delay=9 --backoff=5", 9000, 1},
    {"--delay=9 --backoff=1,2", 1000, 2},
    {"--delay=0 --backoff=2", 2000, 1},
};

START_TEST(the_larger_of_delay_and_backoff_counts)
{
    compose_well(APP(REDIS(""), NO_FAILED), backoffs[_i].line);
    ck_assert_uint_eq(config->pools[0].backoff.ct, backoffs[_i].ct);
    ck_assert_int_eq(config->pools[0].backoff.ms[0], backoffs[_i].first_ms);
}
END_TEST

static const struct {
    const char *line;
    int output, level;
} outputs[] = {
    {"--json", WORK_JSON, LOG_WARNING},       {"-q", WORK_QUIET, LOG_WARNING},
    {"--silent -v", WORK_QUIET, LOG_WARNING}, {"-v", WORK_LONG_LINES, LOG_INFO},
    {"-vv -n", WORK_LONG_LINES, LOG_INFO},    {"-vvv", WORK_LONG_LINES, LOG_DEBUG},
    {"--verbose", WORK_LONG_LINES, LOG_INFO},
};

START_TEST(what_is_printed_is_chosen_as_in_symfony)
{
    compose_well(APP(REDIS(""), NO_FAILED), outputs[_i].line);
    ck_assert_int_eq(config->work.output, outputs[_i].output);
    ck_assert_int_eq(config->log.level, outputs[_i].level);
}
END_TEST

START_TEST(colours_are_for_terminals_unless_told)
{
    compose_well(APP(REDIS(""), NO_FAILED), "--ansi");
    ck_assert(config->work.colour);
    clear();
    set_up();
    compose_well(APP(REDIS(""), NO_FAILED), "");
    ck_assert(!config->work.colour);
}
END_TEST

START_TEST(what_means_nothing_is_named)
{
    compose_well(APP(REDIS(""), NO_FAILED),
                 "--daemon --no-interaction --profile --supervisor=x --no-ansi");
    ck_assert_str_eq(ignored.data, "--daemon, --profile, --supervisor");
}
END_TEST

static const struct {
    const char *line, *trouble;
} bad[] = {
    {"--tries=x", "--tries: \"x\" is not a whole number"},
    {"--timeout=-1", "--timeout: "},
    {"--sleep=long", "--sleep: "},
    {"--backoff=1,x", "--backoff: "},
    {"--concurrency=0", "--concurrency: 0 is below the minimum of 1"},
    {"--queue=a,,b", "--queue: "},
    {"--memory=1.5", "--memory: "},
};

START_TEST(a_bad_argument_is_named)
{
    ck_assert_int_eq(read_flags(bad[_i].line), -1);
    ck_assert_int_eq(err.code, ERR_USAGE);
    ck_assert_msg(strncmp(err.text, bad[_i].trouble, strlen(bad[_i].trouble)) == 0, "%s",
                  err.text);
}
END_TEST

/* ---- Redis ---- */

static void assert_redis(const char *text, const char *prefix)
{
    struct redis_endpoint endpoint;
    char *found;

    ck_assert_msg(redis_endpoint_resolve(config, &endpoint, &err) == 0, "%s", err.text);
    found = redis_endpoint_text(&endpoint);
    ck_assert_str_eq(found, text);
    ck_assert_str_eq(config->redis.prefix, prefix);
    free(found);
    redis_endpoint_free(&endpoint);
}

START_TEST(redis_is_where_the_application_says)
{
    compose_well(APP(REDIS(""), NO_FAILED), "");
    assert_redis("tcp:cache:6380 db 2", "shop_");
    ck_assert_str_eq(config->redis.username, "shop");
    ck_assert_str_eq(config->redis.password, "secret");
}
END_TEST

static const struct {
    const char *more, *text;
} places[] = {
    {",\"host\":\"/run/redis.sock\",\"port\":0", "unix:/run/redis.sock db 2"},
    {",\"host\":\"unix:///run/redis.sock\",\"port\":0", "unix:/run/redis.sock db 2"},
    {",\"scheme\":\"unix\",\"path\":\"/run/p.sock\"", "unix:/run/p.sock db 2"},
    {",\"host\":null,\"port\":null,\"db\":null", "tcp:127.0.0.1:6379 db 0"},
    {",\"host\":\"::1\"", "tcp:[::1]:6380 db 2"},
};

START_TEST(a_socket_or_nothing_is_understood_too)
{
    char *connection = must_format("{\"default\":\"redis\",\"connections\":[{\"name\":"
                                   "\"redis\",\"driver\":\"redis\","
                                   "\"connection\":\"default\",\"redis\":{\"port\":6380,"
                                   "\"db\":2,\"host\":\"x\"%s}}]}",
                                   places[_i].more);

    compose_well(connection, "");
    assert_redis(places[_i].text, "");
    ck_assert_str_eq(config->pools[0].queues.items[0], "default");
    free(connection);
}
END_TEST

START_TEST(the_environment_outweighs_the_application_and_it_is_told)
{
    ck_assert_int_eq(setenv("REDIS_HOST", "elsewhere", 1), 0);
    ck_assert_int_eq(setenv("REDIS_DB", "2", 1), 0);
    ck_assert_int_eq(setenv("REDIS_PREFIX", "mine_", 1), 0);
    ck_assert_int_eq(setenv("REDIS_QUEUE", "first", 1), 0);
    ck_assert_int_eq(setenv("REDIS_PASSWORD", "null", 1), 0); /* as in Laravel: unset */
    compose_well(APP(REDIS(""), NO_FAILED), "");
    assert_redis("tcp:elsewhere:6380 db 2", "mine_");
    ck_assert_str_eq(config->redis.password, "secret");
    ck_assert_str_eq(config->pools[0].queues.items[0], "first");
    ck_assert_ptr_nonnull(strstr(notes.data, "REDIS_HOST of the environment"));
    ck_assert_ptr_nonnull(strstr(notes.data, "REDIS_PREFIX of the environment"));
    ck_assert_ptr_null(strstr(notes.data, "REDIS_DB"));
}
END_TEST

START_TEST(a_url_of_the_environment_outweighs_all_of_the_server)
{
    ck_assert_int_eq(setenv("REDIS_URL", "redis://elsewhere:7000/4", 1), 0);
    compose_well(APP(REDIS(""), NO_FAILED), "");
    assert_redis("tcp:elsewhere:7000 db 4", "shop_");
    ck_assert_ptr_null(config->redis.password);
}
END_TEST

START_TEST(variables_of_another_connection_do_not_count)
{
    static const char told[] =
        "{\"default\":\"bulk\",\"connections\":[{\"name\":\"bulk\",\"driver\":\"redis\","
        "\"queue\":\"bulk\",\"connection\":\"jobs\",\"redis\":{\"host\":\"jobs\","
        "\"port\":6379,\"db\":1,\"prefix\":\"p:\"}}]}";

    ck_assert_int_eq(setenv("REDIS_HOST", "elsewhere", 1), 0);
    ck_assert_int_eq(setenv("REDIS_DB", "7", 1), 0);
    ck_assert_int_eq(setenv("REDIS_PREFIX", "mine_", 1), 0);
    ck_assert_int_eq(setenv("REDIS_QUEUE", "first", 1), 0);
    compose_well(told, "");
    assert_redis("tcp:jobs:6379 db 1", "p:");
    ck_assert_str_eq(config->pools[0].queues.items[0], "bulk");
    ck_assert_str_eq(config->jobs[0].laravel.connection, "bulk");
}
END_TEST

START_TEST(an_argument_outweighs_the_environment)
{
    ck_assert_int_eq(setenv("REDIS_QUEUE", "first", 1), 0);
    compose_well(APP(REDIS(""), NO_FAILED), "--queue=second");
    ck_assert_uint_eq(config->pools[0].queues.ct, 1);
    ck_assert_str_eq(config->pools[0].queues.items[0], "second");
}
END_TEST

START_TEST(what_the_application_says_is_bounded_too)
{
    char told[1024], prefix[400];

    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    (void)snprintf(
        told, sizeof(told),
        "{\"default\":\"redis\",\"connections\":[{\"name\":\"redis\",\"driver\":"
        "\"redis\",\"connection\":\"default\",\"redis\":{\"prefix\":\"%s\"}}]}",
        prefix);
    ck_assert_ptr_null(compose(told, ""));
    ck_assert_msg(strstr(err.text, "the application's redis.prefix: is longer") != NULL,
                  "%s", err.text);
}
END_TEST

/* ---- failed jobs ---- */

#define TABLE(database)                                                                  \
    "{\"driver\":\"database-uuids\",\"table\":\"failed_jobs\",\"connection\":\"main\","  \
    "\"database\":{" database "}}"

START_TEST(failed_jobs_go_to_the_applications_own_table)
{
    struct postgres_endpoint endpoint;

    ck_assert_int_eq(setenv("DB_CONNECTION", "mysql", 1), 0); /* the default's business */
    ck_assert_int_eq(setenv("DB_HOST", "mysql", 1), 0);
    compose_well(
        APP(REDIS(""), TABLE("\"driver\":\"pgsql\",\"host\":\"a,b\",\"port\":5433,"
                             "\"database\":\"shop's\",\"username\":\"u\","
                             "\"password\":\"p\",\"search_path\":\"public\","
                             "\"sslmode\":\"require\"")),
        "");
    ck_assert_int_eq(config->failed.store, FAILED_IN_POSTGRES);
    ck_assert_int_eq(postgres_endpoint_resolve(config, &endpoint, &err), 0);
    ck_assert_str_eq(endpoint.dsn, "host='a,b' port='5433' dbname='shop\\'s' user='u' "
                                   "sslmode='require'");
    ck_assert_str_eq(endpoint.password, "p");
    ck_assert_str_eq(endpoint.table, "\"failed_jobs\"");
    ck_assert_uint_eq(notes.len, 0);
    postgres_endpoint_free(&endpoint);
}
END_TEST

#define IN_SCHEMAS(path)                                                                 \
    APP(REDIS(""), TABLE("\"driver\":\"pgsql\",\"database\":\"d\","                      \
                         "\"search_path\":\"" path "\""))

static const struct {
    const char *app, *table;
} schemas[] = {
    {IN_SCHEMAS("shop, public"), "shop.failed_jobs"},
    {IN_SCHEMAS("pub"), "pub.failed_jobs"},
    {IN_SCHEMAS("publicity,shop"), "publicity.failed_jobs"},
    {IN_SCHEMAS("'public'"), "failed_jobs"},
    {IN_SCHEMAS("$user, shop"), "failed_jobs"},
    {IN_SCHEMAS(""), "failed_jobs"},
};

START_TEST(a_schema_of_its_own_is_looked_in)
{
    compose_well(schemas[_i].app, "");
    ck_assert_str_eq(config->failed.table, schemas[_i].table);
}
END_TEST

static const struct {
    const char *failed, *note;
} elsewhere[] = {
    {"{\"driver\":\"dynamodb\"}", "its driver is dynamodb"},
    {"{}", "its driver is null"},
    {"{\"trouble\":\"it hurts\"}", "it hurts"},
    {TABLE("\"driver\":\"mysql\""), "database connection main is mysql, not pgsql"},
    {TABLE("\"trouble\":\"none such\""), "none such"},
};

START_TEST(where_it_has_none_they_go_to_redis_and_it_is_told)
{
    char *told = must_format(APP(REDIS(""), "%s"), elsewhere[_i].failed);

    compose_well(told, "");
    ck_assert_int_eq(config->failed.store, FAILED_IN_REDIS);
    ck_assert_msg(strstr(notes.data, elsewhere[_i].note) != NULL, "%s", notes.data);
    free(told);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, clear);
    tcase_add_test(tc, without_arguments_it_is_as_queue_work);
    tcase_add_test(tc, the_arguments_become_settings);
    tcase_add_test(tc, an_empty_value_is_none);
    tcase_add_loop_test(tc, it_leaves_when_it_is_told_to, 0, (int)ARRAY_CT(ends));
    tcase_add_loop_test(tc, the_larger_of_delay_and_backoff_counts, 0,
                        (int)ARRAY_CT(backoffs));
    tcase_add_loop_test(tc, what_is_printed_is_chosen_as_in_symfony, 0,
                        (int)ARRAY_CT(outputs));
    tcase_add_test(tc, colours_are_for_terminals_unless_told);
    tcase_add_test(tc, what_means_nothing_is_named);
    tcase_add_loop_test(tc, a_bad_argument_is_named, 0, (int)ARRAY_CT(bad));
    tcase_add_test(tc, redis_is_where_the_application_says);
    tcase_add_loop_test(tc, a_socket_or_nothing_is_understood_too, 0,
                        (int)ARRAY_CT(places));
    tcase_add_test(tc, the_environment_outweighs_the_application_and_it_is_told);
    tcase_add_test(tc, a_url_of_the_environment_outweighs_all_of_the_server);
    tcase_add_test(tc, variables_of_another_connection_do_not_count);
    tcase_add_test(tc, an_argument_outweighs_the_environment);
    tcase_add_test(tc, what_the_application_says_is_bounded_too);
    tcase_add_test(tc, failed_jobs_go_to_the_applications_own_table);
    tcase_add_loop_test(tc, a_schema_of_its_own_is_looked_in, 0, ARRAY_CT(schemas));
    tcase_add_loop_test(tc, where_it_has_none_they_go_to_redis_and_it_is_told, 0,
                        (int)ARRAY_CT(elsewhere));
}

int main(void)
{
    return run_suite("cli_work", 60, add_tests);
}
