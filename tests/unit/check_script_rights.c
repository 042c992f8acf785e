/* Each script under each right of contrib/drover.acl that is taken away: one that was
 * refused has moved no job, and done again it ends as if it had never been refused; one
 * that answers all the same has done what it says. (reserve, which takes its acks before
 * it may be refused, has check_queue_rights; held and failed_page change nothing.) */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "queue/scripts.h"
#include "tests/support/client_fixture.h"

/* A lease that tag 524288 holds for long. */
#define MINE "9000000000.5"
#define TAG "524288"
#define RECORD "HSET drover:failed:u uuid u payload p failed_at_ms 5"
#define FAIL_KEYS                                                                        \
    "drover:failed queues:q:reserved drover:failed:u drover:failed:s drover:crashes "    \
    "drover:notes:u drover:outbox"
#define FAIL_ARGS TAG " p u u s redis q job 1 reason exception 5 p 3"
#define RELEASE_KEYS                                                                     \
    "drover:failed queues:q queues:q:delayed queues:q:reserved queues:q:notify "         \
    "drover:crashes drover:twins drover:notes:u"
#define RETRY_KEYS(index)                                                                \
    "drover:" index " drover:failed:u queues:q queues:q:notify drover:failed:"
#define GIVE_BACK_KEYS                                                                   \
    "drover:failed queues:q queues:q:reserved queues:q:notify drover:crashes"
#define IMPORT_KEYS                                                                      \
    "drover:import:t drover:import:t:token drover:twins queues:q queues:q:delayed "      \
    "queues:q:notify"

enum { SETUP_MAX = 6, WORDS_MAX = 32 };

/* Words between spaces; "_" is an empty one. */
static const struct scene {
    const char *script;
    const char *setup[SETUP_MAX];
    const char *keys, *args;
    bool counts; /* each call takes a number of its own: not to be compared */
} scenes[] = {
    {"retry", {RECORD, "ZADD drover:failed 5 u"}, RETRY_KEYS("failed"), "u again", false},
    {"retry",
     {RECORD, "ZADD drover:outbox 5 u", "RPUSH queues:q other"},
     RETRY_KEYS("outbox"),
     "u again",
     false},
    {"retry",
     {RECORD, "ZADD drover:outbox 5 u", "HSET drover:failed:u moving 7"},
     RETRY_KEYS("outbox"),
     "u again",
     false},
    {"retry", {"ZADD drover:failed 5 u"}, RETRY_KEYS("failed"), "u again", false},
    {"forget",
     {RECORD, "HSET drover:failed:v uuid v", "ZADD drover:failed 5 u 6 v"},
     "drover:failed drover:failed:u drover:failed:v",
     "u v",
     false},
    {"forget",
     {RECORD, "ZADD drover:outbox 5 u", "HSET drover:failed:u moving 7"},
     "drover:outbox drover:failed:u",
     "u",
     false},
    {"failed_move",
     {"ZADD drover:outbox 5 u 6 v"},
     "drover:outbox drover:failed",
     "10",
     false},
    {"failed_tidy",
     {"ZADD drover:failed 5 u"},
     "drover:failed drover:failed:u",
     "u",
     false},
    {"push",
     {"RPUSH queues:q other"},
     "queues:q queues:q:delayed queues:q:notify drover:twins",
     "0 one two",
     false},
    {"push",
     {NULL},
     "queues:q queues:q:delayed queues:q:notify drover:twins",
     "60000 one two",
     false},
    {"clear",
     {"RPUSH queues:q one", "ZADD queues:q:delayed 5 two", "RPUSH queues:q:notify 1",
      "ZADD queues:q:reserved " MINE " three"},
     "queues:q queues:q:delayed queues:q:notify queues:q:reserved",
     "",
     false},
    {"pause", {NULL}, "drover:paused", "pause q r", false},
    {"pause", {"ZADD drover:paused 5 q 6 r"}, "drover:paused", "resume q r", false},
    {"import",
     {"SET drover:import:t:token T"},
     IMPORT_KEYS,
     "T 1 1 m1 0 one 1 2 m2 9000000000 two",
     false},
    {"import",
     {"SET drover:import:t:token T", "ZADD drover:import:t 1 m1"},
     IMPORT_KEYS,
     "T 1 1 m1 0 one",
     false},
    {"ack",
     {"ZADD queues:q:reserved " MINE " p " MINE " r", "HSET drover:crashes u 2"},
     "drover:failed queues:q:reserved drover:crashes",
     TAG " 2 1 p r u _",
     false},
    {"release",
     {"ZADD queues:q:reserved " MINE " p", "HSET drover:crashes u 2",
      "SET drover:notes:u earlier"},
     RELEASE_KEYS,
     TAG " p again 5 30 u line",
     false},
    {"release",
     {"ZADD queues:q:reserved " MINE " p", "SET queues:q:delayed spoilt"},
     RELEASE_KEYS,
     TAG " p again 5 30 u line",
     false},
    {"fail",
     {"ZADD queues:q:reserved " MINE " p", "HSET drover:crashes u 2",
      "SET drover:notes:u earlier", "ZADD drover:outbox 4 u"},
     FAIL_KEYS,
     FAIL_ARGS,
     false},
    {"fail",
     {"ZADD queues:q:reserved " MINE " p", "HSET drover:failed:u payload others"},
     FAIL_KEYS,
     FAIL_ARGS,
     false},
    {"give_back",
     {"ZADD queues:q:reserved " MINE " p " MINE " r", "HSET drover:crashes u 2"},
     GIVE_BACK_KEYS,
     TAG " tail killed p u r v",
     false},
    {"give_back",
     {"ZADD queues:q:reserved " MINE " p", "RPUSH queues:q other",
      "HSET drover:crashes u 2"},
     GIVE_BACK_KEYS,
     TAG " head _ p _",
     false},
    {"extend",
     {"ZADD queues:q:reserved " MINE " p"},
     "drover:failed queues:q:reserved",
     TAG " 90 " TAG " p",
     false},
    {"crashed",
     {"HSET drover:crashes u 2"},
     "drover:failed drover:crashes",
     "killed u",
     true},
    {"open",
     {"HSET drover:beats 7 1"},
     "drover:failed drover:version drover:tag drover:open drover:beats drover:owners",
     "1 q",
     true},
    {"beat",
     {"HSET drover:beats " TAG " 1", "SADD drover:open " TAG, "ZADD drover:paused 5 q"},
     "drover:failed drover:open drover:beats drover:outbox drover:paused",
     TAG " q r",
     false},
    {"outbox_claim",
     {RECORD, "ZADD drover:outbox 5 u", "HSET drover:failed:u moving 7",
      "HSET drover:beats 7 1"},
     "drover:outbox drover:beats drover:failed:u",
     TAG " claim 5",
     false},
    {"outbox_claim",
     {RECORD, "ZADD drover:outbox 5 u"},
     "drover:outbox drover:beats drover:failed:u",
     TAG " claim 5",
     false},
    {"outbox_drop",
     {RECORD, "ZADD drover:outbox 5 u"},
     "drover:outbox drover:failed:u",
     "u 5",
     false},
    {"outbox_read", {RECORD}, "drover:failed:u", "1000 1000", false},
};

