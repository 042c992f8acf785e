/* The producer's row: whatever bytes a list holds, the good jobs around them run, and
 * what cannot run is found in the failed store byte for byte. */
#include <check.h>
#include <dirent.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "tests/support/memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL                                                                             \
    "log: { jobs = \"failed\"; level = \"error\"; };\n"                                  \
    "pools: ( { name = \"main\"; workers = 2; concurrency = 16; tries = 1; } );\n"
#define NOTHING "{ name = \"nothing\"; type = \"noop\"; }"
#define KEEP                                                                             \
    "{ name = \"keep\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", "             \
    "\"cat > $1/got.$DROVER_JOB_UUID.part && mv $1/got.$DROVER_JOB_UUID.part "           \
    "$1/got.$DROVER_JOB_UUID\", \"sh\", \"@DIR@\" ]; }"
#define JOBS "jobs: ( " NOTHING ", " KEEP " );\n"

enum { BAD_MAX = 2000 };

static struct scene *scene;
static redisContext *redis;
static struct slice bad[BAD_MAX];
static size_t bad_ct;

static void set_stage(void)
{
    char path[128];

    scene = scene_create(SCENE_REDIS, POOL JOBS);
    (void)snprintf(path, sizeof(path), "%s/redis.sock", scene->dir);
    redis = redisConnectUnix(path);
    ck_assert(redis && redis->err == 0);
    bad_ct = 0;
}

static void clear_stage(void)
{
    redisFree(redis);
    scene_destroy(scene);
    while (bad_ct > 0)
        free((char *)(uintptr_t)bad[--bad_ct].ptr);
}

static long long ask(const char *format, ...)
{
    redisReply *reply;
    long long number;
    va_list ap;

    va_start(ap, format);
    reply = redisvCommand(redis, format, ap);
    va_end(ap);
    ck_assert_ptr_nonnull(reply);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
    number = reply->type == REDIS_REPLY_INTEGER ? reply->integer
             : reply->str                       ? strtoll(reply->str, NULL, 10)
                                                : (long long)reply->elements;
    freeReplyObject(reply);
    return number;
}

static long long done_ct(void)
{
    json_t *status = scene_status(scene), *worker;
    json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    long long sum = 0;
    size_t i;

    json_array_foreach(json_object_get(pool, "workers"), i, worker) sum +=
        json_integer_value(json_object_get(worker, "done"));
    json_decref(status);
    return sum;
}

static bool all_settled(void)
{
    return ask("LLEN queues:default") == 0 && ask("ZCARD queues:default:reserved") == 0 &&
           ask("ZCARD queues:default:delayed") == 0;
}

/* ---- a corpus of what cannot run ---- */

static void add_bad(const char *bytes, size_t len)
{
    char *copy = must_alloc(len + 1);

    ck_assert_uint_lt(bad_ct, BAD_MAX);
    memcpy(copy, bytes, len);
    for (size_t i = 0; i < bad_ct; i++) {
        if (bad[i].len != len || memcmp(bad[i].ptr, bytes, len) != 0)
            continue;
        free(copy); /* twins get a pad in the queue, which the record leaves out */
        return;
    }
    bad[bad_ct++] = (struct slice){.ptr = copy, .len = len};
}

static void add_text(const char *text)
{
    add_bad(text, strlen(text));
}

/* The payloads that the scanner's fuzzer begins with; the names in them are nobody's. */
static void add_corpus(void)
{
    DIR *dir = opendir(TOP_SRCDIR "/tests/fuzz/corpus/payload");
    struct dirent *entry;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[512], bytes[65536];
        FILE *file;
        size_t len;

        if (entry->d_name[0] == '.' || strncmp(entry->d_name, "pad", 3) == 0)
            continue;
        (void)snprintf(path, sizeof(path), TOP_SRCDIR "/tests/fuzz/corpus/payload/%s",
                       entry->d_name);
        file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        len = fread(bytes, 1, sizeof(bytes), file);
        (void)fclose(file);
        add_bad(bytes, len);
    }
    (void)closedir(dir);
}

