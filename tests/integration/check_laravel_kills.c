/* Ten thousand of Laravel's jobs in four PHP processes, while those, the workers that
 * hold them and once the supervisor are killed: none is lost, and what runs twice was in
 * hand when something was killed.
 *
 * Who is killed comes from a seed; when, from how far the jobs are, not from a clock.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/chaos/procs.h"
#include "tests/support/php_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum {
    JOB_CT = 10000,
    WORKER_CT = 2,
    RUNNERS_EACH = 2,
    KILL_CT = 24,
    STEP = JOB_CT / (KILL_CT + 2), /* ends from one kill to the next */
    WORKER_KILL_EVERY = 6,
    SUPERVISOR_KILL = 13,
    DOOMED_MAX = 256,
    LINE_BYTES = 256,
    SEED = 20261121
};

static uint64_t seed = SEED;

static void set_stage(void)
{
    char *settings = must_format(
        "log: { jobs = \"failed\"; };\n"
        "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = %d;\n"
        "           concurrency = %d; tries = 0; backoff = [ 0 ]; } );\n"
        "jobs: ( { name = \"Drover\\\\Tests\\\\*\"; type = \"laravel\"; app = "
        "\"@DIR@\";\n"
        "          bootstrap = \"" TOP_SRCDIR "/tests/php/runner.php\";\n"
        "          bridge = \"" TOP_SRCDIR "/contrib/laravel/bridge.php\";\n"
        "          env = [ \"TEST_DIR=@DIR@\" ]; kill_grace = 1; } );\n",
        WORKER_CT, RUNNERS_EACH);

    php_stage_open(&stage, "", settings);
    free(settings);
}

/* Any number below `limit`. */
static unsigned pick(size_t limit)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)((seed >> 33) % limit);
}

/* ---- the ledger, as it grows ---- */

struct entry {
    char uuid[40];
    pid_t who;
    bool ended;
};

static struct {
    FILE *file;
    struct entry runs[2 * JOB_CT]; /* one for each start */
    size_t run_ct, end_ct;
} ledger;

static void note_line(const char *line)
{
    struct entry run = {0};
    char event[64];

    ck_assert_msg(sscanf(line, "%63s %39s %*d runner/%d", event, run.uuid, &run.who) == 3,
                  "%s", line);
    if (strcmp(event, "start") == 0) {
        ck_assert_uint_lt(ledger.run_ct, ARRAY_CT(ledger.runs));
        ledger.runs[ledger.run_ct++] = run;
        return;
    }
    if (strcmp(event, "end") != 0)
        return;
    ledger.end_ct++;
    for (size_t i = ledger.run_ct; i-- > 0;)
        if (ledger.runs[i].who == run.who) { /* it runs one at a time */
            ck_assert_str_eq(ledger.runs[i].uuid, run.uuid);
            ledger.runs[i].ended = true;
            return;
        }
    ck_abort_msg("an end without a start: %s", line);
}

/* Whole lines only: the last may still be written. */
static size_t ends(void)
{
    char line[LINE_BYTES];
    long at;

    if (ledger.file == NULL) {
        char *path = must_format("%s/ledger", stage.scene->dir);

        ledger.file = fopen(path, "re");
        free(path);
    }
    while (ledger.file && (at = ftell(ledger.file)) >= 0) {
        if (fgets(line, sizeof(line), ledger.file) && strchr(line, '\n')) {
            note_line(line);
            continue;
        }
        ck_assert_int_eq(fseek(ledger.file, at, SEEK_SET), 0);
        break;
    }
    return ledger.end_ct;
}

/* ---- kills ---- */

/* PHP processes that were killed or whose worker was. */
static struct {
    pid_t pids[DOOMED_MAX];
    size_t ct, allowed; /* how many jobs may have been in hand */
} doomed;

static void doom(pid_t pid)
{
    ck_assert_uint_lt(doomed.ct, DOOMED_MAX);
    doomed.pids[doomed.ct++] = pid;
}

static void kill_one_of(const pid_t *pids, size_t ct)
{
    pid_t victim = pids[pick(ct)];

    doom(victim);
    doomed.allowed++;
    (void)kill(victim, SIGKILL); /* it may just have ended */
}

static void kill_worker(const struct procs *procs, pid_t worker)
{
    pid_t runners[16];
    size_t ct = procs_descendants(procs, worker, runners, ARRAY_CT(runners));

    for (size_t i = 0; i < ct; i++)
        doom(runners[i]);
    doomed.allowed += RUNNERS_EACH;
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
}

