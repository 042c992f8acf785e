/* One job's life, and at each of its steps the worker is killed, or its connections are
 * cut, exactly there. Afterwards the books must balance: the job was done or failed, not
 * both, not neither, it ran as often as that step allows, and Redis holds nothing of it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "queue/scripts.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

/* Each job notes its runs: "start UUID PID", "end UUID". */
#define START "echo start $DROVER_JOB_UUID $$ >> $1/ledger; "
#define END "echo end $DROVER_JOB_UUID >> $1/ledger"
#define SH(script) "\"/bin/sh\", \"-c\", \"" script "\", \"sh\", \"@DIR@\""
#define GOOD SH(START END)
#define BAD SH(START "exit 3")
#define AGAIN SH(START "[ $DROVER_JOB_ATTEMPT = 2 ] || exit 3; " END)
/* Runs until the test opens the gate: the file `open.UUID` for who comes later, and a
 * writer of the fifo for who waits there. */
#define GATED SH(START "[ -e $1/open.$DROVER_JOB_UUID ] || read x < $1/gate; " END)

static const char jobs[] =
    "jobs: ( { name = \"good\"; type = \"shell\"; command = [ " GOOD " ]; },\n"
    " { name = \"bad\"; type = \"shell\"; command = [ " BAD " ]; tries = 1; },\n"
    " { name = \"again\"; type = \"shell\"; command = [ " AGAIN " ];"
    " tries = 2; backoff = [ 0.05 ]; },\n"
    " { name = \"gated\"; type = \"shell\"; command = [ " GATED " ]; } );\n";

enum { ASKED_CT = 7 };

enum where { AT_REQUEST, SPAWNED, EXITED };

enum fault {
    KILL,      /* a request that was asked is lost with its worker */
    KILL_SENT, /* it arrives nevertheless */
    KILL_LATE, /* it arrives when all is over */
    KILL_ALL,  /* the supervisor dies, too, at the same time */
    CUT,
    CUT_LATE /* the request arrives when all is over */
};

struct phase {
    const char *job;
    enum where where;
    const char *script; /* AT_REQUEST */
    enum proxy_step step;
    bool names_job;   /* the request with the job in it: a reserve that acks */
    bool short_lease; /* so that extensions come soon */
    bool second;      /* in the life of the successor of a worker killed as it ran */
    unsigned kill_extra, cut_extra, sent_extra; /* runs more than without the fault */
};

#define AT(script_, step_, job_, ...)                                                    \
    {                                                                                    \
        .where = AT_REQUEST, .script = script_, .step = step_, .job = job_, __VA_ARGS__  \
    }
#define ACK .names_job = true
#define SOON .short_lease = true
#define NEXT .second = true, .cut_extra = 1, .sent_extra = 1
#define RUNS_AGAIN .kill_extra = 1

static const struct phase phases[] = {
    AT("reserve", PROXY_ASKED, "good", ),
    AT("reserve", PROXY_EXECUTED, "good", ),
    AT("reserve", PROXY_DELIVERED, "good", ),
    {.where = SPAWNED, .job = "gated", RUNS_AGAIN},
    {.where = EXITED, .job = "gated", RUNS_AGAIN},
    AT("reserve", PROXY_ASKED, "good", ACK, RUNS_AGAIN),
    AT("reserve", PROXY_EXECUTED, "good", ACK),
    AT("reserve", PROXY_DELIVERED, "good", ACK),
    AT("fail", PROXY_ASKED, "bad", RUNS_AGAIN),
    AT("fail", PROXY_EXECUTED, "bad", ),
    AT("fail", PROXY_DELIVERED, "bad", ),
    AT("release", PROXY_ASKED, "again", RUNS_AGAIN),
    AT("release", PROXY_EXECUTED, "again", ),
    AT("release", PROXY_DELIVERED, "again", ),
    AT("extend", PROXY_ASKED, "gated", SOON, RUNS_AGAIN, .sent_extra = 1),
    AT("extend", PROXY_EXECUTED, "gated", SOON, RUNS_AGAIN),
    AT("extend", PROXY_DELIVERED, "gated", SOON, RUNS_AGAIN),
    AT("condemn", PROXY_ASKED, "gated", NEXT, RUNS_AGAIN),
    AT("condemn", PROXY_EXECUTED, "gated", NEXT, RUNS_AGAIN),
    AT("held", PROXY_EXECUTED, "gated", NEXT, RUNS_AGAIN),
    AT("give_back", PROXY_ASKED, "gated", NEXT, RUNS_AGAIN),
    AT("give_back", PROXY_EXECUTED, "gated", NEXT, RUNS_AGAIN),
    AT("give_back", PROXY_DELIVERED, "gated", NEXT, RUNS_AGAIN),
};

