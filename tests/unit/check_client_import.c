/* The Redis side of an import, against a real server: jobs and marks come together, or
 * neither does. */
#include "queue/client_import.h"

#include "tests/support/client_fixture.h"

#define SOURCE "7.1.2"
#define MARKS "p:drover:import:" SOURCE

static struct import_token token;

static struct import_mark mark_of(int64_t id)
{
    struct import_mark mark = {.id = id};

    (void)snprintf(mark.text, sizeof(mark.text), "%" PRId64 " abc", id);
    return mark;
}

static void begin(void)
{
    struct err err = {0};

    OK(client_import_begin(client, SOURCE, &token, &err));
}

/* Three rows of high and two of low, of which 3 and 5 are due in the far future. */
enum { FIVE = 5 };
struct five {
    struct import_mark marks[FIVE];
    struct import_row rows[FIVE];
};

static struct five *five_rows(void)
{
    static const char *const payloads[FIVE] = {"one", "two", "three", "four", "three"};
    static struct five five;

    for (int i = 0; i < FIVE; i++) {
        five.marks[i] = mark_of(i + 1);
        five.rows[i] = (struct import_row){.mark = &five.marks[i],
                                           .queue = i < 3 ? "high" : "low",
                                           .due_at = i == 2 || i == 4 ? 4000000000 : 5,
                                           .payload = slice_text(payloads[i])};
    }
    return &five;
}

static int push(struct five *five, struct err *err)
{
    return client_import_push(client, SOURCE, &token, five->rows, FIVE, err);
}

static void fates_are(const struct five *five, const char *fates)
{
    for (size_t i = 0; i < FIVE; i++)
        ck_assert_msg("abr"[five->rows[i].fate] == fates[i], "row %zu: %c", i + 1,
                      "abr"[five->rows[i].fate]);
}

static void depths_are(long long high, long long high_later, long long low,
                       long long low_later)
{
    ck_assert_int_eq(ask("LLEN p:queues:high"), high);
    ck_assert_int_eq(ask("ZCARD p:queues:high:delayed"), high_later);
    ck_assert_int_eq(ask("LLEN p:queues:low"), low);
    ck_assert_int_eq(ask("ZCARD p:queues:low:delayed"), low_later);
}

START_TEST(rows_are_added_once)
{
    struct five *five = five_rows();
    struct err err = {0};

    begin();
    OK(push(five, &err));
    fates_are(five, "aaaaa");
    for (int again = 0; again < 2; again++) {
        depths_are(2, 1, 1, 1);
        ck_assert_int_eq(ask("LLEN p:queues:high:notify"), 2);
        ck_assert_int_eq(ask("LLEN p:queues:low:notify"), 1);
        ck_assert_int_eq(ask("ZCARD " MARKS), FIVE);
        ask("SCRIPT FLUSH");
        OK(push(five, &err));
        fates_are(five, "bbbbb");
    }
    ck_assert_int_eq(ask("ZSCORE p:queues:high:delayed three"), 4000000000);
}
END_TEST

START_TEST(rows_of_equal_bytes_are_all_added)
{
    struct five *five = five_rows();
    struct err err = {0};

    begin();
    for (int i = 0; i < FIVE; i++) {
        five->rows[i].queue = "high";
        five->rows[i].payload = slice_text("same");
        five->rows[i].due_at = 4000000000;
    }
    OK(push(five, &err));
    depths_are(0, FIVE, 0, 0);
    ck_assert_int_eq(ask("LLEN p:queues:high:notify"), 1);
}
END_TEST

START_TEST(another_token_voids_the_push)
{
    struct five *five = five_rows();
    struct import_token old;
    struct err err = {0};

    begin();
    old = token;
    begin();
    token = old;
    ck_assert_int_eq(push(five, &err), -1);
    ck_assert_int_eq(err.code, ERR_REPLY);
    begin();
    OK(client_import_void(client, SOURCE, &err));
    ck_assert_int_eq(push(five, &err), -1);
    depths_are(0, 0, 0, 0);
    ck_assert_int_eq(ask("DBSIZE"), 0);
    begin();
    OK(push(five, &err));
    depths_are(2, 1, 1, 1);
}
END_TEST

START_TEST(a_queue_of_a_wrong_type_is_refused_and_the_other_is_not)
{
    static const char *const keys[] = {"p:queues:high", "p:queues:high:delayed"};
    struct five *five = five_rows();
    struct err err = {0};

    ask("SET %s x", keys[_i]);
    begin();
    OK(push(five, &err));
    fates_are(five, "rrraa");
    ck_assert_ptr_nonnull(strstr(five->rows[0].why, keys[_i]));
    ck_assert_int_eq(ask("ZCARD " MARKS), 2);
    ask("DEL %s", keys[_i]);
    OK(push(five, &err));
    fates_are(five, "aaabb");
    depths_are(2, 1, 1, 1);
}
END_TEST

START_TEST(a_notify_of_a_wrong_type_costs_no_job)
{
    struct five *five = five_rows();
    struct err err = {0};

    ask("SET p:queues:high:notify x");
    begin();
    OK(push(five, &err));
    fates_are(five, "aaaaa");
    depths_are(2, 1, 1, 1);
}
END_TEST

