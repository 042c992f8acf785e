/* What doctor says of a Laravel application, and how to switch over: over tables. */
#include "tests/unit/doctor_trial.h"
#include "tests/unit/suite.h"

/* ---- the application ---- */

#define APP                                                                              \
    .dir = T("/app"), .laravel = T("12.1.0"), .php = T("8.3.1"), .has_pcntl = true,      \
    .has_phpredis = true, .connection = T("redis"), .driver = T("redis"),                \
    .client = T("phpredis"), .prefix = T("p_"), .queue = T("default"),                   \
    .retry_after_s = 90, .redis = T("tcp:h:6379 db 0"),                                  \
    .failed_driver = T("database-uuids"), .failed_table = T("failed_jobs"),              \
    .failed_database = T("pgsql")
#define SAME "redis: { url = \"redis://h\"; prefix = \"p_\"; };\n"

/* Each differs from a good one in what stands behind APP. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
static const struct {
    struct app_facts app;
    const char *conf; /* NULL: there is no file */
    struct expected expected;
} apps[] = {
    {{.dir = NULL}, NULL, {"app.boot", SILENT, NULL, NULL}},
    {{.dir = NULL}, NULL, {"app.connection", SILENT, NULL, NULL}},
    {{APP}, NULL, {"app.boot", DOCTOR_OK, "/app", NULL}},
    {{APP, .environment = T("staging")}, NULL, {"app.boot", DOCTOR_OK, "staging", NULL}},
    {{.dir = T("/app"), .trouble = T("no php")},
     NULL,
     {"app.boot", DOCTOR_PROBLEM, "no php", "artisan --version"}},
    {{.dir = T("/app"), .trouble = T("x")}, NULL, {"app.connection", SILENT, NULL, NULL}},
    {{.dir = T("/app"), .trouble = T("x")}, NULL, {"app.failed", SILENT, NULL, NULL}},
    {{APP}, NULL, {"app.laravel", DOCTOR_OK, "12.1.0", NULL}},
    {{APP, .laravel = T("7.30.4")},
     NULL,
     {"app.laravel", DOCTOR_PROBLEM, "7.30.4", NULL}},
    {{APP, .laravel = T("8.0")}, NULL, {"app.laravel", DOCTOR_OK, NULL, NULL}},
    {{APP, .laravel = T("14.0")},
     NULL,
     {"app.laravel", DOCTOR_WARNING, "newer", "beside"}},
    {{APP, .laravel = NULL}, NULL, {"app.laravel", DOCTOR_WARNING, NULL, NULL}},
    {{APP}, NULL, {"app.php", DOCTOR_OK, "PHP 8.3.1 with pcntl", NULL}},
    {{APP, .has_pcntl = false}, NULL, {"app.php", DOCTOR_WARNING, "pcntl", "pcntl"}},
    {{APP, .has_phpredis = false}, NULL, {"app.php", DOCTOR_PROBLEM, NULL, "predis"}},
    {{APP, .has_phpredis = false, .client = T("predis")},
     NULL,
     {"app.php", DOCTOR_OK, NULL, NULL}},
    {{APP}, NULL, {"app.connection", DOCTOR_OK, NULL, NULL}},
    {{APP, .driver = T("database")},
     NULL,
     {"app.connection", DOCTOR_PROBLEM, "driver database", "import database"}},
    {{APP, .driver = T("sync")},
     NULL,
     {"app.connection", DOCTOR_PROBLEM, "sync", "QUEUE_CONNECTION=redis"}},
    {{APP, .driver = NULL}, NULL, {"app.connection", DOCTOR_PROBLEM, "unknown", NULL}},
    {{APP}, NULL, {"app.packing", SILENT, NULL, NULL}},
    {{APP, .serializer = T("igbinary")},
     NULL,
     {"app.packing", DOCTOR_PROBLEM, "serializer igbinary", "options.serializer"}},
    {{APP, .compression = T("lz4")},
     NULL,
     {"app.packing", DOCTOR_PROBLEM, "compression lz4", "options.compression"}},
    {{APP}, NULL, {"app.cluster", SILENT, NULL, NULL}},
    {{APP, .cluster = true}, NULL, {"app.cluster", DOCTOR_PROBLEM, NULL, NULL}},
    {{APP}, NULL, {"app.redis", DOCTOR_OK, "under \"p_\"", NULL}},
    {{APP}, SAME, {"app.redis", SILENT, NULL, NULL}},
    {{APP, .prefix = T("q_")},
     SAME,
     {"app.redis", DOCTOR_PROBLEM, "\"q_\", drover.conf says \"p_\"", "prefix = \"q_\""}},
    {{APP, .redis = T("tcp:other:6379 db 0")},
     SAME,
     {"app.redis", DOCTOR_WARNING, "tcp:other:6379", NULL}},
    {{APP, .redis = NULL, .redis_trouble = T("it wants TLS")},
     NULL,
     {"app.redis", DOCTOR_PROBLEM, "it wants TLS", NULL}},
    {{APP}, SAME, {"app.retry_after", DOCTOR_OK, "90 s, the longest timeout 60 s", NULL}},
    {{APP, .retry_after_s = 60},
     SAME,
     {"app.retry_after", DOCTOR_WARNING, "run twice", "above the longest timeout"}},
    {{APP},
     SAME "pools: ( { timeout = 0; } );",
     {"app.retry_after", DOCTOR_WARNING, NULL, NULL}},
    {{APP, .retry_after_s = -1}, SAME, {"app.retry_after", SILENT, NULL, NULL}},
    {{APP}, NULL, {"app.failed", DOCTOR_OK, "failed_jobs in PostgreSQL", NULL}},
    {{APP}, SAME, {"app.failed", DOCTOR_WARNING, NULL, "store = \"postgres\""}},
    {{APP},
     SAME "failed: { store = \"postgres\"; dsn = \"dbname=d\"; };",
     {"app.failed", DOCTOR_OK, NULL, NULL}},
    {{APP, .failed_database = T("mysql")},
     NULL,
     {"app.failed", DOCTOR_WARNING, "mysql", "failed list"}},
    {{APP, .failed_database = T("mysql")},
     SAME "failed: { store = \"postgres\"; dsn = \"dbname=d\"; };",
     {"app.failed", DOCTOR_WARNING, "kept in PostgreSQL, as drover.conf", "failed list"}},
    {{APP, .failed_driver = T("file"), .failed_database = NULL},
     NULL,
     {"app.failed", DOCTOR_WARNING, "go to file,", NULL}},
    {{APP}, NULL, {"app.down", DOCTOR_OK, NULL, NULL}},
    {{APP, .is_down = true}, NULL, {"app.down", DOCTOR_WARNING, NULL, "artisan up"}},
    {{APP}, NULL, {"app.horizon", SILENT, NULL, NULL}},
    {{APP, .has_horizon = true}, NULL, {"app.horizon", DOCTOR_WARNING, NULL, "docs/"}},
};
#pragma GCC diagnostic pop

