/* Frames, written and read. Knows their form, not who says what when; whatever a
 * co-process says is bounded and looked at with care, since anything may run in it. */
#include "jobs/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { MS = 1000 };

/* ---- writing ---- */

static void add_length(struct buf *out, size_t at, size_t bytes)
{
    MUST(bytes <= UINT32_MAX);
    for (size_t i = 0; i < 4; i++)
        out->data[at + i] = (char)(unsigned char)(bytes >> (24 - 8 * i));
}

/* `text` is UTF-8. */
static void add_text(struct buf *out, const char *name, const char *text)
{
    (void)buf_addf(out, ",\"%s\":", name);
    text_quote_json(out, slice_text(text));
}

static void add_number(struct buf *out, const char *name, int64_t number)
{
    (void)buf_addf(out, ",\"%s\":%" PRId64, name, number);
}

/* Returns where the frame begins. */
static size_t open_frame(struct buf *out, const char *type)
{
    size_t start = out->len;

    (void)buf_add(out, "\0\0\0\0\0\0\0\0", FRAME_PREFIX_BYTES);
    (void)buf_addf(out, "{\"type\":\"%s\"", type);
    return start;
}

static void close_frame(struct buf *out, size_t start, struct slice body)
{
    (void)buf_add_char(out, '}');
    add_length(out, start, out->len - start - FRAME_PREFIX_BYTES);
    add_length(out, start + 4, body.len);
    (void)buf_add(out, body.ptr, body.len);
}

void frame_add_hello(struct buf *out, const struct job_config *config)
{
    size_t start = open_frame(out, "hello");

    add_number(out, "protocol", FRAME_PROTOCOL);
    add_text(out, "app", config->laravel.app);
    if (config->laravel.bootstrap)
        add_text(out, "bootstrap", config->laravel.bootstrap);
    add_number(out, "memory", config->laravel.memory_mib);
    close_frame(out, start, slice_of("", 0));
}

/* Seconds, as Laravel writes them: whole ones, so a fraction counts as one more. */
static int64_t whole_seconds(int64_t ms)
{
    return ms / MS + (ms % MS != 0);
}

static void add_policy(struct buf *out, const struct policy *policy)
{
    add_number(out, "timeout", whole_seconds(policy->timeout_ms));
    (void)buf_add_text(out, ",\"backoff\":[");
    for (unsigned i = 0; i < policy->backoff_ct; i++)
        (void)buf_addf(out, "%s%" PRId64, i ? "," : "",
                       whole_seconds(policy->backoff_ms[i]));
    (void)buf_add_char(out, ']');
}

static void add_job(struct buf *out, const struct job *job, int64_t id)
{
    add_number(out, "id", id);
    add_text(out, "uuid", job->uuid);
    add_text(out, "name", job->name);
    add_text(out, "connection", job_connection(job->config));
    add_text(out, "queue", job->queue);
    add_number(out, "attempt", job->attempt);
    add_number(out, "tries", job->max_tries);
    if (job->policy)
        add_policy(out, job->policy);
}

void frame_add_job(struct buf *out, const struct job *job, int64_t id)
{
    size_t start = open_frame(out, "job");

    add_job(out, job, id);
    close_frame(out, start, payload_without_pad(job->payload->raw));
}

void frame_add_state(struct buf *out, const struct job_config *config,
                     const struct text_list *queues)
{
    size_t start = open_frame(out, "state");

    add_text(out, "connection", job_connection(config));
    (void)buf_add_text(out, ",\"queues\":[");
    for (size_t i = 0; i < queues->ct; i++) {
        (void)buf_add_text(out, i ? "," : "");
        text_quote_json(out, slice_text(queues->items[i]));
    }
    (void)buf_add_char(out, ']');
    close_frame(out, start, slice_of("", 0));
}

void frame_add_after(struct buf *out, const struct job *job, int64_t id,
                     const char *reason, bool timed_out)
{
    size_t start = open_frame(out, "after");

    add_job(out, job, id);
    add_text(out, "reason", reason);
    (void)buf_addf(out, ",\"timed_out\":%s", timed_out ? "true" : "false");
    close_frame(out, start, payload_without_pad(job->payload->raw));
}

/* ---- reading ---- */

enum member {
    MEMBER_TYPE,
    MEMBER_VERDICT,
    MEMBER_REASON,
    MEMBER_LEAVE,
    MEMBER_ID,
    MEMBER_PROTOCOL,
    MEMBER_DELAY,
    MEMBER_MEMORY,
    MEMBER_STATE,
    MEMBER_DOWN,
    MEMBER_HOLD,
    MEMBER_RESTART,
    MEMBER_PAUSED,
    MEMBER_CT
};

static const struct {
    const char *name;
    enum json_kind kind;
} members[MEMBER_CT] = {
    [MEMBER_TYPE] = {"type", VALUE_STRING},
    [MEMBER_VERDICT] = {"verdict", VALUE_STRING},
    [MEMBER_REASON] = {"reason", VALUE_STRING},
    [MEMBER_LEAVE] = {"leave", VALUE_BOOL},
    [MEMBER_ID] = {"id", VALUE_NUMBER},
    [MEMBER_PROTOCOL] = {"protocol", VALUE_NUMBER},
    [MEMBER_DELAY] = {"delay", VALUE_NUMBER},
    [MEMBER_MEMORY] = {"memory", VALUE_NUMBER},
    [MEMBER_STATE] = {"state", VALUE_BOOL},
    [MEMBER_DOWN] = {"down", VALUE_BOOL},
    [MEMBER_HOLD] = {"hold", VALUE_BOOL},
    [MEMBER_RESTART] = {"restart", VALUE_STRING},
    [MEMBER_PAUSED] = {"paused", VALUE_ARRAY},
};

