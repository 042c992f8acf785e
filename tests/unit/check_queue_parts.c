/* The pure parts: judging heartbeats, crash keys, the table of leases, retries, and the
 * reading of replies that are not what they should be.
 */
#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/crash.h"
#include "queue/internal.h"
#include "queue/reply.h"
#include "queue/vitals.h"
#include "tests/unit/suite.h"

/* ---- peers ---- */

static void note(struct peers *peers, int64_t now_ms, uint32_t tag, int64_t beat)
{
    int64_t passed_ms;

    peers_begin(peers, now_ms, 1500, &passed_ms);
    peers_note(peers, tag, beat, passed_ms, 0);
    peers_end(peers);
}

START_TEST(a_beat_that_moves_is_alive)
{
    struct peers peers = {.items = NULL};

    for (int64_t i = 0; i < 100; i++) {
        note(&peers, 1000 + i * 1000, 7, i / 9); /* changes now and then */
        ck_assert_ptr_null(peers_dead(&peers, 10000));
    }
    peers_free(&peers);
}
END_TEST

START_TEST(a_beat_that_stands_still_for_long_enough_is_dead)
{
    struct peers peers = {.items = NULL};
    int64_t i;

    for (i = 0; i <= 10; i++) {
        ck_assert_ptr_null(peers_dead(&peers, 10000));
        note(&peers, 5000 + i * 1000, 7, 42);
    }
    ck_assert_ptr_nonnull(peers_dead(&peers, 10000));
    ck_assert_uint_eq(peers_dead(&peers, 10000)->tag, 7);
    note(&peers, 5000 + i * 1000, 7, 43); /* late, but alive */
    ck_assert_ptr_null(peers_dead(&peers, 10000));
    peers_free(&peers);
}
END_TEST

START_TEST(time_in_which_redis_did_not_answer_does_not_count)
{
    struct peers peers = {.items = NULL};

    note(&peers, 1000, 7, 42);
    note(&peers, 60000, 7, 42);
    note(&peers, 120000, 7, 42);
    ck_assert_ptr_null(peers_dead(&peers, 3001));
    ck_assert_ptr_nonnull(peers_dead(&peers, 3000));
    peers_free(&peers);
}
END_TEST

START_TEST(an_excuse_puts_the_judgement_off)
{
    struct peers peers = {.items = NULL};
    int64_t passed_ms;

    for (int i = 0; i <= 12; i++) {
        ck_assert_ptr_null(peers_dead(&peers, 10000));
        peers_begin(&peers, 1000 + i * 1000, 1500, &passed_ms);
        peers_note(&peers, 7, 42, passed_ms, 2000);
        peers_end(&peers);
    }
    ck_assert_ptr_nonnull(peers_dead(&peers, 10000));
    peers_forget(&peers, 7);
    ck_assert_ptr_null(peers_dead(&peers, 0));
    peers_free(&peers);
}
END_TEST

START_TEST(who_is_gone_is_forgotten)
{
    struct peers peers = {.items = NULL};
    int64_t passed_ms;

    for (uint32_t tag = 1; tag <= 5; tag++)
        peers_note(&peers, tag, 0, 0, 0);
    peers_begin(&peers, 2000, 1500, &passed_ms);
    peers_note(&peers, 2, 1, passed_ms, 0);
    peers_note(&peers, 4, 1, passed_ms, 0);
    peers_end(&peers);
    ck_assert_uint_eq(peers.ct, 2);
    ck_assert_uint_eq(peers.items[0].tag, 2);
    ck_assert_uint_eq(peers.items[1].tag, 4);
    peers_begin(&peers, 3000, 1500, &passed_ms);
    peers_end(&peers);
    ck_assert_uint_eq(peers.ct, 0);
    peers_free(&peers);
}
END_TEST

/* ---- crashes ---- */