static struct scene *scene;

static struct {
    const struct phase *phase;
    enum fault fault;
    char uuid[16], queue[16]; /* of the job */
    bool done;                /* the fault has happened */
    unsigned late;            /* the link that holds the request; 0: none */
} stage;

static void clear_stage(void)
{
    scene_destroy(scene);
}

/* ---- the job ---- */

static unsigned ledger_ct(const char *word)
{
    char *ledger = scene_read(scene, "ledger");
    char *line = must_format("%s %s", word, stage.uuid);
    unsigned ct = 0;

    for (const char *at = ledger; (at = strstr(at, line)) != NULL; at++)
        ct++;
    free(ledger);
    free(line);
    return ct;
}

static pid_t first_started(void)
{
    char *ledger = scene_read(scene, "ledger");
    char *line = must_format("start %s ", stage.uuid), *at = strstr(ledger, line);
    pid_t pid = at ? (pid_t)strtol(at + strlen(line), NULL, 10) : 0;

    free(ledger);
    free(line);
    return pid;
}

static void push(const char *job)
{
    char *payload =
        must_format("{\"uuid\":\"%s\",\"job\":\"%s\",\"attempts\":0}", stage.uuid, job);
    char *key = must_format("queues:%s", stage.queue);

    (void)scene_redis(scene, "RPUSH", key, payload, NULL);
    free(payload);
    free(key);
}

static void make_gate(void)
{
    char *path = must_format("%s/gate", scene->dir);

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    free(path);
}

