/* Failed records through the command line's Redis client, against a real server. */
#include <unistd.h>

#include "tests/support/client_fixture.h"
#include "tests/support/memory.h"
#include "tests/support/sanitized.h"

static void seed(int number, int64_t failed_at_ms)
{
    ask("HSET p:drover:failed:id-%06d uuid id-%06d connection redis queue q job j "
        "attempts 3 reason why exception because failed_at_ms %" PRId64 " payload {}",
        number, number, failed_at_ms);
    ask("ZADD p:drover:failed %" PRId64 " id-%06d", failed_at_ms, number);
}

/* `ct` records, `per_ms` of them share each score; made inside Redis. */
static void seed_many(int ct, int per_ms)
{
    static const char script[] =
        "for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do "
        "local id = string.format('id-%06d', i) "
        "local at = 1000 + math.floor(i / tonumber(ARGV[3])) "
        "redis.call('HSET', KEYS[1] .. ':' .. id, 'uuid', id, 'connection', 'redis', "
        "'queue', 'q', 'job', 'j', 'attempts', '3', 'reason', 'exit status 1', "
        "'exception', 'exit status 1', 'failed_at_ms', at, 'payload', '{\"job\":\"j\"}') "
        "redis.call('ZADD', KEYS[1], at, id) end return 1";

    for (int from = 0; from < ct; from += 10000) {
        int to = from + 10000 < ct ? from + 10000 : ct;

        ask("EVAL %s 1 p:drover:failed %d %d %d", script, from, to - 1, per_ms);
    }
}

struct seen {
    int ct;
    int stop_after; /* 0: never */
    bool check_order, descending;
    char last[64];
    int64_t last_at_ms;
    unsigned char *marks; /* one per number; NULL: not counted */
    void (*also)(const struct fail_record *record);
};

static bool note_record(void *arg, const struct fail_record *record)
{
    struct seen *seen = arg;
    int order = (record->failed_at_ms > seen->last_at_ms) -
                (record->failed_at_ms < seen->last_at_ms);

    if (order == 0)
        order = strcmp(record->uuid, seen->last);
    if (seen->check_order && seen->ct > 0)
        ck_assert_int_gt(seen->descending ? -order : order, 0);
    seen->ct++;
    seen->last_at_ms = record->failed_at_ms;
    snprintf(seen->last, sizeof(seen->last), "%s", record->uuid);
    if (seen->marks)
        seen->marks[atoll(record->uuid + 3)]++;
    if (seen->also)
        seen->also(record);
    return seen->ct != seen->stop_after;
}

START_TEST(a_walk_brings_each_record_once_in_order)
{
    static const int per_ms[] = {1, 7, 499, 500, 501, 100000};
    enum { CT = 2345 };

    for (size_t i = 0; i < ARRAY_CT(per_ms); i++) {
        ask("FLUSHALL");
        seed_many(CT, per_ms[i]);
        for (int oldest = 0; oldest < 2; oldest++) {
            unsigned char marks[CT] = {0};
            struct seen seen = {
                .check_order = true, .descending = !oldest, .marks = marks};
            struct failed_walk walk = {.oldest_first = oldest, .fields = FAILED_SUMMARY};
            struct err err = {0};

            OK(client_failed_walk(client, &walk, note_record, &seen, &err));
            ck_assert_int_eq(seen.ct, CT);
            for (int k = 0; k < CT; k++)
                ck_assert_int_eq(marks[k], 1);
        }
    }
}
END_TEST

