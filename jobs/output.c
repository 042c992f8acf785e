/* Draining pipes. Plain read() into one piece on the stack: a job that says nothing costs
 * no buffer, one that says much costs no more than its tail. */
#include "jobs/output.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/emit.h"

enum {
    PIECE_BYTES = 32 * 1024,
    LAST_PIECES = 4 /* more than a pipe holds, unless the job has made it larger */
};

enum piece { PIECE_SOME, PIECE_NONE_YET, PIECE_END };

/* Who does not read it loses it: no job waits for that. */
static void echo(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t len = bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF;
        ssize_t n = emit_now(fd, slice_of(bytes.ptr, len));

        if (n <= 0)
            return;
        bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
}

static enum piece read_piece(struct output *output)
{
    char bytes[PIECE_BYTES];
    ssize_t n = read(output->fd, bytes, sizeof(bytes));

    if (n > 0)
        tail_add(&output->tail, bytes, (size_t)n);
    if (n > 0 && output->echo_fd > 0)
        echo(output->echo_fd, slice_of(bytes, (size_t)n));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PIECE_NONE_YET;
    return n > 0 ? PIECE_SOME : PIECE_END;
}

static void stop_reading(struct output *output)
{
    event_free(output->event);
    (void)close(output->fd);
    output->fd = -1;
}

static void pipe_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct output *output = arg;

    if (read_piece(output) == PIECE_END) {
        stop_reading(output);
        output->ended(output->arg);
    }
}

int output_open(struct output *output, struct loop *loop, output_ended_cb ended,
                void *arg, int *child_fd, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set_errno(err, errno, "cannot make a pipe");
    MUST(fcntl(fds[0], F_SETFL, O_NONBLOCK) ==
         0); /* ours; the job's end stays blocking */
    *output = (struct output){.fd = fds[0], .ended = ended, .arg = arg};
    tail_init(&output->tail, OUTPUT_KEEP_BYTES);
    output->event = event_new(loop_base(loop), output->fd, EV_READ | EV_PERSIST,
                              pipe_readable, output);
    MUST(output->event != NULL && event_add(output->event, NULL) == 0);
    *child_fd = fds[1];
    return 0;
}

bool output_is_open(const struct output *output)
{
    return output->fd >= 0;
}

void output_take(struct output *output)
{
    if (output->fd < 0)
        return;
    for (int i = 0; i < LAST_PIECES && read_piece(output) == PIECE_SOME; i++)
        ;
}

void output_restart(struct output *output)
{
    tail_free(&output->tail);
    tail_init(&output->tail, OUTPUT_KEEP_BYTES);
}

void output_close(struct output *output)
{
    if (output->fd < 0)
        return;
    output_take(output);
    stop_reading(output);
}

void output_free(struct output *output)
{
    output_close(output);
    tail_free(&output->tail);
}
