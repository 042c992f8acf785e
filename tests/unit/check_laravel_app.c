/* What an application says of itself: read from JSON of any kind, and from applications
 * that boot, or do not.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/laravel_app.h"
#include "cli/laravel_boot.h"
#include "tests/unit/suite.h"

#define PROJECT TOP_SRCDIR "/tests/php/project"
#define BRIDGE TOP_SRCDIR "/contrib/laravel/bridge.php"

static char dir[] = "/tmp/drover-app-XXXXXX";

/* ---- reading ---- */

static const struct {
    const char *told, *trouble;
} bad[] = {
    {"", "it says nothing of itself"},
    {"[]", "it says nothing of itself"},
    {"{\"default\":1}", "default: is no text"},
    {"{\"name\":\"a\\u0000b\"}", "it says nothing of itself"},
    {"{\"trouble\":\"it hurts\"}", "it hurts"},
    {"{\"connections\":{}}", "connections: is no array"},
    {"{\"connections\":[{}]}", "connections[0]: has no name"},
    {"{\"connections\":[1]}", "connections[0]: has no name"},
    {"{\"connections\":[{\"name\":\"a\",\"retry_after\":\"x\"}]}",
     "connections[0]: retry_after: is no whole number"},
    {"{\"connections\":[{\"name\":\"a\",\"redis\":{\"cluster\":1}}]}",
     "connections[0]: redis: cluster: is no flag"},
    {"{\"failed\":{\"database\":{\"host\":[]}}}", "failed: host: is no text"},
};

START_TEST(what_is_no_description_is_refused_with_its_place)
{
    struct err err = {0};

    ck_assert_ptr_null(laravel_app_read(slice_text(bad[_i].told), &err));
    ck_assert_msg(strstr(err.text, bad[_i].trouble) != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_text_or_a_list_without_end_is_refused)
{
    struct err err = {0};
    struct buf told;

    buf_init(&told, 0);
    (void)buf_add_text(&told, "{\"timezone\":\"");
    for (int i = 0; i < 5000; i++)
        (void)buf_add_char(&told, 'x');
    (void)buf_add_text(&told, "\"}");
    ck_assert_ptr_null(laravel_app_read(buf_slice(&told), &err));
    ck_assert_msg(strstr(err.text, "timezone: is longer than") != NULL, "%s", err.text);

    buf_clear(&told);
    (void)buf_add_text(&told, "{\"connections\":[{\"name\":\"a\"}");
    for (int i = 0; i < LARAVEL_CONNECTIONS_MAX; i++)
        (void)buf_add_text(&told, ",{\"name\":\"b\"}");
    (void)buf_add_text(&told, "]}");
    ck_assert_ptr_null(laravel_app_read(buf_slice(&told), &err));
    ck_assert_msg(strstr(err.text, "connections: more than") != NULL, "%s", err.text);
    buf_free(&told);
}
END_TEST

START_TEST(what_is_not_said_is_unset)
{
    struct err err = {0};
    struct laravel_app *app = laravel_app_read(
        slice_text("{\"connections\":[{\"name\":\"a\",\"queue\":null}]}"), &err);

    ck_assert_msg(app != NULL, "%s", err.text);
    ck_assert_ptr_null(app->laravel);
    ck_assert_ptr_null(app->connections[0].queue);
    ck_assert_int_eq(app->connections[0].retry_after_s, LARAVEL_UNSET);
    ck_assert_int_eq(app->connections[0].redis.port, LARAVEL_UNSET);
    ck_assert_int_eq(app->failed.database.port, LARAVEL_UNSET);
    ck_assert_ptr_null(laravel_app_connection(app, NULL, &err));
    laravel_app_free(app);
}
END_TEST

/* ---- booting ---- */

static struct laravel_app *boot_project(void)
{
    struct laravel_boot boot = {.app = PROJECT, .bridge = BRIDGE};
    struct err err = {0};
    struct laravel_app *app = laravel_boot(&boot, &err);

    ck_assert_msg(app != NULL, "%s", err.text);
    return app;
}

static const struct laravel_connection *named(const struct laravel_app *app,
                                              const char *name)
{
    struct err err = {0};
    const struct laravel_connection *found = laravel_app_connection(app, name, &err);

    ck_assert_msg(found != NULL, "%s", err.text);
    return found;
}

START_TEST(a_project_is_found_by_its_files_alone)
{
    struct err err = {0};
    char *app = laravel_find(PROJECT "/../project", NULL, &err);

    ck_assert_msg(app && strstr(app, "/tests/php/project"), "%s", err.text);
    ck_assert_ptr_null(strstr(app, ".."));
    free(app);
    ck_assert_ptr_null(laravel_find(dir, NULL, &err));
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "/artisan: No such file or directory: not a "
                                           "Laravel project"));
    ck_assert_ptr_null(laravel_find("/nonexistent", NULL, &err));
    app = laravel_find(dir, "some.php", &err);
    ck_assert_ptr_nonnull(app);
    free(app);
}
END_TEST

