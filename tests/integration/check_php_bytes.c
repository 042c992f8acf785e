/* What becomes of a payload's bytes between Laravel and drover: whoever releases a job,
 * the other one finds it as it was but for the count of attempts.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/support/php_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

/* drover's job fails by design, and then rests for an hour. */
static const char settings[] =
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; } );\n"
    "jobs: ( { name = \"mirror@*\"; type = \"shell\"; command = [ \"/bin/false\" ];\n"
    "          tries = 0; backoff = [ 3600 ]; } );\n";

/* A payload in parts; drover turns `was` into `becomes` when it releases it. */
static const struct awkward {
    const char *id; /* of the uuid */
    const char *head, *was, *becomes, *tail;
    unsigned attempts; /* that `was` says */
    bool php_can_pop;  /* without destroying it */
} awkwards[] = {
    {"plain", "\"data\":{\"n\":1},\"attempts\":", "0", "1", "}", 0, true},
    {"big", "\"data\":[12345678901234567890,-9223372036854775809,1e300],\"attempts\":",
     "0", "1", "}", 0, true},
    {"floats", "\"data\":[0.1,1.0,-0,-0.0,1E5,100000000000000],\"attempts\":", "0", "1",
     "}", 0, true},
    {"nul",
     "\"data\":\"O:1:\\\"X\\\":1:{s:4:\\\"\\u0000X\\u0000y\\\";i:1;}\",\"attempts\":",
     "0", "1", "}", 0, true},
    {"unicode",
     "\"data\":\"\xc3\xa9 \\u00e9 \xf0\x9f\x98\x80 \\ud83d\\ude00 \\/ / "
     "\x7f\",\"attempts\":",
     "0", "1", "}", 0, true},
    {"empty", "\"data\":{\"list\":[],\"object\":{},\"deep\":[[],[{}]]},\"attempts\":",
     "0", "1", "}", 0, true},
    {"nested",
     "\"data\":{\"attempts\":0,\"text\":\"\\\"attempts\\\":0\",\"in\":[{\"attempts\":0}]}"
     ",\"attempts\":",
     "0", "1", "}", 0, true},
    {"between", "\"attempts\":", "0", "1",
     ",\"data\":{\"attempts\":0},\"maxTries\":null,\"zz\":\"}\"}", 0, true},
    {"spaces", "\"data\" : [ ] ,\n\t\"attempts\"\r\n :\t ", "0", "1", "\n }\n ", 0, true},
    {"escaped", "\"data\":1,\"\\u0061ttempts\":", "4", "5", "}", 4, true},
    {"twice", "\"attempts\":7,\"data\":1,\"attempts\":", "1", "2", "}", 1, true},
    {"text", "\"data\":1,\"attempts\":", "\"2\"", "3", "}", 2, true},
    {"fraction", "\"data\":1,\"attempts\":", "2.0", "3", "}", 2, true},
    {"grown", "\"data\":1,\"attempts\":", "99", "100", "}", 99, true},
    {"missing", "\"data\":1", "", ",\"attempts\":1", "}", 0, false},
    {"huge", "\"data\":1e400,\"attempts\":", "0", "1", "}", 0, false},
};

static void set_stage(void)
{
    php_stage_open(&stage, "", settings);
}

static char *payload(const struct awkward *a, const char *job, const char *attempts)
{
    return must_format("{\"uuid\":\"uuid-%s\",\"job\":\"%s\",%s%s%s", a->id, job, a->head,
                       attempts, a->tail);
}

static void add_order(struct buf *orders, const char *bytes)
{
    json_t *order =
        json_pack("{s:s, s:s, s:s}", "op", "raw", "queue", "default", "payload", bytes);
    char *text = json_dumps(order, JSON_COMPACT);

    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(buf_addf(orders, "%s\n", text), 0);
    free(text);
    json_decref(order);
}

static bool is_pushed(const struct awkward *a, bool all)
{
    return all || a->php_can_pop;
}

/* Has Laravel push them, all or what PHP can pop; returns how many. They must lie in the
 * list as they were written. */
static unsigned push_awkwards(const char *job, bool all)
{
    struct buf orders;
    unsigned ct = 0;

    buf_init(&orders, 0);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++)
        if (is_pushed(&awkwards[i], all)) {
            char *bytes = payload(&awkwards[i], job, awkwards[i].was);

            add_order(&orders, bytes);
            free(bytes);
        }
    php_stage_produce(&stage, orders.data);
    buf_free(&orders);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++)
        if (is_pushed(&awkwards[i], all)) {
            char *bytes = payload(&awkwards[i], job, awkwards[i].was);
            redisReply *place = php_stage_ask(&stage, "LPOS queues:default %s", bytes);

            ck_assert_msg(place->type == REDIS_REPLY_INTEGER && place->integer == ct,
                          "%s is not what was pushed", bytes);
            freeReplyObject(place);
            free(bytes);
            ct++;
        }
    return ct;
}

/* What rests is due at once. */
static void make_due(void)
{
    (void)php_stage_int(&stage, "EVAL %s 1 queues:default:delayed",
                        "for _, job in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do "
                        "redis.call('ZADD', KEYS[1], 'XX', 1, job) end return 1");
}

static void drover_releases(unsigned ct)
{
    scene_start(stage.scene);
    WAIT_FOR(php_stage_int(&stage, "ZCARD queues:default:delayed") == ct &&
             php_stage_int(&stage, "ZCOUNT queues:default:delayed 2 inf") == ct);
    scene_stop(stage.scene);
    ck_assert_int_eq(php_stage_int(&stage, "ZCARD queues:default:reserved"), 0);
}

