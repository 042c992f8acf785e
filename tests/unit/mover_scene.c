/* The scene, and what lies in its two stores. */
#include "tests/unit/mover_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mover_scene scene;

static const struct mover_pace quick = {
    .connect_ms = 20000,
    .within_ms = 30000,
    .retry_min_ms = 20,
    .retry_max_ms = 100,
    .rest_ms = 200,
    .rest_max_ms = 400,
};

void mover_scene_make(void)
{
    postgres_process_make(&scene.server);
}

void mover_scene_end(void)
{
    postgres_process_end(&scene.server);
}

void scene_create_table(void)
{
    (void)postgres_process_do(
        &scene.server,
        "CREATE TABLE failed_jobs (id bigserial PRIMARY KEY, uuid varchar(255) NOT NULL "
        "UNIQUE, connection text NOT NULL, queue text NOT NULL, payload text NOT NULL, "
        "exception text NOT NULL, failed_at timestamp(0) without time zone NOT NULL "
        "DEFAULT CURRENT_TIMESTAMP)");
}

void scene_hold(const char *uuid)
{
    (void)postgres_process_do(
        &scene.server,
        "SET client_min_messages = warning; DROP TABLE IF EXISTS gate; CREATE TABLE gate "
        "(); CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END "
        "LOOP; RETURN NEW; END $$; CREATE TRIGGER hold BEFORE INSERT ON failed_jobs FOR "
        "EACH ROW WHEN (NEW.uuid = '%s') EXECUTE FUNCTION hold()",
        uuid);
}

bool scene_is_held(void)
{
    return postgres_process_int(&scene.server, "SELECT count(*) FROM pg_stat_activity "
                                               "WHERE wait_event = 'PgSleep'") == 1;
}

void scene_let_go(void)
{
    (void)postgres_process_do(&scene.server, "INSERT INTO gate DEFAULT VALUES");
}

void mover_scene_set_up(void)
{
    world_start(&scene.world);
    postgres_process_start(&scene.server);
    (void)postgres_process_do(&scene.server, "SET client_min_messages = warning; "
                                             "DROP TABLE IF EXISTS failed_jobs");
    scene_create_table();
}

void scene_close_mover(size_t at)
{
    hand_close(&scene.hands[at]);
    mover_destroy(scene.movers[at]);
    scene.movers[at] = NULL;
}

void mover_scene_tear_down(void)
{
    for (size_t i = 0; i < scene.mover_ct; i++)
        if (scene.movers[i])
            scene_close_mover(i);
    world_turn(&scene.world);
    world_end(&scene.world);
    postgres_process_stop(&scene.server, POSTGRES_IMMEDIATE);
}

void scene_open_mover(const char *dsn)
{
    char *text = must_strdup(dsn ? dsn : scene.server.dsn);
    char table[] = "\"failed_jobs\"";
    struct hand *hand = &scene.hands[scene.mover_ct];
    struct postgres_endpoint endpoint = {.dsn = text, .table = table};
    struct mover_options options = {
        .loop = scene.world.loop, .endpoint = &endpoint, .pace = &quick};
    struct err err = {0};

    hand_init(hand, &scene.world);
    hand->to_outbox = true;
    hand_open(hand, 0);
    options.queue = hand->queue;
    scene.movers[scene.mover_ct] = mover_create(&options, &err);
    ck_assert_msg(scene.movers[scene.mover_ct] != NULL, "%s", err.text);
    scene.mover_ct++;
    UNTIL(&scene.world, hand->queue->link == LINK_READY);
    free(text);
}

/* ---- Redis ---- */

static void do_and_forget(redisReply *reply)
{
    freeReplyObject(reply);
}

void scene_fail(const char *uuid, struct slice payload, const char *exception,
                int64_t failed_at_ms)
{
    do_and_forget(real_redis_do(
        &scene.world.server,
        "HSET drover:failed:%s uuid %s connection redis queue default job x attempts 1 "
        "reason r exception %s failed_at_ms %lld payload %b",
        uuid, uuid, exception, (long long)failed_at_ms, payload.ptr, payload.len));
    do_and_forget(real_redis_do(&scene.world.server, "ZADD drover:outbox %lld %s",
                                (long long)failed_at_ms, uuid));
}

void scene_fail_many(const char *prefix, unsigned ct)
{
    for (unsigned i = 0; i < ct; i++) {
        char uuid[64], payload[96];

        (void)snprintf(uuid, sizeof(uuid), "%s-%04u", prefix, i);
        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"%s\"}", uuid);
        scene_fail(uuid, slice_text(payload), "exit status 3\n", 1700000000000 + i);
    }
}

long long scene_left_ct(void)
{
    return real_redis_int(&scene.world.server, "ZCARD drover:outbox");
}

/* ---- both ---- */

bool scene_is_moved(void)
{
    bool idle = true;

    for (size_t i = 0; i < scene.mover_ct; i++) {
        if (scene.movers[i] == NULL)
            continue;
        mover_wake(scene.movers[i]);
    }
    world_turn(&scene.world);
    if (scene_left_ct() > 0)
        return false;
    for (size_t i = 0; i < scene.mover_ct; i++)
        idle = idle && (scene.movers[i] == NULL || mover_is_idle(scene.movers[i]));
    return idle;
}

long long scene_row_ct(void)
{
    return postgres_process_int(&scene.server, "SELECT count(*) FROM failed_jobs");
}

void scene_expect_once(const char *prefix, unsigned ct)
{
    ck_assert_int_eq(postgres_process_int(&scene.server,
                                          "SELECT count(*) FROM failed_jobs WHERE uuid "
                                          "LIKE '%s-%%' AND payload = '{\"uuid\":\"' || "
                                          "uuid || '\"}'",
                                          prefix),
                     ct);
    ck_assert_int_eq(scene_left_ct(), 0);
    ck_assert_int_eq(real_redis_int(&scene.world.server, "EVAL %s 0",
                                    "return #redis.call('KEYS', 'drover:failed:*')"),
                     0);
}
