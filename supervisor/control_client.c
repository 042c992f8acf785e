/* The control socket's client side: one request, one answer, one deadline. Blocking, for
 * the command line; nothing that has an event loop may call it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "supervisor/control.h"

enum {
    ANSWER_MAX_BYTES = 16 << 20,
    READ_BYTES = 16384,
    BUSY_WAIT_MS = 20 /* between two tries while the listener's queue is full */
};

static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();

    return left > 0 ? (int)(left < 60000 ? left : 60000) : 0;
}

/* 0 once `fd` is ready (or broken: the next call on it tells). */
static int wait_ready(int fd, short events, int64_t deadline_ms, struct err *err)
{
    struct pollfd pfd = {.fd = fd, .events = events};
    int n;

    do
        n = poll(&pfd, 1, left_ms(deadline_ms));
    while ((n < 0 && errno == EINTR) || (n == 0 && left_ms(deadline_ms) > 0));
    return n > 0 ? 0 : err_set(err, ERR_CONN, "the supervisor does not answer");
}

static int connect_error(const char *path, int errnum, struct err *err)
{
    if (errnum == ENOENT || errnum == ECONNREFUSED)
        return err_set(err, ERR_NOT_RUNNING,
                       "no supervisor is running (nobody listens on %s)", path);
    if (errnum == EACCES)
        return err_set(err, ERR_SYSTEM,
                       "not allowed to ask the supervisor on %s: only its own user and "
                       "root are",
                       path);
    return err_set_errno(err, errnum, "cannot ask the supervisor on %s", path);
}

static int connect_to(int fd, const char *path, int64_t deadline_ms, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_CONFIG, "%s is too long for a socket", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || left_ms(deadline_ms) == 0)
            return connect_error(path, errno, err);
        (void)poll(NULL, 0, BUSY_WAIT_MS);
    }
    return 0;
}

static int send_line(int fd, const struct buf *line, int64_t deadline_ms, struct err *err)
{
    size_t sent = 0;

    while (sent < line->len) {
        ssize_t n = send(fd, line->data + sent, line->len - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (wait_ready(fd, POLLOUT, deadline_ms, err) != 0)
                return -1;
        } else if (errno != EINTR)
            return err_set_errno(err, errno, "cannot ask the supervisor");
    }
    return 0;
}

static int read_line(int fd, struct buf *line, int64_t deadline_ms, struct err *err)
{
    char bytes[READ_BYTES];

    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        if (n == 0)
            return err_set(err, ERR_CONN, "the supervisor closed the connection");
        if (n > 0) {
            if (buf_add(line, bytes, (size_t)n) != 0)
                return err_set(err, ERR_REPLY, "the supervisor's answer is too long");
            if (memchr(bytes, '\n', (size_t)n))
                return 0;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (wait_ready(fd, POLLIN, deadline_ms, err) != 0)
                return -1;
        } else if (errno != EINTR)
            return err_set_errno(err, errno, "cannot read the supervisor's answer");
    }
}

static json_t *parse_answer(const struct buf *line, struct err *err)
{
    json_t *answer = json_loadb(line->data, line->len, JSON_DISABLE_EOF_CHECK, NULL);
    const char *error = json_string_value(json_object_get(answer, "error"));

    if (json_is_true(json_object_get(answer, "ok")))
        return answer;
    (void)err_set(err, ERR_REPLY, "%s",
                  error ? error : "the supervisor's answer makes no sense");
    json_decref(answer);
    return NULL;
}

/* The listener's pid in our own pid namespace, which is not that of a supervisor in a
 * container; 0: it is not to be seen from here. */
static json_int_t peer_pid(int fd)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.pid : 0;
}

static json_t *converse(int fd, const char *path, struct buf *line, int64_t deadline_ms,
                        struct err *err)
{
    json_t *answer;

    if (connect_to(fd, path, deadline_ms, err) != 0 ||
        send_line(fd, line, deadline_ms, err) != 0)
        return NULL;
    buf_clear(line);
    if (read_line(fd, line, deadline_ms, err) != 0)
        return NULL;
    answer = parse_answer(line, err);
    if (answer)
        MUST(json_object_set_new(answer, "peer_pid", json_integer(peer_pid(fd))) == 0);
    return answer;
}

static int add_json(const char *bytes, size_t len, void *line)
{
    return buf_add(line, bytes, len);
}

json_t *control_ask(const char *path, json_t *request, int64_t timeout_ms,
                    struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    json_t *answer = NULL;
    struct buf line;

    buf_init(&line, ANSWER_MAX_BYTES);
    MUST(json_dump_callback(request, add_json, &line, JSON_COMPACT) == 0);
    (void)buf_add_char(&line, '\n');
    json_decref(request);
    if (fd < 0)
        (void)err_set_errno(err, errno, "cannot make a socket");
    else
        answer = converse(fd, path, &line, clock_mono_ms() + timeout_ms, err);
    buf_free(&line);
    if (fd >= 0)
        (void)close(fd);
    return answer;
}