START_TEST(a_walk_keeps_its_bounds_and_stops_when_told)
{
    static const struct {
        int64_t after_ms, before_ms;
        int expected;
    } cases[] = {{0, 0, 1200},   {1000, 0, 1200},   {1001, 0, 1100},
                 {0, 1001, 100}, {1003, 1005, 200}, {5000, 0, 0},
                 {0, 1000, 0},   {0, 1, 0},         {1011, 1012, 100}};

    seed_many(1200, 100);
    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        for (int oldest = 0; oldest < 2; oldest++) {
            struct seen seen = {0};
            struct failed_walk walk = {.after_ms = cases[i].after_ms,
                                       .before_ms = cases[i].before_ms,
                                       .oldest_first = oldest};
            struct err err = {0};

            OK(client_failed_walk(client, &walk, note_record, &seen, &err));
            ck_assert_int_eq(seen.ct, cases[i].expected);
            if (cases[i].expected < 10)
                continue;
            seen = (struct seen){.stop_after = 7};
            OK(client_failed_walk(client, &walk, note_record, &seen, &err));
            ck_assert_int_eq(seen.ct, 7);
        }
    }
}
END_TEST

static void forget_it(const struct fail_record *record)
{
    const char *uuid = record->uuid;
    struct err err = {0};
    int64_t removed = 0;

    OK(client_failed_forget(client, &uuid, 1, &removed, &err));
}

/* Keeps one in three, so that pages lose their cursor's record and others around it. */
static void forget_most(const struct fail_record *record)
{
    if (atoll(record->uuid + 3) % 3 != 0)
        forget_it(record);
}

START_TEST(records_removed_during_the_walk_hide_no_others)
{
    static const int per_ms[] = {1, 100000};
    static void (*const removers[])(const struct fail_record *) = {forget_it,
                                                                   forget_most};
    enum { CT = 1801 };

    for (size_t i = 0; i < ARRAY_CT(per_ms) * ARRAY_CT(removers) * 2; i++) {
        unsigned char marks[CT] = {0};
        struct seen seen = {.marks = marks, .also = removers[i / 4]};
        struct failed_walk walk = {.oldest_first = i % 2};
        struct err err = {0};

        ask("FLUSHALL");
        seed_many(CT, per_ms[i / 2 % 2]);
        OK(client_failed_walk(client, &walk, note_record, &seen, &err));
        for (int k = 0; k < CT; k++)
            ck_assert_int_eq(marks[k], 1);
    }
}
END_TEST

/* What the walk removes, others remove as well: here the whole rest of the page. */
static void forget_neighbours(const struct fail_record *record)
{
    long long number = atoll(record->uuid + 3);

    for (long long k = number + 1; k < number + 3; k++) {
        ask("DEL p:drover:failed:id-%06lld", k);
        ask("ZREM p:drover:failed id-%06lld", k);
    }
}

START_TEST(records_that_others_remove_are_not_visited_when_not_yet_fetched)
{
    struct seen seen = {.also = forget_neighbours, .check_order = true};
    struct failed_walk walk = {.oldest_first = true, .fields = FAILED_WITH_PAYLOAD};
    struct err err = {0};

    seed_many(1000, 10);
    OK(client_failed_walk(client, &walk, note_record, &seen, &err));
    ck_assert_int_lt(seen.ct, 1000);
    ck_assert_int_gt(seen.ct, 1000 / 3 - 1);
}
END_TEST

static void fail_again(const struct fail_record *record)
{
    seed((int)strtol(record->uuid + 3, NULL, 10), record->failed_at_ms + 100000);
}

START_TEST(jobs_that_fail_again_meanwhile_are_not_met_twice)
{
    enum { CT = 700 };

    for (int oldest = 0; oldest < 2; oldest++) {
        unsigned char marks[CT] = {0};
        struct seen seen = {.also = fail_again, .stop_after = 5000, .marks = marks};
        struct failed_walk walk = {.oldest_first = oldest};
        struct err err = {0};

        ask("FLUSHALL");
        seed_many(CT, 1);
        OK(client_failed_walk(client, &walk, note_record, &seen, &err));
        for (int k = 0; k < CT; k++)
            ck_assert_int_eq(marks[k], 1);
    }
}
END_TEST