static void open_gate(void)
{
    char *path = must_format("%s/open.%s", scene->dir, stage.uuid);
    char *gate = must_format("%s/gate", scene->dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    fd = open(gate, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert(fd >= 0 || errno == ENXIO); /* nobody waits there */
    if (fd >= 0)
        (void)close(fd);
    free(path);
    free(gate);
}

/* Sets the stage for the phase, with a pool that serves the job's queue; or all
 * queues. */
static void use_phase(const struct phase *phase, enum fault fault)
{
    stage.phase = phase;
    stage.fault = fault;
    stage.done = false;
    stage.late = 0;
    (void)snprintf(stage.uuid, sizeof(stage.uuid), "job-%02d", (int)(phase - phases));
    (void)snprintf(stage.queue, sizeof(stage.queue), "q%02d", (int)(phase - phases));
}

static char *settings_for(const char *queues, bool short_lease)
{
    return must_format("stop_grace = 20;\n"
                       "pools: ( { name = \"main\"; queues = [ %s ]; workers = 1;"
                       " concurrency = 1; poll_interval = 0.3; timeout = 60;"
                       " lease = %d; } );\n%s",
                       queues, short_lease ? 3 : 90, jobs);
}

static void configure(void)
{
    char *queue = must_format("\"%s\"", stage.queue);
    char *settings = settings_for(queue, stage.phase->short_lease);

    scene_configure(scene, settings);
    free(settings);
    free(queue);
}

/* ---- the fault ---- */

static void freeze(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    WAIT_FOR(process_state(pid) == 'T');
}

static void end_worker(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    WAIT_FOR(!process_exists(pid));
}

static void lose_or_hold(struct proxy_link *link)
{
    bool late = stage.fault == KILL_LATE || stage.fault == CUT_LATE;

    if (stage.fault != KILL_SENT)
        proxy_link_set(link, PROXY_REQUESTS, late ? PROXY_HOLD : PROXY_LOSE);
    if (late)
        stage.late = proxy_link_id(link);
}

static void inflict(pid_t worker)
{
    stage.done = true;
    switch (stage.fault) {
    case KILL:
    case KILL_SENT:
    case KILL_LATE:
        end_worker(worker);
        break;
    case KILL_ALL:
        scene_power_off(scene);
        break;
    case CUT:
        proxy_cut(scene->proxy, PROXY_FIN);
        break;
    case CUT_LATE:
        proxy_forget(scene->proxy);
        break;
    }
}

static void take_step(void *arg UNUSED, enum proxy_step step,
                      const struct proxy_request *request)
{
    pid_t worker = proxy_link_pid(request->link);

    if (step == PROXY_EXECUTED)
        ck_assert_msg(request->answer.ptr[0] != '-', "%.60s", request->answer.ptr);
    if (step == PROXY_EXECUTED && stage.phase->step == PROXY_DELIVERED)
        freeze(worker); /* has the answer and has not read it */
    if (step != stage.phase->step)
        return;
    if (step == PROXY_ASKED)
        lose_or_hold(request->link);
    inflict(worker);
    if (stage.phase->step == PROXY_DELIVERED)
        (void)kill(worker, SIGCONT);
}

static pid_t worker_pid(void)
{
    struct proxy_link *link = proxy_link_at(scene->proxy, 0);

    return link ? proxy_link_pid(link) : 0;
}

/* Outside of requests. */
static void strike_running_job(void)
{
    pid_t worker, job;

    WAIT_FOR(ledger_ct("start") == 1);
    worker = worker_pid();
    job = first_started();
    if (stage.phase->where == EXITED) {
        freeze(worker);
        open_gate();
        WAIT_FOR(process_state(job) == 'Z');
    }
    inflict(worker);
    (void)kill(worker, SIGCONT);
}

/* ---- the audit ---- */

static long long left_in(const char *command, const char *suffix)
{
    char *key = must_format("queues:%s%s", stage.queue, suffix);
    long long ct = scene_redis_int(scene, command, key);

    free(key);
    return ct;
}

static bool is_over(void)
{
    return left_in("ZCARD", ":reserved") == 0 && left_in("LLEN", "") == 0 &&
           left_in("ZCARD", ":delayed") == 0;
}

static bool fails(void)
{
    return strcmp(stage.phase->job, "bad") == 0;
}

/* Done or failed, and nothing is left to do. */
static bool has_ended(void)
{
    if (fails() ? scene_redis_int(scene, "ZCARD", "drover:failed") == 0
                : ledger_ct("end") == 0)
        return false;
    return is_over();
}

static void audit(unsigned extra)
{
    unsigned usual = strcmp(stage.phase->job, "again") == 0 ? 2 : 1;
    char *record = must_format("drover:failed:%s", stage.uuid);

    ck_assert_msg(ledger_ct("start") == usual + extra, "%s: %u runs, not %u", stage.uuid,
                  ledger_ct("start"), usual + extra);
    ck_assert_int_eq(ledger_ct("end") > 0, !fails());
    ck_assert_int_eq(scene_redis_int(scene, "EXISTS", record), fails());
    ck_assert(is_over());
    free(record);
}

/* After a stop, which takes its leave. */
static void audit_leftovers(void)
{
    static const char *const counts[][2] = {{"SCARD", "drover:open"},
                                            {"HLEN", "drover:owners"},
                                            {"HLEN", "drover:beats"},
                                            {"HLEN", "drover:crashes"}};

    for (size_t i = 0; i < ARRAY_CT(counts); i++)
        ck_assert_msg(scene_redis_int(scene, counts[i][0], counts[i][1]) == 0,
                      "%s is not empty", counts[i][1]);
    ck_assert_str_eq(scene_redis(scene, "KEYS", "drover:notes:*", NULL), "\n");
}

static void let_go(void)
{
    struct proxy_link *link =
        stage.late ? proxy_link_find(scene->proxy, stage.late) : NULL;

    if (link == NULL)
        return;
    proxy_link_set(link, PROXY_BOTH, PROXY_PASS);
    for (int i = 0; i < 20; i++)
        wait_pause();
}

static unsigned extra_of(const struct phase *phase, enum fault fault)
{
    if (fault == CUT || fault == CUT_LATE)
        return phase->cut_extra;
    return fault == KILL_SENT ? phase->sent_extra : phase->kill_extra;
}

/* Until the fault has happened. */
static void play(void)
{
    const struct phase *phase = stage.phase;
    const struct proxy_rule rule = {.script = phase->script,
                                    .holds = phase->names_job ? stage.uuid : NULL,
                                    .nth = 1,
                                    .cb = take_step};

    configure();
    push(phase->job);
    if (phase->where == AT_REQUEST) {
        /* So that it is executed the first time it is asked for. */
        (void)scene_redis(scene, "SCRIPT", "LOAD", script_named(phase->script)->text,
                          NULL);
        proxy_on(scene->proxy, &rule);
    }
    scene_spawn(scene);
    if (phase->second) {
        WAIT_FOR(ledger_ct("start") == 1);
        end_worker(worker_pid());
        open_gate();
    }
    if (phase->where != AT_REQUEST)
        strike_running_job();
    WAIT_FOR(stage.done);
    proxy_forget_rules(scene->proxy);
    open_gate();
}

static void run_phase(const struct phase *phase, enum fault fault)
{
    scene = scene_create(SCENE_PROXY, "");
    make_gate();
    use_phase(phase, fault);
    play();
    WAIT_FOR(has_ended());
    let_go();
    scene_stop(scene);
    audit(extra_of(phase, fault));
    audit_leftovers();
}

START_TEST(a_worker_is_killed_at)
{
    run_phase(&phases[_i], KILL);
}
END_TEST

START_TEST(connections_are_cut_at)
{
    run_phase(&phases[_i], CUT);
}
END_TEST

/* All phases one after the other, each with a supervisor that dies in it; then one
 * that finds what they left. */
START_TEST(worker_and_supervisor_are_killed_at_each)
{
    struct buf queues;
    char *settings;

    scene = scene_create(SCENE_PROXY, "");
    make_gate();
    buf_init(&queues, 0);
    for (size_t i = 0; i < ARRAY_CT(phases); i++) {
        use_phase(&phases[i], KILL_ALL);
        play();
        (void)buf_addf(&queues, "%s\"%s\"", i ? ", " : "", stage.queue);
    }
    settings = settings_for(queues.data, false);
    scene_configure(scene, settings);
    free(settings);
    buf_free(&queues);
    scene_spawn(scene);
    for (size_t i = 0; i < ARRAY_CT(phases); i++) {
        use_phase(&phases[i], KILL_ALL);
        WAIT_FOR(has_ended());
    }
    scene_stop(scene);
    for (size_t i = 0; i < ARRAY_CT(phases); i++) {
        use_phase(&phases[i], KILL_ALL);
        audit(phases[i].kill_extra);
    }
    audit_leftovers();
}
END_TEST

/* Those of PROXY_ASKED, in order. */
static const struct phase *nth_asked(int n)
{
    for (size_t i = 0; i < ARRAY_CT(phases); i++)
        if (phases[i].script && phases[i].step == PROXY_ASKED && n-- == 0)
            return &phases[i];
    ck_abort_msg("there are fewer phases");
    return NULL;
}

START_TEST(what_was_sent_before_the_death_arrives)
{
    run_phase(nth_asked(_i), KILL_SENT);
}
END_TEST

START_TEST(what_was_sent_before_the_death_arrives_when_all_is_over)
{
    run_phase(nth_asked(_i), KILL_LATE);
}
END_TEST

START_TEST(what_was_sent_before_the_cut_arrives_when_all_is_over)
{
    run_phase(nth_asked(_i), CUT_LATE);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_loop_test(tc, a_worker_is_killed_at, 0, (int)ARRAY_CT(phases));
    tcase_add_test(tc, worker_and_supervisor_are_killed_at_each);
    tcase_add_loop_test(tc, connections_are_cut_at, 0, (int)ARRAY_CT(phases));
    tcase_add_loop_test(tc, what_was_sent_before_the_death_arrives, 0, ASKED_CT);
    tcase_add_loop_test(tc, what_was_sent_before_the_death_arrives_when_all_is_over, 0,
                        ASKED_CT);
    tcase_add_loop_test(tc, what_was_sent_before_the_cut_arrives_when_all_is_over, 0,
                        ASKED_CT);
}

int main(void)
{
    return run_suite("phases", 180, add);
}
