/* Webhook jobs: one HTTP request per run.
 *
 *   sent --answer or failure--> over           (settled from curl's messages)
 *   sent --cancel--> aborted --next turn--> over
 *
 * Knows nothing of retries, leases or Redis; times out when the worker says so. Every
 * address is looked at before it is connected to, and once more before a request goes out
 * on a connection that another job may have opened.
 */
#include "jobs/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "jobs/handler.h"
#include "jobs/http_answer.h"
#include "jobs/http_multi.h"
#include "jobs/http_request.h"
#include "jobs/http_response.h"

enum {
    JITTER_PARTS = 4, /* a postponed job comes back up to a quarter later */
    SPARE_MAX = 64,
    HTTP_NO_CONTENT = 204,
    HTTP_NOT_MODIFIED = 304
};

/* One jobs entry. Its runs, with their curl handles, are used again. */
struct lane {
    struct http_target target;
    SLIST_HEAD(, run) spare;
    size_t spare_ct;
};

struct http {
    struct loop *loop;
    const struct config *config;
    struct http_multi *multi;
    struct endpoints *endpoints;
    uint64_t change_ct, told_ct; /* of breakers opened or closed; told to the board */
    struct lane *lanes;          /* one for each entry of config->jobs */
};

struct run {
    SLIST_ENTRY(run) link; /* while it is spare */
    struct http *http;
    struct lane *lane;
    const struct http_target *target; /* the lane's */
    struct http_transfer transfer;
    struct http_request request;
    struct http_response response;
    char curl_text[CURL_ERROR_SIZE];
    struct timer over; /* of a cancelled run: from the next turn */

    /* of this run */
    const struct job *job; /* borrowed until done() returns */
    run_done_cb done;
    void *arg;
    bool sent; /* curl has it */
    enum endpoint_pass pass;
    bool cancelled;
    enum cancel_reason why;
    int64_t started_ms;               /* monotonic */
    char refused[ADDRESS_TEXT_BYTES]; /* an address that was refused */
    const char *refusal;              /* why; NULL: none was */
    bool vetted;                      /* there was one that was not */
};

/* ---- addresses ---- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose UNUSED,
                                 struct curl_sockaddr *address)
{
    struct run *run = arg;
    const char *why = http_target_refuses(run->target, &address->addr);

    if (why != NULL) {
        address_text(&address->addr, run->refused);
        run->refusal = why;
        return CURL_SOCKET_BAD;
    }
    run->vetted = true;
    return http_multi_open_socket(run->http->multi, address);
}

/* The connection may have been opened for a job that is allowed more. */
static int check_connection(void *arg, char *ip, char *local_ip UNUSED, int port UNUSED,
                            int local_port UNUSED)
{
    struct run *run = arg;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any.sa_family = AF_INET};

    if (inet_pton(AF_INET, ip, &address.v4.sin_addr) != 1) {
        address.any.sa_family = AF_INET6;
        if (inet_pton(AF_INET6, ip, &address.v6.sin6_addr) != 1)
            return CURL_PREREQFUNC_ABORT;
    }
    run->refusal = http_target_refuses(run->target, &address.any);
    if (run->refusal == NULL)
        return CURL_PREREQFUNC_OK;
    address_text(&address.any, run->refused);
    run->vetted = false;
    return CURL_PREREQFUNC_ABORT;
}

/* ---- the verdict ---- */

