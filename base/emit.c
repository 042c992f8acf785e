/* Standard output and error are pipes, files and terminals of other programs too: nothing
 * here may change how they behave for those, and none of it may block. */
#include "base/emit.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_queue(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Another process may fill the pipe between a poll and the write, and the file is not
 * ours alone, so O_NONBLOCK is not to be set on it: the write itself is asked not to
 * wait. Where the kernel cannot do that for this kind of file the poll has to be enough.
 */
static ssize_t write_now(int fd, struct slice bytes)
{
    struct iovec part = {.iov_base = (char *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    ssize_t n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);

    if (n >= 0 || errno == EINTR || (errno == EAGAIN && is_queue(fd)))
        return n;
    return write(fd, bytes.ptr, bytes.len);
}

/* A pipe that polls writable has room for PIPE_BUF bytes, so such a write is whole. One
 * that nobody reads any more polls with POLLERR too: writing would raise SIGPIPE. */
ssize_t emit_now(int fd, struct slice bytes)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    ssize_t n;

    if (poll(&pfd, 1, 0) != 1 || pfd.revents != POLLOUT)
        return 0;
    do
        n = write_now(fd, bytes);
    while (n < 0 && errno == EINTR);
    return n < 0 && errno == EAGAIN ? 0 : n;
}