static const struct {
    const char *payload, *key;
} keys_of_crashes[] = {
    {"{\"uuid\":\"abc-1\",\"job\":\"x\"}", "abc-1"},
    /* FNV-1a 128 of "a", as published with the algorithm */
    {"a", "h:d228cb696f1a8caf78912b704e4a8964"},
    {"", "h:6c62272e07bb014262b821756295c58d"},
    {"{\"uuid\":7}", NULL},
    {"{\"uuid\":\"with space\"}", NULL},
};

START_TEST(a_crash_is_kept_under_the_uuid_else_a_hash)
{
    char key[CRASH_KEY_BYTES];

    crash_key(slice_text(keys_of_crashes[_i].payload), key);
    if (keys_of_crashes[_i].key)
        ck_assert_str_eq(key, keys_of_crashes[_i].key);
    else
        ck_assert(strncmp(key, "h:", 2) == 0 && strlen(key) == 34);
}
END_TEST

static const struct {
    const char *text;
    unsigned count;
    const char *note;
} counts[] = {{"3 killed by SIGSEGV", 3, "killed by SIGSEGV"},
              {"1", 1, NULL},
              {"2 ", 2, NULL},
              {"", 0, NULL},
              {"x", 0, NULL},
              {"-1 y", 0, NULL},
              {"99999999999999999999 z", 10000000, "z"}};

START_TEST(crash_counts_are_read_with_care)
{
    struct slice text_note;
    unsigned count = crash_parse(slice_text(counts[_i].text), &text_note);

    ck_assert_uint_le(count, counts[_i].count < 10 ? counts[_i].count : 10000000);
    ck_assert_uint_ge(count, counts[_i].count < 10 ? counts[_i].count : 1000000);
    if (counts[_i].note)
        ck_assert(slice_is(text_note, counts[_i].note));
    else
        ck_assert_ptr_null(text_note.ptr);
}
END_TEST

/* ---- leases ---- */

static struct lease *find(const struct leases *leases, unsigned queue, const char *bytes,
                          size_t len)
{
    struct lease_key key = leases_key(leases, queue, slice_of(bytes, len));

    return leases_find(leases, &key);
}

START_TEST(leases_are_found_by_queue_and_bytes)
{
    struct leases leases;
    struct lease *kept[100];
    char bytes[1100];

    leases_init(&leases, 4); /* fewer buckets than leases */
    memset(bytes, 'x', sizeof(bytes));
    for (unsigned i = 0; i < 100;
         i++) { /* alike but for the queue and bytes in the middle */
        struct lease_key key;

        (void)snprintf(bytes + 500, 8, "%03u", i / 2);
        key = leases_key(&leases, i % 2, slice_of(bytes, sizeof(bytes)));
        kept[i] = lease_create(&key, i);
        leases_add(&leases, kept[i]);
    }
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(bytes + 500, 8, "%03u", i / 2);
        ck_assert_ptr_eq(find(&leases, i % 2, bytes, sizeof(bytes)), kept[i]);
        ck_assert_ptr_null(find(&leases, i % 2, bytes, sizeof(bytes) - 1));
    }
    leases_remove(&leases, kept[40]);
    ck_assert_uint_eq(leases.ct, 99);
    ck_assert_ptr_null(find(&leases, 0, kept[40]->bytes.ptr, kept[40]->bytes.len));
    lease_free(kept[40]);
    leases_free(&leases);
}
END_TEST

START_TEST(a_settled_lease_is_found_as_such_beside_a_new_one_of_its_bytes)
{
    struct leases leases;
    struct lease_key key;
    struct lease *before, *after;

    leases_init(&leases, 4);
    key = leases_key(&leases, 1, slice_text("twin"));
    before = lease_create(&key, 7);
    leases_add(&leases, before);
    ck_assert_ptr_null(leases_find_settled(&leases, &key));
    leases_settle(&leases, before);
    ck_assert_uint_eq(leases.ct, 0);
    ck_assert_ptr_null(leases_find(&leases, &key));
    after = lease_create(&key, 8);
    leases_add(&leases, after);
    ck_assert_ptr_eq(leases_find(&leases, &key), after);
    ck_assert_ptr_eq(leases_find_settled(&leases, &key), before);
    leases_remove_settled(before);
    lease_free(before);
    ck_assert_ptr_null(leases_find_settled(&leases, &key));
    leases_free(&leases);
}
END_TEST