static long status_of(const struct run *run)
{
    long status = 0;

    (void)curl_easy_getinfo(run->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Whether the answer is there although the transfer ended with an error: its body went on
 * beyond the bound, or it has none. (A server that answers without reading the request's
 * body may end the stream, and curl calls that an error.) */
static bool is_answered(const struct run *run)
{
    long status = status_of(run);
    curl_off_t length = -1;

    (void)curl_easy_getinfo(run->transfer.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                            &length);
    return run->response.capped ||
           (run->response.head_ended && status >= 200 &&
            (status == HTTP_NO_CONTENT || status == HTTP_NOT_MODIFIED || length == 0));
}

static int64_t retry_after_of(const struct run *run)
{
    struct curl_header *header;

    if (curl_easy_header(run->transfer.easy, "retry-after", 0, CURLH_HEADER, -1,
                         &header) != CURLHE_OK)
        return -1;
    return http_retry_after_ms(header->value, clock_wall_ms() / 1000);
}

static void judge_answer(const struct run *run, struct outcome *outcome)
{
    int status = (int)status_of(run);
    enum outcome_kind kind = http_status_kind(status, run->target->config->permanent_4xx);
    char seconds[TEXT_SECONDS_BYTES];
    int64_t wait_ms;

    if (kind == OUTCOME_DONE) {
        outcome_init(outcome, kind, "%s", "");
        return;
    }
    text_format_seconds((clock_mono_ms() - run->started_ms) / 10 * 10, seconds,
                        sizeof(seconds));
    outcome_init(outcome, kind, "HTTP %d after %s s", status, seconds);
    wait_ms = http_status_waits(status) ? retry_after_of(run) : -1;
    outcome->wait_ms = wait_ms > 0 ? wait_ms : 0;
}

/* libcurl bounds a line itself, and calls what is beyond that out of memory or, from 8.6
 * on, too large. */
static bool head_is_too_long(const struct http_response *response, CURLcode code)
{
    enum { TOO_LARGE = 100 }; /* CURLE_TOO_LARGE, which older headers lack */

    if (code != CURLE_OUT_OF_MEMORY && (int)code != TOO_LARGE)
        return response->head_capped;
    return response->head_bytes > 0 && !response->head_ended;
}

static void judge_failure(const struct run *run, CURLcode code, struct outcome *outcome)
{
    struct buf line;

    if (run->refusal != NULL && !run->vetted) {
        outcome_init(outcome, OUTCOME_FAIL,
                     "address %s is refused: %s; allow_networks would open it",
                     run->refused, run->refusal);
        return;
    }
    buf_init(&line, OUTCOME_REASON_BYTES - 1);
    text_escape(
        &line, slice_text(run->curl_text[0] ? run->curl_text : curl_easy_strerror(code)));
    outcome_init(outcome, OUTCOME_RETRY, "%s", line.data ? line.data : "no answer");
    if (head_is_too_long(&run->response, code))
        outcome_init(outcome, OUTCOME_RETRY, "more than %d bytes of headers",
                     HTTP_HEAD_MAX_BYTES);
    buf_free(&line);
}

static void judge_cancelled(const struct run *run, struct outcome *outcome)
{
    char seconds[TEXT_SECONDS_BYTES];

    if (run->why != CANCEL_TIMEOUT) {
        outcome_init(outcome, OUTCOME_ABANDONED, "%s",
                     run->why == CANCEL_LOST ? "stopped: the lease is lost"
                                             : "stopped: the worker is leaving");
        return;
    }
    text_format_seconds((clock_mono_ms() - run->started_ms) / 10 * 10, seconds,
                        sizeof(seconds));
    outcome_init(outcome, OUTCOME_RETRY, "timed out after %s s", seconds);
    outcome->timed_out = true;
}

/* What the failed record tells beside the reason. */
static void describe(const struct run *run, struct buf *out)
{
    char seconds[TEXT_SECONDS_BYTES];
    char *ip = NULL;
    curl_off_t first_us = 0;

    (void)curl_easy_getinfo(run->transfer.easy, CURLINFO_PRIMARY_IP, &ip);
    (void)curl_easy_getinfo(run->transfer.easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
    (void)buf_addf(out, "\nrequest: %s to %s", run->target->config->method,
                   run->request.endpoint);
    if (ip != NULL && ip[0] != '\0')
        (void)buf_addf(out, " at %s", ip);
    (void)buf_add_char(out, '\n');
    if (run->response.head.len > 0) {
        text_format_seconds((int64_t)first_us / 1000, seconds, sizeof(seconds));
        (void)buf_addf(out, "first byte after %s s\n", seconds);
    }
    http_response_describe(&run->response, out);
}

static enum endpoint_result result_of(const struct run *run, CURLcode code)
{
    if (run->cancelled)
        return run->why == CANCEL_TIMEOUT ? ENDPOINT_TROUBLE : ENDPOINT_UNKNOWN;
    if (run->refusal != NULL && !run->vetted)
        return ENDPOINT_UNKNOWN;
    if (code != CURLE_OK && !is_answered(run))
        return ENDPOINT_TROUBLE;
    return http_status_is_trouble((int)status_of(run)) ? ENDPOINT_TROUBLE
                                                       : ENDPOINT_ANSWERED;
}

/* ---- endpoints ---- */

static void settle_endpoint(struct run *run, enum endpoint_result result)
{
    struct endpoint *endpoint =
        endpoints_get(run->http->endpoints, run->request.endpoint);
    int64_t open_ms = endpoint->open_ms, now_ms = clock_mono_ms();

    endpoint_settle(endpoint, &run->target->rules, run->pass, result,
                    now_ms - run->started_ms, now_ms);
    run->http->change_ct += endpoint->open_ms != open_ms;
    if (open_ms == 0 && endpoint->open_ms > 0)
        log_warning("endpoint.away", log_str("endpoint", run->request.endpoint),
                    log_int("failures", endpoint->failures),
                    log_int("retry_in_ms", endpoint->open_ms));
    else if (open_ms > 0 && endpoint->open_ms == 0)
        log_info("endpoint.back", log_str("endpoint", run->request.endpoint));
}

struct telling {
    struct board *board;
    uint32_t ct;
};

static void tell_endpoint(void *arg, const char *name, const struct endpoint *endpoint)
{
    struct telling *telling = arg;

    if (telling->ct < BOARD_AWAY)
        board_set_away(telling->board, telling->ct, name, endpoint->failures);
    telling->ct++;
}

void http_tell_board(struct http *http, struct board *board)
{
    struct telling telling = {.board = board};

    if (http->told_ct == http->change_ct)
        return;
    endpoints_each_open(http->endpoints, tell_endpoint, &telling);
    for (size_t i = telling.ct; i < BOARD_AWAY; i++)
        board_set_away(board, i, "", 0);
    board->away_ct = telling.ct;
    http->told_ct = http->change_ct;
}

/* ---- the end ---- */

static void free_run(struct run *run)
{
    curl_easy_cleanup(run->transfer.easy);
    http_request_free(&run->request);
    http_response_free(&run->response);
    timer_free(&run->over);
    free(run);
}

static void give_run(struct run *run)
{
    struct lane *lane = run->lane;

    if (lane->spare_ct == SPARE_MAX) {
        free_run(run);
        return;
    }
    http_request_shrink(&run->request);
    SLIST_INSERT_HEAD(&lane->spare, run, link);
    lane->spare_ct++;
}

static void finish(struct run *run, CURLcode code)
{
    struct outcome outcome;
    struct buf detail;

    settle_endpoint(run, result_of(run, code));
    buf_init(&detail, 0);
    if (run->cancelled)
        judge_cancelled(run, &outcome);
    else if (code == CURLE_OK || is_answered(run))
        judge_answer(run, &outcome);
    else
        judge_failure(run, code, &outcome);
    if (outcome.kind != OUTCOME_DONE)
        describe(run, &detail);
    outcome.detail = buf_slice(&detail);
    run->done(run->arg, &outcome);
    buf_free(&detail);
    give_run(run); /* nobody above us on the stack knows it */
}

static void transfer_done(void *arg, CURLcode code)
{
    struct run *run = arg;

    run->sent = false;
    finish(run, code);
}

static void cancelled_over(void *arg)
{
    finish(arg, CURLE_ABORTED_BY_CALLBACK);
}

static void cancel(struct run *run, enum cancel_reason why)
{
    if (!run->cancelled || why == CANCEL_LOST)
        run->why = why;
    run->cancelled = true;
    if (!run->sent)
        return;
    http_multi_abort(run->http->multi, &run->transfer);
    run->sent = false;
    timer_set_soon(&run->over);
}

/* ---- the start ---- */

/* Jobs that were put aside together do not come back together. */
static int64_t with_jitter(int64_t ms)
{
    return ms + (int64_t)random_below((uint32_t)(ms / JITTER_PARTS) + 1);
}

static bool admit(struct run *run, struct outcome *outcome)
{
    struct endpoint *endpoint =
        endpoints_get(run->http->endpoints, run->request.endpoint);
    int64_t wait_ms;

    run->pass = endpoint_admit(endpoint, &run->target->rules, run->started_ms, &wait_ms);
    if (run->pass < ENDPOINT_FULL)
        return true;
    if (run->pass == ENDPOINT_OPEN)
        outcome_init(outcome, OUTCOME_POSTPONE, "%s has failed %lld time%s in a row",
                     run->request.endpoint, (long long)endpoint->failures,
                     endpoint->failures == 1 ? "" : "s");
    else
        outcome_init(outcome, OUTCOME_POSTPONE, "requests to %s on their way: %lld",
                     run->request.endpoint, (long long)endpoint->in_flight);
    outcome->wait_ms = with_jitter(wait_ms);
    return false;
}

static void send_request(struct run *run)
{
    http_request_apply(&run->request, run->transfer.easy);
    http_multi_start(run->http->multi, &run->transfer);
    run->sent = true;
}

/* With all on its handle that no request changes. */
static void set_handle(struct run *run)
{
    CURL *easy = curl_easy_init();

    MUST(easy != NULL);
    run->transfer =
        (struct http_transfer){.easy = easy, .done = transfer_done, .arg = run};
    http_target_apply(run->target, easy);
    http_request_hook(&run->request, easy);
    http_response_hook(&run->response, easy);
    http_multi_adopt(run->http->multi, &run->transfer);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->curl_text);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, run);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, check_connection);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, run);
}

