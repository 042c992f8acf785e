/* SQL jobs: gathered by entry and search_path, then handed over as batches.
 *
 *   gathering --full, or its time is over--> in a batch --> over
 *   gathering --cancel--> cancelled --next turn--> over
 *
 * Knows nothing of transactions: what becomes of a batch is jobs/sql_batch.c's.
 */
#include "jobs/sql.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/compat.h"
#include "jobs/handler.h"
#include "jobs/sql_batch.h"

TAILQ_HEAD(run_list, run);

/* Jobs that wait for company. */
struct gather {
    TAILQ_ENTRY(gather) link;
    struct lane *lane;
    struct run_list runs;
    size_t ct;
    struct timer over;
};

/* One jobs entry. */
struct lane {
    struct sql *sql;
    struct sql_entry entry;
    TAILQ_HEAD(, gather) gathers; /* one for each search_path */
};

struct sql {
    struct loop *loop;
    const struct config *config;
    struct sql_database **databases; /* as in the configuration; NULL: no job uses it */
    struct lane *lanes;              /* one for each entry of config->jobs */
    struct run_list sent;
    struct run_list cancelled; /* while gathering: over in the next turn */
    struct timer over;
};

struct run {
    struct sql_task task; /* the first member: it is the run */
    TAILQ_ENTRY(run) link;
    struct sql *sql;
    struct gather *gather; /* NULL: in a batch, or cancelled */
    char uuid[64];
    run_done_cb done;
    void *arg;
};

static void free_run(struct run *run)
{
    sql_values_free(&run->task.values);
    free(run);
}

/* ---- gathering ---- */

static void free_gather(void *ptr)
{
    struct gather *gather = ptr;

    timer_free(&gather->over);
    free(gather);
}

/* Not from inside its own timer's memory: that is freed with the turn. */
static void end_gather(struct gather *gather)
{
    timer_stop(&gather->over);
    TAILQ_REMOVE(&gather->lane->gathers, gather, link);
    loop_defer_free(gather->lane->sql->loop, gather, free_gather);
}

static void hand_over(struct gather *gather)
{
    struct lane *lane = gather->lane;
    struct sql_task **tasks = must_alloc(gather->ct * sizeof(struct sql_task *));
    struct run *run;
    size_t ct = 0;

    while ((run = TAILQ_FIRST(&gather->runs)) != NULL) {
        TAILQ_REMOVE(&gather->runs, run, link);
        TAILQ_INSERT_TAIL(&lane->sql->sent, run, link);
        run->gather = NULL;
        tasks[ct++] = &run->task;
    }
    end_gather(gather);
    sql_batch_run(&lane->entry, tasks, ct);
    free(tasks);
}

static void gather_over(void *arg)
{
    hand_over(arg);
}

static bool same_path(const struct gather *gather, const struct run *run)
{
    const struct run *other = TAILQ_FIRST(&gather->runs);

    return slice_equal(buf_slice(&other->task.values.search_path),
                       buf_slice(&run->task.values.search_path));
}

static struct gather *gather_for(struct lane *lane, const struct run *run)
{
    struct gather *gather;

    TAILQ_FOREACH(gather, &lane->gathers, link)
    if (same_path(gather, run))
        return gather;
    gather = must_alloc(sizeof(*gather));
    gather->lane = lane;
    TAILQ_INIT(&gather->runs);
    timer_init(&gather->over, lane->sql->loop, gather_over, gather);
    timer_set(&gather->over, lane->entry.config->batch_wait_ms);
    TAILQ_INSERT_TAIL(&lane->gathers, gather, link);
    return gather;
}

static void add_run(struct lane *lane, struct run *run)
{
    struct gather *gather = gather_for(lane, run);

    TAILQ_INSERT_TAIL(&gather->runs, run, link);
    run->gather = gather;
    gather->ct++;
    if ((int64_t)gather->ct == lane->entry.config->batch)
        hand_over(gather);
}

/* ---- the end ---- */

static void finish(struct run *run, const struct outcome *outcome)
{
    run->done(run->arg, outcome);
    free_run(run);
}

static void task_done(struct sql_task *task, const struct outcome *outcome)
{
    struct run *run = (struct run *)(void *)task;

    TAILQ_REMOVE(&run->sql->sent, run, link);
    finish(run, outcome);
}

static void cancelled_over(void *arg)
{
    struct sql *sql = arg;
    struct outcome outcome;
    struct run *run;

    while ((run = TAILQ_FIRST(&sql->cancelled)) != NULL) {
        TAILQ_REMOVE(&sql->cancelled, run, link);
        sql_task_stopped(&run->task, &outcome);
        finish(run, &outcome);
    }
}

static void leave_gather(struct run *run)
{
    struct gather *gather = run->gather;

    TAILQ_REMOVE(&gather->runs, run, link);
    run->gather = NULL;
    if (--gather->ct == 0)
        end_gather(gather);
    TAILQ_INSERT_TAIL(&run->sql->cancelled, run, link);
    timer_set_soon(&run->sql->over);
}

static void cancel(struct run *run, enum cancel_reason why)
{
    if (run->gather)
        leave_gather(run);
    sql_task_cancel(&run->task, why);
}

/* ---- the start ---- */

static struct run *create_run(struct sql *sql, const struct job *job, run_done_cb done,
                              void *arg)
{
    struct run *run = must_alloc(sizeof(*run));

    run->sql = sql;
    run->done = done;
    run->arg = arg;
    run->task.uuid = run->uuid;
    run->task.done = task_done;
    run->task.deadline_ms = INT64_MAX;
    if (job->policy && job->policy->timeout_ms > 0)
        run->task.deadline_ms = clock_mono_ms() + job->policy->timeout_ms;
    sql_values_init(&run->task.values);
    return run;
}

