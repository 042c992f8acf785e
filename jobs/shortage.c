/* Telling a shortage of this machine from a fault of the job, and waiting for its end.
 *
 * Every job is tried, for a start that is refused costs little, and the one that goes
 * well says at once that the shortage is over. Where jobs that run take all there is,
 * starts are refused and go well by turns: so the log hears of it once a minute at most.
 * Time is an input. Knows no jobs.
 */
#include "jobs/shortage.h"

#include <errno.h>
#include <stddef.h>

#include "base/log.h"
#include "base/random.h"

enum {
    WAIT_FIRST_MS = 1000,
    WAIT_MOST_MS = 16 * 1000,
    JITTER_PARTS = 4, /* jobs that were put aside together do not come back together */
    TELL_AGAIN_MS = 60 * 1000
};

static const struct lack {
    int errnum;
    const char *name, *advice;
} lacks[] = {
    {EMFILE, "EMFILE",
     "raise the limit of open files (LimitNOFILE=, ulimit -n), or lower the pool's "
     "concurrency"},
    {ENFILE, "ENFILE",
     "raise fs.file-max of this machine, or find out what holds its files open"},
    {EAGAIN, "EAGAIN",
     "raise the limit of processes (TasksMax=, ulimit -u, pids.max), or lower the pool's "
     "concurrency"},
    {ENOMEM, "ENOMEM", "find out what takes this machine's memory, or lower concurrency"},
};

static const struct lack *find_lack(int errnum)
{
    for (size_t i = 0; i < ARRAY_CT(lacks); i++)
        if (lacks[i].errnum == errnum)
            return &lacks[i];
    return NULL;
}

bool shortage_is(int errnum)
{
    return find_lack(errnum) != NULL;
}

const char *shortage_advice(int errnum)
{
    const struct lack *lack = find_lack(errnum);

    return lack ? lack->advice : NULL;
}

static void grow(struct shortage *shortage, int64_t now_ms)
{
    if (now_ms < shortage->grow_at_ms)
        return;
    shortage->wait_ms = shortage->wait_ms ? shortage->wait_ms * 2 : WAIT_FIRST_MS;
    if (shortage->wait_ms > WAIT_MOST_MS)
        shortage->wait_ms = WAIT_MOST_MS;
    shortage->grow_at_ms = now_ms + shortage->wait_ms;
}

static bool is_news(const struct shortage *shortage, int errnum, int64_t now_ms)
{
    return shortage->told_errnum != errnum &&
           (shortage->told_at_ms == 0 || now_ms - shortage->told_at_ms >= TELL_AGAIN_MS);
}

static void tell(struct shortage *shortage, const struct err *err, int64_t now_ms)
{
    const struct lack *lack = find_lack(err->errnum);

    log_error("spawn.refused", log_str("errno", lack->name), log_str("reason", err->text),
              log_str("do", lack->advice), log_int("retry_in_ms", shortage->wait_ms));
    shortage->refused_ct = 0;
    shortage->told_errnum = err->errnum;
    shortage->told_at_ms = now_ms;
}

int64_t shortage_refused(struct shortage *shortage, const struct err *err, int64_t now_ms)
{
    MUST(shortage_is(err->errnum));
    grow(shortage, now_ms);
    if (is_news(shortage, err->errnum, now_ms))
        tell(shortage, err, now_ms);
    shortage->refused_ct++;
    return shortage->wait_ms +
           (int64_t)random_below((uint32_t)(shortage->wait_ms / JITTER_PARTS) + 1);
}

void shortage_ended(struct shortage *shortage, int64_t now_ms)
{
    if (shortage->wait_ms == 0)
        return;
    if (shortage->told_errnum)
        log_info("spawn.works", log_int("down_ms", now_ms - shortage->told_at_ms),
                 log_int("postponed", shortage->refused_ct));
    shortage->told_errnum = 0;
    shortage->wait_ms = 0;
    shortage->grow_at_ms = 0;
}