/* A good payload, cut at each byte, and with each byte spoilt. */
static void add_mutants(void)
{
    static const char good[] = "{\"job\":\"nothing\",\"data\":{\"a\":[1,\"\\u00e4\"]}}";
    char bytes[sizeof(good)];

    for (size_t len = 0; len < sizeof(good) - 1; len++)
        add_bad(good, len);
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        memcpy(bytes, good, sizeof(good));
        bytes[at] = '\0';
        add_bad(bytes, sizeof(good) - 1);
    }
}

/* What no text file holds well: deep, wide, long, and each field of each wrong type. */
static void add_made(void)
{
    static const char *const fields[] = {"displayName", "job", "attempts", "retryUntil"};
    static const char *const values[] = {"[]", "{}", "true", "\"\\u0000\"", "1e999"};
    struct buf text;

    buf_init(&text, 0);
    for (int i = 0; i < 100000; i++)
        (void)buf_add_char(&text, '[');
    add_bad(text.data, text.len);
    buf_clear(&text);
    (void)buf_add_text(&text, "{\"job\":\"nobody\",\"data\":[0");
    for (int i = 0; i < 200000; i++)
        (void)buf_add_text(&text, ",0");
    (void)buf_add_text(&text, "]}");
    add_bad(text.data, text.len);
    for (size_t i = 0; i < ARRAY_CT(fields); i++) {
        for (size_t j = 0; j < ARRAY_CT(values); j++) {
            buf_clear(&text);
            (void)buf_addf(&text, "{\"job\":\"nobody\",\"%s\":%s,\"n\":1}", fields[i],
                           values[j]);
            add_bad(text.data, text.len);
        }
    }
    buf_free(&text);
    add_text("\xef\xbb\xbf{\"job\":\"nothing\"}");
    add_text("{\"job\":\"nobody\"}");
    add_text("{\"job\":\"\\ud800\"}");
    add_text("{\"data\":1}");
}

/* Whether Redis' list of the bad ones and the failed store hold the same bytes. */
static const char compare[] =
    "local n = 0 "
    "local want = {} "
    "for _, p in ipairs(redis.call('LRANGE', 'test:bad', 0, -1)) do "
    "  want[p] = true n = n + 1 end "
    "for _, id in ipairs(redis.call('ZRANGE', 'drover:failed', 0, -1)) do "
    "  local p = redis.call('HGET', 'drover:failed:' .. id, 'payload') "
    "  if want[p] then want[p] = nil n = n - 1 else n = n + 1000000 end end "
    "return n";
/* The same after a retry, which sets `attempts` to 0 in what is an object; how many are
 * the same bytes even so. */
static const char compare_list[] =
    "local want, exact, same = {}, {}, 0 "
    "local function bare(p) p = string.gsub(p, '\\\\u006d', 'm') "
    "  p = string.gsub(p, '\"attempts\"%s*:%s*[^,}]*', '') "
    "  return (string.gsub(p, '[%s,]', '')) end "
    "for _, p in ipairs(redis.call('LRANGE', 'test:bad', 0, -1)) do "
    "  exact[p] = true want[bare(p)] = true end "
    "for _, p in ipairs(redis.call('LRANGE', 'queues:default', 0, -1)) do "
    "  if exact[p] then same = same + 1 "
    "  elseif not want[bare(p)] then return {err = 'changed: ' .. p} end end "
    "return same";

