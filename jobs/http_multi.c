/* The glue between curl_multi_socket_action() and libevent.
 *
 * curl says which sockets and what timeout it wants watched; we say what happened. Must
 * not know what a transfer is for. Everything runs on the loop; curl's own resolver
 * threads touch nothing of ours. After each call into curl its messages are read, in one
 * place, so that `done` is never called from inside curl.
 */
#include "jobs/http_multi.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spawn.h"

enum {
    WATCH_CHAINS = 64,
    TURN_CT = 8,  /* a turn of the loop starts so many, and serves so many sockets, */
    TURN_PART = 4 /* or this part of those that were ready in the turn before */
};

struct watch;

/* Jobs arrive in batches. Were all of one started in one turn of the loop, and all their
 * answers served in one, the next batch would be asked for only then, and Redis and the
 * endpoints would take turns at having nothing to do; and whatever else the loop has to
 * do would wait. So a turn does some, and the rest is for the next ones.
 */
struct turn {
    uint64_t number; /* loop_turns() */
    unsigned ready_ct, served_ct;
    unsigned most; /* that are served in this one */
};

struct http_multi {
    struct loop *loop;
    CURLM *curl;
    struct timer timer;
    struct timer start;
    TAILQ_HEAD(, http_transfer) waiting;
    struct turn turn;
    LIST_HEAD(, watch) watches[WATCH_CHAINS]; /* by socket */
};

/* ---- what happened ---- */

static void read_messages(struct http_multi *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* gone once the handle is taken out */
        struct http_transfer *transfer = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
        (void)curl_multi_remove_handle(multi->curl, easy);
        transfer->done(transfer->arg, code);
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

/* curl lets go of a socket after each transfer and takes it up again with the next on the
 * same connection. The event of a socket that we opened, and will be asked to close,
 * stays in place meanwhile, which saves two system calls each time; it is taken away when
 * the socket has something to say that nobody asked for. Other sockets (curl's resolver
 * has some) are closed behind our back: theirs goes at once.
 */
struct watch {
    LIST_ENTRY(watch) link;
    struct http_multi *multi;
    struct event *event;
    curl_socket_t fd;
    short events;
    bool ours;
    bool wanted;
    bool added;
};

/* Whether this turn has served enough sockets: epoll tells of the others again. */
static bool had_its_turn(struct http_multi *multi)
{
    struct turn *turn = &multi->turn;
    uint64_t number = loop_turns(multi->loop);

    if (turn->number != number) {
        unsigned part = turn->ready_ct / TURN_PART;

        *turn = (struct turn){.number = number, .most = part > TURN_CT ? part : TURN_CT};
    }
    turn->ready_ct++;
    return turn->served_ct++ >= turn->most;
}

static void socket_ready(evutil_socket_t fd, short events, void *arg)
{
    struct watch *watch = arg;
    int what = 0;

    if (!watch->wanted) {
        (void)event_del(watch->event);
        watch->added = false;
        return;
    }
    if (had_its_turn(watch->multi)) {
        loop_leave_rest(watch->multi->loop);
        return;
    }
    if (events & EV_READ)
        what |= CURL_CSELECT_IN;
    if (events & EV_WRITE)
        what |= CURL_CSELECT_OUT;
    act(watch->multi, fd, what);
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

static struct watch *find_watch(const struct http_multi *multi, curl_socket_t fd)
{
    struct watch *watch;

    LIST_FOREACH(watch, &multi->watches[(unsigned)fd % WATCH_CHAINS], link)
    if (watch->fd == fd)
        return watch;
    return NULL;
}

static struct watch *create_watch(struct http_multi *multi, curl_socket_t fd)
{
    struct watch *watch = must_alloc(sizeof(*watch));

    *watch = (struct watch){.multi = multi, .fd = fd};
    watch->event = event_new(loop_base(multi->loop), fd, 0, socket_ready, watch);
    MUST(watch->event != NULL);
    LIST_INSERT_HEAD(&multi->watches[(unsigned)fd % WATCH_CHAINS], watch, link);
    return watch;
}

static void free_watch(struct watch *watch)
{
    LIST_REMOVE(watch, link);
    event_free(watch->event);
    free(watch);
}

static void set_watch(struct watch *watch, short events)
{
    watch->wanted = true;
    if (watch->added && watch->events == events)
        return;
    if (watch->added)
        (void)event_del(watch->event);
    MUST(event_assign(watch->event, loop_base(watch->multi->loop), watch->fd, events,
                      socket_ready, watch) == 0);
    MUST(event_add(watch->event, NULL) == 0);
    watch->events = events;
    watch->added = true;
}

static void let_go(struct watch *watch)
{
    if (watch == NULL)
        return;
    watch->wanted = false;
    if (!watch->ours)
        free_watch(watch);
}

static int watch_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg,
                        void *assigned UNUSED)
{
    struct http_multi *multi = arg;
    struct watch *watch = find_watch(multi, fd);

    if (what == CURL_POLL_REMOVE) {
        let_go(watch);
        return 0;
    }
    if (watch == NULL)
        watch = create_watch(multi, fd);
    set_watch(watch, events_of(what));
    return 0;
}

/* Those of sockets that were closed without a word, if there are any. */
static void free_watches(struct http_multi *multi)
{
    for (size_t i = 0; i < WATCH_CHAINS; i++)
        while (!LIST_EMPTY(&multi->watches[i]))
            free_watch(LIST_FIRST(&multi->watches[i]));
}

curl_socket_t http_multi_open_socket(struct http_multi *multi,
                                     const struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    struct watch *stale;

    if (fd < 0)
        return CURL_SOCKET_BAD;
    fd = spawn_raise_fd(fd);
    stale = find_watch(multi, fd);
    if (stale != NULL)
        free_watch(stale);
    create_watch(multi, fd)->ours = true;
    return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct http_multi *multi = arg;
    struct watch *watch = find_watch(multi, fd);

    if (watch != NULL)
        free_watch(watch);
    return close(fd);
}

/* ---- transfers ---- */

void http_multi_adopt(struct http_multi *multi, struct http_transfer *transfer)
{
    (void)curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETDATA, multi);
}