static struct run *create_run(struct http *http, struct lane *lane)
{
    struct run *run = must_alloc(sizeof(*run));

    run->http = http;
    run->lane = lane;
    run->target = &lane->target;
    timer_init(&run->over, http->loop, cancelled_over, run);
    http_request_init(&run->request);
    http_response_init(&run->response,
                       (uint64_t)run->target->config->max_response_kib * 1024);
    set_handle(run);
    return run;
}

static struct run *take_run(struct http *http, const struct job *job, run_done_cb done,
                            void *arg)
{
    struct lane *lane = &http->lanes[job->config - http->config->jobs];
    struct run *run = SLIST_FIRST(&lane->spare);

    if (run == NULL) {
        run = create_run(http, lane);
    } else {
        SLIST_REMOVE_HEAD(&lane->spare, link);
        lane->spare_ct--;
        http_response_clear(&run->response);
    }
    run->job = job;
    run->done = done;
    run->arg = arg;
    run->sent = run->cancelled = run->vetted = false;
    run->refusal = NULL;
    run->curl_text[0] = '\0';
    run->started_ms = clock_mono_ms();
    return run;
}

static struct run *start(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome)
{
    struct run *run;
    struct err err;

    MUST(env->http != NULL);
    run = take_run(env->http, job, done, arg);
    if (http_request_build(&run->request, run->target, job, clock_wall_ms() / 1000,
                           &err) != 0) {
        outcome_init(outcome, OUTCOME_FAIL, "%s", err.text);
    } else if (admit(run, outcome)) {
        send_request(run);
        return run;
    }
    give_run(run);
    return NULL;
}

