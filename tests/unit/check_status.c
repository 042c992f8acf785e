/* The status document and the tables: pure, so no server is needed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "status/metrics.h"
#include "status/status.h"
#include "status/table.h"
#include "tests/unit/suite.h"

static char *pool_a[] = {(char *)"high", (char *)"low"};
static char *pool_b[] = {(char *)"low", (char *)"mail"};
static struct pool_config pools[] = {
    {.name = (char *)"main", .queues = {pool_a, ARRAY_CT(pool_a)}},
    {.name = (char *)"side", .queues = {pool_b, ARRAY_CT(pool_b)}}};
static const struct config config = {.pools = pools, .pool_ct = ARRAY_CT(pools)};

/* The supervisor's pools come in another order, with one the file has no more. */
static const char answer[] =
    "{\"ok\":true,\"supervisor\":{\"pid\":7,\"state\":\"running\",\"uptime_s\":90061,"
    "\"paused\":true,\"draining\":false},"
    "\"pools\":[{\"name\":\"gone\",\"workers\":[]},{\"name\":\"side\",\"workers\":[]},"
    "{\"name\":\"main\",\"workers\":[{\"slot\":0,\"pid\":8,\"state\":\"running\","
    "\"running\":2,\"done\":12345,\"failed\":3,\"restarts\":0,\"postponed\":6,"
    "\"away\":[{\"endpoint\":\"https://dead\\u001b:443\",\"failures\":1}],\"extra\":1,"
    "\"databases\":[{\"database\":\"main\",\"postponed\":4,\"reason\":\"no\\u001b "
    "inbox\"}],"
    "\"paused\":\"application\",\"paused_queues\":[\"hi\\u001bgh\",\"low\"]},"
    "{\"slot\":1,\"pid\":0,\"state\":\"back\\u001boff\",\"running\":0,\"done\":0,"
    "\"failed\":0,\"restarts\":5,\"postponed\":0,\"away\":[],\"databases\":[],"
    "\"paused_queues\":[\"low\"]}]}],"
    "\"redis\":{"
    "\"up\":true}"
    "}";

static void evicting(struct status_redis *redis)
{
    redis->reachable = true;
    redis->vitals = (struct vitals){.policy = "allkeys-lru",
                                    .aof = VITAL_NO,
                                    .used_memory_bytes = 5,
                                    .maxmemory_bytes = 0};
}

static char *render(const json_t *supervisor, const struct status_redis *redis)
{
    json_t *document = status_document(&config, supervisor, redis);
    char *text = json_dumps(document, JSON_COMPACT);

    json_decref(document);
    return text;
}

START_TEST(what_is_not_reached_is_null)
{
    struct status_redis redis;
    struct err err = {0};
    char *text;

    ck_assert_int_eq(status_redis_read(&redis, &config, NULL, &err), 0);
    text = render(NULL, &redis);
    ck_assert_str_eq(
        text, "{\"supervisor\":null,\"pools\":null,\"queues\":["
              "{\"name\":\"high\",\"ready\":null,\"delayed\":null,\"reserved\":null,"
              "\"paused\":null},"
              "{\"name\":\"low\",\"ready\":null,\"delayed\":null,\"reserved\":null,"
              "\"paused\":null},"
              "{\"name\":\"mail\",\"ready\":null,\"delayed\":null,\"reserved\":null,"
              "\"paused\":null}],"
              "\"failed\":null,"
              "\"redis\":{\"reachable\":false,\"up\":null,\"maxmemory_policy\":null,"
              "\"aof\":null,\"used_memory\":null,\"maxmemory\":null}}");
    free(text);
    status_redis_free(&redis);
}
END_TEST

