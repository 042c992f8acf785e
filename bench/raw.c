/* What Redis itself can do, in a C loop on hiredis without any of drover: the mark that
 * the scripts in bench/ hold drover against, in the same run on the same machine. Also
 * the clock of these scripts: it fills queues, watches them run empty and times wake-ups.
 * One subcommand per measure; each prints numbers alone. Blocking calls are fine here:
 * nothing else is to be done meanwhile. A failure ends the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"

enum { PUSH_BATCH = 100, PAYLOAD_BYTES = 512, DEPTH_MAX = 64, SAMPLES_MAX = 100000 };

NORETURN PRINTF_LIKE(1, 2) static void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

static redisContext *dial(const char *socket)
{
    redisContext *redis = redisConnectUnix(socket);

    if (redis == NULL || redis->err != 0)
        die("%s: %s", socket, redis != NULL ? redis->errstr : "out of memory");
    return redis;
}

static redisReply *checked(redisContext *redis, redisReply *reply)
{
    if (reply == NULL)
        die("redis: %s", redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        die("redis: %s", reply->str);
    return reply;
}

static redisReply *next_reply(redisContext *redis)
{
    void *reply = NULL;

    (void)redisGetReply(redis, &reply);
    return checked(redis, reply);
}

static redisReply *ask(redisContext *redis, size_t argc, const char **argv)
{
    return checked(redis, redisCommandArgv(redis, (int)argc, argv, NULL));
}

/* Sends a command of words; returns its integer, 0 where it is none. */
static long long ask_number(redisContext *redis, size_t argc, const char **argv)
{
    redisReply *reply = ask(redis, argc, argv);
    long long number = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;

    freeReplyObject(reply);
    return number;
}
#define WORDS(...)                                                                       \
    sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[])             \
    {                                                                                    \
        __VA_ARGS__                                                                      \
    }

static long number_of(const char *text, long least, long most)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || number < least || number > most)
        die("%s: not a number from %ld to %ld", text, least, most);
    return number;
}

