/* The glue between curl_multi_socket_action() and libevent.
 *
 * curl says which sockets and what timeout it wants watched; we say what happened. Must
 * not know what a transfer is for. Everything runs on the loop; curl's own resolver
 * threads touch nothing of ours. After each call into curl its messages are read, in one
 * place, so that `done` is never called from inside curl.
 */
#include "jobs/http_multi.h"

#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>

enum { SPARE_MAX = 64 };

/* A transfer's own, by CURLOPT_PRIVATE. */
struct transfer {
    http_multi_done_cb done;
    void *arg;
};

struct http_multi {
    struct loop *loop;
    CURLM *curl;
    struct timer timer;
    CURL *spare[SPARE_MAX]; /* handles that wait to be used again */
    size_t spare_ct;
};

/* ---- what happened ---- */

static struct transfer *transfer_of(CURL *easy)
{
    struct transfer *transfer = NULL;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    return transfer;
}

/* Takes the transfer out; what is left is to tell somebody or not. */
static struct transfer take_out(struct http_multi *multi, CURL *easy)
{
    struct transfer *transfer = transfer_of(easy);
    struct transfer copy = *transfer;

    (void)curl_multi_remove_handle(multi->curl, easy);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    free(transfer);
    return copy;
}

static void read_messages(struct http_multi *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        CURLcode code = message->data.result; /* gone once the handle is taken out */
        struct transfer transfer;

        if (message->msg != CURLMSG_DONE)
            continue;
        transfer = take_out(multi, message->easy_handle);
        transfer.done(transfer.arg, code);
    }
}

static void act(struct http_multi *multi, curl_socket_t fd, int what)
{
    int running;

    MUST(curl_multi_socket_action(multi->curl, fd, what, &running) == CURLM_OK);
    read_messages(multi);
}

static void timer_fired(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void socket_ready(evutil_socket_t fd, short events, void *arg)
{
    int what = 0;

    if (events & EV_READ)
        what |= CURL_CSELECT_IN;
    if (events & EV_WRITE)
        what |= CURL_CSELECT_OUT;
    act(arg, fd, what);
}

/* ---- what curl wants to know ---- */

static int set_timer(CURLM *curl UNUSED, long after_ms, void *arg)
{
    struct http_multi *multi = arg;

    if (after_ms < 0)
        timer_stop(&multi->timer);
    else if (after_ms == 0)
        timer_set_soon(&multi->timer);
    else
        timer_set(&multi->timer, after_ms);
    return 0;
}

static short events_of(int what)
{
    short events = EV_PERSIST;

    if (what & CURL_POLL_IN)
        events |= EV_READ;
    if (what & CURL_POLL_OUT)
        events |= EV_WRITE;
    return events;
}

/* `ours`: the event that watches the socket; NULL: none does so far. */
static int watch_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg,
                        void *ours)
{
    struct http_multi *multi = arg;
    struct event *event = ours;

    if (what == CURL_POLL_REMOVE) {
        if (event != NULL)
            event_free(event);
        (void)curl_multi_assign(multi->curl, fd, NULL);
        return 0;
    }
    if (event == NULL) {
        event =
            event_new(loop_base(multi->loop), fd, events_of(what), socket_ready, multi);
        MUST(event != NULL);
        (void)curl_multi_assign(multi->curl, fd, event);
    } else {
        (void)event_del(event);
        MUST(event_assign(event, loop_base(multi->loop), fd, events_of(what),
                          socket_ready, multi) == 0);
    }
    MUST(event_add(event, NULL) == 0);
    return 0;
}

/* ---- handles ---- */

CURL *http_multi_take(struct http_multi *multi)
{
    CURL *easy;

    if (multi->spare_ct > 0)
        return multi->spare[--multi->spare_ct];
    easy = curl_easy_init();
    MUST(easy != NULL);
    return easy;
}

void http_multi_give(struct http_multi *multi, CURL *easy)
{
    if (multi->spare_ct == SPARE_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    multi->spare[multi->spare_ct++] = easy;
}

int http_multi_start(struct http_multi *multi, CURL *easy, http_multi_done_cb done,
                     void *arg, struct err *err)
{
    struct transfer *transfer = must_alloc(sizeof(*transfer));
    CURLMcode code;

    *transfer = (struct transfer){.done = done, .arg = arg};
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    code = curl_multi_add_handle(multi->curl, easy);
    if (code == CURLM_OK)
        return 0;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    free(transfer);
    return err_set(err, ERR_SYSTEM, "curl: %s", curl_multi_strerror(code));
}

void http_multi_abort(struct http_multi *multi, CURL *easy)
{
    (void)take_out(multi, easy);
}

/* ---- the whole ---- */

static int set_up(struct http_multi *multi, long connections, struct err *err)
{
    multi->curl = curl_multi_init();
    if (multi->curl == NULL)
        return err_set(err, ERR_SYSTEM, "curl cannot be set up");
    (void)curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, connections);
    return 0;
}

struct http_multi *http_multi_create(struct loop *loop, long connections, struct err *err)
{
    struct http_multi *multi = must_alloc(sizeof(*multi));

    multi->loop = loop;
    timer_init(&multi->timer, loop, timer_fired, multi);
    if (set_up(multi, connections, err) == 0)
        return multi;
    http_multi_destroy(multi);
    return NULL;
}

void http_multi_destroy(struct http_multi *multi)
{
    if (multi == NULL)
        return;
    while (multi->spare_ct > 0)
        curl_easy_cleanup(multi->spare[--multi->spare_ct]);
    if (multi->curl != NULL)
        (void)curl_multi_cleanup(multi->curl);
    timer_free(&multi->timer);
    free(multi);
}
