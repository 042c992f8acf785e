/* The control socket's server side: connections, lines, limits. Must not know what the
 * requests mean.
 *
 * Whoever connects may send anything, slowly, or nothing at all: a line has a bound, a
 * client that has not finished one within CONTROL_IDLE_MS is closed, one that does not
 * take its answer is not read from, and with all places taken the one that has been
 * silent longest makes room. Only root and the supervisor's own user get an answer. */
#include "supervisor/control.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
    BACKLOG = 64,
    ACCEPTS_PER_TURN = 16,
    PAUSE_MS = 500,      /* no accepts for so long once descriptors have run out */
    SOCKET_UMASK = 0177, /* makes the socket 0600 */
};

struct peer {
    struct control *control;
    int fd;
    struct buf in;  /* the beginning of a line */
    struct buf out; /* what is left of the answer */
    struct event *readable;
    struct event *writable;
    struct timer idle;
    int64_t heard_at_ms;
    bool last; /* close once `out` is written */
};

struct control {
    struct loop *loop;
    char *path;
    int fd;
    dev_t device; /* what lies at `path` as long as it is ours */
    ino_t inode;
    bool lost; /* already told */
    control_request_cb cb;
    void *arg;
    struct event *acceptable;
    struct timer resume;
    bool paused_before; /* already told; until an accept works again */
    struct peer *peers[CONTROL_CLIENTS_MAX];
    size_t peer_ct;
};

/* ---- one line ---- */

json_t *control_error(const char *text)
{
    struct buf safe; /* it may quote a file: JSON takes UTF-8 alone */
    json_t *answer;

    buf_init(&safe, 0);
    text_escape(&safe, slice_text(text));
    answer = json_pack("{s:b, s:s}", "ok", 0, "error", safe.data ? safe.data : "");
    buf_free(&safe);
    MUST(answer != NULL);
    return answer;
}

char *control_answer(control_request_cb cb, void *arg, const char *line, size_t len)
{
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = json_is_object(request)
                         ? cb(arg, request)
                         : control_error("a request is one JSON object in one line");
    char *text = json_dumps(answer, JSON_COMPACT);

    MUST(text != NULL);
    json_decref(request);
    json_decref(answer);
    return text;
}

/* ---- one client ---- */

static void peer_free(struct peer *peer)
{
    if (peer->readable)
        event_free(peer->readable);
    if (peer->writable)
        event_free(peer->writable);
    timer_free(&peer->idle);
    buf_free(&peer->in);
    buf_free(&peer->out);
    (void)close(peer->fd);
    free(peer);
}

static void peer_close(struct peer *peer)
{
    struct control *control = peer->control;

    for (size_t i = 0; i < control->peer_ct; i++)
        if (control->peers[i] == peer)
            control->peers[i] = control->peers[--control->peer_ct];
    peer_free(peer);
}

static void peer_idle(void *arg)
{
    peer_close(arg);
}

/* Writes what the socket takes. False once the client has been closed. */
static bool peer_flush(struct peer *peer)
{
    while (peer->out.len > 0) {
        ssize_t n = send(peer->fd, peer->out.data, peer->out.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            (void)event_del(peer->readable);
            MUST(event_add(peer->writable, NULL) == 0);
            return true;
        }
        if (n < 0) {
            peer_close(peer);
            return false;
        }
        buf_drop_front(&peer->out, (size_t)n);
    }
    if (peer->last) {
        peer_close(peer);
        return false;
    }
    buf_free(&peer->out);
    MUST(event_add(peer->readable, NULL) == 0);
    return true;
}

static void add_answer(struct peer *peer, char *answer)
{
    (void)buf_add_text(&peer->out, answer);
    (void)buf_add_char(&peer->out, '\n');
    free(answer);
}

static void refuse(struct peer *peer, const char *why)
{
    json_t *answer = control_error(why);
    char *text = json_dumps(answer, JSON_COMPACT);

    json_decref(answer);
    MUST(text != NULL);
    add_answer(peer, text);
    peer->last = true;
    (void)peer_flush(peer);
}

/* Answers the lines that are whole, as long as the client takes the answers. */
static void take_lines(struct peer *peer)
{
    const struct control *control = peer->control;
    char *end;

    while (peer->in.len > 0 && (end = memchr(peer->in.data, '\n', peer->in.len))) {
        size_t len = (size_t)(end - peer->in.data);

        peer->heard_at_ms = clock_mono_ms();
        timer_set(&peer->idle, CONTROL_IDLE_MS);
        add_answer(peer, control_answer(control->cb, control->arg, peer->in.data, len));
        buf_drop_front(&peer->in, len + 1);
        if (!peer_flush(peer) || peer->out.len > 0)
            return; /* closed, or the rest once it has taken this one */
    }
    if (peer->in.len == CONTROL_LINE_MAX)
        refuse(peer, "the line is too long");
}

static void peer_readable(evutil_socket_t fd, short what UNUSED, void *arg)
{
    struct peer *peer = arg;
    char bytes[CONTROL_LINE_MAX];
    ssize_t n = recv(fd, bytes, CONTROL_LINE_MAX - peer->in.len, 0);

    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        peer_close(peer);
        return;
    }
    (void)buf_add(&peer->in, bytes, (size_t)n);
    take_lines(peer);
}

static void peer_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct peer *peer = arg;

    if (peer_flush(peer) && peer->out.len == 0)
        take_lines(peer);
}

static bool may_ask(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return false;
    return cred.uid == 0 || cred.uid == geteuid();
}

