/* Jobs that do nothing, as they are told: for tests and for measuring drover itself.
 *
 * `data` may hold, all optional: "sleep": seconds; "fail": a reason to be tried again;
 * "fail_times": fail so many attempts, then work; "fatal": a reason to fail for good.
 * Must stay cheap: without a sleep a run costs no system call and no look at the clock.
 */
#include <stdlib.h>
#include <string.h>

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

enum wish { WISH_SLEEP, WISH_FAIL, WISH_FAIL_TIMES, WISH_FATAL, WISH_CT };

static const struct {
    struct slice name;
    enum json_kind kind;
} wishes[WISH_CT] = {
    [WISH_SLEEP] = {{"sleep", 5}, VALUE_NUMBER},
    [WISH_FAIL] = {{"fail", 4}, VALUE_STRING},
    [WISH_FAIL_TIMES] = {{"fail_times", 10}, VALUE_NUMBER},
    [WISH_FATAL] = {{"fatal", 5}, VALUE_STRING},
};

/* One walk over the members; other names are no concern of ours. */
static int read_members(struct json_value values[WISH_CT], struct json_value data,
                        struct err *err)
{
    struct json_reader reader UNINITIALIZED;
    struct json_value value;
    struct slice key;
    int rc;

    json_open(&reader, data.text);
    if (json_enter(&reader, err) != 0)
        return -1;
    while ((rc = json_next(&reader, &key, &value, err)) > 0)
        for (int i = 0; i < WISH_CT; i++)
            if (json_string_is(key, wishes[i].name))
                values[i] = value;
    return rc;
}

static int read_wishes(struct json_value values[WISH_CT], const struct payload *payload,
                       struct err *err)
{
    memset(values, 0, WISH_CT * sizeof(values[0])); /* VALUE_ABSENT */
    if (payload->data.kind != VALUE_OBJECT)
        return 0;
    if (read_members(values, payload->data, err) != 0)
        return -1;
    for (int i = 0; i < WISH_CT; i++)
        if (values[i].kind != VALUE_ABSENT && values[i].kind != wishes[i].kind)
            return err_set(err, ERR_BAD_INPUT, "data.%s must be %s", wishes[i].name.ptr,
                           json_kind_text(wishes[i].kind));
    return 0;
}

/* In units of 10^-decimals; below 0 counts as 0. */
static int64_t to_number(struct json_value value, unsigned decimals)
{
    int64_t number = 0;

    if (value.kind == VALUE_NUMBER)
        (void)json_scale_number(value.text, decimals, &number);
    return number < 0 ? 0 : number;
}

/* The string as one safe line, as far as it fits a reason. */
static void set_reason(struct outcome *outcome, enum outcome_kind kind,
                       struct json_value string)
{
    struct buf text, line;

    buf_init(&text, 0);
    buf_init(&line, OUTCOME_REASON_BYTES - 1);
    if (string.kind == VALUE_STRING && json_decode_string(string.text, &text, NULL) == 0)
        text_escape(&line, buf_slice(&text));
    outcome_init(outcome, kind, "%s", line.len ? line.data : "told to fail");
    buf_free(&text);
    buf_free(&line);
}

static void set_outcome(struct outcome *outcome, const struct json_value values[WISH_CT],
                        int64_t attempt)
{
    bool fails = values[WISH_FAIL].kind != VALUE_ABSENT;

    if (values[WISH_FAIL_TIMES].kind != VALUE_ABSENT)
        fails = attempt <= to_number(values[WISH_FAIL_TIMES], 0);
    if (values[WISH_FATAL].kind != VALUE_ABSENT)
        set_reason(outcome, OUTCOME_FAIL, values[WISH_FATAL]);
    else if (fails)
        set_reason(outcome, OUTCOME_RETRY, values[WISH_FAIL]);
    else
        outcome_init(outcome, OUTCOME_DONE, "%s", "");
}

static struct run *start(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome)
{
    struct json_value values[WISH_CT];
    struct run *run;
    struct err err;
    int64_t sleep_ms;

    if (read_wishes(values, job->payload, &err) != 0) {
        outcome_init(outcome, OUTCOME_FAIL, "%s", err.text);
        return NULL;
    }
    run = must_alloc(sizeof(*run));
    run->done = done;
    run->arg = arg;
    set_outcome(&run->outcome, values, job->attempt);
    timer_init(&run->timer, env->loop, finish, run);
    sleep_ms = to_number(values[WISH_SLEEP], 3);
    if (sleep_ms > 0) {
        run->started_ms = clock_mono_ms();
        timer_set(&run->timer, sleep_ms);
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
        run->outcome.timed_out = true;
    } else {
        outcome_init(&run->outcome, OUTCOME_ABANDONED, "stopped");
    }
    run->started_ms = 0; /* the first reason stays */
    timer_set_soon(&run->timer);
}

const struct handler noop_handler = {.name = "noop", .start = start, .cancel = cancel};