const struct handler http_handler = {.name = "http", .start = start, .cancel = cancel};

/* ---- the whole ---- */

static long connections_of(const struct config *config)
{
    int64_t most = 1;

    for (size_t i = 0; i < config->pool_ct; i++)
        if (config->pools[i].concurrency > most)
            most = config->pools[i].concurrency;
    return (long)most;
}

static int open_lanes(struct http *http, struct err *err)
{
    http->lanes = must_alloc(http->config->job_ct * sizeof(*http->lanes));
    for (size_t i = 0; i < http->config->job_ct; i++)
        if (http->config->jobs[i].type == JOB_HTTP &&
            http_target_init(&http->lanes[i].target, &http->config->jobs[i].http, err) !=
                0)
            return err_prefix(err, "jobs[%zu]", i);
    return 0;
}

static void close_lane(struct lane *lane)
{
    struct run *run;

    while ((run = SLIST_FIRST(&lane->spare)) != NULL) {
        SLIST_REMOVE_HEAD(&lane->spare, link);
        free_run(run);
    }
    http_target_free(&lane->target);
}

int http_open(struct loop *loop, const struct config *config, struct http **http,
              struct err *err)
{
    struct http *opened;

    *http = NULL;
    if (!config_has_jobs_of(config, JOB_HTTP))
        return 0;
    MUST(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); /* counts its calls */
    opened = must_alloc(sizeof(*opened));
    opened->loop = loop;
    opened->config = config;
    opened->endpoints = endpoints_create();
    opened->multi = http_multi_create(loop, connections_of(config), err);
    if (opened->multi == NULL || open_lanes(opened, err) != 0) {
        http_close(opened);
        return -1;
    }
    *http = opened;
    return 0;
}

void http_close(struct http *http)
{
    if (http == NULL)
        return;
    for (size_t i = 0; http->lanes != NULL && i < http->config->job_ct; i++)
        close_lane(&http->lanes[i]);
    free(http->lanes);
    endpoints_destroy(http->endpoints);
    http_multi_destroy(http->multi);
    free(http);
    curl_global_cleanup();
}