static void print_rate(long jobs, int64_t took_us)
{
    printf("%.0f\n", (double)jobs * 1e6 / (double)took_us);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print_percentiles(int64_t *samples_us, size_t ct)
{
    qsort(samples_us, ct, sizeof(*samples_us), by_value);
    printf("%" PRId64 " %" PRId64 "\n", samples_us[ct / 2], samples_us[ct * 99 / 100]);
}

/* Spreads a number over 64 bits, as random ids are spread (splitmix64's last step). */
static uint64_t scatter(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

/* A payload as Laravel writes them, about 320 bytes, its ids made of `number` and as
 * unlike each other as Laravel's are: what hashes payloads must not be led astray. */
static void write_payload(char *text, const char *job, long number)
{
    uint64_t a = scatter((uint64_t)number), b = scatter(a);
    int len = snprintf(
        text, PAYLOAD_BYTES,
        "{\"uuid\":\"%08" PRIx32 "-%04" PRIx32 "-4%03" PRIx32
        "-8000-%012ld\",\"displayName\":\"%s\",\"job\":\"%s\","
        "\"maxTries\":null,\"maxExceptions\":null,\"failOnTimeout\":false,\"backoff\":"
        "null,"
        "\"timeout\":null,\"retryUntil\":null,\"data\":{\"customer\":%ld,\"note\":"
        "\"abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz\"},"
        "\"id\":\"%016" PRIx64 "%016" PRIx64 "\",\"attempts\":0}",
        (uint32_t)a, (uint32_t)(a >> 48), (uint32_t)(a >> 32) & 0xfff, number, job, job,
        number, a, b);

    MUST(len > 0 && len < PAYLOAD_BYTES);
}

/* ---- filling and watching ---- */

/* fill SOCKET KEY N JOB: N payloads to the end of the list KEY. */
static void fill(redisContext *redis, char **args)
{
    static char payloads[PUSH_BATCH][PAYLOAD_BYTES];
    const char *argv[2 + PUSH_BATCH] = {"RPUSH", args[0]};
    long jobs = number_of(args[1], 1, 100000000);

    for (long done = 0; done < jobs;) {
        size_t ct = 0;

        for (; ct < PUSH_BATCH && done < jobs; ct++, done++) {
            write_payload(payloads[ct], args[2], done);
            argv[2 + ct] = payloads[ct];
        }
        freeReplyObject(ask(redis, 2 + ct, argv));
    }
}

static char *queue_key(const char *queue, const char *suffix)
{
    return must_format("queues:%s%s", queue, suffix);
}

/* Until nothing of the queue is ready or reserved any more. */
static void await_empty(redisContext *redis, const char *ready, const char *reserved,
                        long pause_us)
{
    const struct timespec pause = {.tv_nsec = pause_us * 1000};

    for (;;) {
        long long left;

        if (redisAppendCommand(redis, "LLEN %s", ready) != REDIS_OK ||
            redisAppendCommand(redis, "ZCARD %s", reserved) != REDIS_OK)
            die("redis: %s", redis->errstr);
        left = 0;
        for (int i = 0; i < 2; i++) {
            redisReply *reply = next_reply(redis);

            left += reply->integer;
            freeReplyObject(reply);
        }
        if (left == 0)
            return;
        if (pause_us > 0)
            (void)nanosleep(&pause, NULL);
    }
}

/* drain SOCKET STAGED QUEUE: hands the jobs in the list STAGED to a running drover at one
 * blow, as QUEUE; prints the jobs per second until the last is acknowledged. */
static void drain(redisContext *redis, char **args)
{
    char *ready = queue_key(args[1], ""), *reserved = queue_key(args[1], ":reserved");
    char *notify = queue_key(args[1], ":notify");
    long jobs = (long)ask_number(redis, WORDS("LLEN", args[0]));
    int64_t start_us = clock_mono_us();

    freeReplyObject(ask(redis, WORDS("RENAME", args[0], ready)));
    freeReplyObject(ask(redis, WORDS("RPUSH", notify, "1")));
    await_empty(redis, ready, reserved, 1000);
    print_rate(jobs, clock_mono_us() - start_us);
    free(ready);
    free(reserved);
    free(notify);
}

/* ---- raw drains ---- */

/* lmove SOCKET KEY DEPTH: LMOVE to a list of one's own, then LREM, DEPTH in a pipeline.
 */
static void lmove(redisContext *redis, char **args)
{
    long depth = number_of(args[1], 1, DEPTH_MAX), jobs = 0;
    redisReply *held[DEPTH_MAX];
    int64_t start_us = clock_mono_us();
    bool more = true;

    while (more) {
        long held_ct = 0;

        for (long i = 0; i < depth; i++)
            (void)redisAppendCommand(redis, "LMOVE %s raw:mine LEFT RIGHT", args[0]);
        for (long i = 0; i < depth; i++) {
            redisReply *reply = next_reply(redis);

            if (reply->type == REDIS_REPLY_STRING)
                held[held_ct++] = reply;
            else
                freeReplyObject(reply);
        }
        more = held_ct == depth;
        for (long i = 0; i < held_ct; i++) {
            (void)redisAppendCommand(redis, "LREM raw:mine 1 %b", held[i]->str,
                                     held[i]->len);
            freeReplyObject(held[i]);
        }
        for (long i = 0; i < held_ct; i++)
            freeReplyObject(next_reply(redis));
        jobs += held_ct;
    }
    print_rate(jobs, clock_mono_us() - start_us);
}

/* lua SOCKET KEY BATCH: one script takes a batch under a lease and acknowledges the batch
 * before it. */
static void lua(redisContext *redis, char **args)
{
    static const char *const script =
        "if #ARGV > 2 then redis.call('ZREM', KEYS[2], unpack(ARGV, 3)) end\n"
        "local jobs = redis.call('LPOP', KEYS[1], ARGV[1])\n"
        "if not jobs then return {} end\n"
        "local leases = {}\n"
        "for i = 1, #jobs do leases[2*i-1] = ARGV[2]; leases[2*i] = jobs[i] end\n"
        "redis.call('ZADD', KEYS[2], unpack(leases))\n"
        "return jobs\n";
    const char *argv[7 + DEPTH_MAX] = {"EVALSHA",    NULL,    "2",         args[0],
                                       "raw:leases", args[1], "9999999999"};
    redisReply *loaded = ask(redis, WORDS("SCRIPT", "LOAD", script)), *batch = NULL;
    int64_t start_us = clock_mono_us();
    size_t ct = 0;
    long jobs = 0;

    (void)number_of(args[1], 1, DEPTH_MAX);
    argv[1] = loaded->str;
    do {
        redisReply *next;

        for (size_t i = 0; i < ct; i++)
            argv[7 + i] = batch->element[i]->str;
        next = ask(redis, 7 + ct, argv);
        if (batch != NULL)
            freeReplyObject(batch);
        batch = next;
        ct = batch->elements;
        jobs += (long)ct;
    } while (ct > 0);
    print_rate(jobs, clock_mono_us() - start_us);
    freeReplyObject(batch);
    freeReplyObject(loaded);
}

/* ---- wake-ups ---- */

static int64_t stamp_read(int pipe)
{
    int64_t at_us;

    if (read(pipe, &at_us, sizeof(at_us)) != (ssize_t)sizeof(at_us))
        die("no stamp came: %s", strerror(errno));
    return at_us;
}

/* stamp FIFO: the job whose start is measured: writes the time of its main(). */
static void stamp(const char *fifo, int64_t now_us)
{
    int out = open(fifo, O_WRONLY | O_CLOEXEC);

    if (out < 0 || write(out, &now_us, sizeof(now_us)) != (ssize_t)sizeof(now_us))
        die("%s: %s", fifo, strerror(errno));
    (void)close(out);
}

/* The raw consumer: BRPOP for ever; a stamp by itself, or by a program of its own. */
NORETURN static void consume(const char *socket, const char *fifo, bool spawning)
{
    char *argv[] = {(char *)(uintptr_t) "/proc/self/exe", (char *)(uintptr_t) "stamp",
                    (char *)(uintptr_t)fifo, NULL};
    char *env[] = {NULL};
    redisContext *redis;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    redis = dial(socket);
    for (;;) {
        pid_t child;

        freeReplyObject(ask(redis, WORDS("BRPOP", "raw:wake", "0")));
        if (!spawning)
            stamp(fifo, clock_mono_us());
        else if (posix_spawn(&child, argv[0], NULL, NULL, argv, env) != 0)
            die("cannot start a program");
        else
            (void)waitpid(child, NULL, 0);
    }
}

/* One push as any producer would do it: the job and its token in one round trip. */
static void push_job(redisContext *redis, const char *ready, const char *notify,
                     const char *payload)
{
    (void)redisAppendCommand(redis, "RPUSH %s %s", ready, payload);
    (void)redisAppendCommand(redis, "RPUSH %s 1", notify);
    freeReplyObject(next_reply(redis));
    freeReplyObject(next_reply(redis));
}

/* What is timed in one sample: from just before the push until ... */
enum finish_line { UNTIL_STAMP, UNTIL_ACK };

static void sample_pushes(redisContext *redis, const char *queue, const char *job,
                          enum finish_line until, int fifo, long samples, long gap_ms)
{
    int64_t *took_us = must_alloc((size_t)samples * sizeof(*took_us));
    char *ready = queue_key(queue, ""), *reserved = queue_key(queue, ":reserved");
    char *notify = queue_key(queue, ":notify"), payload[PAYLOAD_BYTES];

    for (long i = 0; i < samples; i++) {
        int64_t start_us;

        (void)usleep((useconds_t)gap_ms * 1000);
        write_payload(payload, job, i);
        start_us = clock_mono_us();
        push_job(redis, ready, notify, payload);
        if (until == UNTIL_ACK)
            await_empty(redis, ready, reserved, 0);
        took_us[i] = (until == UNTIL_ACK ? clock_mono_us() : stamp_read(fifo)) - start_us;
        if (until == UNTIL_STAMP)
            await_empty(redis, ready, reserved, 1000);
    }
    print_percentiles(took_us, (size_t)samples);
    free(took_us);
    free(ready);
    free(reserved);
    free(notify);
}

static int open_fifo(const char *path)
{
    int fifo;

    if (mkfifo(path, 0600) < 0 && errno != EEXIST)
        die("%s: %s", path, strerror(errno));
    fifo = open(path, O_RDWR | O_CLOEXEC);
    if (fifo < 0)
        die("%s: %s", path, strerror(errno));
    return fifo;
}

/* latency SOCKET QUEUE JOB FIFO|- SAMPLES GAP_MS: push -> the job's stamp in FIFO, or
 * with
 * "-" its ack, in microseconds: p50 p99. Drover must be running, and idle. */
static void latency(redisContext *redis, char **args)
{
    bool acks = strcmp(args[2], "-") == 0;
    int fifo = acks ? -1 : open_fifo(args[2]);

    sample_pushes(redis, args[0], args[1], acks ? UNTIL_ACK : UNTIL_STAMP, fifo,
                  number_of(args[3], 1, SAMPLES_MAX), number_of(args[4], 0, 10000));
}

/* wake SOCKET FIFO call|program SAMPLES GAP_MS: LPUSH -> what follows BRPOP in another
 * process, or in a program which that one starts: p50 p99. */
static void wake(redisContext *redis, char **args)
{
    const char *socket = redis->unix_sock.path;
    bool spawning = strcmp(args[1], "program") == 0;
    long samples = number_of(args[2], 1, SAMPLES_MAX),
         gap_ms = number_of(args[3], 0, 10000);
    int64_t *took_us = must_alloc((size_t)samples * sizeof(*took_us));
    int fifo = open_fifo(args[0]);
    pid_t consumer = fork();

    if (consumer == 0)
        consume(socket, args[0], spawning);
    for (long i = 0; i < samples; i++) {
        int64_t start_us;

        (void)usleep((useconds_t)gap_ms * 1000);
        start_us = clock_mono_us();
        freeReplyObject(ask(redis, WORDS("LPUSH", "raw:wake", "1")));
        took_us[i] = stamp_read(fifo) - start_us;
    }
    (void)kill(consumer, SIGKILL);
    (void)waitpid(consumer, NULL, 0);
    print_percentiles(took_us, (size_t)samples);
    free(took_us);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arg_ct; /* after SOCKET */
        void (*run)(redisContext *redis, char **args);
    } commands[] = {{"fill", 3, fill}, {"drain", 2, drain},     {"lmove", 2, lmove},
                    {"lua", 2, lua},   {"latency", 5, latency}, {"wake", 4, wake}};
    int64_t start_us = clock_mono_us();

    if (argc == 3 && strcmp(argv[1], "stamp") == 0) {
        stamp(argv[2], start_us);
        return 0;
    }
    for (size_t i = 0; argc > 2 && i < ARRAY_CT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0 && argc == 3 + commands[i].arg_ct) {
            redisContext *redis = dial(argv[2]);

            commands[i].run(redis, argv + 3);
            redisFree(redis);
            return 0;
        }
    }
    die("usage: see the comments in bench/raw.c");
}