START_TEST(an_application_is_judged_by_what_it_tells)
{
    struct config *config = loaded(apps[_i].conf ? apps[_i].conf : "");
    struct facts facts = reached(config);

    facts.app = apps[_i].app;
    facts.has_file = apps[_i].conf != NULL;
    expect(&facts, &apps[_i].expected);
    config_free(config);
}
END_TEST

START_TEST(in_a_project_without_a_file_no_queue_is_called_unread)
{
    struct config *config = loaded("");
    struct facts facts = reached(config);
    struct survey_queue queue = {.name = T("mail"), .depths = {.ready = 5}};

    facts.app = apps[2].app;
    facts.has_file = false;
    facts.survey.queues = &queue;
    facts.survey.queue_ct = 1;
    expect(&facts, &(struct expected){"queues.unread", SILENT, NULL, NULL});
    config_free(config);
}
END_TEST

/* ---- switching over ---- */

START_TEST(without_a_file_the_queue_is_the_applications_and_others_are_asked_about)
{
    struct config *config = loaded("");
    struct facts facts = reached(config);
    struct survey_queue there[] = {{.name = T("default"), .depths = {9, 0, 0}},
                                   {.name = T("done")},
                                   {.name = T("mail"), .depths = {3, -1, 2}},
                                   {.name = T("no; rm -rf /"), .depths = {0, 1, 0}}};
    struct doctor_switch plan;
    char *conf;

    facts.app = apps[2].app;
    facts.app.redis_url = T("redis://h:6379/0");
    facts.app.failed_dsn = T("host='a\\'b'");
    facts.app.has_secrets = true;
    facts.app.bridge = T("/src/bridge.php");
    facts.has_file = false;
    facts.survey.queues = there;
    facts.survey.queue_ct = ARRAY_CT(there);
    doctor_switch_plan(&facts, &plan);
    ck_assert_str_eq(plan.over, "drover work redis --queue=default --tries=1");
    ck_assert_str_eq(plan.back, "php artisan queue:work redis --queue=default --tries=1");
    ck_assert_str_eq(plan.others, "mail (5), no; rm -rf / (1)");
    conf = must_strdup(plan.pool);
    config_free(config);
    config = loaded(conf); /* as it is, it is a configuration */
    ck_assert_str_eq(config->redis.url, "redis://h:6379/0");
    ck_assert_str_eq(config->redis.prefix, "p_");
    ck_assert_str_eq(config->failed.dsn, "host='a\\'b'");
    ck_assert_int_eq(config->failed.store, FAILED_IN_POSTGRES);
    ck_assert_uint_eq(config->pools[0].queues.ct, 1);
    ck_assert_str_eq(config->jobs[0].laravel.app, "/app");
    ck_assert_str_eq(config->jobs[0].laravel.bridge, "/src/bridge.php");
    free(conf);
    doctor_switch_free(&plan);
    config_free(config);
}
END_TEST

