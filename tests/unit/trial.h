/* One job put through a handler: what the tests of handlers share. */
#ifndef TESTS_TRIAL_H
#define TESTS_TRIAL_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/handler.h"
#include "jobs/shortage.h"
#include "tests/unit/until.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct trial {
    struct job_config config;
    struct payload payload;
    struct job job;
    _Atomic(pid_t) group;
    struct run *run; /* NULL: not started, or over */
    unsigned left;   /* 1 until done() */
    struct outcome outcome;
    char *out, *err; /* the tails, once done */
    char *detail;
};

static struct shortage shortage;
static struct handler_env env;

static inline void open_env(void)
{
    struct err err;

    env.shortage = &shortage;
    env.loop = loop_create(&err);
    ck_assert_ptr_nonnull(env.loop);
    env.reaper = reaper_create(env.loop, &err);
    ck_assert_ptr_nonnull(env.reaper);
}

static inline void close_env(void)
{
    reaper_destroy(env.reaper);
    loop_destroy(env.loop);
}

static inline struct text_list text_list_of(const char *const *words)
{
    struct text_list list = {.items = (char **)(uintptr_t)words};

    while (words && words[list.ct])
        list.ct++;
    return list;
}

/* All is borrowed. The job is named "trial", attempt 2 of 5, queue "high". */
static inline void set_up(struct trial *trial, const char *raw,
                          const char *const *command)
{
    struct err err = {.code = ERR_NONE};

    *trial = (struct trial){
        .config = {.command = text_list_of(command), .kill_grace_ms = 5000}};
    ck_assert_msg(payload_scan(&trial->payload, slice_text(raw), &err) == 0, "%s",
                  err.text);
    trial->job = (struct job){.payload = &trial->payload,
                              .config = &trial->config,
                              .uuid = "u-1",
                              .name = "trial",
                              .queue = "high",
                              .attempt = 2,
                              .max_tries = 5,
                              .group = &trial->group};
}

static inline void trial_done(void *arg, const struct outcome *outcome)
{
    struct trial *trial = arg;

    ck_assert_uint_eq(trial->left, 1); /* once */
    ck_assert_int_eq(trial->group, 0);
    trial->left = 0;
    trial->run = NULL;
    trial->outcome = *outcome;
    trial->out = slice_dup(outcome->stdout_tail);
    trial->err = slice_dup(outcome->stderr_tail);
    trial->detail = slice_dup(outcome->detail);
}

/* Starts it; a start that fails leaves the outcome and no run. */
static inline void begin(struct trial *trial, const struct handler *handler)
{
    struct outcome outcome;

    outcome_init(&outcome, OUTCOME_DONE, "start() left this");
    trial->left = 1;
    trial->run = handler->start(&env, &trial->job, trial_done, trial, &outcome);
    ck_assert_uint_eq(trial->left, 1); /* never from inside start() */
    if (trial->run == NULL) {
        trial->left = 0;
        trial->outcome = outcome;
        ck_assert_int_eq(trial->group, 0);
    }
}

static inline void finish_trial(struct trial *trial)
{
    run_until_zero(env.loop, &trial->left);
}

static inline void clear(struct trial *trial)
{
    free(trial->out);
    free(trial->err);
    free(trial->detail);
    trial->out = trial->err = trial->detail = NULL;
}

static inline void assert_outcome(const struct trial *trial, enum outcome_kind kind,
                                  const char *reason)
{
    ck_assert_str_eq(trial->outcome.reason, reason);
    ck_assert_int_eq(trial->outcome.kind, kind);
}

#endif