START_TEST(pools_stand_in_the_order_of_the_configuration)
{
    json_t *supervisor = json_loads(answer, 0, NULL);
    struct status_redis redis;
    struct err err = {0};
    char *text;

    ck_assert_int_eq(status_redis_read(&redis, &config, NULL, &err), 0);
    redis.queue_ct = 2;
    redis.queues[0].known = redis.queues[1].known = true;
    redis.queues[0].depths = (struct depths){1, 2, 3};
    redis.queues[1].depths = (struct depths){0, -1, 0};
    redis.queues[0].paused_since_ms = 0;
    redis.queues[1].paused_since_ms = 1795261449000;
    redis.failed = 9;
    evicting(&redis);
    text = render(supervisor, &redis);
    ck_assert_str_eq(
        text,
        "{\"supervisor\":{\"pid\":7,\"state\":\"running\",\"uptime_s\":90061,"
        "\"paused\":true,\"draining\":false},\"pools\":[{\"name\":\"main\",\"workers\":[{"
        "\"slot\":0,\"pid\":8,\"state\":"
        "\"running\",\"running\":2,\"done\":12345,\"failed\":3,\"restarts\":0,"
        "\"postponed\":6,\"away\":[{\"endpoint\":\"https://"
        "dead\\u001B:443\",\"failures\":1}],\"databases\":[{\"database\":\"main\","
        "\"postponed\":4,\"reason\":\"no\\u001B inbox\"}],"
        "\"paused\":\"application\",\"paused_queues\":[\"hi\\u001Bgh\",\"low\"]},{"
        "\"slot\":"
        "1,\"pid\":0,\"state\":\"back\\u001Boff\",\"running\":0,\"done\":0,\"failed\":0,"
        "\"restarts\":5,\"postponed\":0,\"away\":[],\"databases\":[],\"paused\":null,"
        "\"paused_queues\":[\"low\"]}]},{"
        "\"name\":"
        "\"side\",\"workers\":[]}"
        ",{\"name\":\"gone\","
        "\"workers\":[]}],\"queues\":[{\"name\":\"high\",\"ready\":1,\"delayed\":2,"
        "\"reserved\":3,\"paused\":false},{\"name\":\"low\",\"ready\":0,"
        "\"delayed\":null,\"reserved\":0,\"paused\":true,"
        "\"paused_since\":\"2026-11-21T11:44:09.000Z\"}],"
        "\"failed\":9,\"redis\":{\"reachable\":true,\"up\":true,"
        "\"maxmemory_policy\":\"allkeys-lru\",\"aof\":false,\"used_memory\":5,"
        "\"maxmemory\":0}}");
    free(text);
    status_redis_free(&redis);
    json_decref(supervisor);
}
END_TEST

static void pause_one(json_t *document)
{
    json_t *queue = json_array_get(json_object_get(document, "queues"), 1);

    json_object_set_new(queue, "paused", json_true());
    json_object_set_new(queue, "paused_since", json_string("noon"));
}