START_TEST(good_jobs_run_around_bad_ones_and_those_are_kept_byte_for_byte)
{
    add_corpus();
    add_mutants();
    add_made();
    printf("%zu bad payloads\n", bad_ct);
    ck_assert_uint_ge(bad_ct, 200);
    for (size_t i = 0; i < bad_ct; i++) {
        (void)ask("RPUSH test:bad %b", bad[i].ptr, bad[i].len);
        (void)ask("RPUSH queues:default %b {\"job\":\"nothing\",\"id\":\"%d\"}",
                  bad[i].ptr, bad[i].len, (int)i);
    }
    scene_start(scene);
    WAIT_FOR(all_settled());
    ck_assert_int_eq(ask("EVAL %s 0", compare), 0);
    WAIT_FOR(done_ct() == (long long)bad_ct);

    /* And a retry gives the same bytes. */
    scene_do(scene, "scale", "main", "0");
    WAIT_FOR(scene_workers_all(scene, "running", 0));
    scene_do(scene, "failed", "retry", "--all");
    ck_assert_int_eq(ask("LLEN queues:default"), (long long)bad_ct);
    ck_assert_int_ge(ask("EVAL %s 0", compare_list), 200);
    ck_assert_int_eq(ask("ZCARD drover:failed"), 0);
}
END_TEST

/* ---- awkward, but fine ---- */

static struct slice deep_data(int depth)
{
    struct buf text;

    buf_init(&text, 0);
    for (int i = 0; i < depth; i++)
        (void)buf_add_text(&text, "{\"a\":[");
    for (int i = 0; i < depth; i++)
        (void)buf_add_text(&text, "]}");
    return buf_slice(&text); /* the caller's to free */
}

static void expect_unchanged(const char *uuid, struct slice data)
{
    char *name = must_format("got.%s", uuid),
         *path = must_format("%s/%s", scene->dir, name);
    char *bytes = must_alloc(data.len + 2);
    FILE *file = NULL;
    size_t len;

    WAIT_FOR((file = fopen(path, "re")) != NULL);
    len = fread(bytes, 1, data.len + 2, file);
    (void)fclose(file);
    ck_assert_msg(len == data.len && memcmp(bytes, data.ptr, len) == 0,
                  "%s: %zu bytes instead of %zu: %.100s", uuid, len, data.len, bytes);
    free(bytes);
    free(path);
    free(name);
}

START_TEST(awkward_payloads_reach_their_handler_unchanged)
{
    static const char *const texts[] = {
        "12345678901234567890123456789012345678901234567890",
        "[-0,1E400,1e-999,0.1000000000000000055511151231257827,1234567890123456789]",
        "\"\\u0000\\u0001\\b\\f\"",
        "{\"a\\u0000b\":\"\\u0000\"}",
        "[\"\\ud800\",\"\\udc00\",\"\\udc00\\ud800\",\"\\ud83d\\ude00\"]",
        "{\"a\":1,\"a\":2,\"\\u0061\":3,\"\":4,\"\":5}",
        "{ \"a\" :\t[ ] ,\n\"b\" : { } }",
        "\"\xf0\x9f\x98\x80 \xe2\x80\xae \x7f\"",
        "null",
        "false",
        "[]",
        "{}",
        "\"\""};
    struct slice data[ARRAY_CT(texts) + 2];
    char uuid[32];

    for (size_t i = 0; i < ARRAY_CT(texts); i++)
        data[i] = slice_text(texts[i]);
    data[ARRAY_CT(texts)] = deep_data(500);
    data[ARRAY_CT(texts) + 1] = deep_data(20000);
    scene_start(scene);
    for (size_t i = 0; i < ARRAY_CT(data); i++)
        (void)ask("RPUSH queues:default "
                  "{\"uuid\":\"awkward-%d\",\"job\":\"keep\",\"data\":%b}",
                  (int)i, data[i].ptr, data[i].len);
    for (size_t i = 0; i < ARRAY_CT(data); i++) {
        (void)snprintf(uuid, sizeof(uuid), "awkward-%zu", i);
        expect_unchanged(uuid, data[i]);
    }
    (void)ask("RPUSH queues:default {\"uuid\":\"none\",\"job\":\"keep\"}");
    expect_unchanged("none", slice_text(""));
    for (size_t i = ARRAY_CT(texts); i < ARRAY_CT(data); i++)
        free((char *)(uintptr_t)data[i].ptr);
    ck_assert_int_eq(ask("ZCARD drover:failed"), 0);
}
END_TEST

