/* Queues through the command line's Redis client, against a real server. */
#include "queue/client_pause.h"
#include "tests/support/client_fixture.h"

static char *ask_text(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *ask_text(const char *fmt, ...)
{
    va_list ap;
    redisReply *reply;
    char *text;

    va_start(ap, fmt);
    reply = redisvCommand(raw, fmt, ap);
    va_end(ap);
    ck_assert_ptr_nonnull(reply);
    text = must_strdup(reply->str);
    freeReplyObject(reply);
    return text;
}

static void push_texts(const char *queue, const char *const *texts, size_t ct,
                       int64_t delay_ms)
{
    struct slice payloads[CLIENT_PUSH_MAX];
    struct err err = {0};

    for (size_t i = 0; i < ct; i++)
        payloads[i] = slice_text(texts[i]);
    OK(client_push(client, queue, payloads, ct, delay_ms, &err));
}

/* ---- opening ---- */

START_TEST(an_absent_server_is_a_connection_error)
{
    struct redis_endpoint endpoint = {.unix_path = (char *)"/nowhere/redis.sock"};
    struct err err = {0};

    ck_assert_ptr_null(client_open(&endpoint, "", &err));
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/redis.sock"));
}
END_TEST

START_TEST(a_wrong_password_is_a_connection_error_without_the_password)
{
    struct redis_endpoint endpoint = endpoint_of(&server);
    struct err err = {0};

    ask("ACL SETUSER watcher on >right ~* +@all");
    endpoint.username = (char *)"watcher";
    endpoint.password = (char *)"s3cret";
    ck_assert_ptr_null(client_open(&endpoint, "", &err));
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_ptr_null(strstr(err.text, "s3cret"));
}
END_TEST

START_TEST(user_password_and_database_are_used)
{
    struct redis_endpoint endpoint = endpoint_of(&server);
    struct err err = {0};
    struct client *other;
    struct slice payload = slice_text("{}");

    ask("ACL SETUSER watcher on >right ~* +@all");
    endpoint.username = (char *)"watcher";
    endpoint.password = (char *)"right";
    endpoint.db = 3;
    other = client_open(&endpoint, "", &err);
    ck_assert_msg(other != NULL, "%s", err.text);
    OK(client_push(other, "q", &payload, 1, 0, &err));
    client_close(other);
    ck_assert_int_eq(ask("EXISTS queues:q"), 0);
    ask("SELECT 3");
    ck_assert_int_eq(ask("LLEN queues:q"), 1);
}
END_TEST

START_TEST(a_newer_layout_is_refused_and_an_absent_one_is_left_absent)
{
    struct redis_endpoint endpoint = endpoint_of(&server);
    struct err err = {0};

    ck_assert_int_eq(ask("EXISTS p:drover:version"), 0);
    ask("SET p:drover:version 2");
    ck_assert_ptr_null(client_open(&endpoint, "p:", &err));
    ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

START_TEST(a_lost_connection_stays_lost)
{
    struct depths depths;
    struct err err = {0};

    ask("CLIENT KILL TYPE normal SKIPME yes");
    for (int i = 0; i < 2; i++) {
        err.code = ERR_NONE;
        ck_assert_int_eq(client_depths(client, "q", &depths, &err), -1);
        ck_assert_int_eq(err.code, ERR_CONN);
    }
}
END_TEST

/* ---- push ---- */

START_TEST(push_keeps_order_and_bytes)
{
    const struct slice payloads[] = {slice_of("a\0\xff\r\n", 5), slice_text("{\"b\":1}")};
    struct err err = {0};
    redisReply *reply;

    OK(client_push(client, "q", payloads, 2, 0, &err));
    reply = redisCommand(raw, "LRANGE p:queues:q 0 -1");
    ck_assert_uint_eq(reply->elements, 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert(slice_equal(payloads[i], slice_of(reply->element[i]->str,
                                                    (size_t)reply->element[i]->len)));
    freeReplyObject(reply);
}
END_TEST

START_TEST(push_gives_one_token_each_but_never_more_than_ready_jobs)
{
    static const struct {
        int ready, tokens, pushed, expected;
    } cases[] = {{0, 0, 1, 1}, {0, 0, 3, 3}, {2, 0, 1, 1}, {2, 2, 2, 4},
                 {0, 1, 1, 1}, {0, 5, 2, 5}, {1, 3, 4, 5}, {0, 0, 1000, 1000}};
    const char *texts[CLIENT_PUSH_MAX];

    for (size_t i = 0; i < CLIENT_PUSH_MAX; i++)
        texts[i] = "{}";
    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        ask("FLUSHALL");
        for (int k = 0; k < cases[i].ready; k++)
            ask("RPUSH p:queues:q x");
        for (int k = 0; k < cases[i].tokens; k++)
            ask("RPUSH p:queues:q:notify 1");
        push_texts("q", texts, (size_t)cases[i].pushed, 0);
        ck_assert_int_eq(ask("LLEN p:queues:q:notify"), cases[i].expected);
        ck_assert_int_eq(ask("LLEN p:queues:q"), cases[i].ready + cases[i].pushed);
    }
}
END_TEST

START_TEST(push_with_delay_is_due_by_redis_time_with_fractions)
{
    const char *const texts[] = {"{\"id\":1}"};
    redisReply *time = redisCommand(raw, "TIME");
    double before =
        strtod(time->element[0]->str, NULL) + strtod(time->element[1]->str, NULL) / 1e6;
    char *score;

    freeReplyObject(time);
    push_texts("q", texts, 1, 250);
    score = ask_text("ZSCORE p:queues:q:delayed %s", texts[0]);
    ck_assert_double_ge(strtod(score, NULL), before + 0.25);
    ck_assert_double_le(strtod(score, NULL), before + 30);
    ck_assert_ptr_nonnull(strchr(score, '.'));
    free(score);
    ck_assert_int_eq(ask("LLEN p:queues:q"), 0);
    ck_assert_int_eq(ask("LLEN p:queues:q:notify"), 1);
    push_texts("q", (const char *const[]){"{\"id\":2}"}, 1, 250);
    ck_assert_int_eq(ask("LLEN p:queues:q:notify"), 1);
}
END_TEST

START_TEST(delayed_twins_stay_two_jobs)
{
    const char *const texts[] = {"{\"job\":\"x\"}", "{\"job\":\"x\"}", "{\"job\":\"x\"}"};

    push_texts("q", texts, 3, 60000);
    ck_assert_int_eq(ask("ZCARD p:queues:q:delayed"), 3);
}
END_TEST

/* A push is all or nothing: what goes wrong half way must not end it. */
START_TEST(twins_stay_two_also_where_their_counter_is_spoilt)
{
    const char *const texts[] = {"{\"job\":\"x\"}", "{\"job\":\"x\"}"};

    ask("RPUSH p:drover:twins x");
    push_texts("q", texts, 2, 60000);
    ck_assert_int_eq(ask("ZCARD p:queues:q:delayed"), 2);
}
END_TEST

/* The pad is what payload_without_pad() takes off: magic, then the counter's bits. */
START_TEST(a_twins_pad_is_48_spaces_and_tabs_with_the_counter)
{
    const char *const texts[] = {"{}", "{}"};
    redisReply *reply;

    ask("SET p:drover:twins 4");
    push_texts("q", texts, 2, 60000);
    reply = redisCommand(raw, "ZREVRANGEBYLEX p:queues:q:delayed + ({}");
    ck_assert_uint_eq(reply->elements, 1);
    ck_assert_str_eq(reply->element[0]->str, "{}"
                                             "\t \t\t \t  \t \t\t \t  "
                                             "                             \t \t");
    freeReplyObject(reply);
}
END_TEST

START_TEST(push_to_a_key_of_a_wrong_type_names_it_and_changes_nothing)
{
    static const char *const kinds[] = {"p:queues:q", "p:queues:q:delayed"};

    for (size_t i = 0; i < ARRAY_CT(kinds); i++) {
        for (int64_t delay_ms = 0; delay_ms < 2; delay_ms++) {
            struct slice payload = slice_text("{}");
            struct err err = {0};

            ask("FLUSHALL");
            ask("SET %s x", kinds[i]);
            ck_assert_int_eq(client_push(client, "q", &payload, 1, delay_ms, &err), -1);
            ck_assert_int_eq(err.code, ERR_REPLY);
            ck_assert_ptr_nonnull(strstr(err.text, kinds[i]));
            ck_assert_int_eq(ask("DBSIZE"), 1);
        }
    }
}
END_TEST

START_TEST(a_spoilt_notify_does_not_stop_a_push)
{
    ask("SET p:queues:q:notify x");
    push_texts("q", (const char *const[]){"{}"}, 1, 0);
    push_texts("q", (const char *const[]){"{}"}, 1, 1000);
    ck_assert_int_eq(ask("LLEN p:queues:q"), 1);
    ck_assert_int_eq(ask("ZCARD p:queues:q:delayed"), 1);
}
END_TEST

START_TEST(a_full_redis_refuses_a_push_whole)
{
    struct slice payload = slice_text("{}");

    for (int64_t delay_ms = 0; delay_ms < 2; delay_ms++) {
        struct err err = {0};

        ask("CONFIG SET maxmemory 1");
        ck_assert_int_eq(client_push(client, "q", &payload, 1, delay_ms, &err), -1);
        ck_assert_int_eq(err.code, ERR_REPLY);
        ck_assert_ptr_nonnull(strstr(err.text, "full"));
        ask("CONFIG SET maxmemory 0");
        ck_assert_int_eq(ask("DBSIZE"), 0);
    }
}
END_TEST

/* ---- looking ---- */

START_TEST(depths_are_counted_and_wrong_types_are_minus_one)
{
    struct depths depths;
    struct err err = {0};

    ask("RPUSH p:queues:q a b c");
    ask("ZADD p:queues:q:delayed 1 a 2 b");
    OK(client_depths(client, "q", &depths, &err));
    ck_assert_int_eq(depths.ready, 3);
    ck_assert_int_eq(depths.delayed, 2);
    ck_assert_int_eq(depths.reserved, 0);
    ask("SET p:queues:q:delayed x");
    OK(client_depths(client, "q", &depths, &err));
    ck_assert_int_eq(depths.ready, 3);
    ck_assert_int_eq(depths.delayed, -1);
    ck_assert_int_eq(depths.reserved, 0);
}
END_TEST

START_TEST(what_is_no_set_of_paused_queues_leaves_it_unknown)
{
    struct client_paused paused;
    struct err err = {0};

    ask("SET p:drover:paused x");
    ck_assert_int_eq(client_paused_read(client, &paused, &err), 0);
    ck_assert_int_eq(err.code, ERR_NONE);
    ck_assert_int_eq(client_paused_since(&paused, "q"), -1);
    ck_assert_int_eq(client_paused_read(client, &paused, NULL), 0);
    ck_assert(paused.unknown);
    client_paused_free(&paused);
}
END_TEST

static void join_name(void *arg, const char *queue)
{
    char *joined = arg;

    snprintf(joined + strlen(joined), 256 - strlen(joined), "%s ", queue);
}

START_TEST(scan_tells_each_queue_once_and_only_of_our_prefix)
{
    char joined[256] = "";
    struct err err = {0};
    struct redis_endpoint endpoint = endpoint_of(&server);
    struct client *starred;

    ask("RPUSH p:queues:b x");
    ask("ZADD p:queues:b:delayed 1 x");
    ask("ZADD p:queues:a:reserved 1 x");
    ask("RPUSH p:queues:c:d:notify 1");
    ask("RPUSH other:queues:z x");
    ask("RPUSH queues:y x");
    OK(client_scan_queues(client, join_name, joined, &err));
    ck_assert_str_eq(joined, "a b c:d ");

    endpoint.username = endpoint.password = NULL; /* who may read under any prefix */
    starred = client_open(&endpoint, "*", &err);
    ck_assert_ptr_nonnull(starred);
    joined[0] = '\0';
    OK(client_scan_queues(starred, join_name, joined, &err));
    ck_assert_str_eq(joined, "");
    client_close(starred);
}
END_TEST

struct peeked {
    size_t ct;
    char last[32];
    double due_at;
};

static void note_job(void *arg, struct slice payload, double due_at)
{
    struct peeked *peeked = arg;

    peeked->ct++;
    peeked->due_at = due_at;
    snprintf(peeked->last, sizeof(peeked->last), "%.*s", (int)payload.len, payload.ptr);
}

START_TEST(peek_shows_the_head_of_each_state)
{
    struct err err = {0};
    struct peeked peeked = {0};

    for (int i = 0; i < 50; i++)
        ask("RPUSH p:queues:q job%d", i);
    ask("ZADD p:queues:q:delayed 1700000000.5 later 1800000000 latest");
    ask("ZADD p:queues:q:reserved 5 held");
    OK(client_peek(client, "q", "ready", 40, note_job, &peeked, &err));
    ck_assert_uint_eq(peeked.ct, 40);
    ck_assert_str_eq(peeked.last, "job39");
    OK(client_peek(client, "q", "ready", 1000, note_job, &peeked, &err));
    ck_assert_uint_eq(peeked.ct, 90);
    OK(client_peek(client, "q", "delayed", 1, note_job, &peeked, &err));
    ck_assert_str_eq(peeked.last, "later");
    ck_assert_double_eq(peeked.due_at, 1700000000.5);
    OK(client_peek(client, "q", "reserved", 3, note_job, &peeked, &err));
    ck_assert_str_eq(peeked.last, "held");
    ck_assert_uint_eq(peeked.ct, 92);
}
END_TEST

START_TEST(clear_spares_what_is_running_unless_told)
{
    static const struct {
        bool reserved;
        int64_t removed;
        long long left;
    } cases[] = {{false, 3, 1}, {true, 4, 0}};

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        int64_t removed = 0;

        ask("FLUSHALL");
        ask("RPUSH p:queues:q a b");
        ask("RPUSH p:queues:q:notify 1");
        ask("ZADD p:queues:q:delayed 1 c");
        ask("ZADD p:queues:q:reserved 1 d");
        OK(client_clear(client, "q", cases[i].reserved, &removed, &err));
        ck_assert_int_eq(removed, cases[i].removed);
        ck_assert_int_eq(ask("DBSIZE"), cases[i].left);
        OK(client_clear(client, "q", cases[i].reserved, &removed, &err));
        ck_assert_int_eq(removed, 0);
    }
}
END_TEST

START_TEST(clear_of_a_wrong_type_removes_nothing)
{
    struct err err = {0};
    int64_t removed;

    ask("RPUSH p:queues:q a b");
    ask("SET p:queues:q:reserved x");
    ck_assert_int_eq(client_clear(client, "q", true, &removed, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "p:queues:q:reserved"));
    ck_assert_int_eq(ask("LLEN p:queues:q"), 2);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, an_absent_server_is_a_connection_error);
    tcase_add_test(tc, a_wrong_password_is_a_connection_error_without_the_password);
    tcase_add_test(tc, user_password_and_database_are_used);
    tcase_add_test(tc, a_newer_layout_is_refused_and_an_absent_one_is_left_absent);
    tcase_add_test(tc, a_lost_connection_stays_lost);
    tcase_add_test(tc, push_keeps_order_and_bytes);
    tcase_add_test(tc, push_gives_one_token_each_but_never_more_than_ready_jobs);
    tcase_add_test(tc, push_with_delay_is_due_by_redis_time_with_fractions);
    tcase_add_test(tc, delayed_twins_stay_two_jobs);
    tcase_add_test(tc, twins_stay_two_also_where_their_counter_is_spoilt);
    tcase_add_test(tc, a_twins_pad_is_48_spaces_and_tabs_with_the_counter);
    tcase_add_test(tc, push_to_a_key_of_a_wrong_type_names_it_and_changes_nothing);
    tcase_add_test(tc, a_spoilt_notify_does_not_stop_a_push);
    tcase_add_test(tc, a_full_redis_refuses_a_push_whole);
    tcase_add_test(tc, depths_are_counted_and_wrong_types_are_minus_one);
    tcase_add_test(tc, what_is_no_set_of_paused_queues_leaves_it_unknown);
    tcase_add_test(tc, scan_tells_each_queue_once_and_only_of_our_prefix);
    tcase_add_test(tc, peek_shows_the_head_of_each_state);
    tcase_add_test(tc, clear_spares_what_is_running_unless_told);
    tcase_add_test(tc, clear_of_a_wrong_type_removes_nothing);
}

int main(void)
{
    return run_client_suite("client", add_tests);
}