/* As who knows the hash would aim them, if they could: no two tables agree, every byte
 * and the length count. */
START_TEST(the_hash_is_secret_and_takes_in_every_byte)
{
    struct leases tables[2];
    char bytes[100] = {0};

    leases_init(&tables[0], 4);
    leases_init(&tables[1], 4);
    for (size_t len = 0; len < sizeof(bytes); len++) {
        uint64_t hash = leases_key(&tables[0], 0, slice_of(bytes, len)).hash;

        ck_assert(hash != leases_key(&tables[1], 0, slice_of(bytes, len)).hash);
        ck_assert(hash != leases_key(&tables[0], 1, slice_of(bytes, len)).hash);
        ck_assert(hash != leases_key(&tables[0], 0, slice_of(bytes, len + 1)).hash);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = 1;
            ck_assert(hash != leases_key(&tables[0], 0, slice_of(bytes, len)).hash);
            bytes[i] = 0;
        }
    }
    leases_free(&tables[0]);
    leases_free(&tables[1]);
}
END_TEST

/* ---- retries and errors ---- */

START_TEST(retries_double_up_to_the_most)
{
    static const int64_t expected_ms[] = {50, 100, 200, 400, 800, 1600, 2000, 2000};
    struct queue_pace pace = {.retry_min_ms = 50, .retry_max_ms = 2000};

    for (unsigned i = 0; i < ARRAY_CT(expected_ms); i++)
        ck_assert_int_eq(link_retry_ms(&pace, i), expected_ms[i]);
    ck_assert_int_eq(link_retry_ms(&pace, 4000000000u), 2000);
}
END_TEST

START_TEST(errors_of_redis_itself_are_outages)
{
    static const char *const outages[] = {
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script",
        "READONLY You can't write against a read only replica.",
        "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MISCONF Redis is configured to save RDB snapshots",
        "NOAUTH Authentication required.",
        "NOPERM this user has no permissions",
        "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: The "
        "user executing the script can't run this command or subcommand",
        "ERR ACL failure in script: User drover has no permissions to run the 'hset' "
        "command"};

    for (size_t i = 0; i < ARRAY_CT(outages); i++)
        ck_assert_msg(link_is_outage(outages[i]), "%s", outages[i]);
    ck_assert(!link_is_outage("WRONGTYPE Operation against a key"));
    ck_assert(!link_is_outage("ERR value is not an integer or out of range"));
}
END_TEST

/* ---- replies ---- */

