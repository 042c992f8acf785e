/* drover push: one job from the command line, or one per line of stdin.
 *
 * Every payload gets a uuid and an id of its own, so that no two are ever the same bytes.
 * With --lines the jobs go in chunks, each one round trip and all or none; whatever ends
 * the command early, it says how many went in.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/envelope.h"
#include "cli/interrupt.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/redis.h"
#include "jobs/match.h"

enum {
    CHUNK_JOBS = 500,
    CHUNK_BYTES = 4 << 20, /* a chunk is sent once it has so many */
    TRIES_MAX = 1000000,
    ENVELOPE_BYTES = 4096 /* more than all but the data can take */
};

struct push {
    const struct cli_args *args;
    struct cli_session session;
    struct envelope envelope;
    struct buf backoff;
    const char *queue;
    int64_t delay_ms;
    size_t data_max; /* bytes, so that the whole stays a payload a worker takes */
};

static int read_number_options(struct push *push, struct err *err)
{
    const char *tries = cli_value(push->args, "--tries");
    const char *timeout = cli_value(push->args, "--timeout");
    const char *delay = cli_value(push->args, "--delay");

    push->envelope.tries = push->envelope.timeout_ms = -1;
    if (tries && text_integer(tries, 0, TRIES_MAX, &push->envelope.tries, err) != 0)
        return args_bad_value(err, "--tries");
    if (timeout && text_duration(timeout, &push->envelope.timeout_ms, err) != 0)
        return args_bad_value(err, "--timeout");
    if (delay && text_duration(delay, &push->delay_ms, err) != 0)
        return args_bad_value(err, "--delay");
    return 0;
}

static int read_options(struct push *push, struct err *err)
{
    const char *backoff = cli_value(push->args, "--backoff");
    const char *queue = cli_value(push->args, "--queue");

    push->queue = queue ? queue : "default";
    push->envelope.job = push->args->operands[0];
    if (push->queue[0] == '\0')
        return err_set(err, ERR_USAGE, "--queue is empty");
    if (queue_name_check(push->queue, err) != 0)
        return -1;
    if (envelope_check_job(push->envelope.job, err) != 0 ||
        read_number_options(push, err) != 0)
        return -1;
    if (backoff) {
        if (envelope_read_backoff(backoff, &push->backoff, err) != 0)
            return -1;
        push->envelope.backoff = push->backoff.data;
    }
    if (cli_flag(push->args, "--lines") && push->args->operand_ct > 1)
        return err_set(err, ERR_USAGE, "--lines reads DATA from stdin: give no other");
    return 0;
}

/* Somebody else may run what this configuration does not know: say so, and push. */
static void warn_unknown(const struct push *push)
{
    if (job_match(push->session.config, push->envelope.job) == NULL)
        output_note("warning: no entry of jobs in the configuration matches %s",
                    push->envelope.job);
    cli_warn_unread(push->session.config, push->queue);
}

static void write_payload(const struct push *push, struct slice data,
                          char uuid[UUID_TEXT_BYTES], struct buf *out)
{
    char id[RANDOM_ID_CHARS + 1];

    random_uuid(uuid);
    random_id(id);
    envelope_write(&push->envelope, data, uuid, id, clock_wall_us(), out);
}

/* ---- one job ---- */

static int push_data(struct push *push, struct slice data, struct err *err)
{
    char uuid[UUID_TEXT_BYTES];
    struct slice payload;
    struct buf buf;
    int rc;

    if (data.len > push->data_max)
        return err_set(err, ERR_USAGE, "DATA is longer than max_payload allows");
    if (envelope_check_data(data, err) != 0)
        return -1;
    buf_init(&buf, 0);
    write_payload(push, data, uuid, &buf);
    payload = buf_slice(&buf);
    rc = client_push(push->session.client, push->queue, &payload, 1, push->delay_ms, err);
    buf_free(&buf);
    if (rc != 0)
        return rc;
    if (push->args->json)
        output_json(json_pack("{s:s, s:o}", "uuid", uuid, "queue",
                              output_json_text(slice_text(push->queue))));
    else
        puts(uuid);
    return 0;
}

static int push_one(struct push *push, struct err *err)
{
    const char *operand = push->args->operand_ct > 1 ? push->args->operands[1] : "{}";
    struct buf data;
    int rc;

    if (strcmp(operand, "-") != 0)
        return push_data(push, slice_text(operand), err);
    buf_init(&data, push->data_max);
    rc = lines_read_all(&data, err);
    if (rc == 0)
        rc = push_data(push, data.data ? buf_slice(&data) : slice_text(""), err);
    buf_free(&data);
    return rc;
}

/* ---- one job per line ---- */

/* Payloads that wait for their round trip. They lie one behind the other in `bytes`,
 * which moves as it grows, so only their ends are kept. */
struct chunk {
    struct buf bytes;
    size_t ends[CHUNK_JOBS];
    size_t ct;
};

static int send_chunk(struct push *push, struct chunk *chunk, int64_t *pushed,
                      struct err *err)
{
    struct slice payloads[CHUNK_JOBS];
    size_t start = 0;

