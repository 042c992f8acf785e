/* Short jobs are reserved before a process is free for them: they run in their order,
 * each once, and those whose turn does not come go back where they were.
 */
#include "tests/support/laravel_fixture.h"
#include "tests/unit/suite.h"

#define ONE_AT_A_TIME(more)                                                              \
    "log: { level = \"debug\"; };\n"                                                     \
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; concurrency = "  \
    "1;\n" more " } );\n" RUNNER("")

enum { SHORT_CT = 2000 };

static void produce(unsigned ct, const char *settings)
{
    char *order = must_format("{\"op\":\"bulk\",\"queue\":\"default\",\"times\":%u,"
                              "\"jobs\":[{%s}]}\n",
                              ct, settings);

    php_stage_produce(&stage, order);
    free(order);
}

static long long ready_ct(void)
{
    return php_stage_int(&stage, "LLEN queues:default");
}

static long long reserved_ct(void)
{
    return php_stage_int(&stage, "ZCARD queues:default:reserved");
}

/* The uuids of lines that begin with `word`, one a line. */
static char *uuids_in(const char *file, const char *word)
{
    char *text = scene_read(stage.scene, file), *save = NULL;
    size_t len = strlen(word);
    struct buf uuids;

    buf_init(&uuids, 0);
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, word, len) == 0)
            (void)buf_addf(&uuids, "%.36s\n", line + len);
    free(text);
    return buf_take(&uuids);
}

/* Each job was started once, in the order in which producers made them. */
static void assert_order(unsigned producers)
{
    char *started = uuids_in("ledger", "start "), *at = started;
    char name[32];

    for (unsigned i = 0; i < producers; i++) {
        char *made;

        (void)snprintf(name, sizeof(name), "made%u.out", i);
        made = uuids_in(name, "");
        ck_assert_msg(strncmp(at, made, strlen(made)) == 0, "the jobs of producer %u", i);
        at += strlen(made);
        free(made);
    }
    ck_assert_str_eq(at, "");
    free(started);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* None was lost and none ran twice, in whatever order. */
static void assert_each_once(size_t ct)
{
    char *started = uuids_in("ledger", "start "), *save = NULL;
    const char *uuids[SHORT_CT + 1];
    size_t at = 0;

    for (char *uuid = strtok_r(started, "\n", &save); uuid && at <= SHORT_CT;
         uuid = strtok_r(NULL, "\n", &save))
        uuids[at++] = uuid;
    ck_assert_uint_eq(at, ct);
    qsort(uuids, at, sizeof(uuids[0]), by_text);
    for (size_t i = 1; i < at; i++)
        ck_assert_str_ne(uuids[i - 1], uuids[i]);
    free(started);
}

START_TEST(jobs_behind_a_long_one_go_back_and_then_run_in_their_order)
{
    scene_configure(stage.scene, ONE_AT_A_TIME(""));
    produce(500, "");
    produce(1, "\"data\":{\"sleep\":3}");
    produce(30, "");
    scene_start(stage.scene);
    WAIT_FOR(noted("start ") == 501);
    WAIT_FOR(reserved_ct() == 1 && ready_ct() == 30); /* while it sleeps */
    WAIT_FOR(is_all_done());
    assert_order(3);
}
END_TEST

START_TEST(a_stop_gives_back_what_is_ahead)
{
    size_t ended;

    produce(SHORT_CT, "");
    scene_configure(stage.scene, ONE_AT_A_TIME(""));
    scene_start(stage.scene);
    WAIT_FOR(noted("end ") >= SHORT_CT / 4);
    scene_stop(stage.scene);
    ended = noted("end ");
    ck_assert_int_eq(reserved_ct() + delayed_ct(), 0);
    ck_assert_int_eq(ready_ct() + (long long)ended, SHORT_CT);
    scene_start(stage.scene);
    WAIT_FOR(is_all_done());
    assert_order(1);
}
END_TEST

START_TEST(no_more_are_ahead_than_a_worker_may_run)
{
    produce(SHORT_CT, "");
    scene_configure(stage.scene, ONE_AT_A_TIME("max_jobs = 400;"));
    scene_start(stage.scene);
    WAIT_FOR(is_all_done());
    scene_stop(stage.scene);
    ck_assert_uint_eq(logged(" done=400 "), SHORT_CT / 400);
    assert_order(1);
}
END_TEST

START_TEST(a_pause_gives_back_what_is_ahead)
{
    produce(SHORT_CT, "\"data\":{\"sleep\":0.001}");
    scene_configure(stage.scene, ONE_AT_A_TIME(""));
    scene_start(stage.scene);
    WAIT_FOR(noted("end ") >= SHORT_CT / 10);
    scene_do(stage.scene, "pause", "--all");
    WAIT_FOR(reserved_ct() == 0);
    scene_do(stage.scene, "resume", "--all");
    WAIT_FOR(is_all_done());
    assert_each_once(SHORT_CT);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, jobs_behind_a_long_one_go_back_and_then_run_in_their_order);
    tcase_add_test(tc, a_stop_gives_back_what_is_ahead);
    tcase_add_test(tc, no_more_are_ahead_than_a_worker_may_run);
    tcase_add_test(tc, a_pause_gives_back_what_is_ahead);
}

int main(void)
{
    return run_suite("laravel_ahead", 300, add);
}
