/* The same jobs, one by one, by drover with its bridge and by Laravel's own worker, each
 * on a Redis database and a PostgreSQL of its own that began as copies: what they leave
 * behind is the same, line for line (tests/php/traces.php). Where it is meant to be
 * different, tests/php/acts.txt says what and docs/coprocess.md why.
 *
 * All run once, before the tests, which only compare. Each job has a queue of its own.
 * Jobs are made due again some rounds long, and looked at after each.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/support/php_fixture.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum { ROUNDS = 4, CONSUMERS_MAX = 12, ACTS_MAX = 64, LINE_BYTES = 1024 };

static struct act {
    char *queue;
    char *what;      /* as JSON */
    unsigned rounds; /* how often it is made due again */
    char *different; /* what only one of them leaves, line by line; may be empty */
} acts[ACTS_MAX];
static size_t act_ct;

static char *drovers[ROUNDS], *laravels[ROUNDS]; /* traces after each round */
static char *laravels_dsn;

/* ---- what jobs there are ---- */

/* In main(), where Check's assertions cannot be. */
static void read_act(struct act *act, const char *line)
{
    json_t *row = json_loads(line, 0, NULL), *what = NULL, *different = NULL;
    const char *queue;
    struct buf text;
    int rounds = 0;

    MUST(json_unpack_ex(row, NULL, JSON_STRICT, "{s:s, s:o, s?:i, s?:o}", "queue", &queue,
                        "act", &what, "rounds", &rounds, "different", &different) == 0);
    MUST(rounds >= 0 && rounds < ROUNDS);
    buf_init(&text, 0);
    (void)buf_add_text(&text, "");
    for (size_t i = 0; i < json_array_size(different); i++)
        (void)buf_addf(&text, "%s\n", json_string_value(json_array_get(different, i)));
    act->queue = must_strdup(queue);
    act->what = json_dumps(what, JSON_COMPACT);
    act->rounds = (unsigned)rounds;
    act->different = buf_take(&text);
    MUST(act->what != NULL);
    json_decref(row);
}

static void read_acts(void)
{
    FILE *file = fopen(TOP_SRCDIR "/tests/php/acts.txt", "re");
    char line[LINE_BYTES];

    MUST(file != NULL);
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        MUST(act_ct < ACTS_MAX);
        read_act(&acts[act_ct++], line);
    }
    (void)fclose(file);
}

static void free_acts(void)
{
    for (size_t i = 0; i < act_ct; i++) {
        free(acts[i].queue);
        free(acts[i].what);
        free(acts[i].different);
    }
}

/* ---- the jobs, twice ---- */

/* The queues' names as "a","b" or a,b; to be freed. */
static char *queue_list(const char *quote)
{
    struct buf list;

    buf_init(&list, 0);
    for (size_t i = 0; i < act_ct; i++)
        (void)buf_addf(&list, "%s%s%s%s", i ? "," : "", quote, acts[i].queue, quote);
    return buf_take(&list);
}

static char *make_settings(void)
{
    char *queues = queue_list("\""), *settings;

    settings = must_format(
        "failed: { store = \"postgres\"; dsn = \"%s\"; };\n"
        "pools: ( { name = \"main\"; queues = [ %s ]; workers = 1; concurrency = 1;\n"
        "           tries = 3; backoff = [ 300 ]; } );\n"
        "jobs: ( { name = \"*\"; type = \"laravel\"; app = \"@DIR@\"; kill_grace = 1;\n"
        "          bootstrap = \"" TOP_SRCDIR "/tests/php/acts_runner.php\";\n"
        "          bridge = \"" TOP_SRCDIR "/contrib/laravel/bridge.php\";\n"
        "          env = [ \"TEST_DIR=@DIR@\", \"ACTS=%s\" ]; } );\n",
        server.dsn, queues, server.dsn);
    free(queues);
    return settings;
}

static void write_file(const char *name, const char *text)
{
    char *path = must_format("%s/%s", stage.scene->dir, name);
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert(fputs(text, file) >= 0 && fclose(file) == 0);
    free(path);
}

/* Runs a script of tests/php on `input`, with the ledger of jobs that were made and ran
 * if there is one; what it says is the file NAME.out. */
static void run_script(const char *name, const char *script, const char *input,
                       const char *database, const char *dsn, const char *ledger)
{
    char *in = must_format("%s.in", name);
    char *options[] = {
        must_format("--socket=%s/redis.sock", stage.scene->dir),
        must_format("--database=%s", database),
        must_format("--acts=%s", dsn),
        ledger ? must_format("--ledger=%s/%s", stage.scene->dir, ledger) : NULL,
        ledger ? must_format("--made=%s/made.out", stage.scene->dir) : NULL,
        NULL,
    };
    struct php_process php;

    write_file(in, input);
    php_start(&php, stage.scene->dir, name, script, (const char *const *)options);
    php_finish(&php);
    for (size_t i = 0; i < ARRAY_CT(options); i++)
        free(options[i]);
    free(in);
}

