/* One stream of a job's output: its pipe, drained into a tail.
 *
 * Each turn of the loop takes a bounded piece, so that a job that writes without end
 * does not keep the others waiting; the pipe's room is what holds it back.
 */
#ifndef JOBS_OUTPUT_H
#define JOBS_OUTPUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

enum { OUTPUT_KEEP_BYTES = 16 * 1024 };

/* The stream has ended: all who had it open have closed it. */
typedef void (*output_ended_cb)(void *arg);

struct output {
    struct tail tail;
    struct event *event;
    int fd;      /* -1: closed */
    int echo_fd; /* where what is read goes too, as far as there is room; 0: nowhere */
    output_ended_cb ended;
    void *arg;
};

/* Makes the pipe; `*child_fd` is the end to write to, the caller's to close. Calls back
 * once, later, from the loop, unless closed before. -1: `output` needs no closing. */
int output_open(struct output *output, struct loop *loop, output_ended_cb ended,
                void *arg, int *child_fd, struct err *err) MUSTCHECK;
bool output_is_open(const struct output *output);

/* Takes what is in the pipe now, within bounds. */
void output_take(struct output *output);

/* The tail begins anew. */
void output_restart(struct output *output);

/* As output_take(), and reads no more. The tail stays; twice is fine. */
void output_close(struct output *output);
void output_free(struct output *output); /* closes too; the tail goes */

#endif