/* A PHP worker that ends after so many jobs. */
static void php_takes(const char *name, unsigned ct)
{
    struct php_process php;
    char *max = must_format("--max-jobs=%u", ct);

    php_stage_start_consumer(&stage, &php, name, max, "--queues=default", "--tries=0",
                             "--backoff=3600", NULL);
    php_finish(&php);
    free(max);
}

/* PHP was given exactly these bytes and counted so many attempts. */
static void check_php_saw(const char *who, const char *id, const char *bytes,
                          unsigned attempt)
{
    char *ledger = scene_read(stage.scene, "ledger");
    char *hex = must_alloc(2 * strlen(bytes) + 1), *line;

    for (size_t i = 0; bytes[i]; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
    line = must_format("raw/%s uuid-%s %u %s ", hex, id, attempt, who);
    ck_assert_msg(strstr(ledger, line) != NULL, "%s: %s saw no attempt %u of %s", id, who,
                  attempt, bytes);
    free(line);
    free(hex);
    free(ledger);
}

START_TEST(what_drover_releases_php_finds_with_only_the_attempts_changed)
{
    unsigned ct = push_awkwards("mirror@run", true);

    ck_assert_uint_eq(ct, ARRAY_CT(awkwards));
    drover_releases(ct);
    make_due();
    /* Laravel's pop would destroy a number that its Lua cannot write again. */
    ck_assert_int_eq(php_stage_int(&stage, "ZCARD queues:default:delayed"), ct);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++) {
        char *bytes = payload(&awkwards[i], "mirror@run", awkwards[i].becomes);

        ck_assert_msg(php_stage_int(&stage, "ZSCORE queues:default:delayed %s", bytes) ==
                          1,
                      "%s is not what drover released", bytes);
        if (strcmp(awkwards[i].id, "huge") == 0)
            ct -=
                (unsigned)php_stage_int(&stage, "ZREM queues:default:delayed %s", bytes);
        free(bytes);
    }
    php_takes("reader", ct);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++) {
        char *bytes = payload(&awkwards[i], "mirror@run", awkwards[i].becomes);

        if (strcmp(awkwards[i].id, "huge") != 0)
            check_php_saw("reader", awkwards[i].id, bytes, awkwards[i].attempts + 2);
        free(bytes);
    }
    ck_assert_int_eq(php_stage_int(&stage, "EXISTS queues:default queues:default:delayed "
                                           "queues:default:reserved"),
                     0);
}
END_TEST

/* The member of delayed that holds the uuid, to be freed. */
static char *delayed_of(const char *id)
{
    redisReply *all = php_stage_ask(&stage, "ZRANGE queues:default:delayed 0 -1");
    char *needle = must_format("\"uuid-%s\"", id), *found = NULL;

    for (size_t i = 0; i < all->elements; i++)
        if (strstr(all->element[i]->str, needle) != NULL)
            found = must_strdup(all->element[i]->str);
    ck_assert_msg(found != NULL, "%s is not in delayed", id);
    free(needle);
    freeReplyObject(all);
    return found;
}

/* One of the texts "attempts":N in `before` is N + 1 in `after`, and all else is equal.
 * That it is the right one shows in how PHP counts on. */
static void check_only_attempts_differ(const char *before, const char *after, unsigned n)
{
    char *old_text = must_format("\"attempts\":%u", n);
    char *new_text = must_format("\"attempts\":%u", n + 1);
    bool found = false;

    for (const char *at = before; (at = strstr(at, old_text)) != NULL; at++) {
        char *wanted = must_format("%.*s%s%s", (int)(at - before), before, new_text,
                                   at + strlen(old_text));

        found = found || strcmp(wanted, after) == 0;
        free(wanted);
    }
    ck_assert_msg(found, "%s became %s", before, after);
    free(old_text);
    free(new_text);
}

START_TEST(what_php_wrote_anew_drover_changes_in_the_attempts_only)
{
    char *before[ARRAY_CT(awkwards)] = {0}, *after, *original;
    unsigned ct = push_awkwards("mirror@refuse", false);

    php_takes("first", ct);
    ck_assert_int_eq(php_stage_int(&stage, "ZCARD queues:default:delayed"), ct);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++)
        if (awkwards[i].php_can_pop)
            before[i] = delayed_of(awkwards[i].id);
    make_due();
    drover_releases(ct);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++)
        if (awkwards[i].php_can_pop) {
            original = payload(&awkwards[i], "mirror@refuse", awkwards[i].was);
            check_php_saw("first", awkwards[i].id, original, awkwards[i].attempts + 1);
            free(original);
            after = delayed_of(awkwards[i].id);
            check_only_attempts_differ(before[i], after, awkwards[i].attempts + 1);
            free(before[i]);
            before[i] = after;
        }
    make_due();
    php_takes("second", ct);
    for (size_t i = 0; i < ARRAY_CT(awkwards); i++)
        if (awkwards[i].php_can_pop) {
            check_php_saw("second", awkwards[i].id, before[i], awkwards[i].attempts + 3);
            free(before[i]);
        }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, what_drover_releases_php_finds_with_only_the_attempts_changed);
    tcase_add_test(tc, what_php_wrote_anew_drover_changes_in_the_attempts_only);
}

int main(void)
{
    return run_suite("php_bytes", 300, add);
}