static void stage_acts(void)
{
    struct buf orders;

    buf_init(&orders, 0);
    for (size_t i = 0; i < act_ct; i++)
        (void)buf_addf(&orders, "{\"queue\":\"%s\",\"act\":%s}\n", acts[i].queue,
                       acts[i].what);
    (void)postgres_process_do(
        &server, "SET client_min_messages = warning; "
                 "CREATE TABLE job_batches (id varchar(255) PRIMARY KEY, "
                 "name varchar(255), total_jobs int, pending_jobs int, failed_jobs int, "
                 "failed_job_ids text, options text, cancelled_at int, created_at int, "
                 "finished_at int)");
    scene_do(stage.scene, "failed", "migrate");
    run_script("made", "producer.php", orders.data, "0", server.dsn, NULL);
    buf_free(&orders);
}

/* Redis' database 1 and PostgreSQL's "laravels" begin as what drover is given. */
static void copy_all(void)
{
    redisReply *keys = php_stage_ask(&stage, "KEYS *");
    char *dbname = strstr(server.dsn, "dbname=postgres");

    for (size_t i = 0; i < keys->elements; i++)
        ck_assert_int_eq(php_stage_int(&stage, "COPY %s %s DB 1", keys->element[i]->str,
                                       keys->element[i]->str),
                         1);
    freeReplyObject(keys);
    (void)postgres_process_do(&server, "CREATE DATABASE laravels TEMPLATE postgres");
    ck_assert_ptr_nonnull(dbname);
    laravels_dsn = must_format("%.*sdbname=laravels%s", (int)(dbname - server.dsn),
                               server.dsn, dbname + strlen("dbname=postgres"));
}

/* ---- rounds ---- */

static long long due_ct(void)
{
    return php_stage_int(
        &stage, "EVAL %s 0",
        "local ct, now = 0, redis.call('TIME')[1] "
        "for _, key in ipairs(redis.call('KEYS', 'queues:*')) do "
        "  if key:find(':reserved$') then ct = ct + redis.call('ZCARD', key) "
        "  elseif key:find(':delayed$') then "
        "    ct = ct + redis.call('ZCOUNT', key, '-inf', now) "
        "  elseif not key:find(':notify$') then ct = ct + redis.call('LLEN', key) end "
        "end return ct");
}

/* Laravel's own worker is restarted whenever a job has killed it. */
static void work_as_laravel(unsigned round)
{
    char *queues = queue_list(""), *list = must_format("--queues=%s", queues);
    char *ledger = must_format("--ledger=%s/laravels", stage.scene->dir);
    char *acts_option = must_format("--acts=%s", laravels_dsn);
    struct php_process php;
    char name[32];
    int status = 1;

    for (unsigned i = 0; i < CONSUMERS_MAX && status != 0; i++) {
        (void)snprintf(name, sizeof(name), "laravel%u-%u", round, i);
        php_stage_start_consumer(&stage, &php, name, "--database=1", ledger, list,
                                 acts_option, "--tries=3", "--backoff=300",
                                 "--stop-when-empty=1", "--retry-after=1000", NULL);
        status = php_wait(&php);
    }
    ck_assert_int_eq(status, 0);
    free(acts_option);
    free(ledger);
    free(list);
    free(queues);
}

static void make_due(unsigned round)
{
    for (int database = 0; database < 2; database++) {
        freeReplyObject(php_stage_ask(&stage, "SELECT %d", database));
        for (size_t i = 0; i < act_ct; i++)
            if (acts[i].rounds >= round)
                (void)php_stage_int(&stage, "EVAL %s 1 queues:%s:delayed",
                                    "for _, job in ipairs(redis.call('ZRANGE', KEYS[1], "
                                    "0, -1)) do redis.call('ZADD', KEYS[1], 1, job) end",
                                    acts[i].queue);
    }
    freeReplyObject(php_stage_ask(&stage, "SELECT 0"));
}

static char *take_traces(const char *whose, unsigned round, const char *database,
                         const char *dsn, const char *ledger)
{
    char *queues = queue_list("\""), *input = must_format("[%s]", queues);
    char *name = must_format("%s%u", whose, round), *out = must_format("%s.out", name);
    char *traces;

    run_script(name, "traces.php", input, database, dsn, ledger);
    traces = scene_read(stage.scene, out);
    free(out);
    free(name);
    free(input);
    free(queues);
    return traces;
}