static int read_job(struct run *run, const struct lane *lane, const struct job *job,
                    struct err *err)
{
    const char *search_path = sql_database_config(lane->entry.database)->search_path;
    struct payload payload = *job->payload;

    if (lane->entry.config->once && !payload_uuid(&payload, run->uuid, sizeof(run->uuid)))
        return err_set(err, ERR_BAD_INPUT,
                       "a job that is run once needs a uuid of its own in its payload");
    return sql_values_read(&run->task.values, lane->entry.config, search_path,
                           job->payload, err);
}

static bool admit(struct lane *lane, struct outcome *outcome)
{
    struct sql_database *database = lane->entry.database;
    int64_t put_off_ct;

    if (sql_database_admits(database))
        return true;
    outcome_init(outcome, OUTCOME_POSTPONE, "database %s is away: %s",
                 lane->entry.config->database,
                 sql_database_trouble(database, &put_off_ct));
    outcome->wait_ms = sql_database_put_off(database);
    return false;
}

static struct run *start(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome)
{
    struct sql *sql = env->sql;
    struct lane *lane;
    struct run *run;
    struct err err;

    MUST(sql != NULL);
    lane = &sql->lanes[job->config - sql->config->jobs];
    run = create_run(sql, job, done, arg);
    if (read_job(run, lane, job, &err) != 0) {
        outcome_init(outcome, OUTCOME_FAIL, "%s", err.text);
    } else if (admit(lane, outcome)) {
        add_run(lane, run);
        return run;
    }
    free_run(run);
    return NULL;
}

const struct handler sql_handler = {.name = "sql", .start = start, .cancel = cancel};

/* ---- the whole ---- */

static size_t index_of(const struct sql *sql, const struct sql_config *job)
{
    return (size_t)(config_database_of(sql->config, job) - sql->config->databases);
}

static int open_lane(struct sql *sql, size_t at, struct err *err)
{
    const struct sql_config *config = &sql->config->jobs[at].sql;
    struct lane *lane = &sql->lanes[at];
    struct sql_database **database = &sql->databases[index_of(sql, config)];

    if (*database == NULL)
        *database = sql_database_open(
            sql->loop, config_database_of(sql->config, config),
            config_has_inbox(sql->config, config_database_of(sql->config, config)), err);
    *lane = (struct lane){.sql = sql, .entry = {.database = *database, .config = config}};
    TAILQ_INIT(&lane->gathers);
    if (*database == NULL)
        return -1;
    lane->entry.wide = sql_wide_create(*database, config);
    return 0;
}

int sql_open(struct loop *loop, const struct config *config, struct sql **sql,
             struct err *err)
{
    struct sql *opened;

    *sql = NULL;
    if (!config_has_jobs_of(config, JOB_SQL))
        return 0;
    opened = must_alloc(sizeof(*opened));
    opened->loop = loop;
    opened->config = config;
    TAILQ_INIT(&opened->sent);
    TAILQ_INIT(&opened->cancelled);
    timer_init(&opened->over, loop, cancelled_over, opened);
    opened->databases = must_alloc(config->database_ct * sizeof(struct sql_database *));
    opened->lanes = must_alloc(config->job_ct * sizeof(*opened->lanes));
    for (size_t i = 0; i < config->job_ct; i++)
        if (config->jobs[i].type == JOB_SQL && open_lane(opened, i, err) != 0) {
            sql_close(opened);
            return -1;
        }
    *sql = opened;
    return 0;
}

void sql_tell_board(const struct sql *sql, struct board *board)
{
    size_t told = 0;

    for (size_t i = 0; i < sql->config->database_ct && told < BOARD_DATABASES; i++) {
        const struct sql_database *database = sql->databases[i];
        int64_t put_off_ct = 0;
        const char *why = database ? sql_database_trouble(database, &put_off_ct) : NULL;

        if (why && put_off_ct > 0)
            board_set_database(board, told++, sql->config->databases[i].name, why,
                               put_off_ct);
    }
    while (told < BOARD_DATABASES)
        board_set_database(board, told++, "", "", 0);
}

static void free_runs(struct run_list *runs)
{
    struct run *run;

    while ((run = TAILQ_FIRST(runs)) != NULL) {
        TAILQ_REMOVE(runs, run, link);
        free_run(run);
    }
}

static void close_lane(struct lane *lane)
{
    struct gather *gather;

    if (lane->sql == NULL)
        return; /* of another type */
    while ((gather = TAILQ_FIRST(&lane->gathers)) != NULL) {
        free_runs(&gather->runs);
        TAILQ_REMOVE(&lane->gathers, gather, link);
        free_gather(gather);
    }
}

void sql_close(struct sql *sql)
{
    if (sql == NULL)
        return;
    for (size_t i = 0; i < sql->config->job_ct; i++)
        close_lane(&sql->lanes[i]);
    for (size_t i = 0; i < sql->config->database_ct; i++)
        sql_database_close(sql->databases[i]);
    for (size_t i = 0; i < sql->config->job_ct; i++)
        sql_wide_free(sql->lanes[i].entry.wide);
    free_runs(&sql->sent);
    free_runs(&sql->cancelled);
    timer_free(&sql->over);
    free(sql->lanes);
    free(sql->databases);
    free(sql);
}
