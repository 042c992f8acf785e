/* Jobs that do nothing, as they are told: for tests and for measuring drover itself.
 *
 * `data` may hold, all optional: "sleep": seconds; "fail": a reason to be tried again;
 * "fail_times": fail so many attempts, then work; "fatal": a reason to fail for good.
 * Must stay cheap: without a sleep a run costs no system call and no look at the clock.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "jobs/handler.h"

struct run {
    run_done_cb done;
    void *arg;
    struct timer timer;
    int64_t started_ms; /* monotonic; 0: does not sleep */
    struct outcome outcome;
};

static void free_run(struct run *run)
{
    timer_free(&run->timer);
    free(run);
}

static void finish(void *arg)
{
    struct run *run = arg;

    run->done(run->arg, &run->outcome);
    free_run(run);
}

/* ---- what the payload tells it to do ---- */

struct wish {
    int64_t sleep_ms;
    int64_t fail_times; /* -1: not said */
    struct json_value fail, fatal;
};

/* A number in units of 10^-decimals; -1: it is something else. */
static int read_number(const struct payload *payload, const char *path, unsigned decimals,
                       int64_t *number, struct err *err)
{
    struct json_value value = payload_lookup(payload, path);

    if (value.kind == JSON_ABSENT)
        return 0;
    if (value.kind != JSON_NUMBER)
        return err_set(err, ERR_BAD_INPUT, "%s must be a number", path);
    (void)json_scale_number(value.text, decimals, number);
    if (*number < 0)
        *number = 0;
    return 0;
}

static int read_string(const struct payload *payload, const char *path,
                       struct json_value *value, struct err *err)
{
    *value = payload_lookup(payload, path);
    if (value->kind != JSON_ABSENT && value->kind != JSON_STRING)
        return err_set(err, ERR_BAD_INPUT, "%s must be a string", path);
    return 0;
}

static int read_wish(struct wish *wish, const struct payload *payload, struct err *err)
{
    *wish = (struct wish){.fail_times = -1};
    if (payload->data.kind != JSON_OBJECT)
        return 0;
    if (read_number(payload, "data.sleep", 3, &wish->sleep_ms, err) != 0 ||
        read_number(payload, "data.fail_times", 0, &wish->fail_times, err) != 0 ||
        read_string(payload, "data.fail", &wish->fail, err) != 0 ||
        read_string(payload, "data.fatal", &wish->fatal, err) != 0)
        return -1;
    return 0;
}

/* The string as one safe line, as far as it fits a reason. */
static void set_reason(struct outcome *outcome, enum outcome_kind kind,
                       struct json_value string)
{
    struct buf text, line;

    buf_init(&text, 0);
    buf_init(&line, OUTCOME_REASON_BYTES - 1);
    if (string.kind == JSON_STRING && json_decode_string(string.text, &text, NULL) == 0)
        text_escape(&line, buf_slice(&text));
    outcome_init(outcome, kind, "%s", line.len ? line.data : "told to fail");
    buf_free(&text);
    buf_free(&line);
}

static void set_outcome(struct outcome *outcome, const struct wish *wish, int64_t attempt)
{
    bool fails = wish->fail.kind == JSON_STRING;

    if (wish->fail_times >= 0)
        fails = attempt <= wish->fail_times;
    if (wish->fatal.kind == JSON_STRING)
        set_reason(outcome, OUTCOME_FAIL, wish->fatal);
    else if (fails)
        set_reason(outcome, OUTCOME_RETRY, wish->fail);
    else
        outcome_init(outcome, OUTCOME_DONE, "%s", "");
}

static struct run *start(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome)
{
    struct wish wish;
    struct run *run;
    struct err err;

    if (read_wish(&wish, job->payload, &err) != 0) {
        outcome_init(outcome, OUTCOME_FAIL, "%s", err.text);
        return NULL;
    }
    run = must_alloc(sizeof(*run));
    run->done = done;
    run->arg = arg;
    set_outcome(&run->outcome, &wish, job->attempt);
    timer_init(&run->timer, env->loop, finish, run);
    if (wish.sleep_ms > 0) {
        run->started_ms = clock_mono_ms();
        timer_set(&run->timer, wish.sleep_ms);
    } else {
        timer_set_soon(&run->timer);
    }
    return run;
}

/* A run that does not sleep is as good as over. */
static void cancel(struct run *run, enum cancel_reason why)
{
    char seconds[TEXT_SECONDS_BYTES];

    if (run->started_ms == 0)
        return;
    if (why == CANCEL_TIMEOUT) {
        text_format_seconds((clock_mono_ms() - run->started_ms) / 10 * 10, seconds,
                            sizeof(seconds));
        outcome_init(&run->outcome, OUTCOME_RETRY, "timed out after %s s", seconds);
    } else {
        outcome_init(&run->outcome, OUTCOME_ABANDONED, "stopped");
    }
    run->started_ms = 0; /* the first reason stays */
    timer_set_soon(&run->timer);
}

const struct handler noop_handler = {.name = "noop", .start = start, .cancel = cancel};