static void play(unsigned round)
{
    work_as_laravel(round);
    WAIT_FOR(due_ct() == 0 && php_stage_int(&stage, "ZCARD drover:outbox") == 0);
    drovers[round] = take_traces("drovers", round, "0", server.dsn, "ledger");
    laravels[round] = take_traces("laravels", round, "1", laravels_dsn, "laravels");
}

static void run_all(void)
{
    char *settings;

    postgres_process_make(&server);
    postgres_process_start(&server);
    settings = make_settings();
    php_stage_open(&stage, "", settings);
    stage_acts();
    copy_all();
    scene_start(stage.scene);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round > 0)
            make_due(round);
        play(round);
    }
    scene_stop(stage.scene);
    postgres_process_end(&server); /* first: the scene looks whether anything is left */
    php_stage_close(&stage);
    free(settings);
    free(laravels_dsn);
}

static void forget_all(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        free(drovers[round]);
        free(laravels[round]);
    }
}

/* ---- the comparison ---- */

/* Lines of a queue, each without its name. */
struct lines {
    char *text, *line[64];
    size_t ct;
};

static void take_lines(struct lines *lines, const char *traces, const char *queue)
{
    char *save = NULL, *tab;

    lines->text = must_strdup(traces);
    lines->ct = 0;
    for (char *line = strtok_r(lines->text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        tab = strchr(line, '\t');
        ck_assert_msg(tab != NULL, "%s", line);
        *tab = '\0';
        if (strcmp(line, queue) != 0)
            continue;
        ck_assert_uint_lt(lines->ct, ARRAY_CT(lines->line));
        lines->line[lines->ct++] = tab + 1;
    }
}

/* Takes out what both have. */
static void cancel_out(struct lines *a, struct lines *b)
{
    for (size_t i = 0; i < a->ct; i++)
        for (size_t j = 0; j < b->ct && a->line[i]; j++)
            if (b->line[j] && strcmp(a->line[i], b->line[j]) == 0)
                a->line[i] = b->line[j] = NULL;
}

/* In short where it is expected: without the payload at the end. */
static void add_left(struct buf *text, const char *whose, const struct lines *lines,
                     bool in_short)
{
    char *payload;

    for (size_t i = 0; i < lines->ct; i++) {
        if (lines->line[i] == NULL)
            continue;
        if (in_short && (payload = strstr(lines->line[i], " {")) != NULL)
            *payload = '\0';
        (void)buf_addf(text, "%s: %s\n", whose, lines->line[i]);
    }
}

/* What only one of them has left. */
static char *compare(const char *queue, unsigned round, bool in_short)
{
    struct lines ours, theirs;
    struct buf text;

    buf_init(&text, 0);
    take_lines(&ours, drovers[round], queue);
    take_lines(&theirs, laravels[round], queue);
    cancel_out(&ours, &theirs);
    add_left(&text, "drover", &ours, in_short);
    add_left(&text, "Laravel", &theirs, in_short);
    free(ours.text);
    free(theirs.text);
    return buf_take(&text);
}

START_TEST(a_job_leaves_what_it_leaves_in_laravels_own_worker)
{
    const struct act *act = &acts[_i];

    for (unsigned round = 0; round < ROUNDS; round++) {
        char *difference = compare(act->queue, round, act->different[0]);

        ck_assert_msg(strcmp(difference, act->different) == 0, "%s, after %u rounds:\n%s",
                      act->queue, round, difference);
        free(difference);
    }
}
END_TEST

/* The comparison is worth nothing where there is nothing to compare. */
START_TEST(each_job_leaves_something)
{
    struct lines lines;

    for (size_t i = 0; i < act_ct; i++) {
        take_lines(&lines, laravels[0], acts[i].queue);
        ck_assert_msg(lines.ct > 0, "%s", acts[i].queue);
        free(lines.text);
    }
}
END_TEST

START_TEST(nothing_is_left_that_belongs_to_no_job)
{
    char *difference = compare("-", ROUNDS - 1, false);

    ck_assert_str_eq(difference, "");
    free(difference);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, run_all, forget_all);
    tcase_add_loop_test(tc, a_job_leaves_what_it_leaves_in_laravels_own_worker, 0,
                        (int)act_ct);
    tcase_add_test(tc, each_job_leaves_something);
    tcase_add_test(tc, nothing_is_left_that_belongs_to_no_job);
}

int main(void)
{
    int status;

    if (!postgres_process_is_installed())
        return 77;
    read_acts();
    MUST(act_ct > 40); /* an empty table would compare nothing */
    status = run_suite("laravel_same", 60, add);
    free_acts();
    return status;
}