static redisContext *user; /* who lacks a right; `raw` is anybody */

static void open_user(void)
{
    redisReply *reply;

    set_up();
    user = redisConnectUnix(server.socket);
    ck_assert(user && user->err == 0);
    reply = redisCommand(user, "AUTH " ACL_USER " " ACL_PASSWORD);
    ck_assert(reply && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
}

static void close_user(void)
{
    (void)ask("ACL LOG RESET"); /* else being denied fails the test */
    redisFree(user);
    tear_down();
}

/* ---- what Redis holds ---- */

/* Without scores, which are times. What a job's end, or its twin's, does not hang on is
 * left out: tokens, heartbeats, counters; and, for the jobs alone, counts and notes. */
static const char snapshot[] =
    "local lines = {} "
    "local function is_left_out(key) "
    "  for _, part in ipairs({':notify', ':beats', ':owners', ':tag', ':version', "
    "                         ':twins'}) do "
    "    if string.find(key, part, 1, true) then return true end "
    "  end "
    "  return ARGV[1] == 'jobs' and (string.find(key, ':crashes', 1, true) or "
    "         string.find(key, ':notes', 1, true) or string.find(key, ':open', 1, true)) "
    "end "
    "local read = {list = {'LRANGE', 0, -1}, zset = {'ZRANGE', 0, -1}, "
    "              hash = {'HGETALL'}, set = {'SMEMBERS'}, string = {'GET'}} "
    "for _, key in ipairs(redis.call('KEYS', '*')) do "
    "  if not is_left_out(key) then "
    "    local command = read[redis.call('TYPE', key).ok] "
    "    local held = redis.call(command[1], key, unpack(command, 2)) "
    "    if type(held) == 'table' then held = table.concat(held, ' ') end "
    "    lines[#lines + 1] = key .. ': ' .. held "
    "  end "
    "end "
    "table.sort(lines) "
    "return table.concat(lines, '\\n')";

static char *look(const char *at)
{
    redisReply *reply = redisCommand(raw, "EVAL %s 0 %s", snapshot, at);
    char *text;

    ck_assert_ptr_nonnull(reply);
    ck_assert_msg(reply->type == REDIS_REPLY_STRING, "%s", reply->str);
    text = must_strdup(reply->str);
    freeReplyObject(reply);
    return text;
}

/* ---- a call ---- */

static void write_reply(struct buf *out, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        (void)buf_addf(out, "%lld ", reply->integer);
    else if (reply->type == REDIS_REPLY_ARRAY)
        for (size_t i = 0; i < reply->elements; i++)
            write_reply(out, reply->element[i]);
    else
        (void)buf_addf(out, "%s ", reply->str ? reply->str : "nil");
}

static size_t add_words(const char **argv, size_t ct, char *line)
{
    char *rest;

    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[ct++] = strcmp(word, "_") == 0 ? "" : word;
    return ct;
}

/* The answer as text; NULL: it was refused. */
static char *call(redisContext *as, const struct scene *scene)
{
    const char *argv[WORDS_MAX] = {"EVAL", script_named(scene->script)->text};
    char *keys = must_strdup(scene->keys), *args = must_strdup(scene->args), *text = NULL;
    char number[8];
    size_t ct = add_words(argv, 3, keys);
    redisReply *reply;
    struct buf answer;

    (void)snprintf(number, sizeof(number), "%zu", ct - 3);
    argv[2] = number;
    ct = add_words(argv, ct, args);
    reply = redisCommandArgv(as, (int)ct, argv, NULL);
    ck_assert_ptr_nonnull(reply);
    if (reply->type != REDIS_REPLY_ERROR) {
        buf_init(&answer, 0);
        write_reply(&answer, reply);
        text = must_strdup(answer.data ? answer.data : "");
        buf_free(&answer);
    }
    freeReplyObject(reply);
    free(keys);
    free(args);
    return text;
}

static void arrange(const struct scene *scene)
{
    redisReply *reply;

    (void)ask("FLUSHALL");
    for (size_t i = 0; i < SETUP_MAX && scene->setup[i]; i++) {
        reply = redisCommand(raw, scene->setup[i]);
        ck_assert(reply && reply->type != REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
}

/* How it ends where nothing is refused. */
struct ending {
    char *answer, *all, *jobs;
};

static void end_well(const struct scene *scene, struct ending *ending)
{
    arrange(scene);
    ending->answer = call(user, scene);
    ck_assert_ptr_nonnull(ending->answer);
    ending->all = look("all");
    ending->jobs = look("jobs");
}

static void assert_same(const struct scene *scene, const char *right, const char *when,
                        const char *is, const char *wanted)
{
    ck_assert_msg(strcmp(is, wanted) == 0, "%s without %s, %s:\n%s\nbut not\n%s",
                  scene->script, right, when, is, wanted);
}

static void try_again(const struct scene *scene, const char *right,
                      const struct ending *good)
{
    char *answer = call(user, scene), *after = look("all");

    ck_assert_ptr_nonnull(answer);
    if (!scene->counts)
        assert_same(scene, right, "refused and done again", after, good->all);
    free(answer);
    free(after);
}

/* Not refused: it did without the right, or says that it has not done it. */
static void assert_true(const struct scene *scene, const char *right, const char *answer,
                        const char *before, const struct ending *good)
{
    char *jobs = look("jobs");

    if (strcmp(answer, good->answer) == 0 || strcmp(jobs, before) != 0)
        assert_same(scene, right, "but answered", jobs, good->jobs);
    free(jobs);
}

static void take_away(const struct scene *scene, const char *right,
                      const struct ending *good)
{
    char *before, *jobs_before, *answer, *after;

    arrange(scene);
    before = look("all");
    jobs_before = look("jobs");
    (void)ask("ACL SETUSER " ACL_USER " -%s", right);
    answer = call(user, scene);
    (void)ask("ACL SETUSER " ACL_USER " +%s", right);
    after = look("all");
    if (answer == NULL) {
        assert_same(scene, right, "refused", after, before);
        try_again(scene, right, good);
    } else {
        assert_true(scene, right, answer, jobs_before, good);
    }
    free(before);
    free(jobs_before);
    free(answer);
    free(after);
}

static bool is_of_data(const char *word)
{
    return word[0] == '+' && strchr(word, '|') == NULL && strcmp(word, "+eval") != 0;
}

START_TEST(what_is_refused_moves_no_job_and_what_answers_tells_the_truth)
{
    const struct scene *scene = &scenes[_i];
    const char *argv[ACL_ARGS_MAX + 1] = {NULL};
    struct acl_words words;
    struct ending good;
    size_t ct = acl_add_server_args(&words, argv, 0), tried = 0;

    end_well(scene, &good);
    for (size_t i = 0; i < ct; i++) {
        if (!is_of_data(argv[i]))
            continue;
        take_away(scene, argv[i] + 1, &good);
        tried++;
    }
    ck_assert_uint_gt(tried, 40);
    free(good.answer);
    free(good.all);
    free(good.jobs);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_user, close_user);
    tcase_add_loop_test(tc, what_is_refused_moves_no_job_and_what_answers_tells_the_truth,
                        0, ARRAY_CT(scenes));
}

int main(void)
{
    return run_client_suite("script_rights", add);
}