static const char *const types[] = {"hello", "verdict", "timeout",
                                    "dying", "done",    "state"};
static const char *const verdicts[] = {"", "delete", "release", "fail"};

static size_t length_at(struct slice in, size_t at)
{
    size_t bytes = 0;

    for (size_t i = 0; i < 4; i++)
        bytes = bytes << 8 | (unsigned char)in.ptr[at + i];
    return bytes;
}

static int read_members(struct slice header, struct json_value values[MEMBER_CT],
                        struct err *err)
{
    struct json_reader reader UNINITIALIZED;
    struct json_value value;
    struct slice key;
    int rc;

    json_open(&reader, header);
    if (json_enter(&reader, err) != 0)
        return -1;
    while ((rc = json_next(&reader, &key, &value, err)) > 0)
        for (int i = 0; i < MEMBER_CT && key.ptr; i++)
            if (json_string_is(key, slice_text(members[i].name)))
                values[i] = value;
    if (rc != 0 || json_read_end(&reader, err) != 0)
        return -1;
    for (int i = 0; i < MEMBER_CT; i++)
        if (values[i].kind != VALUE_ABSENT && values[i].kind != members[i].kind)
            return err_set(err, ERR_BAD_INPUT, "%s must be %s", members[i].name,
                           json_kind_text(members[i].kind));
    return 0;
}

/* The place of the value among the words; -1: it is none of them. */
static int word_at(struct json_value value, const char *const *words, size_t ct)
{
    for (size_t i = 0; i < ct && value.kind == VALUE_STRING; i++)
        if (json_string_is(value.text, slice_text(words[i])))
            return (int)i;
    return -1;
}

/* In units of 10^-decimals; -1: absent or negative. */
static int64_t number_of(struct json_value value, unsigned decimals)
{
    int64_t number = -1;

    if (value.kind == VALUE_NUMBER)
        (void)json_scale_number(value.text, decimals, &number);
    return number < 0 ? -1 : number;
}

static enum frame_answer answer_of(struct json_value value)
{
    if (value.kind != VALUE_BOOL)
        return FRAME_UNSAID;
    return slice_is(value.text, "true") ? FRAME_YES : FRAME_NO;
}

/* Whatever cannot be shown in it is shown as \xNN; what does not fit is cut. */
static void read_line(struct json_value value, char *to, size_t size)
{
    struct buf text, line;

    buf_init(&text, 0);
    buf_init(&line, size - 1);
    if (value.kind == VALUE_STRING && json_decode_string(value.text, &text, NULL) == 0)
        text_escape(&line, buf_slice(&text));
    (void)snprintf(to, size, "%s", line.len ? line.data : "");
    buf_free(&text);
    buf_free(&line);
}

static void read_state(struct frame *frame, const struct json_value *values)
{
    frame->state = answer_of(values[MEMBER_STATE]);
    frame->down = answer_of(values[MEMBER_DOWN]);
    frame->hold = answer_of(values[MEMBER_HOLD]);
    frame->has_restart = values[MEMBER_RESTART].kind == VALUE_STRING;
    read_line(values[MEMBER_RESTART], frame->restart, sizeof(frame->restart));
    frame->paused = values[MEMBER_PAUSED].text;
}

static int read_header(struct slice header, struct frame *frame, struct err *err)
{
    struct json_value values[MEMBER_CT] = {0};
    int type, verdict;

    if (read_members(header, values, err) != 0)
        return err_prefix(err, "header of a frame");
    type = word_at(values[MEMBER_TYPE], types, ARRAY_CT(types));
    if (type < 0)
        return err_set(err, ERR_BAD_INPUT, "a frame of no known type");
    verdict = word_at(values[MEMBER_VERDICT], verdicts, ARRAY_CT(verdicts));
    if (type == FRAME_VERDICT && verdict <= FRAME_NONE)
        return err_set(err, ERR_BAD_INPUT, "a verdict that is none");
    frame->type = (enum frame_type)type;
    frame->verdict = verdict < 0 ? FRAME_NONE : (enum frame_verdict)verdict;
    frame->id = number_of(values[MEMBER_ID], 0);
    frame->protocol = number_of(values[MEMBER_PROTOCOL], 0);
    frame->delay_ms = number_of(values[MEMBER_DELAY], 3);
    frame->delay_ms = frame->delay_ms < 0 ? 0 : frame->delay_ms;
    frame->memory_bytes = number_of(values[MEMBER_MEMORY], 0);
    frame->leave = slice_is(values[MEMBER_LEAVE].text, "true");
    read_line(values[MEMBER_REASON], frame->reason, sizeof(frame->reason));
    read_state(frame, values);
    return 0;
}

int frame_read(struct slice in, struct frame *frame, size_t *bytes, struct err *err)
{
    size_t header, body;

    if (in.len < FRAME_PREFIX_BYTES)
        return 0;
    header = length_at(in, 0);
    body = length_at(in, 4);
    if (header > FRAME_HEADER_MAX || body > FRAME_BODY_MAX)
        return err_set(err, ERR_LIMIT, "a frame of %zu and %zu bytes", header, body);
    *bytes = FRAME_PREFIX_BYTES + header + body;
    if (in.len < *bytes)
        return 0;
    *frame = (struct frame){
        .body = slice_of(in.ptr + FRAME_PREFIX_BYTES + header, body),
    };
    if (read_header(slice_of(in.ptr + FRAME_PREFIX_BYTES, header), frame, err) != 0)
        return -1;
    return 1;
}