START_TEST(an_application_tells_where_its_queues_are)
{
    struct laravel_app *app = boot_project();
    const struct laravel_connection *redis = named(app, NULL), *other;
    struct err err = {0};

    ck_assert_pstr_eq(app->environment, "testing");
    ck_assert_pstr_eq(app->timezone, "UTC");
    ck_assert_ptr_null(app->laravel);
    ck_assert_pstr_eq(redis->name, "redis");
    ck_assert_pstr_eq(redis->queue, "default");
    ck_assert_int_eq(redis->retry_after_s, 90);
    ck_assert_pstr_eq(redis->redis.client, "phpredis");
    ck_assert_pstr_eq(redis->redis.prefix, "shop_database_");
    ck_assert_pstr_eq(redis->redis.host, "/nonexistent/redis.sock");
    ck_assert_int_eq(redis->redis.db, 0);
    ck_assert_ptr_null(redis->redis.serializer);
    ck_assert_int_eq(laravel_app_check(redis, &err), 0);

    other = named(app, "other"); /* by its url, with a prefix of its own */
    ck_assert_pstr_eq(other->redis.host, "redis.example");
    ck_assert_int_eq(other->redis.port, 6380);
    ck_assert_int_eq(other->redis.db, 3);
    ck_assert_pstr_eq(other->redis.username, "worker");
    ck_assert_pstr_eq(other->redis.password, "secret");
    ck_assert_pstr_eq(other->redis.prefix, "other:");
    ck_assert_pstr_eq(other->queue, "slow");
    ck_assert_int_eq(other->retry_after_s, 600);
    laravel_app_free(app);
}
END_TEST

START_TEST(the_environment_outweighs_env_as_the_application_reads_it)
{
    struct laravel_app *app;

    ck_assert_int_eq(setenv("REDIS_URL", "redis://:1234@localhost:6390/5", 1), 0);
    ck_assert_int_eq(setenv("REDIS_PREFIX", "mine:", 1), 0);
    ck_assert_int_eq(setenv("QUEUE_CONNECTION", "other", 1), 0);
    app = boot_project();
    ck_assert_pstr_eq(named(app, NULL)->name, "other");
    ck_assert_pstr_eq(named(app, "redis")->redis.prefix, "mine:");
    ck_assert_pstr_eq(named(app, "redis")->redis.host, "localhost");
    ck_assert_pstr_eq(named(app, "redis")->redis.password, "1234");
    ck_assert_int_eq(named(app, "redis")->redis.port, 6390);
    ck_assert_int_eq(named(app, "redis")->redis.db, 5);
    laravel_app_free(app);
}
END_TEST

START_TEST(an_application_tells_where_its_failed_jobs_go)
{
    struct laravel_app *app = boot_project();

    ck_assert_pstr_eq(app->failed.driver, "null");
    ck_assert_ptr_null(app->failed.table);
    laravel_app_free(app);

    ck_assert_int_eq(setenv("QUEUE_FAILED_DRIVER", "database-uuids", 1), 0);
    ck_assert_int_eq(setenv("DB_URL", "postgres://shop:pw@db:6432/orders", 1), 0);
    app = boot_project();
    ck_assert_pstr_eq(app->failed.driver, "database-uuids");
    ck_assert_pstr_eq(app->failed.table, "failed_jobs");
    ck_assert_pstr_eq(app->failed.connection, "pgsql");
    ck_assert_pstr_eq(app->failed.database.driver, "pgsql");
    ck_assert_pstr_eq(app->failed.database.host, "db");
    ck_assert_int_eq(app->failed.database.port, 6432);
    ck_assert_pstr_eq(app->failed.database.database, "orders");
    ck_assert_pstr_eq(app->failed.database.username, "shop");
    ck_assert_pstr_eq(app->failed.database.password, "pw");
    ck_assert_pstr_eq(app->failed.database.search_path, "public");
    ck_assert_pstr_eq(app->failed.database.sslmode, "prefer");
    laravel_app_free(app);
}
END_TEST

static const struct {
    const char *connection, *trouble;
} unfit[] = {
    {"sync", "has the driver \"sync\""},
    {"packed", "has the serializer \"igbinary\""},
    {"cluster", "is a cluster"},
    {"lost", "there is no database.redis.nowhere"},
};

