/* The link to Redis: connecting, noticing that it is gone, trying again.
 *
 * There is one way down, link_lost(), and one way up, link_ready(). Both connections go
 * down together, for what is true on one may not be on the other. An outage is one
 * warning when it begins and one line when it ends; a link that comes and goes for one
 * and the same reason is said once a minute.
 */
#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

enum { RETRY_JITTER_PERCENT = 25, RETRY_DOUBLINGS_MAX = 16 };

int64_t link_retry_ms(const struct queue_pace *pace, unsigned attempt)
{
    unsigned doublings = attempt < RETRY_DOUBLINGS_MAX ? attempt : RETRY_DOUBLINGS_MAX;
    int64_t ms = pace->retry_min_ms << doublings;

    return ms < pace->retry_max_ms ? ms : pace->retry_max_ms;
}

static bool has_word(const char *text, const char *const *words, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

/* The last two: a command within a script, up to Redis 7.0 and from 7.2 on. */
static bool is_auth(const char *text)
{
    static const char *const words[] = {"NOAUTH",
                                        "WRONGPASS",
                                        "NOPERM",
                                        "ERR AUTH",
                                        "invalid password",
                                        "sent AUTH",
                                        "executing the script can't",
                                        "ACL failure in script"};

    return has_word(text, words, ARRAY_CT(words));
}

bool link_is_outage(const char *error)
{
    static const char *const words[] = {"LOADING",     "BUSY",    "READONLY",
                                        "MASTERDOWN",  "MISCONF", "NOREPLICAS",
                                        "CLUSTERDOWN", "OOM",     "max number of clients",
                                        "UNKILLABLE",  "TRYAGAIN"};

    return is_auth(error) || has_word(error, words, ARRAY_CT(words));
}

static void set_board(struct queue *queue, enum board_link link)
{
    atomic_store(&queue->board->link, (int)link);
    atomic_store(&queue->board->link_since_ms, clock_mono_ms());
}

/* An embedded server starts at the same time as its workers. */
static bool is_quiet_start(const struct queue *queue, int64_t now)
{
    return queue->options.endpoint->embedded && !queue->was_up &&
           now - queue->created_at_ms < queue->pace.quiet_start_ms;
}

/* Redis answers, but something ends the link again and again. */
static bool is_told(const struct queue *queue, const struct err *why, int64_t now)
{
    return queue->said && strcmp(queue->said, why->text) == 0 && queue->attempt > 0 &&
           now - queue->said_at_ms < queue->pace.auth_remind_ms;
}

/* First the connection broke, now Redis says why. */
static bool is_news(const struct queue *queue, const struct err *why, int64_t now)
{
    return link_is_outage(why->text) && !link_is_outage(queue->said) &&
           now - queue->said_at_ms >= queue->pace.news_ms;
}

static void warn_of_outage(struct queue *queue, const struct err *why, int64_t now)
{
    char *where;

    if (is_quiet_start(queue, now) || is_told(queue, why, now))
        return;
    if (queue->warned_at_ms && !is_news(queue, why, now) &&
        (!is_auth(why->text) || now - queue->warned_at_ms < queue->pace.auth_remind_ms))
        return;
    free(queue->said);
    queue->said = must_strdup(why->text);
    queue->said_at_ms = now;
    where = redis_endpoint_text(queue->options.endpoint);
    log_warning("queue.down", log_str("redis", where), log_str("reason", why->text),
                log_int("leases", (int64_t)queue->leases.ct));
    free(where);
    queue->warned_at_ms = now;
}

static void note_outage(struct queue *queue, const struct err *why)
{
    int64_t now = clock_mono_ms();

    if (queue->up_at_ms && now - queue->up_at_ms >= queue->pace.stable_ms)
        queue->attempt = 0;
    if (queue->down_at_ms == 0)
        queue->down_at_ms = now;
    if (queue->up_at_ms)
        set_board(queue, BOARD_LINK_DOWN);
    queue->up_at_ms = 0;
    warn_of_outage(queue, why, now);
}

/* A link that has not ended those of before yet has sent nothing that could do harm. */
static void remember_ids(struct queue *queue)
{
    if (queue->old_ids[0] || queue->old_ids[1])
        return;
    queue->old_ids[0] = conn_id(queue->main);
    queue->old_ids[1] = conn_id(queue->wait);
}

void link_lost(struct queue *queue, const struct err *why)
{
    if (queue->link == LINK_DOWN)
        return;
    queue->link = LINK_DOWN;
    queue->doubt_keys = strstr(why->text, "WRONGTYPE") != NULL;
    remember_ids(queue);
    timer_stop(&queue->wait_retry);
    timer_stop(&queue->due);
    conn_close(queue->main); /* what is unanswered hears NULL here */
    conn_close(queue->wait);
    queue->reserves_open = 0;
    queue->asked = 0;
    queue->waiting = false;
    extend_link_lost(queue);
    settle_link_lost(queue);
    arrive_link_lost(queue);
    note_outage(queue, why);
    timer_set(&queue->retry, random_jitter(link_retry_ms(&queue->pace, queue->attempt++),
                                           RETRY_JITTER_PERCENT));
    owner_link_lost(queue);
}

bool link_took(struct queue *queue, const char *verb, const redisReply *reply)
{
    struct err why;

    if (reply == NULL)
        return false;
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    (void)err_set(&why, ERR_REPLY, "%s: %s", verb, reply->str);
    link_lost(queue, &why);
    return false;
}

bool link_took_or_nil(struct queue *queue, const char *verb, const redisReply *reply)
{
    return (reply && reply->type == REDIS_REPLY_ERROR && !link_is_outage(reply->str)) ||
           link_took(queue, verb, reply);
}

bool link_may_send(const struct queue *queue)
{
    return queue->link == LINK_RESUMING || queue->link == LINK_READY;
}

/* ---- up ---- */

static void on_main_up(void *arg)
{
    struct queue *queue = arg;

    queue->link = LINK_RESUMING;
    queue->refused = 0;
    if (conn_id(queue->main) == 0)
        inspect_refused(queue, RIGHT_CLIENT);
    if (queue->doubt_keys)
        inspect_own_keys(queue);
    resume_start(queue);
}

static void on_main_down(void *arg, const struct err *why)
{
    link_lost(arg, why);
}

static void on_wait_up(void *arg)
{
    queue_pump_soon(arg);
}

/* Without the second connection (too many clients, say) the first one polls. */
static void on_wait_down(void *arg, const struct err *why)
{
    struct queue *queue = arg;

    if (queue->waiting) {
        link_lost(queue, why);
        return;
    }
    log_debug("queue.wait_down", log_str("reason", why->text));
    if (queue->link == LINK_READY)
        timer_set(&queue->wait_retry, queue->pace.retry_max_ms);
    queue_pump_soon(queue);
}

static void retry_wait(void *arg)
{
    struct queue *queue = arg;

    if (queue->link == LINK_READY && conn_is_closed(queue->wait))
        conn_open(queue->wait);
}

void link_ready(struct queue *queue)
{
    int64_t now = clock_mono_ms();

    queue->link = LINK_READY;
    queue->look = true;
    if (queue->up_at_ms == 0) {
        queue->up_at_ms = now;
        set_board(queue, BOARD_LINK_UP);
    }
    if (queue->warned_at_ms)
        log_info("queue.up", log_int("down_ms", now - queue->down_at_ms),
                 log_int("tag", queue->tag));
    if (!queue->was_up)
        hint_prefix(queue);
    queue->was_up = true;
    queue->down_at_ms = 0;
    queue->warned_at_ms = 0;
    owner_start_beat(queue);
    extend_keep_going(queue);
    timer_set(&queue->inspect, 0);
    retry_wait(queue);
    queue_pump_soon(queue);
}

static void connect_now(void *arg)
{
    struct queue *queue = arg;

    queue->link = LINK_CONNECTING;
    conn_open(queue->main);
}

static struct conn *make_conn(struct queue *queue, const char *suffix,
                              void (*on_up)(void *arg),
                              void (*on_down)(void *arg, const struct err *why))
{
    char *name = must_format("%s%s", queue->name, suffix);
    struct conn_options options = {.loop = queue->loop,
                                   .endpoint = queue->options.endpoint,
                                   .name = name,
                                   .connect_within_ms = queue->pace.connect_ms,
                                   .on_up = on_up,
                                   .on_down = on_down,
                                   .arg = queue};
    struct conn *conn = conn_create(&options);

    free(name);
    return conn;
}

void link_start(struct queue *queue)
{
    queue->main = make_conn(queue, "", on_main_up, on_main_down);
    queue->wait = make_conn(queue, "/wait", on_wait_up, on_wait_down);
    timer_init(&queue->retry, queue->loop, connect_now, queue);
    timer_init(&queue->wait_retry, queue->loop, retry_wait, queue);
    queue->created_at_ms = clock_mono_ms();
    queue->down_at_ms = queue->created_at_ms;
    set_board(queue, BOARD_LINK_DOWN);
    connect_now(queue);
}

void link_stop(struct queue *queue)
{
    queue->link = LINK_DOWN;
    timer_free(&queue->retry);
    timer_free(&queue->wait_retry);
    conn_destroy(queue->main);
    conn_destroy(queue->wait);
}
