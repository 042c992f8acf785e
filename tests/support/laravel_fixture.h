/* A stage on which drover runs the jobs of tests/php/deeds.php in PHP, and what one looks
 * at there.
 */
#ifndef TESTS_LARAVEL_FIXTURE_H
#define TESTS_LARAVEL_FIXTURE_H

#include <signal.h>

#include "tests/support/php_fixture.h"

#ifndef TOP_SRCDIR /* compiled alone; tests get it from the makefile */
#define TOP_SRCDIR "."
#endif

#define POOL                                                                             \
    "log: { level = \"debug\"; };\n"                                                     \
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; concurrency = "  \
    "2;\n"                                                                               \
    "           tries = 3; backoff = [ 5 ]; } );\n"
#define RUNNER(more)                                                                     \
    "jobs: ( { name = \"Drover\\\\Tests\\\\*\"; type = \"laravel\"; app = \"@DIR@\";\n"  \
    "          bootstrap = \"" TOP_SRCDIR "/tests/php/runner.php\";\n"                   \
    "          bridge = \"" TOP_SRCDIR "/contrib/laravel/bridge.php\";\n"                \
    "          env = [ \"TEST_DIR=@DIR@\" ]; kill_grace = 1; " more " } );\n"

static inline void set_stage(void)
{
    php_stage_open(&stage, "", POOL RUNNER(""));
}

static inline void push(const char *deed)
{
    char *order =
        must_format("{\"op\":\"push\",\"queue\":\"default\",\"deed\":{%s}}\n", deed);

    php_stage_produce(&stage, order);
    free(order);
}

static inline long long delayed_ct(void)
{
    return php_stage_int(&stage, "ZCARD queues:default:delayed");
}

/* Makes the job that was released due at once. */
static inline void hasten(void)
{
    char *bytes;

    WAIT_FOR(delayed_ct() == 1);
    bytes = php_stage_only(&stage, "queues:default:delayed");
    (void)php_stage_int(&stage, "ZADD queues:default:delayed XX 1 %s", bytes);
    (void)php_stage_int(&stage, "RPUSH queues:default:notify 1");
    free(bytes);
}

/* Field of the only failed job, to be freed. */
static inline char *failed_field(const char *field)
{
    json_t *failed;
    char *text;

    WAIT_FOR(json_array_size(failed = scene_failed(stage.scene)) == 1 ||
             (json_decref(failed), false));
    text =
        must_strdup(json_string_value(json_object_get(json_array_get(failed, 0), field)));
    json_decref(failed);
    return text;
}

static inline void assert_reason(const char *reason)
{
    char *found = failed_field("reason");

    ck_assert_msg(strncmp(found, reason, strlen(reason)) == 0, "%s", found);
    free(found);
}

/* The exception's text of the only failed job holds these words. */
static inline void assert_exception(const char *words)
{
    char *uuid = failed_field("uuid");

    scene_do(stage.scene, "failed", "show", uuid);
    ck_assert_msg(strstr(stage.scene->out, words) != NULL, "no %s in %s", words,
                  stage.scene->out);
    free(uuid);
}

/* The PHP process that wrote the ledger's first line with `text`, as soon as one has. */
static inline pid_t process_of(const char *text)
{
    char *ledger, *line, *who;
    long pid;

    WAIT_FOR(noted(text) > 0);
    ledger = scene_read(stage.scene, "ledger");
    line = strstr(ledger, text);
    who = line ? strstr(line, "runner/") : NULL;
    ck_assert_ptr_nonnull(who);
    pid = strtol(who + strlen("runner/"), NULL, 10);
    free(ledger);
    ck_assert_int_gt(pid, 1);
    return (pid_t)pid;
}

#endif
