/* drover and Laravel's own DatabaseUuidFailedJobProvider on one table of failed jobs:
 * what one writes the other lists, shows and retries. In the lines, $P is the database's
 * conninfo, $L runs Laravel's side. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/support/postgres_fixture.h"
#include "tests/support/shell_fixture.h"

static void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL");
    (void)postgres_process_do(&server, "SET client_min_messages = warning; "
                                       "DROP TABLE IF EXISTS failed_jobs");
    expect(0, "$D failed migrate");
}

/* Runs the supervisor until as many jobs have failed for good and are in the table. */
static void work_until_failed(const char *ct)
{
    char *line = must_format(
        "$D supervise > $T/log 2>&1 & pid=$!; n=0; "
        "until $D failed list --json > $T/list 2> /dev/null && "
        "! grep -q waiting $T/list && "
        "[ \"$(grep -o '\"uuid\"' $T/list | wc -l)\" = %s ]; do "
        "n=$((n + 1)); [ $n -lt 300 ] || break; sleep 0.1; done; kill $pid; wait $pid; "
        "[ $n -lt 300 ]",
        ct);

    expect(0, line);
    free(line);
}

#define PAYLOAD                                                                          \
    "{\"uuid\":\"0f0f0f0f-0000-4000-8000-000000000001\",\"displayName\":\"App\\\\"       \
    "Jobs\\\\Mail\",\"job\":\"Illuminate\\\\Queue\\\\CallQueuedHandler@"                 \
    "call\",\"maxTries\":3,\"data\":{\"to\":\"J\\u00f6rg \xc3\xb6\"},\"id\":\"abc\","    \
    "\"attempts\":2}"

START_TEST(laravel_lists_and_retries_what_drover_wrote)
{
    expect(0, "$D push broken '{\"a\":\"\xc3\xb6\"}' --queue high --tries 1 > $T/uuid");
    work_until_failed("1");
    expect(0, "$L all");
    IN_OUT(" redis high broken");
    expect_out("$L all | cut -d' ' -f1 | cmp - $T/uuid && echo same", "same");
    expect(0, "$L find $(cat $T/uuid)");
    IN_OUT("\"data\":{\"a\":\"\xc3\xb6\"}");
    expect_out("$L retry $(cat $T/uuid)", "retried");
    expect_out("redis-cli -s $S LLEN queues:high", "1");
    expect_out("$D failed list --json", "[]");
    work_until_failed("1"); /* and again, under the same uuid */
    expect(0, "$D failed show $(cat $T/uuid)");
    IN_OUT("exit status 3");
}
END_TEST

START_TEST(laravel_retries_what_no_text_can_hold)
{
    expect(0, "printf 'no \\000json \\377' | redis-cli -s $S -x RPUSH queues:high");
    work_until_failed("1");
    expect(0, "$L all");
    IN_OUT("redis high drover.raw");
    expect_out("$L retry $($L all | cut -d' ' -f1)", "retried");
    work_until_failed("1");
    expect_out("$D failed list --json --payload | grep -o 'payload_base64\":\"[^\"]*'",
               "payload_base64\":\"bm8gAGpzb24g/w==");
}
END_TEST

START_TEST(drover_lists_shows_and_retries_what_laravel_wrote)
{
    expect_out("$L log high '" PAYLOAD "'", "0f0f0f0f-0000-4000-8000-000000000001");
    expect(0, "$D failed list --json");
    IN_OUT("{\"uuid\":\"0f0f0f0f-0000-4000-8000-000000000001\",\"connection\":\"redis\","
           "\"queue\":\"high\",\"job\":\"App\\\\Jobs\\\\Mail\",\"attempts\":3,\"reason\":"
           "\"RuntimeException: no luck\"");
    expect(0, "$D failed show 0f0f");
    IN_OUT("Stack trace:");
    expect(0, "$D failed retry 0f0f");
    expect_out("$L all", "");
    expect(0, "redis-cli -s $S LPOP queues:high > $T/again");
    expect(0, "printf '%s\\n' '" PAYLOAD "' | sed 's/\"attempts\":2/\"attempts\":0/' | "
              "cmp - $T/again");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, laravel_lists_and_retries_what_drover_wrote);
    tcase_add_test(tc, laravel_retries_what_no_text_can_hold);
    tcase_add_test(tc, drover_lists_shows_and_retries_what_laravel_wrote);
}

static void set_laravel(void)
{
    char *line = must_format("php '%s/tests/php/failed.php' '%s' %s", TOP_SRCDIR,
                             server.dsn, sh->redis.socket);
    FILE *file;
    char path[96];

    snprintf(path, sizeof(path), "%s/laravel", sh->dir);
    file = fopen(path, "we");
    MUST(file != NULL);
    fprintf(file, "#!/bin/sh\nexec %s \"$@\"\n", line);
    fclose(file);
    MUST(chmod(path, 0700) == 0);
    setenv("L", path, 1);
    free(line);
}

int main(void)
{
    char *settings;
    int status;

    if (!postgres_process_is_installed() ||
        system("php -r 'exit(extension_loaded(\"pdo_pgsql\") && "
               "extension_loaded(\"redis\") && stream_resolve_include_path("
               "\"Illuminate/Database/autoload.php\") ? 0 : 1);' 2> /dev/null") != 0)
        return 77;
    postgres_process_make(&server);
    postgres_process_start(&server);
    settings = must_format(
        "failed: { store = \"postgres\"; dsn = \"%s\"; };\n"
        "pools: ( { name = \"main\"; queues = [ \"high\" ]; workers = 1; } );\n"
        "jobs: ( { name = \"broken\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", "
        "\"exit 3\" ]; tries = 1; } );",
        server.dsn);
    sh = shell_open(settings);
    free(settings);
    set_laravel();
    status = run_suite("php_failed", 240, add_tests);
    shell_close(sh);
    postgres_process_end(&server);
    return status;
}
