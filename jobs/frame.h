/* The frames that drover and a co-process exchange (docs/coprocess.md), as bytes. Pure.
 *
 * A frame is two lengths, 4 bytes each, the most significant first; then a header of the
 * first length, a JSON object; then a body of the second, any bytes.
 */
#ifndef JOBS_FRAME_H
#define JOBS_FRAME_H

#include "jobs/handler.h"

enum {
    FRAME_PROTOCOL = 1,
    FRAME_PREFIX_BYTES = 8,
    FRAME_RESTART_BYTES = 64,
    FRAME_HEADER_MAX = 64 * 1024,
    FRAME_BODY_MAX = 1024 * 1024, /* of what a co-process says; a payload may be longer */
    FRAME_MAX = FRAME_PREFIX_BYTES + FRAME_HEADER_MAX + FRAME_BODY_MAX
};

enum frame_type {
    FRAME_HELLO,   /* booted; body: the configuration that it found */
    FRAME_VERDICT, /* what is to become of the job, unless a later one says otherwise */
    FRAME_TIMEOUT, /* the job's time is over, the co-process deals with it and ends */
    FRAME_DYING,   /* it ends in the middle of the job; `reason` says why */
    FRAME_DONE,    /* the job is over: the last verdict holds */
    FRAME_STATE    /* how the application is */
};

/* In the order in which one outweighs another. */
enum frame_verdict { FRAME_NONE, FRAME_DELETE, FRAME_RELEASE, FRAME_FAIL };

enum frame_answer { FRAME_UNSAID, FRAME_NO, FRAME_YES };

/* What a co-process says. */
struct frame {
    enum frame_type type;
    int64_t id;       /* the job's; -1: not said */
    int64_t protocol; /* -1: not said */
    enum frame_verdict verdict;
    int64_t delay_ms;                  /* FRAME_RELEASE */
    int64_t memory_bytes;              /* -1: not said */
    bool leave;                        /* it wants to be replaced */
    char reason[OUTCOME_REASON_BYTES]; /* one safe line; "" */
    enum frame_answer state;           /* FRAME_HELLO: it can be asked for it */
    /* FRAME_STATE; what is not said is not known: */
    enum frame_answer down, hold;
    bool has_restart;
    char restart[FRAME_RESTART_BYTES]; /* cut, if need be */
    struct slice paused; /* a JSON array, borrowed like the body; ptr NULL: unsaid */
    struct slice body;   /* borrowed from what was read */
};

/* The frame that `in` begins with: 1, and its length in `*bytes`; 0: it is not all there
 * yet; -1: `err` says what is wrong with it. */
int frame_read(struct slice in, struct frame *frame, size_t *bytes,
               struct err *err) MUSTCHECK;

/* Each appends a frame for a co-process. */
void frame_add_hello(struct buf *out, const struct job_config *config);
void frame_add_job(struct buf *out, const struct job *job, int64_t id);

/* Asks how the application is, and which of these queues are paused. */
void frame_add_state(struct buf *out, const struct job_config *config,
                     const struct text_list *queues);

/* The job has ended without a verdict, for the `reason`: what is to become of it? */
void frame_add_after(struct buf *out, const struct job *job, int64_t id,
                     const char *reason, bool timed_out);

#endif
