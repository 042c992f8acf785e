/* The scoreboard's memory and its two sides. The writer may die between any two lines:
 * each function orders its stores so that a row is never seen taken before it is whole.
 * The reader trusts nothing it finds, least of all a process group it is to kill. */
#include "base/board.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the reader must be able to trust lies on a page of its own in front of the board,
 * which nobody can write to once it is filled. */
struct front {
    size_t bytes; /* of the mapping */
    uint32_t job_ct;
};

static struct front *front_of(const struct board *board)
{
    size_t front_bytes = (size_t)sysconf(_SC_PAGESIZE);

    return (struct front *)(void *)((char *)(uintptr_t)board - front_bytes);
}

struct board *board_create(uint32_t job_ct, struct err *err)
{
    size_t front_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = front_bytes + sizeof(struct board) + job_ct * sizeof(struct board_job);
    struct front *front =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (front != MAP_FAILED) {
        *front = (struct front){.bytes = bytes, .job_ct = job_ct};
        if (mprotect(front, front_bytes, PROT_READ) != 0) {
            (void)munmap(front, bytes);
            front = MAP_FAILED;
        }
    }
    if (front == MAP_FAILED) {
        (void)err_set(err, ERR_SYSTEM, "no memory for a scoreboard of %u jobs", job_ct);
        return NULL;
    }
    /* All else is zero, which is what it is to start as. */
    return (struct board *)(void *)((char *)front + front_bytes);
}

void board_destroy(struct board *board)
{
    if (board)
        (void)munmap(front_of(board), front_of(board)->bytes);
}

uint32_t board_job_ct(const struct board *board)
{
    return front_of(board)->job_ct;
}

static void set_text(char *field, size_t size, const char *text)
{
    size_t len = text ? strnlen(text, size - 1) : 0;

    memcpy(field, text ? text : "", len);
    field[len] = '\0';
}

/* Jobs end about in the order in which they began: the row behind the last one taken is
 * most likely free. */
static struct board_job *find_free(struct board *board)
{
    uint32_t job_ct = board_job_ct(board);

    for (uint32_t i = 0; i < job_ct; i++) {
        struct board_job *job = &board->jobs[(board->next + i) % job_ct];

        if (job->started_at_ms == 0) {
            board->next = (uint32_t)(job - board->jobs) + 1;
            return job;
        }
    }
    return NULL;
}

struct board_job *board_take(struct board *board, int64_t now_ms, const char *uuid,
                             const char *name, const char *queue, int64_t attempt)
{
    struct board_job *job = find_free(board);

    MUST(job != NULL);
    job->group = 0;
    job->attempt = attempt;
    set_text(job->uuid, sizeof(job->uuid), uuid);
    set_text(job->name, sizeof(job->name), name);
    set_text(job->queue, sizeof(job->queue), queue);
    job->started_at_ms = now_ms > 0 ? now_ms : 1;
    return job;
}

void board_end(struct board_job *job)
{
    job->started_at_ms = 0;
    job->group = 0;
}

static void set_changed_text(char *field, size_t size, const char *text)
{
    if (strncmp(field, text, size - 1) != 0)
        set_text(field, size, text);
}

void board_set_away(struct board *board, size_t at, const char *name, int64_t failures)
{
    struct board_away *away = &board->away[at];

    MUST(at < BOARD_AWAY);
    if (failures > 0)
        set_changed_text(away->name, sizeof(away->name), name);
    away->failures = failures;
}

void board_set_held_queue(struct board *board, size_t at, const char *name, bool on)
{
    struct board_held_queue *queue;

    if (at >= BOARD_HELD_QUEUES)
        return;
    queue = &board->held_queues[at];
    if (on)
        set_changed_text(queue->name, sizeof(queue->name), name);
    queue->on = on;
}

void board_set_database(struct board *board, size_t at, const char *name, const char *why,
                        int64_t put_off_ct)
{
    struct board_database *database = &board->databases[at];

    MUST(at < BOARD_DATABASES);
    if (put_off_ct > 0) {
        set_changed_text(database->name, sizeof(database->name), name);
        set_changed_text(database->why, sizeof(database->why), why);
    }
    database->put_off_ct = put_off_ct;
}

void board_text(const char *field, size_t field_size, char *text, size_t size)
{
    size_t len = 0;

    MUST(size > 0);
    while (len < field_size && len < size - 1) {
        char c = ((const volatile char *)field)[len]; /* once: it may change meanwhile */

        if (c == '\0')
            break;
        text[len++] = c;
    }
    text[len] = '\0';
}

/* kill(-1) would reach every process there is, kill(-0) and our own group ourselves. */
static bool may_kill(pid_t group)
{
    return group > 1 && group != getpgrp() && group != getpid();
}

unsigned board_kill_groups(struct board *board)
{
    uint32_t job_ct = board_job_ct(board);
    unsigned signalled = 0;

    for (uint32_t i = 0; i < job_ct; i++) {
        const struct board_job *job = &board->jobs[i];
        pid_t group = job->group;

        if (job->started_at_ms != 0 && may_kill(group) && kill(-group, SIGKILL) == 0)
            signalled++;
    }
    return signalled;
}
