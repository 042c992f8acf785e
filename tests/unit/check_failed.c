/* The store of failed jobs in Redis, through its verbs. */
#include "failed/store.h"
#include "tests/support/client_fixture.h"

static struct failed_store *store;

static void open_store(void)
{
    set_up();
    store = failed_redis_open(client);
}

static void close_store(void)
{
    failed_store_close(store);
    tear_down();
}

static void seed(const char *uuid, const char *queue, int64_t failed_at_ms,
                 struct slice payload)
{
    redisReply *reply = redisCommand(
        raw, "HSET p:drover:failed:%s uuid %s queue %s failed_at_ms %lld payload %b",
        uuid, uuid, queue, (long long)failed_at_ms, payload.ptr, payload.len);

    ck_assert(reply && reply->type == REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
    ask("ZADD p:drover:failed %" PRId64 " %s", failed_at_ms, uuid);
}

static void expect_head(const char *queue, struct slice expected)
{
    redisReply *reply = redisCommand(raw, "LINDEX p:queues:%s 0", queue);

    ck_assert(reply && reply->type == REDIS_REPLY_STRING);
    ck_assert(slice_equal(slice_of(reply->str, (size_t)reply->len), expected));
    freeReplyObject(reply);
}

START_TEST(retry_sets_attempts_to_0_and_leaves_all_else)
{
    static const struct {
        const char *payload, *expected;
    } cases[] = {
        {"{\"a\":1,\"attempts\":3,\"data\":{\"attempts\":9}}",
         "{\"a\":1,\"attempts\":0,\"data\":{\"attempts\":9}}"},
        {" {\"job\" : \"x\", \"n\":12345678901234567890} ",
         " {\"job\" : \"x\", \"n\":12345678901234567890,\"attempts\":0} "},
        {"{\"job\":\"x\",\"attempts\":0}", "{\"job\":\"x\",\"attempts\":0}"},
        {"not json", "not json"},
        {"[1,2]", "[1,2]"},
        {"", ""},
        {"{\"job\":\"\xff\",\"attempts\":12}", "{\"job\":\"\xff\",\"attempts\":0}"},
    };

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        struct failed_retry retry;

        ask("FLUSHALL");
        seed("u-1", "high", 1000, slice_text(cases[i].payload));
        OK(failed_store_retry(store, "u-1", &retry, &err));
        ck_assert(retry.done);
        expect_head("high", slice_text(cases[i].expected));
        ck_assert_int_eq(ask("LLEN p:queues:high:notify"), 1);
        ck_assert_int_eq(ask("EXISTS p:drover:failed p:drover:failed:u-1"), 0);
    }
}
END_TEST

START_TEST(retry_keeps_nul_bytes)
{
    struct slice payload = slice_of("a\0b", 3);
    struct err err = {0};
    struct failed_retry retry;

    seed("u-1", "q", 1000, payload);
    OK(failed_store_retry(store, "u-1", &retry, &err));
    expect_head("q", payload);
}
END_TEST

START_TEST(retry_of_what_is_gone_pushes_nothing)
{
    struct err err = {0};
    struct failed_retry retry;

    OK(failed_store_retry(store, "u-1", &retry, &err));
    ck_assert(!retry.done);
    seed("u-1", "q", 1000, slice_text("{}"));
    OK(failed_store_retry(store, "u-1", &retry, &err));
    OK(failed_store_retry(store, "u-1", &retry, &err));
    ck_assert(!retry.done);
    ck_assert_int_eq(ask("LLEN p:queues:q"), 1);
}
END_TEST

START_TEST(retry_of_a_record_without_payload_or_queue_keeps_it)
{
    static const char *const fields[] = {"payload", "queue"};

    for (size_t i = 0; i < ARRAY_CT(fields); i++) {
        struct err err = {0};
        struct failed_retry retry;

        seed("u-1", "q", 1000, slice_text("{}"));
        ask("HDEL p:drover:failed:u-1 %s", fields[i]);
        ck_assert_int_eq(failed_store_retry(store, "u-1", &retry, &err), -1);
        ck_assert_int_eq(err.code, ERR_BAD_INPUT);
        ck_assert_int_eq(ask("EXISTS p:drover:failed:u-1"), 1);
    }
}
END_TEST

START_TEST(a_lost_connection_is_said_by_every_verb)
{
    struct failed_walk walk = {0};
    struct err err = {0};
    char uuid[64];
    int64_t number;
    struct failed_retry retry;

    ask("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert_int_eq(failed_store_count(store, &number, &err), -1);
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_int_eq(failed_store_retry(store, "u-1", &retry, &err), -1);
    ck_assert_int_eq(err.code, ERR_CONN);
    err.code = ERR_NONE;
    ck_assert_int_eq(failed_store_walk(store, &walk, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_int_eq(failed_store_get(store, "u-1", NULL, NULL, &err), -1);
    ck_assert_int_eq(failed_store_resolve(store, "u-11", uuid, &err), -1);
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_int_eq(failed_store_prune(store, 0, NULL, NULL, &number, &err), -1);
    ck_assert_int_eq(number, 0);
}
END_TEST

static void seed_row(int ct)
{
    for (int i = 0; i < ct; i++) {
        char uuid[16];

        snprintf(uuid, sizeof(uuid), "u-%04d", i);
        seed(uuid, "q", 1000 + i, slice_text("{}"));
    }
}

START_TEST(prune_takes_what_failed_before_and_nothing_else)
{
    static const struct {
        int64_t before_ms, removed;
    } cases[] = {{1000, 0}, {1001, 1}, {1600, 600}, {5000, 1100}, {0, 1100}};

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        int64_t removed, left;

        ask("FLUSHALL");
        seed_row(1100);
        OK(failed_store_prune(store, cases[i].before_ms, NULL, NULL, &removed, &err));
        ck_assert_int_eq(removed, cases[i].removed);
        OK(failed_store_count(store, &left, &err));
        ck_assert_int_eq(left, 1100 - removed);
        OK(failed_store_prune(store, cases[i].before_ms, NULL, NULL, &removed, &err));
        ck_assert_int_eq(removed, 0);
    }
}
END_TEST

static bool stop_at_once(void *arg, int64_t removed)
{
    *(int64_t *)arg = removed;
    return false;
}

START_TEST(prune_stops_between_batches_when_told)
{
    struct err err = {0};
    int64_t removed, told = 0, left;

    seed_row(1100);
    OK(failed_store_prune(store, 0, stop_at_once, &told, &removed, &err));
    ck_assert_int_eq(told, 500);
    ck_assert_int_eq(removed, 500);
    OK(failed_store_count(store, &left, &err));
    ck_assert_int_eq(left, 600);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_store, close_store);
    tcase_add_test(tc, retry_sets_attempts_to_0_and_leaves_all_else);
    tcase_add_test(tc, retry_keeps_nul_bytes);
    tcase_add_test(tc, retry_of_what_is_gone_pushes_nothing);
    tcase_add_test(tc, retry_of_a_record_without_payload_or_queue_keeps_it);
    tcase_add_test(tc, a_lost_connection_is_said_by_every_verb);
    tcase_add_test(tc, prune_takes_what_failed_before_and_nothing_else);
    tcase_add_test(tc, prune_stops_between_batches_when_told);
}

int main(void)
{
    return run_client_suite("failed", add_tests);
}