START_TEST(with_a_file_the_queues_and_tries_are_its)
{
    struct config *config = loaded(POOL("tries = 7;"));
    struct facts facts = reached(config);
    struct survey_queue mail = {.name = T("mail"), .depths = {.ready = 5}};
    struct doctor_switch plan;

    facts.app = apps[2].app;
    facts.survey.queues = &mail;
    facts.survey.queue_ct = 1;
    doctor_switch_plan(&facts, &plan);
    ck_assert_str_eq(plan.over, "drover work redis --queue=a,b --tries=7");
    ck_assert_ptr_null(plan.others);
    doctor_switch_free(&plan);
    config_free(config);
}
END_TEST

/* Each a change after which the application of APP is not to be worked for. */
static const struct app_facts refused_apps[] = {
    {.dir = NULL},
    {.dir = T("/app"), .trouble = T("x")},
    {.dir = T("/app"), .connection = T("redis"), .driver = T("sync")},
    {.dir = T("/app"), .connection = T("redis"), .driver = T("redis"), .cluster = true},
    {.dir = T("/app"), .connection = T("a"), .driver = T("redis"), .serializer = T("x")},
    {.dir = T("/app"), .connection = T("a"), .driver = T("redis"), .compression = T("x")},
    {.dir = T("/app"),
     .connection = T("a"),
     .driver = T("redis"),
     .redis_trouble = T("x")},
};

START_TEST(there_is_no_way_over_to_what_is_refused)
{
    struct config *config = loaded("");
    struct facts facts = reached(config);
    struct doctor_switch plan;

    facts.app = refused_apps[_i];
    doctor_switch_plan(&facts, &plan);
    ck_assert_ptr_null(plan.over);
    config_free(config);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    LOOP(an_application_is_judged_by_what_it_tells, apps);
    tcase_add_test(tc, in_a_project_without_a_file_no_queue_is_called_unread);
    tcase_add_test(
        tc, without_a_file_the_queue_is_the_applications_and_others_are_asked_about);
    tcase_add_test(tc, with_a_file_the_queues_and_tries_are_its);
    LOOP(there_is_no_way_over_to_what_is_refused, refused_apps);
}

int main(void)
{
    return run_suite("doctor_app", 60, add);
}