START_TEST(people_get_aligned_tables_without_control_bytes)
{
    json_t *supervisor = json_loads(answer, 0, NULL), *document;
    struct status_redis redis;
    struct err err = {0};
    struct buf out;

    buf_init(&out, 0);
    ck_assert_int_eq(status_redis_read(&redis, &config, NULL, &err), 0);
    redis.queues[0].known = true;
    redis.queues[0].depths = (struct depths){1, 20, 0};
    redis.failed = 9;
    redis.reachable = true;
    redis.vitals = (struct vitals){
        .policy = "noeviction", .aof = VITAL_YES, .used_memory_bytes = 3 << 19};
    document = status_document(&config, supervisor, &redis);
    status_text(document, STATUS_PLAIN, &out);
    ck_assert_str_eq(out.data,
                     "supervisor  running, paused, pid 7, up 1d 01:01:01\n"
                     "redis       noeviction, append-only file on, 1.5 MiB used\n"
                     "\n"
                     "WORKER  STATE        PID  RUNNING   DONE  FAILED  RESTARTS\n"
                     "main/0  running        8        2  12345       3         0\n"
                     "main/1  back\\x1boff    0        0      0       0         5\n"
                     "side    no workers     -        -      -       -         -\n"
                     "gone    no workers     -        -      -       -         -\n"
                     "\n"
                     "paused by the application: 1 of main\n"
                     "queue hi\\x1bgh paused by the application: 1 of main\n"
                     "queue low paused by the application: 2 of main\n"
                     "left alone: https://dead\\x1b:443, 1 failure in a row, by "
                     "main/0\n"
                     "database main cannot be used: no\\x1b inbox, 4 runs put off, by "
                     "main/0\n"
                     "\n"
                     "QUEUE  READY  DELAYED  RESERVED\n"
                     "high       1       20         0\n"
                     "low        -        -         -\n"
                     "mail       -        -         -\n"
                     "\n"
                     "failed jobs  9\n");
    buf_clear(&out);
    pause_one(document);
    status_text(document, STATUS_PLAIN, &out);
    ck_assert_ptr_nonnull(strstr(out.data,
                                 "QUEUE  READY  DELAYED  RESERVED  PAUSED SINCE\n"
                                 "high       1       20         0  -\n"
                                 "low        -        -         -  noon\n"));
    buf_clear(&out);
    status_text(document, STATUS_COLOURED, &out);
    ck_assert_ptr_nonnull(
        strstr(out.data, "\033[1mQUEUE  READY  DELAYED  RESERVED  PAUSED SINCE\033[0m"));
    json_decref(document);
    json_decref(supervisor);
    status_redis_free(&redis);
    buf_free(&out);
}
END_TEST

