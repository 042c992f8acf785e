/* Hands in a world. */
#include "tests/support/world.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "jobs/payload.h"
#include "tests/support/acl.h"

enum { TURN_MS = 3 };

static void stop_turn(void *arg)
{
    loop_stop(arg);
}

void world_start(struct world *world)
{
    static char user[] = ACL_USER, password[] = ACL_PASSWORD;

    *world = (struct world){.proxy = NULL};
    log_setup(getenv("DROVER_TEST_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
    (void)signal(SIGPIPE, SIG_IGN);
    real_redis_start(&world->server);
    world->loop = loop_create(NULL);
    ck_assert_ptr_nonnull(world->loop);
    timer_init(&world->stop, world->loop, stop_turn, world->loop);
    world->endpoint.unix_path = world->server.process.socket;
    world->endpoint.username = user;
    world->endpoint.password = password;
}

void world_use_default_user(struct world *world)
{
    world->endpoint.username = NULL;
    world->endpoint.password = NULL;
}

void world_use_proxy(struct world *world)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/proxy.sock", world->server.process.dir);
    world->proxy = proxy_create(world->loop, path, world->server.process.socket);
    world->endpoint.unix_path = path;
}

void world_end(struct world *world)
{
    if (world->proxy)
        proxy_destroy(world->proxy);
    timer_free(&world->stop);
    loop_destroy(world->loop);
    real_redis_end(&world->server);
}

static char *log_path(const struct world *world)
{
    return must_format("%s/log", world->server.process.dir);
}

void world_keep_log(struct world *world)
{
    char *path = log_path(world);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    (void)close(fd);
    log_setup(LOG_DEBUG, LOG_LOGFMT);
    free(path);
}

unsigned world_logged(struct world *world, const char *text)
{
    char *path = log_path(world), line[4096];
    FILE *file = fopen(path, "re");
    unsigned ct = 0;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        ct += strstr(line, text) != NULL;
    (void)fclose(file);
    free(path);
    return ct;
}

void world_turn(struct world *world)
{
    timer_set(&world->stop, TURN_MS);
    loop_run(world->loop);
}

/* ---- hands ---- */

static void take_jobs(void *arg, struct lease *const *leases, size_t ct)
{
    struct hand *hand = arg;

    ck_assert_uint_le(ct, hand->free_slots);
    ck_assert_uint_le(hand->job_ct + ct, HAND_JOBS_MAX);
    hand->free_slots -= (unsigned)ct;
    if (hand->job_ct == 0)
        hand->first_batch_ct = ct;
    for (size_t i = 0; i < ct; i++) {
        hand->jobs[hand->job_ct++] = leases[i];
        if (hand->ack_at_once)
            hand_ack(hand, hand->job_ct - 1);
    }
    queue_want(hand->queue, hand->free_slots);
}

static void take_lost(void *arg, struct lease *lease)
{
    struct hand *hand = arg;

    hand->lost[hand->lost_ct++] = lease;
}

static void take_drained(void *arg)
{
    ((struct hand *)arg)->drained_ct++;
}

static void take_settled(void *arg)
{
    struct hand *hand = arg;

    ck_assert(queue_idle(hand->queue));
    hand->settled_ct++;
}

static void take_fatal(void *arg, enum queue_fatal why, const struct err *err)
{
    ck_assert_int_eq(why, QUEUE_LAYOUT_NEWER);
    ck_assert_ptr_nonnull(strstr(err->text, "newer"));
    ((struct hand *)arg)->fatal_ct++;
}

static void on_empty(void *arg)
{
    struct hand *hand = arg;

    hand->empty_ct++;
}

static void on_outbox(void *arg, int64_t ct)
{
    ((struct hand *)arg)->outbox_ct = ct;
}

static void take_alone(void *arg UNUSED)
{
}

static const struct queue_events events = {.on_alone = take_alone,
                                           .on_empty = on_empty,
                                           .on_outbox = on_outbox,
                                           .on_jobs = take_jobs,
                                           .on_lost = take_lost,
                                           .on_drained = take_drained,
                                           .on_settled = take_settled,
                                           .on_fatal = take_fatal};

void hand_init(struct hand *hand, struct world *world)
{
    static char high[] = "high", usual[] = "default", low[] = "low";
    static char *names[] = {high, usual, low};
    static char pool_name[] = "main";

    *hand = (struct hand){.world = world, .max_payload_bytes = HAND_MAX_PAYLOAD_BYTES};
    hand->pool.name = pool_name;
    hand->pool.queues.items = names;
    hand->pool.queues.ct = 3;
    hand->pool.concurrency = 16;
    hand->pool.lease_ms = 90000;
    hand->pool.poll_interval_ms = 1000;
    hand->board = board_create(16, NULL);
}

void hand_open(struct hand *hand, unsigned slots)
{
    struct queue_options options = {.loop = hand->world->loop,
                                    .endpoint = &hand->world->endpoint,
                                    .prefix = "",
                                    .pool = &hand->pool,
                                    .max_payload_bytes = hand->max_payload_bytes,
                                    .to_outbox = hand->to_outbox,
                                    .board = hand->board,
                                    .events = &events,
                                    .arg = hand};

    hand->queue = queue_create(&options, NULL);
    ck_assert_ptr_nonnull(hand->queue);
    hand->queue->pace.answer_ms = HAND_ANSWER_MS;
    hand_want(hand, slots);
}

void hand_close(struct hand *hand)
{
    queue_destroy(hand->queue);
    hand->queue = NULL;
    board_destroy(hand->board);
    hand->board = NULL;
}

void hand_end(struct hand *hand)
{
    if (hand->queue)
        hand_close(hand);
    else if (hand->board)
        board_destroy(hand->board);
}

void hand_want(struct hand *hand, unsigned free_slots)
{
    hand->free_slots = free_slots;
    queue_want(hand->queue, free_slots);
}

static struct lease *give_up(struct hand *hand, size_t job)
{
    struct lease *lease = hand->jobs[job];

    ck_assert_ptr_nonnull(lease);
    hand->jobs[job] = NULL;
    hand_want(hand, hand->free_slots + 1);
    return lease;
}

void hand_ack(struct hand *hand, size_t job)
{
    queue_ack(hand->queue, give_up(hand, job));
}

void hand_release(struct hand *hand, size_t job, const char *bytes, int64_t delay_ms)
{
    queue_release(hand->queue, give_up(hand, job), slice_text(bytes), delay_ms, NULL);
}

void hand_fail(struct hand *hand, size_t job, const char *uuid, const char *reason)
{
    struct lease *lease = give_up(hand, job);
    struct fail_record record = {.connection = "redis",
                                 .queue = hand->pool.queues.items[lease->queue],
                                 .job = "note",
                                 .attempts = 3,
                                 .reason = reason,
                                 .exception = slice_text("exit status 3\nstderr"),
                                 .failed_at_ms = clock_wall_ms(),
                                 .payload = payload_without_pad(lease->bytes)};

    (void)snprintf(record.uuid, sizeof(record.uuid), "%s", uuid);
    queue_fail(hand->queue, lease, &record);
}

void hand_give_back(struct hand *hand, size_t job)
{
    queue_give_back(hand->queue, give_up(hand, job));
}

void hand_settled(struct hand *hand)
{
    UNTIL(hand->world, queue_idle(hand->queue));
}

bool hand_is_waiting(struct hand *hand)
{
    return hand->queue->waiting &&
           real_redis_int(&hand->world->server, "EVAL %s 0",
                          "local s = redis.call('INFO', 'clients') "
                          "return tonumber(string.match(s, 'blocked_clients:(%d+)'))") >
               0;
}

void hand_rests(struct hand *hand)
{
    UNTIL(hand->world, hand_is_waiting(hand));
}

bool job_is(const struct lease *lease, const char *bytes)
{
    return lease && slice_is(lease->bytes, bytes);
}

/* ---- Redis ---- */

void world_push(struct world *world, const char *queue, const char *payload)
{
    (void)real_redis_int(&world->server, "RPUSH queues:%s %s", queue, payload);
    (void)real_redis_int(&world->server, "RPUSH queues:%s:notify 1", queue);
}

long long world_len(struct world *world, const char *key)
{
    return real_redis_int(
        &world->server, "EVAL %s 1 %s",
        "local t = redis.call('TYPE', KEYS[1]).ok "
        "if t == 'list' then return redis.call('LLEN', KEYS[1]) end "
        "if t == 'zset' then return redis.call('ZCARD', KEYS[1]) end "
        "if t == 'hash' then return redis.call('HLEN', KEYS[1]) end "
        "if t == 'set' then return redis.call('SCARD', KEYS[1]) end return 0",
        key);
}

void world_expect(struct world *world, const char *queue, long long ready,
                  long long delayed, long long reserved)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "queues:%s", queue);
    ck_assert_int_eq(world_len(world, key), ready);
    (void)snprintf(key, sizeof(key), "queues:%s:delayed", queue);
    ck_assert_int_eq(world_len(world, key), delayed);
    (void)snprintf(key, sizeof(key), "queues:%s:reserved", queue);
    ck_assert_int_eq(world_len(world, key), reserved);
}

double world_redis_now(struct world *world)
{
    redisReply *reply = real_redis_do(&world->server, "TIME");
    double now =
        strtod(reply->element[0]->str, NULL) + strtod(reply->element[1]->str, NULL) / 1e6;

    freeReplyObject(reply);
    return now;
}