START_TEST(an_index_member_without_record_is_skipped_and_cleaned_up)
{
    struct seen seen = {0};
    struct failed_walk walk = {0};
    struct err err = {0};
    int64_t ct;

    seed_many(3, 1);
    ask("ZADD p:drover:failed 1001 ghost 1 ghost2");
    ask("ZADD p:drover:failed 5 %s",
        "a-member-that-is-much-longer-than-any-uuid-drover-would-ever-write-there");
    OK(client_failed_walk(client, &walk, note_record, &seen, &err));
    ck_assert_int_eq(seen.ct, 3);
    OK(client_failed_count(client, &ct, &err));
    ck_assert_int_eq(ct, 4);
}
END_TEST

START_TEST(a_key_of_a_wrong_type_in_a_records_place_hides_no_others)
{
    struct seen seen = {0};
    struct failed_walk walk = {.fields = FAILED_WHOLE};
    struct err err = {0};

    seed_many(40, 1);
    ask("DEL p:drover:failed:id-000007");
    ask("SET p:drover:failed:id-000007 x");
    OK(client_failed_walk(client, &walk, note_record, &seen, &err));
    ck_assert_int_eq(seen.ct, 39);
}
END_TEST

static bool check_whole(void *arg, const struct fail_record *record)
{
    ++*(int *)arg;
    ck_assert_str_eq(record->uuid, "u-1");
    ck_assert_str_eq(record->connection, "redis");
    ck_assert_str_eq(record->queue, "high");
    ck_assert_str_eq(record->job, "");
    ck_assert_int_eq(record->attempts, 2);
    ck_assert_str_eq(record->reason, "exit status 3");
    ck_assert_int_eq(record->failed_at_ms, 1700000000123);
    ck_assert_uint_eq(record->payload.len, 4);
    ck_assert_mem_eq(record->payload.ptr, "a\0\xff{", 4);
    ck_assert_uint_eq(record->exception.len, 3);
    return true;
}

