/* Feeding a job's stdin without ever waiting for it. Most data fits the pipe at once:
 * only what does not needs an event. */
#include "jobs/input.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

int input_open(struct input *input, struct slice text, int *child_fd, struct err *err)
{
    int fds[2];

    *input = (struct input){.left = text, .fd = -1};
    *child_fd = -1;
    if (text.len == 0)
        return 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set_errno(err, errno, "cannot make a pipe");
    MUST(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
    input->fd = fds[1];
    *child_fd = fds[0];
    return 0;
}

void input_close(struct input *input)
{
    if (input->event)
        event_free(input->event);
    input->event = NULL;
    if (input->fd >= 0)
        (void)close(input->fd);
    input->fd = -1;
}

/* One write a turn; a pipe takes 64 KiB. */
static void write_some(struct input *input)
{
    ssize_t n = write(input->fd, input->left.ptr, input->left.len);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        input->left = slice_of(input->left.ptr + n, input->left.len - (size_t)n);
    if (n < 0 || input->left.len == 0)
        input_close(input);
}

static void pipe_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    write_some(arg);
}

void input_feed(struct input *input, struct loop *loop)
{
    if (input->fd < 0)
        return;
    write_some(input);
    if (input->fd < 0)
        return;
    input->event = event_new(loop_base(loop), input->fd, EV_WRITE | EV_PERSIST,
                             pipe_writable, input);
    MUST(input->event != NULL && event_add(input->event, NULL) == 0);
}
