/* Composing the exception text of a failed record. Knows no job and no Redis. */
#include "worker/record.h"

static void add_tail(struct buf *out, const char *name, struct slice tail, uint64_t total)
{
    if (tail.len == 0)
        return;
    if (tail.len < total)
        (void)buf_addf(out, "\n%s (the last %zu of %llu bytes):\n", name, tail.len,
                       (unsigned long long)total);
    else
        (void)buf_addf(out, "\n%s:\n", name);
    (void)buf_add(out, tail.ptr, tail.len);
    if (tail.ptr[tail.len - 1] != '\n')
        (void)buf_add_char(out, '\n');
}

void record_attempt(struct buf *out, int64_t attempt, int64_t tries, const char *reason)
{
    (void)buf_addf(out, "attempt %lld", (long long)attempt);
    if (tries > 0)
        (void)buf_addf(out, " of %lld", (long long)tries);
    (void)buf_addf(out, ": %s\n", reason);
}

size_t record_exception(struct buf *out, const struct outcome *outcome, int64_t attempt,
                        int64_t tries)
{
    size_t history_at;

    (void)buf_addf(out, "%s\n\n", outcome->reason);
    history_at = out->len;
    if (attempt > 0)
        record_attempt(out, attempt, tries, outcome->reason);
    add_tail(out, "stderr", outcome->stderr_tail, outcome->stderr_bytes);
    add_tail(out, "stdout", outcome->stdout_tail, outcome->stdout_bytes);
    (void)buf_add(out, outcome->detail.ptr, outcome->detail.len);
    return history_at;
}