START_TEST(a_connection_that_cannot_work_is_refused_with_the_reason)
{
    struct laravel_app *app = boot_project();
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_CT(unfit); i++) {
        ck_assert_int_eq(laravel_app_check(named(app, unfit[i].connection), &err), -1);
        ck_assert_int_eq(err.code, ERR_CONFIG);
        ck_assert_msg(strstr(err.text, unfit[i].trouble) != NULL, "%s", err.text);
    }
    ck_assert_ptr_null(laravel_app_connection(app, "nosuch", &err));
    ck_assert_msg(strstr(err.text, "sync, database, redis") != NULL, "%s", err.text);
    laravel_app_free(app);
}
END_TEST

static const struct {
    const char *php, *script, *trouble; /* php NULL: the script is a bootstrap file's */
} broken[] = {
    {"/nonexistent/php", NULL, "/nonexistent/php"},
    {NULL, "<?php throw new LogicException('no key');", "LogicException: no key in "},
    {NULL, "<?php no_such_function();", "Call to undefined function"},
    {NULL, "<?php exit(0);", "exit() was called"},
    {NULL, "<?php posix_kill(getmypid(), SIGSEGV);", "killed by SIGSEGV"},
    {NULL, "<?php return 7;", "Error"},
    {NULL, "<?php while (true) { usleep(1000); }", "did not boot within boot_timeout"},
    {"/bin/cat", NULL, "runner ended: exit status"},
};

START_TEST(an_application_that_does_not_boot_is_told_with_the_cause)
{
    char *script = must_format("%s/boot%d.php", dir, _i);
    struct laravel_boot boot = {.app = dir,
                                .bridge = BRIDGE,
                                .php = broken[_i].php,
                                .bootstrap = script,
                                .timeout_ms = 60000};
    struct err err = {0};
    FILE *file = fopen(script, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(broken[_i].script ? broken[_i].script : "", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    if (broken[_i].script && strstr(broken[_i].script, "while"))
        boot.timeout_ms = 500;
    ck_assert_ptr_null(laravel_boot(&boot, &err));
    ck_assert_int_ne(err.code, ERR_NONE);
    ck_assert_msg(strstr(err.text, broken[_i].trouble) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, dir) != NULL, "%s", err.text);
    (void)unlink(script);
    free(script);
}
END_TEST

START_TEST(a_signal_ends_the_boot_without_an_error)
{
    char *script = must_format("%s/slow.php", dir);
    struct laravel_boot boot = {.app = dir, .bridge = BRIDGE, .bootstrap = script};
    struct err err = {.code = ERR_USAGE};
    FILE *file = fopen(script, "we");
    sigset_t set;

    ck_assert_int_ge(
        fputs("<?php posix_kill(posix_getppid(), SIGTERM); while (true) usleep(1000);",
              file),
        0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_ptr_null(laravel_boot(&boot, &err));
    ck_assert_int_eq(err.code, ERR_NONE);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &set), 0);
    ck_assert(sigismember(&set, SIGTERM) == 1);
    (void)unlink(script);
    free(script);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, what_is_no_description_is_refused_with_its_place, 0,
                        (int)ARRAY_CT(bad));
    tcase_add_test(tc, a_text_or_a_list_without_end_is_refused);
    tcase_add_test(tc, what_is_not_said_is_unset);
    tcase_add_test(tc, a_project_is_found_by_its_files_alone);
    tcase_add_test(tc, an_application_tells_where_its_queues_are);
    tcase_add_test(tc, the_environment_outweighs_env_as_the_application_reads_it);
    tcase_add_test(tc, an_application_tells_where_its_failed_jobs_go);
    tcase_add_test(tc, a_connection_that_cannot_work_is_refused_with_the_reason);
    tcase_add_loop_test(tc, an_application_that_does_not_boot_is_told_with_the_cause, 0,
                        (int)ARRAY_CT(broken));
    tcase_add_test(tc, a_signal_ends_the_boot_without_an_error);
}

/* Not the variables of who runs the tests. */
static void clear_environment(void)
{
    static const char *const names[] = {
        "APP_ENV",           "APP_NAME",       "TEST_DIR",
        "QUEUE_CONNECTION",  "REDIS_URL",      "REDIS_HOST",
        "REDIS_PORT",        "REDIS_USERNAME", "REDIS_PASSWORD",
        "REDIS_DB",          "REDIS_QUEUE",    "REDIS_PREFIX",
        "DB_CONNECTION",     "DB_URL",         "DB_HOST",
        "DB_PORT",           "DB_DATABASE",    "DB_USERNAME",
        "DB_PASSWORD",       "DB_SEARCH_PATH", "QUEUE_FAILED_DRIVER",
        "QUEUE_FAILED_TABLE"};

    for (size_t i = 0; i < ARRAY_CT(names); i++)
        (void)unsetenv(names[i]);
}

int main(void)
{
    int failed;

    clear_environment();
    (void)signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(dir) == NULL)
        return 99;
    failed = run_suite("laravel_app", 120, add_tests);
    (void)rmdir(dir);
    return failed;
}
