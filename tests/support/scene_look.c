/* Looks at a scene: what its Redis holds, what drover says of itself, what is in its
 * files. Starts nothing that stays.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/scene.h"

long long scene_redis_int(struct scene *scene, const char *command, const char *key)
{
    return strtoll(scene_redis(scene, command, key, NULL), NULL, 10);
}

bool scene_is_drained(struct scene *scene)
{
    const char *sum = scene_redis(
        scene, "EVAL",
        "return redis.call('LLEN', 'queues:default') + redis.call('ZCARD', "
        "'queues:default:delayed') + redis.call('ZCARD', 'queues:default:reserved')",
        "0", NULL);

    return strcmp(sum, "0\n") == 0;
}

void scene_push_many(struct scene *scene, const char *payload, int ct)
{
    char count[16];

    (void)snprintf(count, sizeof(count), "%d", ct);
    (void)scene_redis(scene, "EVAL",
                      "for i = 1, tonumber(ARGV[2]) do redis.call('RPUSH', KEYS[1], "
                      "(string.gsub(ARGV[1], '@', i))) end",
                      "1", "queues:default", payload, count, NULL);
}

static json_t *run_json(struct scene *scene)
{
    json_error_t error;
    json_t *json = json_loads(scene->out, JSON_DECODE_ANY, &error);

    ck_assert_msg(json != NULL, "no JSON (%s): %s%s", error.text, scene->out, scene->err);
    return json;
}

json_t *scene_status(struct scene *scene)
{
    (void)scene_run(scene, "status", "--json", NULL);
    return run_json(scene);
}

json_t *scene_failed(struct scene *scene)
{
    scene_do(scene, "failed", "list", "--json");
    return run_json(scene);
}

long long scene_worker(struct scene *scene, size_t pool, size_t worker, const char *field)
{
    json_t *status = scene_status(scene);
    json_t *p = json_array_get(json_object_get(status, "pools"), pool);
    json_t *w = json_array_get(json_object_get(p, "workers"), worker);
    long long value = json_integer_value(json_object_get(w, field));

    json_decref(status);
    return value;
}

long long scene_sum(struct scene *scene, const char *field)
{
    json_t *status = scene_status(scene), *worker;
    json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    long long sum = 0;
    size_t i;

    json_array_foreach(json_object_get(pool, "workers"), i, worker) sum +=
        json_integer_value(json_object_get(worker, field));
    json_decref(status);
    return sum;
}

bool scene_workers_all(struct scene *scene, const char *state, size_t ct)
{
    json_t *status = scene_status(scene), *worker;
    json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    json_t *workers = json_object_get(pool, "workers");
    bool all = json_array_size(workers) == ct;
    size_t i;

    json_array_foreach(
        workers, i,
        worker) if (strcmp(json_string_value(json_object_get(worker, "state")), state) !=
                    0) all = false;
    json_decref(status);
    return all;
}

/* ---- its files ---- */

char *scene_read(struct scene *scene, const char *name)
{
    char path[128], block[4096];
    struct buf text;
    ssize_t n;
    int fd;

    buf_init(&text, 0);
    (void)snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return buf_take(&text);
    while ((n = read(fd, block, sizeof(block))) > 0)
        (void)buf_add(&text, block, (size_t)n);
    (void)close(fd);
    return buf_take(&text);
}

size_t scene_lines(struct scene *scene, const char *name)
{
    char *text = scene_read(scene, name);
    size_t ct = 0;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        ct++;
    free(text);
    return ct;
}

void scene_touch(struct scene *scene, const char *name)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
}

size_t scene_log_count(struct scene *scene, const char *text)
{
    char *log = scene_read(scene, "log");
    size_t ct = 0;

    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        ct++;
    free(log);
    return ct;
}

bool scene_log_has(struct scene *scene, const char *text)
{
    return scene_log_count(scene, text) > 0;
}