START_TEST(silence_is_said_in_words)
{
    struct status_redis redis;
    struct err err = {0};
    json_t *document;
    struct buf out;

    buf_init(&out, 0);
    ck_assert_int_eq(status_redis_read(&redis, &config, NULL, &err), 0);
    document = status_document(&config, NULL, &redis);
    status_text(document, STATUS_PLAIN, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "supervisor  cannot be reached\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "Redis cannot be reached\n"));
    json_decref(document);
    status_redis_free(&redis);
    buf_free(&out);
}
END_TEST

/* What people read, and what machines read, where Redis endangers jobs. */
START_TEST(dangers_are_told_to_people_and_machines)
{
    json_t *supervisor = json_loads(answer, 0, NULL), *document;
    struct status_redis redis;
    struct err err = {0};
    struct buf out;

    buf_init(&out, 0);
    ck_assert_int_eq(status_redis_read(&redis, &config, NULL, &err), 0);
    evicting(&redis);
    json_object_set_new(json_object_get(supervisor, "redis"), "up", json_false());
    document = status_document(&config, supervisor, &redis);
    status_text(document, STATUS_PLAIN, &out);
    ck_assert_ptr_nonnull(strstr(
        out.data, "\nredis       allkeys-lru, which may evict whole queues: CONFIG "
                  "SET maxmemory-policy noeviction, append-only file off: a "
                  "restart loses jobs, 0.0 MiB used; the workers have lost it\n"));
    buf_clear(&out);
    metrics_text(document, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "\ndrover_redis_noeviction 0\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "\ndrover_redis_aof_enabled 0\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "\ndrover_redis_used_memory_bytes 5\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "\ndrover_redis_workers_up 0\n"));
    json_decref(document);
    json_decref(supervisor);
    status_redis_free(&redis);
    buf_free(&out);
}
END_TEST

static const char all_metrics[] =
    "# HELP drover_supervisor_up Whether the supervisor answers.\n"
    "# TYPE drover_supervisor_up gauge\n"
    "drover_supervisor_up 1\n"
    "# HELP drover_workers Worker slots by state.\n"
    "# TYPE drover_workers gauge\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"empty\"} 0\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"starting\"} 0\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"running\"} 1\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"stopping\"} 0\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"killing\"} 0\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"backoff\"} 0\n"
    "drover_workers{pool=\"a\\\"b\\\\c\\nd\",state=\"fatal\"} 0\n"
    "# HELP drover_worker_running_jobs Jobs in flight.\n"
    "# TYPE drover_worker_running_jobs gauge\n"
    "drover_worker_running_jobs{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\"} 2\n"
    "# HELP drover_worker_restarts_total Starts of a slot's worker after the first.\n"
    "# TYPE drover_worker_restarts_total counter\n"
    "drover_worker_restarts_total{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\"} 1\n"
    "# HELP drover_jobs_finished_total Jobs that ended, well (ok) or in the failed store "
    "(failed).\n"
    "# TYPE drover_jobs_finished_total counter\n"
    "drover_jobs_finished_total{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\",outcome=\"ok\"} 9\n"
    "drover_jobs_finished_total{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\",outcome=\"failed\"} "
    "4\n"
    "# HELP drover_jobs_postponed_total Runs put off, without an attempt, because what "
    "they need was away.\n"
    "# TYPE drover_jobs_postponed_total counter\n"
    "drover_jobs_postponed_total{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\"} 5\n"
    "# HELP drover_endpoints_away Endpoints of webhooks that a worker leaves alone (8 at "
    "most are counted).\n"
    "# TYPE drover_endpoints_away gauge\n"
    "drover_endpoints_away{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\"} 2\n"
    "# HELP drover_databases_away Databases of SQL jobs that a worker cannot use for "
    "now.\n"
    "# TYPE drover_databases_away gauge\n"
    "drover_databases_away{pool=\"a\\\"b\\\\c\\nd\",slot=\"3\"} 1\n"
    "# HELP drover_queue_jobs Jobs in a queue by state.\n"
    "# TYPE drover_queue_jobs gauge\n"
    "drover_queue_jobs{queue=\"q\",state=\"ready\"} 5\n"
    "drover_queue_jobs{queue=\"q\",state=\"reserved\"} 0\n"
    "# HELP drover_queue_paused Whether a queue is paused: nothing is taken from it.\n"
    "# TYPE drover_queue_paused gauge\n"
    "drover_queue_paused{queue=\"q\"} 1\n";

/* Null has no sample; labels are escaped; a family without a value has no head. */
START_TEST(metrics_are_the_document_and_no_more)
{
    json_t *document = json_loads(
        "{\"supervisor\":{},\"pools\":[{\"name\":\"a\\\"b\\\\c\\nd\",\"workers\":[{"
        "\"slot\":3,\"pid\":8,\"state\":\"running\",\"running\":2,\"done\":9,"
        "\"failed\":4,\"restarts\":1,\"postponed\":5,\"away\":[{},{}],"
        "\"databases\":[{}]}]}],\"queues\":[{"
        "\"name\":\"q\",\"ready\":5,"
        "\"delayed\":null,\"reserved\":0,\"paused\":true},{\"name\":\"r\",\"paused\":"
        "null}],"
        "\"failed\":null,\"redis\":{\"reachable\":null,"
        "\"up\":null,\"maxmemory_policy\":null,\"aof\":null,\"used_memory\":null}}",
        0, NULL);
    struct buf out;

    buf_init(&out, 0);
    metrics_text(document, &out);
    ck_assert_str_eq(out.data, all_metrics);
    json_decref(document);
    buf_free(&out);
}
END_TEST

START_TEST(table_widths_count_characters_and_never_shrink)
{
    static const struct table_column columns[] = {
        {"A", TABLE_LEFT}, {"B", TABLE_RIGHT}, {"C", TABLE_LEFT}};
    struct table *table = table_create(columns, ARRAY_CT(columns), TABLE_PLAIN);
    struct buf out;

    buf_init(&out, 0);
    table_cell_text(table, "\xc3\xa9\xc3\xa9\xc3\xa9");
    table_cell_number(table, 12345);
    table_cell_text(table, NULL);
    ck_assert_uint_eq(table_rows(table), 1);
    table_render(table, &out);
    ck_assert_uint_eq(table_rows(table), 0);
    table_cell(table, slice_of("a\0\x1b", 3));
    table_cell_number(table, -1);
    table_cell_text(table, "z");
    table_cell_text(table, "b");
    table_cell_number(table, 7);
    table_cell_text(table, "y");
    table_render(table, &out);
    ck_assert_str_eq(out.data, "A        B  C\n"
                               "\xc3\xa9\xc3\xa9\xc3\xa9  12345  -\n"
                               "a\\x00\\x1b      -  z\n"
                               "b              7  y\n");
    table_destroy(table);
    buf_free(&out);
}
END_TEST

START_TEST(long_cells_are_cut)
{
    static const struct table_column columns[] = {{"A", TABLE_LEFT}};
    struct table *table = table_create(columns, 1, TABLE_PLAIN);
    char text[1000];
    struct buf out;

    buf_init(&out, 0);
    memset(text, 'x', sizeof(text));
    table_cell(table, slice_of(text, sizeof(text)));
    table_render(table, &out);
    ck_assert_uint_eq(out.len, strlen("A\n") + TABLE_CELL_BYTES + strlen("...\n"));
    table_destroy(table);
    buf_free(&out);
}
END_TEST

static const struct table_column wide_columns[] = {
    {"ID", TABLE_LEFT}, {"JOB", TABLE_LEFT}, {"CT", TABLE_RIGHT}, {"WHY", TABLE_LEFT}};
static const struct table_give gives[] = {
    {TABLE_CLIP, 4}, {TABLE_CUT_START, 6}, {TABLE_WHOLE, 0}, {TABLE_CUT_END, 5}};

/* Whole it takes 10 + 13 + 2 + 10 characters and 6 between them. */
static void assert_fits(size_t width, const char *expected)
{
    struct table *table = table_create(wide_columns, ARRAY_CT(wide_columns), TABLE_PLAIN);
    struct buf out;

    buf_init(&out, 0);
    table_fit(table, width, gives);
    table_cell_text(table, "0123456789");
    table_cell_text(table, "App\\Jobs\\M\xc3\xa9ts");
    table_cell_number(table, 7);
    table_cell_text(table, "d\xc3\xa9j\xc3\xa0 vu, 3");
    table_render(table, &out);
    ck_assert_msg(strcmp(out.data, expected) == 0, "%zu: %s", width, out.data);
    table_destroy(table);
    buf_free(&out);
}

START_TEST(a_table_fits_its_width_by_what_its_columns_give)
{
    const char *whole =
        "ID          JOB            CT  WHY\n"
        "0123456789  App\\Jobs\\M\xc3\xa9ts   7  d\xc3\xa9j\xc3\xa0 vu, 3\n";

    assert_fits(0, whole);
    assert_fits(41, whole);
    assert_fits(40, "ID    JOB            CT  WHY\n"
                    "0123  App\\Jobs\\M\xc3\xa9ts   7  d\xc3\xa9j\xc3\xa0 vu, 3\n");
    assert_fits(34, "ID    JOB            CT  WHY\n"
                    "0123  App\\Jobs\\M\xc3\xa9ts   7  d\xc3\xa9j\xc3\xa0 v...\n");
    assert_fits(24, "ID    JOB      CT  WHY\n"
                    "0123  ...M\xc3\xa9ts   7  d\xc3\xa9...\n");
    assert_fits(1, "ID    JOB     CT  WHY\n"
                   "0123  ...\xc3\xa9ts   7  d\xc3\xa9...\n");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_table_fits_its_width_by_what_its_columns_give);
    tcase_add_test(tc, what_is_not_reached_is_null);
    tcase_add_test(tc, pools_stand_in_the_order_of_the_configuration);
    tcase_add_test(tc, people_get_aligned_tables_without_control_bytes);
    tcase_add_test(tc, silence_is_said_in_words);
    tcase_add_test(tc, dangers_are_told_to_people_and_machines);
    tcase_add_test(tc, metrics_are_the_document_and_no_more);
    tcase_add_test(tc, table_widths_count_characters_and_never_shrink);
    tcase_add_test(tc, long_cells_are_cut);
}

int main(void)
{
    return run_suite("status", 10, add_tests);
}