/* Its workers see that it is gone, and go. */
static void kill_supervisor(const struct procs *procs)
{
    pid_t all[64];
    size_t ct = procs_descendants(procs, stage.scene->supervisor, all, ARRAY_CT(all));

    for (size_t i = 0; i < ct; i++)
        doom(all[i]);
    doomed.allowed += WORKER_CT * RUNNERS_EACH;
    ck_assert_int_eq(kill(stage.scene->supervisor, SIGKILL), 0);
    WAIT_FOR(!process_exists(stage.scene->supervisor));
    scene_start(stage.scene);
}

/* True: something was killed. */
static bool strike(unsigned nth)
{
    pid_t workers[WORKER_CT + 2], runners[16];
    size_t worker_ct, runner_ct;
    struct procs procs;
    bool struck = true;

    procs_read(&procs);
    worker_ct =
        procs_workers(&procs, stage.scene->supervisor, workers, ARRAY_CT(workers));
    if (nth == SUPERVISOR_KILL)
        kill_supervisor(&procs);
    else if (worker_ct == 0)
        struck = false;
    else if (nth % WORKER_KILL_EVERY == WORKER_KILL_EVERY - 1)
        kill_worker(&procs, workers[nth / WORKER_KILL_EVERY % worker_ct]);
    else if ((runner_ct = procs_descendants(&procs, workers[pick(worker_ct)], runners,
                                            ARRAY_CT(runners))) > 0)
        kill_one_of(runners, runner_ct);
    else
        struck = false;
    procs_free(&procs);
    return struck;
}

/* ---- what came of it ---- */

static int by_uuid(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->uuid, y->uuid);

    return order ? order : x->ended - y->ended; /* those that ended last */
}

static bool is_doomed(pid_t pid)
{
    for (size_t i = 0; i < doomed.ct; i++)
        if (doomed.pids[i] == pid)
            return true;
    return false;
}

/* The runs of one job, those that ended last: at most one in a process that lived on. */
static void assert_runs(const struct entry *runs, size_t ct)
{
    size_t alive_ct = 0;

    for (size_t i = 0; i < ct; i++)
        alive_ct += !is_doomed(runs[i].who);
    ck_assert_msg(runs[ct - 1].ended, "%s never ended", runs->uuid);
    ck_assert_msg(alive_ct <= 1, "%s ran %zu times, and %zu of those nobody killed",
                  runs->uuid, ct, alive_ct);
}

static void assert_each_ended(void)
{
    size_t job_ct = 0;

    qsort(ledger.runs, ledger.run_ct, sizeof(ledger.runs[0]), by_uuid);
    for (size_t i = 0, ct; i < ledger.run_ct; i += ct, job_ct++) {
        for (ct = 1; i + ct < ledger.run_ct &&
                     strcmp(ledger.runs[i].uuid, ledger.runs[i + ct].uuid) == 0;)
            ct++;
        assert_runs(&ledger.runs[i], ct);
    }
    printf("%zu jobs in %zu runs; at most %zu were in hand at %d kills\n", job_ct,
           ledger.run_ct, doomed.allowed, KILL_CT);
    ck_assert_uint_eq(job_ct, JOB_CT);
    ck_assert_uint_le(ledger.run_ct - job_ct, doomed.allowed);
}

START_TEST(no_job_is_lost_and_only_those_in_hand_at_a_kill_run_twice)
{
    php_stage_produce(&stage, "{\"op\":\"bulk\",\"queue\":\"default\",\"times\":2000,"
                              "\"jobs\":[{},{},{},{},{}]}\n");
    ck_assert_int_eq(php_stage_int(&stage, "LLEN queues:default"), JOB_CT);
    scene_start(stage.scene);
    for (unsigned i = 0; i < KILL_CT; i++) {
        WAIT_FOR(ends() >= (i + 1) * (size_t)STEP);
        WAIT_FOR(strike(i));
    }
    WAIT_FOR(is_all_done());
    (void)ends();
    assert_each_ended();
    ck_assert_int_eq(php_stage_int(&stage, "EXISTS drover:failed"), 0);
    ck_assert_uint_ge(php_stage_count(&stage, "log", "runner killed by SIGKILL"), 1);
    ck_assert_uint_eq(php_stage_count(&stage, "log", "attempted too many times"), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, no_job_is_lost_and_only_those_in_hand_at_a_kill_run_twice);
}

int main(void)
{
    return run_suite("laravel_kills", 300, add);
}
