/* Waiting for conditions in tests. One test waits at a time, in one place: what turns
 * meanwhile is the program's. */
#include "tests/support/wait.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct {
    void (*turn)(void *arg);
    void *arg;
    bool inside;
} meanwhile;

void wait_set_turn(void (*turn)(void *arg), void *arg)
{
    meanwhile.turn = turn;
    meanwhile.arg = arg;
}

int64_t wait_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wait_is_over(int64_t since_ms, unsigned looks)
{
    return looks > WAIT_LOOKS && wait_now_ms() > since_ms + WAIT_MS;
}

void wait_pause(void)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    if (meanwhile.turn == NULL || meanwhile.inside) {
        (void)nanosleep(&pause, NULL);
        return;
    }
    meanwhile.inside = true;
    meanwhile.turn(meanwhile.arg);
    meanwhile.inside = false;
}

void wait_failed(const char *what, const char *file, int line)
{
    ck_abort_msg("%s:%d: did not come true within %d s: %s", file, line, WAIT_MS / 1000,
                 what);
    abort();
}

bool wait_at_most(wait_cb is_true, void *arg, int64_t deadline_ms)
{
    int64_t end_ms = wait_now_ms() + deadline_ms;

    while (!is_true(arg)) {
        if (wait_now_ms() > end_ms)
            return false;
        wait_pause();
    }
    return true;
}

void wait_until(wait_cb is_true, void *arg, const char *what)
{
    if (!wait_at_most(is_true, arg, WAIT_MS))
        wait_failed(what, __FILE__, __LINE__);
}

char process_state(pid_t pid)
{
    char path[64], state = 'X';
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 'X';
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    (void)fclose(file);
    return state;
}

bool process_exists(pid_t pid)
{
    char state = process_state(pid);

    return state != 'Z' && state != 'X';
}