static long peak_kib(pid_t pid)
{
    char path[64], line[128];
    long kib = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) && sscanf(line, "VmHWM: %ld", &kib) != 1)
        ;
    (void)fclose(file);
    return kib;
}

START_TEST(four_big_payloads_bound_memory)
{
    enum { BIG = 15 << 20 };
    char *bytes = must_alloc(BIG);
    pid_t worker;

    memset(bytes, 'x', BIG);
    scene_configure(scene,
                    "pools: ( { name = \"main\"; workers = 1; tries = 1; } );\n" JOBS);
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    for (int i = 0; i < 4; i++)
        (void)ask("RPUSH queues:default {\"id\":%d,\"job\":\"nothing\",\"data\":\"%b\"}",
                  i, bytes, (size_t)BIG);
    WAIT_FOR(done_ct() == 4);
    printf("four payloads of 15 MiB: peak %ld KiB\n", peak_kib(worker));
    if (!is_sanitized()) {
        ck_assert_int_lt(peak_kib(worker), 150 * 1024); /* all four, twice, and a base */
        WAIT_FOR(memory_anonymous_kib(worker) < 16 * 1024); /* and nothing stays */
    }
    ck_assert_int_eq(ask("ZCARD drover:failed"), 0);
    free(bytes);
}
END_TEST

/* ---- many ---- */

START_TEST(a_hundred_thousand_stale_tokens_harm_nobody)
{
    (void)ask("EVAL %s 1 queues:default:notify",
              "for i = 1, 100000 do redis.call('RPUSH', KEYS[1], 1) end");
    scene_start(scene);
    (void)ask("RPUSH queues:default {\"job\":\"nothing\"}");
    WAIT_FOR(done_ct() == 1);
    WAIT_FOR(ask("LLEN queues:default:notify") == 0);
}
END_TEST

START_TEST(a_burst_is_drained_without_holding_redis)
{
    const int jobs = is_sanitized() ? 20000 : 200000;

    (void)ask("CONFIG SET slowlog-log-slower-than 10000");
    for (int i = 0; i < jobs / 1000; i++)
        (void)ask("EVAL %s 1 queues:default %d",
                  "for i = 1, 1000 do redis.call('RPUSH', KEYS[1], "
                  "'{\"job\":\"nothing\",\"id\":\"' .. ARGV[1] .. '-' .. i .. '\"}') end",
                  i);
    (void)ask("SLOWLOG RESET");
    scene_start(scene);
    WAIT_FOR(done_ct() == jobs);
    WAIT_FOR(all_settled());
    ck_assert_int_eq(ask("ZCARD drover:failed"), 0);
    printf("burst of %d: %lld commands took Redis over 10 ms\n", jobs,
           ask("SLOWLOG LEN"));
}
END_TEST

START_TEST(a_thousand_jobs_due_in_the_same_second_all_run)
{
    scene_start(scene);
    (void)ask("EVAL %s 1 queues:default:delayed",
              "local due = redis.call('TIME')[1] + 2 "
              "for i = 1, 1000 do redis.call('ZADD', KEYS[1], due, "
              "'{\"job\":\"nothing\",\"id\":\"' .. i .. '\"}') end");
    WAIT_FOR(done_ct() == 1000);
    WAIT_FOR(all_settled());
    ck_assert_int_eq(done_ct(), 1000);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, good_jobs_run_around_bad_ones_and_those_are_kept_byte_for_byte);
    tcase_add_test(tc, awkward_payloads_reach_their_handler_unchanged);
    tcase_add_test(tc, four_big_payloads_bound_memory);
    tcase_add_test(tc, a_hundred_thousand_stale_tokens_harm_nobody);
    tcase_add_test(tc, a_burst_is_drained_without_holding_redis);
    tcase_add_test(tc, a_thousand_jobs_due_in_the_same_second_all_run);
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return run_suite("payloads", 240, add);
}