/* Rights that are missing are met before anything is added: keys by Redis itself. */
static const struct {
    const char *user, *fates; /* NULL: refused as a whole */
} users[] = {
    {"~p:drover:* ~p:queues:low* +@all", NULL},
    {"~p:drover:* ~p:queues:low* ~p:queues:high +@all", NULL},
    {"~* +@all -rpush", "rrrrr"},
    {"~* +@all -zadd", NULL},
    {"~p:queues:* ~p:drover:import:7.1.2:token ~p:drover:version +@all", NULL},
};

START_TEST(what_the_user_may_not_do_is_refused_whole)
{
    struct redis_endpoint endpoint = endpoint_of(&server);
    struct five *five = five_rows();
    struct err err = {0};

    ask("ACL DELUSER half");
    freeReplyObject(
        redisCommand(raw, "ACL SETUSER half on >secret")); /* then its words */
    {
        char *line = must_format("ACL SETUSER half %s", users[_i].user);

        freeReplyObject(redisCommand(raw, line));
        free(line);
    }
    endpoint.username = (char *)"half";
    client_close(client);
    client = client_open(&endpoint, "p:", &err);
    ck_assert_msg(client != NULL, "%s", err.text);
    begin();
    ck_assert_int_eq(push(five, &err), users[_i].fates ? 0 : -1);
    if (users[_i].fates)
        fates_are(five, users[_i].fates);
    else
        depths_are(0, 0, 0, 0);
    ask("ACL SETUSER half ~* +@all");
    OK(push(five, &err));
    depths_are(2, 1, 1, 1);
    ck_assert_int_eq(ask("ZCARD " MARKS), FIVE);
    ask("ACL LOG RESET");
}
END_TEST

START_TEST(a_full_redis_takes_nothing)
{
    struct five *five = five_rows();
    struct err err = {0};

    begin();
    ask("CONFIG SET maxmemory 1");
    ck_assert_int_eq(push(five, &err), -1);
    ck_assert_int_eq(err.code, ERR_REPLY);
    ck_assert_ptr_nonnull(strstr(err.text, "full"));
    depths_are(0, 0, 0, 0);
    ck_assert_int_eq(client_import_begin(client, SOURCE, &token, &err), -1);
    OK(client_import_void(client, SOURCE, &err));
    ck_assert_int_eq(ask("DBSIZE"), 0);
}
END_TEST

START_TEST(marks_are_listed_by_id_and_forgotten)
{
    struct five *five = five_rows();
    struct import_mark marks[IMPORT_ROWS_MAX];
    const struct import_mark *some[] = {&five->marks[0], &five->marks[3]};
    struct err err = {0};
    size_t ct;

    OK(client_import_marks(client, SOURCE, -1, marks, &ct, &err));
    ck_assert_uint_eq(ct, 0);
    begin();
    OK(push(five, &err));
    OK(client_import_marks(client, SOURCE, 2, marks, &ct, &err));
    ck_assert_uint_eq(ct, 3);
    ck_assert_int_eq(marks[0].id, 3);
    ck_assert_str_eq(marks[0].text, five->marks[2].text);
    OK(client_import_forget(client, SOURCE, some, ARRAY_CT(some), &err));
    OK(client_import_marks(client, SOURCE, 0, marks, &ct, &err));
    ck_assert_uint_eq(ct, 3);
    OK(push(five, &err));
    fates_are(five, "abbab");
}
END_TEST

START_TEST(a_batch_of_as_many_queues_as_rows_is_one_push)
{
    static struct import_row rows[IMPORT_ROWS_MAX];
    static struct import_mark marks[IMPORT_ROWS_MAX];
    static char names[IMPORT_ROWS_MAX][16];
    struct err err = {0};

    for (int i = 0; i < IMPORT_ROWS_MAX; i++) {
        marks[i] = mark_of(i);
        (void)snprintf(names[i], sizeof(names[i]), "q%d", i);
        rows[i] = (struct import_row){
            .mark = &marks[i], .queue = names[i], .payload = slice_text("{}")};
    }
    begin();
    OK(client_import_push(client, SOURCE, &token, rows, IMPORT_ROWS_MAX, &err));
    ck_assert_int_eq(ask("DBSIZE"), 2 * IMPORT_ROWS_MAX + 2);
    for (int i = 0; i < IMPORT_ROWS_MAX; i++) {
        rows[i].mark = &marks[IMPORT_ROWS_MAX - 1 - i];
        marks[i].text[0] = 'x';
        rows[i].queue = "one";
    }
    OK(client_import_push(client, SOURCE, &token, rows, IMPORT_ROWS_MAX, &err));
    ck_assert_int_eq(ask("LLEN p:queues:one"), IMPORT_ROWS_MAX);
    ck_assert_int_eq(ask("LLEN p:queues:one:notify"), IMPORT_ROWS_MAX);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, rows_are_added_once);
    tcase_add_test(tc, rows_of_equal_bytes_are_all_added);
    tcase_add_test(tc, another_token_voids_the_push);
    tcase_add_loop_test(tc, a_queue_of_a_wrong_type_is_refused_and_the_other_is_not, 0,
                        2);
    tcase_add_test(tc, a_notify_of_a_wrong_type_costs_no_job);
    tcase_add_loop_test(tc, what_the_user_may_not_do_is_refused_whole, 0,
                        ARRAY_CT(users));
    tcase_add_test(tc, a_full_redis_takes_nothing);
    tcase_add_test(tc, marks_are_listed_by_id_and_forgotten);
    tcase_add_test(tc, a_batch_of_as_many_queues_as_rows_is_one_push);
}

int main(void)
{
    return run_client_suite("client_import", add_tests);
}
