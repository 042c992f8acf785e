/* Laravel's database queue moves to Redis while its own workers go on: DatabaseQueue
 * produces, `queue:work database` works, imports die one after the other, and what
 * reaches Redis is run by Laravel's Redis worker and by drover. Each job ends once. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/must.h"
#include "tests/support/php_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum { JOB_CT = 2000 };

static struct scene *scene;
static pid_t importer; /* below 0: was killed */

static const char settings[] = "pools: ( { name = \"main\"; queues = [ \"high\", "
                               "\"default\", \"low\" ]; workers = 1; "
                               "concurrency = 4; } );\n"
                               "jobs: ( { name = \"task\"; type = \"shell\"; command = [ "
                               "\"/bin/sh\", \"-c\", \"printf "
                               "'end %s %s drover 0\\\\n' $DROVER_JOB_UUID "
                               "$DROVER_ATTEMPT >> @DIR@/ledger\" ]; } );\n";

static void set_up(void)
{
    postgres_process_start(&server);
    (void)postgres_process_do(&server, FRESH_SCHEMA LARAVEL_JOBS_TABLE);
    scene = scene_create(SCENE_PROXY, settings);
}

static void tear_down(void)
{
    scene_stop(scene);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    scene_destroy(scene);
}

/* ---- who takes part ---- */

static void start_php(struct php_process *php, const char *name, const char *script,
                      const char *mode)
{
    char database[96], socket[96], ledger[96], who[64], ct[32];
    const char *options[] = {socket, ledger, who, NULL, NULL, NULL, NULL};

    (void)snprintf(socket, sizeof(socket), "--socket=%s/redis.sock", scene->dir);
    (void)snprintf(ledger, sizeof(ledger), "--ledger=%s/ledger", scene->dir);
    (void)snprintf(who, sizeof(who), "--who=%s", name);
    (void)snprintf(database, sizeof(database), "--database=%s", server.dir);
    (void)snprintf(ct, sizeof(ct), "--ct=%d", JOB_CT);
    if (mode) {
        options[3] = database;
        options[4] = mode;
        options[5] = ct;
    }
    php_start(php, scene->dir, name, script, options);
}

static pid_t start_import(void)
{
    char *line =
        must_format("exec \"$0\" import database -c \"$1\" --dsn '%s' --limit 300 "
                    "> \"$2/import.out\" 2>&1",
                    server.dsn);
    pid_t supervisor = scene->supervisor, pid;

    scene_spawn_by(scene, line);
    pid = scene->supervisor;
    scene->supervisor = supervisor;
    free(line);
    return pid;
}

static int finish(pid_t pid)
{
    int status = 0;

    WAIT_FOR(waitpid(pid, &status, WNOHANG) == pid);
    return status;
}

static void kill_importer(void *arg, enum proxy_step step,
                          const struct proxy_request *request)
{
    if (importer <= 0 || step != *(const enum proxy_step *)arg)
        return;
    (void)kill(importer, SIGKILL);
    while (process_exists(importer))
        ;
    proxy_link_cut(request->link, PROXY_RST);
    importer = -importer;
}

/* An import that is killed at the step, or comes to its end before. */
static void import_and_kill(const char *command, const char *script, enum proxy_step step)
{
    struct proxy_rule rule = {
        .command = command, .script = script, .cb = kill_importer, .arg = &step};
    int status = 0;
    pid_t pid;

    proxy_on(scene->proxy, &rule);
    pid = importer = start_import();
    WAIT_FOR(importer < 0 || waitpid(pid, &status, WNOHANG) == pid);
    if (importer < 0)
        (void)finish(pid);
    importer = 0;
    proxy_forget_rules(scene->proxy);
}

static long long row_ct(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM jobs");
}

static void import_until_empty(void)
{
    while (row_ct() > 0) {
        int status = finish(start_import());
        char *said = scene_read(scene, "import.out");

        ck_assert_msg(status == 0, "wait status %d: %s", status, said);
        free(said);
        wait_pause();
    }
}

/* ---- what came of it ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The uuids of the ledger's "end" lines, sorted; NULL behind the last. */
static size_t ends_of(char *ledger, char **uuids, size_t max)
{
    size_t ct = 0;
    char *rest = ledger, *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, "end ", 4) != 0)
            continue;
        ck_assert_uint_lt(ct, max);
        line[4 + strcspn(line + 4, " ")] = '\0';
        uuids[ct++] = line + 4;
    }
    qsort(uuids, ct, sizeof(*uuids), by_text);
    return ct;
}

static bool has_ended(void)
{
    size_t ct;
    char *ledger = scene_read(scene, "ledger");
    static char *uuids[2 * JOB_CT];

    ct = ends_of(ledger, uuids, ARRAY_CT(uuids));
    free(ledger);
    return ct >= JOB_CT;
}

/* Whether somebody of that name has ended jobs. */
static bool has_worked(const char *who)
{
    char *ledger = scene_read(scene, "ledger"), *rest = ledger, *line;
    bool found = false;

    while (!found && (line = strsep(&rest, "\n")) != NULL)
        found = strncmp(line, "end ", 4) == 0 && strstr(line, who);
    free(ledger);
    return found;
}

static void expect_each_once(void)
{
    static char *uuids[2 * JOB_CT];
    char *ledger = scene_read(scene, "ledger");
    size_t ct = ends_of(ledger, uuids, ARRAY_CT(uuids));

    for (size_t i = 1; i < ct; i++)
        ck_assert_msg(strcmp(uuids[i], uuids[i - 1]) != 0, "%s ended twice", uuids[i]);
    ck_assert_uint_eq(ct, JOB_CT);
    free(ledger);
    ck_assert_uint_eq(scene_lines(scene, "made.out"), JOB_CT);
}

START_TEST(two_thousand_jobs_end_once_while_imports_die)
{
    struct php_process maker, database, redis;

    start_php(&maker, "made", "database_queue.php", "--mode=produce");
    php_finish(&maker);
    scene_start(scene);
    start_php(&redis, "redis", "consumer.php", NULL);
    import_and_kill(NULL, "import", PROXY_EXECUTED);
    start_php(&database, "database", "database_queue.php", "--mode=work");
    WAIT_FOR(has_worked(" database "));
    import_and_kill(NULL, "import", PROXY_ASKED);
    import_and_kill(NULL, "import", PROXY_EXECUTED);
    import_and_kill("SET", NULL, PROXY_EXECUTED);
    import_and_kill("ZREM", NULL, PROXY_ASKED);
    import_until_empty();
    WAIT_FOR(has_ended());
    php_stop(&database);
    php_stop(&redis);
    ck_assert(has_worked(" redis ") || has_worked(" drover "));
    expect_each_once();
}
END_TEST

static void add_tests(TCase *tc)
{
    add_cluster(tc);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, two_thousand_jobs_end_once_while_imports_die);
}

int main(void)
{
    if (!postgres_process_is_installed() ||
        system("php -r 'exit(extension_loaded(\"pdo_pgsql\") && "
               "extension_loaded(\"redis\") && stream_resolve_include_path("
               "\"Illuminate/Database/autoload.php\") ? 0 : 1);' 2> /dev/null") != 0)
        return 77;
    return run_suite("php_import", 240, add_tests);
}