static void make_room(struct control *control)
{
    struct peer *silent = control->peers[0];

    for (size_t i = 1; i < control->peer_ct; i++)
        if (control->peers[i]->heard_at_ms < silent->heard_at_ms)
            silent = control->peers[i];
    peer_close(silent);
}

static void peer_create(struct control *control, int fd)
{
    struct event_base *base = loop_base(control->loop);
    struct peer *peer = must_alloc(sizeof(*peer));

    if (control->peer_ct == CONTROL_CLIENTS_MAX)
        make_room(control);
    peer->control = control;
    peer->fd = fd;
    peer->heard_at_ms = clock_mono_ms();
    buf_init(&peer->in, CONTROL_LINE_MAX);
    buf_init(&peer->out, 0);
    peer->readable = event_new(base, fd, EV_READ | EV_PERSIST, peer_readable, peer);
    peer->writable = event_new(base, fd, EV_WRITE, peer_writable, peer);
    MUST(peer->readable != NULL && peer->writable != NULL);
    timer_init(&peer->idle, control->loop, peer_idle, peer);
    timer_set(&peer->idle, CONTROL_IDLE_MS);
    control->peers[control->peer_ct++] = peer;
    if (may_ask(fd))
        MUST(event_add(peer->readable, NULL) == 0);
    else
        refuse(peer, "only root and the supervisor's own user may ask");
}

/* ---- the listening socket ---- */

static void accept_resumed(void *arg)
{
    struct control *control = arg;

    MUST(event_add(control->acceptable, NULL) == 0);
}

/* Out of descriptors or memory: the connection stays pending and would wake the loop
 * again at once, for ever. */
static void accept_paused(struct control *control, int errnum)
{
    (void)event_del(control->acceptable);
    timer_set(&control->resume, PAUSE_MS);
    if (!control->paused_before)
        log_warning("control.accept_failed", log_str("error", strerror(errnum)));
    control->paused_before = true;
}

static bool is_passing(int errnum)
{
    return errnum == EINTR || errnum == ECONNABORTED;
}

static void accept_peers(evutil_socket_t listener, short what UNUSED, void *arg)
{
    struct control *control = arg;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            control->paused_before = false;
            peer_create(control, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!is_passing(errno)) {
            accept_paused(control, errno);
            return;
        }
    }
}

static int fill_address(struct sockaddr_un *address, const char *path, struct err *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path))
        return err_set(err, ERR_CONFIG,
                       "%s is too long for a socket (%zu bytes at most): use a shorter "
                       "state_dir",
                       path, sizeof(address->sun_path) - 1);
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

/* Removes what an earlier supervisor left behind at `path`, if it is that. */
static int remove_dead(int fd, const struct sockaddr_un *address, struct err *err)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st) != 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_CONFIG, "%s is in the way: it is not a socket", path);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno == EAGAIN)
        return err_set(err, ERR_CONFIG, "somebody listens on %s already", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(err, errno, "cannot remove the dead socket %s", path);
    return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, struct err *err)
{
    mode_t mask = umask(SOCKET_UMASK);
    int rc = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    int errnum = errno;

    (void)umask(mask);
    if (rc == 0 && listen(fd, BACKLOG) == 0)
        return 0;
    if (rc == 0)
        errnum = errno;
    return err_set_errno(err, errnum, "cannot listen on %s", address->sun_path);
}

static int make_listener(const char *path, struct err *err)
{
    struct sockaddr_un address;
    int fd;

    if (fill_address(&address, path, err) != 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make a socket");
    if (remove_dead(fd, &address, err) == 0 && bind_and_listen(fd, &address, err) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void stop_accepting(struct control *control)
{
    timer_stop(&control->resume);
    event_free(control->acceptable);
    (void)close(control->fd);
}

static void begin_accepting(struct control *control, int fd)
{
    struct stat st = {0};

    (void)lstat(control->path, &st); /* gone already: the next look finds that */
    control->device = st.st_dev;
    control->inode = st.st_ino;
    control->fd = fd;
    control->acceptable = event_new(loop_base(control->loop), fd, EV_READ | EV_PERSIST,
                                    accept_peers, control);
    MUST(control->acceptable && event_add(control->acceptable, NULL) == 0);
}

struct control *control_create(struct loop *loop, const char *path, control_request_cb cb,
                               void *arg, struct err *err)
{
    int fd = make_listener(path, err);
    struct control *control;

    if (fd < 0)
        return NULL;
    control = must_alloc(sizeof(*control));
    control->loop = loop;
    control->path = must_strdup(path);
    control->cb = cb;
    control->arg = arg;
    timer_init(&control->resume, loop, accept_resumed, control);
    begin_accepting(control, fd);
    return control;
}

static bool is_there(const struct control *control)
{
    struct stat st;

    return lstat(control->path, &st) == 0 && st.st_dev == control->device &&
           st.st_ino == control->inode;
}

void control_look(struct control *control)
{
    struct err err = {0};
    int fd;

    if (is_there(control))
        return;
    fd = make_listener(control->path, &err);
    if (fd < 0 && !control->lost)
        log_error("control.lost", log_str("socket", control->path),
                  log_str("error", err.text));
    control->lost = fd < 0;
    if (fd < 0)
        return;
    stop_accepting(control);
    begin_accepting(control, fd);
    log_warning("control.renewed", log_str("socket", control->path),
                log_str("why", "somebody had removed it"));
}

void control_destroy(struct control *control)
{
    if (control == NULL)
        return;
    while (control->peer_ct > 0)
        peer_close(control->peers[0]);
    if (is_there(control))
        (void)unlink(control->path);
    stop_accepting(control);
    timer_free(&control->resume);
    free(control->path);
    free(control);
}
