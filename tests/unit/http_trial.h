/* A job put through the http handler, with the server that it calls. */
#ifndef TESTS_HTTP_TRIAL_H
#define TESTS_HTTP_TRIAL_H

#include <stdio.h>

#include "jobs/http.h"
#include "tests/support/http_server.h"
#include "tests/unit/trial.h"

static struct http_server server;
static char *loopback[] = {(char *)(uintptr_t) "127.0.0.1"};

/* One jobs entry, or several, and a payload. */
struct scene {
    struct config config;
    struct job_config jobs[2];
    struct trial trials[16];
    char url[256];
};

static inline void begin_server(void)
{
    http_server_begin(&server);
}

static inline void end_server(void)
{
    http_server_end(&server);
}

static inline void set_entry(struct job_config *entry, char *url)
{
    *entry =
        (struct job_config){.type = JOB_HTTP,
                            .http = {.url = url,
                                     .method = (char *)(uintptr_t) "POST",
                                     .connect_timeout_ms = 5000,
                                     .max_response_kib = 1024,
                                     .allow_networks = {.items = loopback, .ct = 1}}};
}

/* Both entries call the path of the server; change them before open_scene(). */
static inline void set_scene(struct scene *scene, const char *path)
{
    *scene = (struct scene){.config = {.jobs = scene->jobs, .job_ct = 2}};
    (void)snprintf(scene->url, sizeof(scene->url), "http://127.0.0.1:%d%s", server.port,
                   path);
    set_entry(&scene->jobs[0], scene->url);
    set_entry(&scene->jobs[1], scene->url);
}

static inline void open_scene(struct scene *scene)
{
    struct err err;

    open_env();
    ck_assert_msg(http_open(env.loop, &scene->config, &env.http, &err) == 0, "%s",
                  err.text);
}

static inline void close_scene(void)
{
    http_close(env.http);
    env.http = NULL;
    close_env();
}

static inline struct trial *start_payload(struct scene *scene, size_t at, size_t entry,
                                          const char *payload)
{
    struct trial *trial = &scene->trials[at];

    set_up(trial, payload, NULL);
    trial->job.config = &scene->jobs[entry];
    begin(trial, &http_handler);
    return trial;
}

static inline struct trial *start_trial(struct scene *scene, size_t at, size_t entry)
{
    return start_payload(scene, at, entry,
                         "{\"job\":\"t\",\"data\":{\"n\": 12345678901234567890}}");
}

static inline struct trial *run_entry(struct scene *scene, size_t entry)
{
    struct trial *trial = start_trial(scene, 0, entry);

    if (trial->run != NULL)
        finish_trial(trial);
    return trial;
}

#endif