START_TEST(get_brings_a_whole_record_byte_for_byte)
{
    struct err err = {0};
    int seen = 0;

    freeReplyObject(redisCommand(
        raw,
        "HSET p:drover:failed:u-1 uuid u-1 connection redis queue high attempts 2 reason "
        "%s exception %b failed_at_ms 1700000000123 payload %b",
        "exit status 3", "x\ny", (size_t)3, "a\0\xff{", (size_t)4));
    OK(client_failed_get(client, "u-1", check_whole, &seen, &err));
    ck_assert_int_eq(seen, 1);
    ck_assert_int_eq(client_failed_get(client, "u-2", check_whole, &seen, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_int_eq(seen, 1);
}
END_TEST

START_TEST(unique_prefixes_are_completed_and_others_refused)
{
    static const struct {
        const char *prefix;
        enum err_code code;
        const char *uuid;
    } cases[] = {{"abcd-1", ERR_NONE, "abcd-1"}, {"abcd-12", ERR_NONE, "abcd-123"},
                 {"abcd", ERR_NOT_FOUND, NULL},  {"ab", ERR_USAGE, NULL},
                 {"x", ERR_NONE, "x"},           {"nope", ERR_NOT_FOUND, NULL},
                 {"", ERR_USAGE, NULL},          {"a*c?", ERR_NOT_FOUND, NULL},
                 {"zz[y", ERR_NONE, "zz[yx]"},   {"abcd-1234", ERR_NOT_FOUND, NULL}};

    ask("ZADD p:drover:failed 1 abcd-1 2 abcd-123 3 x 4 zz[yx]");
    ask("HSET p:drover:failed:abcd-1 uuid abcd-1");
    ask("HSET p:drover:failed:x uuid x");
    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        char uuid[64] = "";
        int rc = client_failed_resolve(client, cases[i].prefix, uuid, &err);

        ck_assert_msg((rc == 0) == (cases[i].uuid != NULL), "%s", cases[i].prefix);
        ck_assert_int_eq(err.code, cases[i].code);
        if (cases[i].uuid)
            ck_assert_str_eq(uuid, cases[i].uuid);
    }
}
END_TEST

START_TEST(retry_moves_a_record_to_its_queue_once)
{
    struct err err = {0};
    bool done;

    seed(1, 1000);
    OK(client_failed_retry(client, "id-000001", "q", slice_text("{}"), &done, &err));
    ck_assert(done);
    ck_assert_int_eq(ask("LLEN p:queues:q"), 1);
    ck_assert_int_eq(ask("LLEN p:queues:q:notify"), 1);
    ck_assert_int_eq(ask("EXISTS p:drover:failed:id-000001 p:drover:failed"), 0);
    OK(client_failed_retry(client, "id-000001", "q", slice_text("{}"), &done, &err));
    ck_assert(!done);
    ck_assert_int_eq(ask("LLEN p:queues:q"), 1);
    ck_assert_int_eq(ask("LLEN p:queues:q:notify"), 1);
}
END_TEST

START_TEST(retry_gives_no_more_tokens_than_jobs)
{
    struct err err = {0};
    bool done;

    seed(1, 1000);
    for (int i = 0; i < 3; i++)
        ask("RPUSH p:queues:q:notify 1");
    OK(client_failed_retry(client, "id-000001", "q", slice_text("{}"), &done, &err));
    ck_assert_int_eq(ask("LLEN p:queues:q:notify"), 3);
}
END_TEST

START_TEST(retry_and_forget_work_where_redis_is_full)
{
    const char *const uuids[] = {"id-000002"};
    struct err err = {0};
    int64_t removed = 0;
    bool done;

    seed(1, 1000);
    seed(2, 1000);
    ask("CONFIG SET maxmemory 1");
    OK(client_failed_retry(client, "id-000001", "q", slice_text("{}"), &done, &err));
    ck_assert(done);
    OK(client_failed_forget(client, uuids, 1, &removed, &err));
    ck_assert_int_eq(removed, 1);
    ask("CONFIG SET maxmemory 0");
    ck_assert_int_eq(ask("LLEN p:queues:q"), 1);
}
END_TEST

START_TEST(retry_to_a_key_of_a_wrong_type_keeps_the_record)
{
    struct err err = {0};
    bool done = true;

    seed(1, 1000);
    ask("SET p:queues:q x");
    ck_assert_int_eq(
        client_failed_retry(client, "id-000001", "q", slice_text("{}"), &done, &err), -1);
    ck_assert(!done);
    ck_assert_ptr_nonnull(strstr(err.text, "p:queues:q"));
    ck_assert_int_eq(ask("EXISTS p:drover:failed:id-000001"), 1);
    ck_assert_int_eq(ask("ZCARD p:drover:failed"), 1);
}
END_TEST

START_TEST(forget_counts_what_was_there)
{
    const char *const uuids[] = {"id-000000", "nope", "id-000002", "id-000000"};
    struct err err = {0};
    int64_t removed = 0, ct;

    seed_many(4, 1);
    OK(client_failed_forget(client, uuids, ARRAY_CT(uuids), &removed, &err));
    ck_assert_int_eq(removed, 2);
    OK(client_failed_count(client, &ct, &err));
    ck_assert_int_eq(ct, 2);
}
END_TEST

/* ---- memory ---- */

static unsigned measured_ct;
static long peak_kib; /* of the measurements; 0: none yet */

/* Once in each page, ever elsewhere in it, and so while the walk holds what it holds. */
static void measure(const struct fail_record *record UNUSED)
{
    long kib;

    if (is_sanitized() || measured_ct++ % 499 != 0)
        return;
    kib = memory_anonymous_kib(getpid());
    if (kib > peak_kib)
        peak_kib = kib;
}

START_TEST(a_walk_of_300000_takes_no_more_memory_than_one_of_1000)
{
    static const int cts[] = {1000, 300000};
    long peaks_kib[ARRAY_CT(cts)];

    for (size_t i = 0; i < ARRAY_CT(cts); i++) {
        ask("FLUSHALL");
        seed_many(cts[i], 1000);
        for (int kind = FAILED_SUMMARY; kind <= FAILED_WHOLE; kind++) {
            struct seen seen = {.check_order = true, .descending = true, .also = measure};
            struct failed_walk walk = {.fields = (enum failed_fields)kind};
            struct err err = {0};

            OK(client_failed_walk(client, &walk, note_record, &seen, &err));
            ck_assert_int_eq(seen.ct, cts[i]);
        }
        peaks_kib[i] = peak_kib;
        peak_kib = 0;
    }
    if (is_sanitized())
        return;
    ck_assert_int_gt(peaks_kib[0], 0);
    ck_assert_int_le(peaks_kib[1] - peaks_kib[0], 1024); /* the ids alone are 3 MB */
}
END_TEST

/* ---- the outbox ---- */

START_TEST(records_are_moved_to_the_outbox_and_found_there)
{
    struct client *outbox = client_outbox(client);
    struct err err = {0};
    int64_t moved, ct;
    char uuid[64];
    bool done;

    for (int i = 0; i < 5; i++) {
        ask("HSET p:drover:failed:id-%06d uuid id-%06d queue q failed_at_ms %d payload "
            "{}",
            i, i, 1000 + i);
        ask("ZADD p:drover:failed %d id-%06d", 1000 + i, i);
    }
    OK(client_failed_move(client, outbox, 3, &moved, &err));
    ck_assert_int_eq(moved, 3);
    OK(client_failed_count(client, &ct, &err));
    ck_assert_int_eq(ct, 2);
    OK(client_failed_count(outbox, &ct, &err));
    ck_assert_int_eq(ct, 3);
    OK(client_failed_move(client, outbox, 3, &moved, &err));
    ck_assert_int_eq(moved, 2);
    OK(client_failed_move(client, outbox, 3, &moved, &err));
    ck_assert_int_eq(moved, 0);
    OK(client_failed_resolve(outbox, "id-000004", uuid, &err));
    OK(client_failed_retry(outbox, "id-000004", "q", slice_text("{}"), &done, &err));
    ck_assert(done);
    ck_assert_int_eq(ask("ZCARD p:drover:outbox"), 4);
    ck_assert_int_eq(ask("LLEN p:queues:q"), 1);
    OK(client_failed_move(outbox, client, CLIENT_MOVE_MAX, &moved, &err));
    ck_assert_int_eq(moved, 4);
    client_close(outbox);
    OK(client_failed_count(client, &ct, &err)); /* the connection is still there */
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, records_are_moved_to_the_outbox_and_found_there);
    tcase_add_test(tc, a_walk_brings_each_record_once_in_order);
    tcase_add_test(tc, a_walk_keeps_its_bounds_and_stops_when_told);
    tcase_add_test(tc, records_removed_during_the_walk_hide_no_others);
    tcase_add_test(tc, records_that_others_remove_are_not_visited_when_not_yet_fetched);
    tcase_add_test(tc, jobs_that_fail_again_meanwhile_are_not_met_twice);
    tcase_add_test(tc, an_index_member_without_record_is_skipped_and_cleaned_up);
    tcase_add_test(tc, a_key_of_a_wrong_type_in_a_records_place_hides_no_others);
    tcase_add_test(tc, get_brings_a_whole_record_byte_for_byte);
    tcase_add_test(tc, unique_prefixes_are_completed_and_others_refused);
    tcase_add_test(tc, retry_moves_a_record_to_its_queue_once);
    tcase_add_test(tc, retry_gives_no_more_tokens_than_jobs);
    tcase_add_test(tc, retry_and_forget_work_where_redis_is_full);
    tcase_add_test(tc, retry_to_a_key_of_a_wrong_type_keeps_the_record);
    tcase_add_test(tc, forget_counts_what_was_there);
    tcase_add_test(tc, a_walk_of_300000_takes_no_more_memory_than_one_of_1000);
}

int main(void)
{
    return run_client_suite("client_failed", add_tests);
}