    if (chunk->ct == 0)
        return 0;
    for (size_t i = 0; i < chunk->ct; i++) {
        payloads[i] = slice_of(chunk->bytes.data + start, chunk->ends[i] - start);
        start = chunk->ends[i];
    }
    if (client_push(push->session.client, push->queue, payloads, chunk->ct,
                    push->delay_ms, err) != 0) {
        if (err->code == ERR_CONN)
            output_note("the last %zu job%s may or may not have gone in", chunk->ct,
                        chunk->ct == 1 ? "" : "s");
        return -1;
    }
    *pushed += (int64_t)chunk->ct;
    chunk->ct = 0;
    buf_clear(&chunk->bytes);
    return 0;
}

static int add_line(struct push *push, struct chunk *chunk, struct slice line,
                    struct err *err)
{
    char uuid[UUID_TEXT_BYTES];

    if (envelope_check_data(line, err) != 0)
        return -1;
    write_payload(push, line, uuid, &chunk->bytes);
    chunk->ends[chunk->ct++] = chunk->bytes.len;
    return 0;
}

/* What stands before a bad line, or came before an interrupt, is still sent. */
static int push_stream(struct push *push, struct lines *lines, struct chunk *chunk,
                       int64_t *pushed, struct err *err)
{
    struct progress progress;
    struct slice line;
    struct err later = {0};
    int got = 1, rc = 0;

    progress_begin(&progress, "pushed", 0);
    while (rc == 0 && got == 1 && !interrupt_seen()) {
        got = lines_next(lines, &line, &later);
        if (got == 1 && add_line(push, chunk, line, &later) != 0) {
            err_prefix(&later, "line %" PRIu64, lines_number(lines));
            got = -1;
        }
        if (chunk->ct == CHUNK_JOBS || chunk->bytes.len >= CHUNK_BYTES || got != 1)
            rc = send_chunk(push, chunk, pushed, err);
        progress_update(&progress, *pushed);
    }
    if (rc == 0 && chunk->ct > 0)
        rc = send_chunk(push, chunk, pushed, err);
    progress_end(&progress);
    if (rc == 0 && got < 0)
        rc = err_set(err, later.code, "%s", later.text);
    return rc;
}

static void tell_pushed(const struct push *push, int64_t pushed)
{
    if (push->args->json)
        output_json(json_pack("{s:I, s:o}", "pushed", (json_int_t)pushed, "queue",
                              output_json_text(slice_text(push->queue))));
    else
        printf("%" PRId64 " job%s pushed\n", pushed, pushed == 1 ? "" : "s");
}

static int push_lines(struct push *push, struct err *err)
{
    struct chunk *chunk = must_alloc(sizeof(*chunk));
    struct lines *lines = lines_open(push->data_max);
    int64_t pushed = 0;
    int rc;

    interrupt_watch();
    buf_init(&chunk->bytes, 0);
    rc = push_stream(push, lines, chunk, &pushed, err);
    if (rc == 0 && interrupt_seen())
        rc = err_set(err, ERR_SYSTEM, "interrupted");
    tell_pushed(push, pushed);
    lines_close(lines);
    buf_free(&chunk->bytes);
    free(chunk);
    return rc;
}

static int run(const struct cli_args *args)
{
    struct push push = {.args = args};
    struct err err = {0};
    int exit_code;

    buf_init(&push.backoff, 0);
    if (read_options(&push, &err) != 0) {
        buf_free(&push.backoff);
        return cli_fail(&err);
    }
    exit_code = cli_session_open(&push.session, args);
    if (exit_code == EXIT_DONE) {
        push.data_max =
            (size_t)push.session.config->max_payload_mib * 1024 * 1024 - ENVELOPE_BYTES;
        warn_unknown(&push);
        if ((cli_flag(args, "--lines") ? push_lines(&push, &err)
                                       : push_one(&push, &err)) != 0)
            exit_code = cli_fail(&err);
        cli_session_close(&push.session);
    }
    buf_free(&push.backoff);
    return exit_code;
}

static const struct cli_option options[] = {
    {"--queue", "NAME", "the queue [default]"},
    {"--delay", "S", "start no earlier than S seconds from now (0.5, 90, 2h)"},
    {"--tries", "N", "runs it may have; 0: without limit [job's, else pool's]"},
    {"--timeout", "S", "seconds a run may take; 0: without limit [likewise]"},
    {"--backoff", "LIST", "seconds between runs, like 1,5,30 [likewise]"},
    {"--lines", NULL, "one job per line of stdin, which is its DATA"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_push = {
    .words = "push",
    .operands = "JOB [DATA]",
    .summary = "Push a job; DATA is JSON, - reads it from stdin, none is {}",
    .examples = "drover push resize '{\"file\":\"a.png\"}'\n"
                "drover push report --queue low --delay 1h --tries 5\n"
                "jq -c '.[]' images.json | drover push resize --lines",
    .operand_min = 1,
    .operand_max = 2,
    .options = options,
    .run = run};