static void take_out(struct http_multi *multi, struct http_transfer *transfer)
{
    TAILQ_REMOVE(&multi->waiting, transfer, link);
    transfer->waits = false;
}

static void start_some(void *arg)
{
    struct http_multi *multi = arg;
    struct http_transfer *transfer;

    for (unsigned ct = 0; ct < TURN_CT; ct++) {
        transfer = TAILQ_FIRST(&multi->waiting);
        if (transfer == NULL)
            return;
        take_out(multi, transfer);
        if (curl_multi_add_handle(multi->curl, transfer->easy) != CURLM_OK)
            transfer->done(transfer->arg, CURLE_FAILED_INIT);
    }
    if (!TAILQ_EMPTY(&multi->waiting))
        timer_set(&multi->start, 0);
}

void http_multi_start(struct http_multi *multi, struct http_transfer *transfer)
{
    if (TAILQ_EMPTY(&multi->waiting))
        timer_set_soon(&multi->start);
    TAILQ_INSERT_TAIL(&multi->waiting, transfer, link);
    transfer->waits = true;
}

void http_multi_abort(struct http_multi *multi, struct http_transfer *transfer)
{
    if (transfer->waits)
        take_out(multi, transfer);
    else
        (void)curl_multi_remove_handle(multi->curl, transfer->easy);
}

/* ---- the whole ---- */

/* A process begins with a soft limit of 1,024 mostly, for the sake of select(), which is
 * not used here: for each connection one descriptor more than the low ones. */
static void make_room(long connections)
{
    rlim_t wanted = (rlim_t)connections + SPAWN_LOW_FDS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_warning("webhook.fd_limit", log_int("limit", (int64_t)limit.rlim_cur),
                    log_int("wanted", (int64_t)wanted));
}

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

    make_room(connections);
    multi->loop = loop;
    timer_init(&multi->timer, loop, timer_fired, multi);
    timer_init(&multi->start, loop, start_some, multi);
    TAILQ_INIT(&multi->waiting);
    if (set_up(multi, connections, err) == 0)
        return multi;
    http_multi_destroy(multi);
    return NULL;
}

void http_multi_destroy(struct http_multi *multi)
{
    if (multi == NULL)
        return;
    if (multi->curl != NULL)
        (void)curl_multi_cleanup(multi->curl); /* closes what is open */
    free_watches(multi);
    timer_free(&multi->timer);
    timer_free(&multi->start);
    free(multi);
}