static redisReply *parse(const char *resp)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    ck_assert_int_eq(redisReaderFeed(reader, resp, strlen(resp)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    redisReaderFree(reader);
    return reply;
}

#define GOOD_HEAD "*10\r\n:1\r\n:1763726400123\r\n*0\r\n"
#define JOB "*2\r\n:1\r\n$1\r\nx\r\n"
#define JOBS "*2\r\n:1\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n"
#define RECLAIMED "*3\r\n:1\r\n$1\r\nx\r\n:1\r\n"
#define NONE "*0\r\n"
#define DEPTHS "*3\r\n:0\r\n:-1\r\n:2\r\n"
#define NUMBERS ":-1\r\n:0\r\n"

static const struct {
    const char *resp;
    bool good;
} replies[] = {
    {GOOD_HEAD JOBS NONE NONE NONE DEPTHS NUMBERS, true},
    {GOOD_HEAD JOB NONE NONE NONE DEPTHS NUMBERS, false},
    {GOOD_HEAD "*2\r\n:1\r\n*1\r\n:1\r\n" NONE NONE NONE DEPTHS NUMBERS, false},
    {GOOD_HEAD NONE RECLAIMED NONE JOB DEPTHS NUMBERS, true},
    {GOOD_HEAD NONE JOB NONE JOB DEPTHS NUMBERS, false}, /* of whom? */
    {"*3\r\n:0\r\n:5\r\n*1\r\n:1\r\n", true},
    {"*2\r\n:0\r\n:5\r\n", false},
    {"$2\r\nOK\r\n", false},
    {"*0\r\n", false},
    {"*3\r\n:1\r\n:5\r\n*0\r\n", false},      /* open, but cut short */
    {"*3\r\n:0\r\n$1\r\n5\r\n*0\r\n", false}, /* time is no number */
    {GOOD_HEAD "*1\r\n:1\r\n" NONE NONE NONE DEPTHS NUMBERS, false}, /* half a pair */
    {GOOD_HEAD "*2\r\n:2\r\n*0\r\n" NONE NONE NONE DEPTHS NUMBERS, false},
    {GOOD_HEAD "*2\r\n:0\r\n*0\r\n" NONE NONE NONE DEPTHS NUMBERS, false},
    {GOOD_HEAD "*2\r\n:1\r\n*-1\r\n" NONE NONE NONE DEPTHS NUMBERS, false},
    {GOOD_HEAD JOBS NONE JOB NONE DEPTHS NUMBERS, false}, /* oversize wants a length
                                                           */
    {GOOD_HEAD JOBS NONE NONE NONE NONE NUMBERS, false},  /* depths of no queue */
    {GOOD_HEAD JOBS NONE NONE NONE DEPTHS ":0\r\n$1\r\n0\r\n", false},
};

START_TEST(a_reserve_reply_is_read_or_refused_whole)
{
    redisReply *reply = parse(replies[_i].resp);
    struct reserve_reply read;
    struct err err;

    ck_assert_int_eq(reserve_reply_read(&read, reply, 1, &err) == 0, replies[_i].good);
    freeReplyObject(reply);
}
END_TEST

/* ---- vitals ---- */

static struct vitals vitals_of(const char *policy, enum vital aof)
{
    struct vitals vitals;

    vitals_init(&vitals);
    (void)snprintf(vitals.policy, sizeof(vitals.policy), "%s", policy);
    vitals.aof = aof;
    return vitals;
}

static const struct {
    const char *policy_before, *policy_now;
    enum vital aof_before, aof_now;
    unsigned lines;
} news[] = {
    {"", "", VITAL_UNKNOWN, VITAL_UNKNOWN, 0},
    {"", "noeviction", VITAL_UNKNOWN, VITAL_YES, 0},
    {"", "allkeys-lru", VITAL_UNKNOWN, VITAL_NO, VITALS_EVICTS | VITALS_AOF_OFF},
    {"allkeys-lru", "allkeys-lru", VITAL_NO, VITAL_NO, 0},
    {"allkeys-lru", "volatile-ttl", VITAL_NO, VITAL_NO, VITALS_EVICTS},
    {"allkeys-lru", "noeviction", VITAL_NO, VITAL_YES,
     VITALS_EVICTS_NOT | VITALS_AOF_ON_AGAIN},
    {"noeviction", "allkeys-random", VITAL_YES, VITAL_NO, VITALS_EVICTS | VITALS_AOF_OFF},
    {"allkeys-lru", "", VITAL_NO, VITAL_UNKNOWN, 0}, /* the right was taken away */
};

START_TEST(vitals_are_said_when_they_are_news)
{
    struct vitals before = vitals_of(news[_i].policy_before, news[_i].aof_before);
    struct vitals now = vitals_of(news[_i].policy_now, news[_i].aof_now);

    ck_assert_uint_eq(vitals_lines(&before, &now), news[_i].lines);
}
END_TEST

START_TEST(info_is_read_whatever_it_holds)
{
    static const char info[] = "# Memory\r\nused_memory:1048576\r\nmaxmemory:0\r\n"
                               "used_memory_human:1M\r\n\r\nmaxmemory_policy:volatile-lru"
                               "\r\nempty:\r\nnothing\r\naof_enabled:1";
    static const char odd[] =
        "used_memory:-5\nmaxmemory:99999999999999999999999999\n"
        "maxmemory_policy:a-name-that-is-longer-than-any-of-them\n:\n";
    struct vitals vitals;

    vitals_init(&vitals);
    vitals_read_info(&vitals, slice_text(info));
    ck_assert_str_eq(vitals.policy, "volatile-lru");
    ck_assert_int_eq(vitals.aof, VITAL_YES);
    ck_assert_int_eq(vitals.used_memory_bytes, 1048576);
    ck_assert_int_eq(vitals.maxmemory_bytes, 0);
    ck_assert_int_eq(vitals_evicts(&vitals), VITAL_YES);

    vitals_init(&vitals);
    vitals_read_info(&vitals, slice_text(odd));
    vitals_read_info(&vitals, slice_of(NULL, 0));
    ck_assert_str_eq(vitals.policy, "");
    ck_assert_int_eq(vitals.aof, VITAL_UNKNOWN);
    ck_assert_int_eq(vitals.used_memory_bytes, -1);
    ck_assert_int_eq(vitals.maxmemory_bytes, -1);
    ck_assert_int_eq(vitals_evicts(&vitals), VITAL_UNKNOWN);
}
END_TEST

START_TEST(places_are_looked_up)
{
    redisReply *places = parse("*4\r\n:1\r\n:2\r\n:7\r\n:9\r\n");
    redisReply *none = parse("*0\r\n");

    ck_assert(reply_is_places(places) && reply_is_places(none));
    for (size_t i = 0; i < 12; i++) {
        ck_assert_int_eq(reply_has_place(places, i),
                         i == 1 || i == 2 || i == 7 || i == 9);
        ck_assert(!reply_has_place(none, i));
    }
    freeReplyObject(places);
    freeReplyObject(none);
}
END_TEST

START_TEST(places_go_up_from_one)
{
    static const char *const others[] = {"*1\r\n$1\r\n7\r\n", ":7\r\n", "*1\r\n:0\r\n",
                                         "*2\r\n:7\r\n:1\r\n", "*2\r\n:7\r\n:7\r\n"};

    for (size_t i = 0; i < ARRAY_CT(others); i++) {
        redisReply *other = parse(others[i]);

        ck_assert_msg(!reply_is_places(other), "%zu", i);
        freeReplyObject(other);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_beat_that_moves_is_alive);
    tcase_add_test(tc, a_beat_that_stands_still_for_long_enough_is_dead);
    tcase_add_test(tc, time_in_which_redis_did_not_answer_does_not_count);
    tcase_add_test(tc, an_excuse_puts_the_judgement_off);
    tcase_add_test(tc, who_is_gone_is_forgotten);
    tcase_add_loop_test(tc, a_crash_is_kept_under_the_uuid_else_a_hash, 0,
                        (int)ARRAY_CT(keys_of_crashes));
    tcase_add_loop_test(tc, crash_counts_are_read_with_care, 0, (int)ARRAY_CT(counts));
    tcase_add_test(tc, leases_are_found_by_queue_and_bytes);
    tcase_add_test(tc, a_settled_lease_is_found_as_such_beside_a_new_one_of_its_bytes);
    tcase_add_test(tc, the_hash_is_secret_and_takes_in_every_byte);
    tcase_add_test(tc, retries_double_up_to_the_most);
    tcase_add_test(tc, errors_of_redis_itself_are_outages);
    tcase_add_loop_test(tc, a_reserve_reply_is_read_or_refused_whole, 0,
                        (int)ARRAY_CT(replies));
    tcase_add_loop_test(tc, vitals_are_said_when_they_are_news, 0, (int)ARRAY_CT(news));
    tcase_add_test(tc, info_is_read_whatever_it_holds);
    tcase_add_test(tc, places_are_looked_up);
    tcase_add_test(tc, places_go_up_from_one);
}

int main(void)
{
    return run_suite("queue_parts", 60, add);
}
