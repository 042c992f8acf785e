/* What a job finds on stdin: a text, written as the job takes it, then the end. */
#ifndef JOBS_INPUT_H
#define JOBS_INPUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct input {
    struct slice left; /* borrowed; not written yet */
    struct event *event;
    int fd; /* -1: closed */
};

/* Makes the pipe; `*child_fd` is the end to read from, the caller's to close, or -1 where
 * `text` (borrowed until closed) is empty: then no pipe is needed. -1: `input` needs no
 * closing. */
int input_open(struct input *input, struct slice text, int *child_fd,
               struct err *err) MUSTCHECK;

/* Writes what fits now, the rest from the loop. A job that stops reading is no error: the
 * rest is dropped. The process must ignore SIGPIPE. */
void input_feed(struct input *input, struct loop *loop);
void input_close(struct input *input); /* twice is fine */

#endif
