/* Pausing, clearing and watching queues from the command line, and Artisan's names of
 * commands: the built drover, a shell, a real redis-server. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/shell.h"
#include "tests/unit/suite.h"

static const char settings[] =
    "jobs: ( { name = \"note\"; type = \"noop\"; } );\n"
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\" ]; },"
    "         { name = \"side\"; queues = [ \"default\", \"low\" ]; } );\n";

static struct shell *sh;

static void set_up(void)
{
    ck_assert_int_eq(shell_run(sh, "redis-cli -s $S FLUSHALL"), 0);
}

static void expect(int exit_code, const char *line)
{
    ck_assert_msg(shell_run(sh, "%s", line) == exit_code, "%s: exit %d, not %d: %s%s",
                  line, sh->exit_code, exit_code, sh->out.data, sh->err.data);
}

#define IN_OUT(text) ck_assert_msg(strstr(sh->out.data, text) != NULL, "%s", sh->out.data)
#define IN_ERR(text) ck_assert_msg(strstr(sh->err.data, text) != NULL, "%s", sh->err.data)

/* make check sets it; by hand it is the directory above the build's. */
static const char *source_dir(void)
{
    const char *dir = getenv("srcdir");

    return dir ? dir : "..";
}

/* ---- pause ---- */

START_TEST(queues_are_paused_by_name_by_configuration_and_all_at_once)
{
    expect(0, "$D pause mail high");
    ck_assert_str_eq(sh->out.data, "mail: paused\nhigh: paused");
    expect(0, "$D pause high");
    ck_assert_str_eq(sh->out.data, "high: paused already");
    expect(0, "$D queue list");
    IN_OUT("PAUSED SINCE");
    expect(0, "$D queue list mail --json");
    IN_OUT("\"paused\":true,\"paused_since\":\"20");
    expect(0, "$D resume low high --json");
    ck_assert_str_eq(sh->out.data,
                     "[\n{\"queue\":\"low\",\"paused\":false,\"changed\":false},\n"
                     "{\"queue\":\"high\",\"paused\":false,\"changed\":true}\n]");
    expect(0, "$D pause");
    ck_assert_str_eq(sh->out.data, "high: paused\ndefault: paused\nlow: paused");
    expect(0, "$D pause --all");
    ck_assert_str_eq(sh->out.data, "all queues: paused");
    expect(0, "$D resume high");
    IN_ERR("drover resume --all");
    expect(0, "$D queue list other --json");
    IN_OUT("\"paused\":true");
    expect(0, "$D resume --all");
    IN_OUT("all queues: resumed");
    IN_OUT("mail: resumed");
    expect(0, "redis-cli -s $S EXISTS drover:paused");
    ck_assert_str_eq(sh->out.data, "0");
    expect(0, "$D resume --all");
    IN_ERR("nothing is paused");
}
END_TEST

START_TEST(what_cannot_be_paused_is_refused)
{
    static const char *const lines[] = {"$D pause ''", "$D pause '*'",
                                        "$D pause q:delayed", "$D pause q --all"};

    for (size_t i = 0; i < ARRAY_CT(lines); i++)
        expect(2, lines[i]);
    expect(0, "redis-cli -s $S SET drover:paused x");
    expect(1, "$D pause q");
    expect(0, "$D queue list --json");
    IN_OUT("\"paused\":null");
}
END_TEST

/* ---- clear ---- */

START_TEST(queue_clear_counts_asks_and_spares_running_jobs)
{
    static const char fill[] = "redis-cli -s $S FLUSHALL >/dev/null; redis-cli -s $S "
                               "RPUSH queues:q a b >/dev/null;"
                               "redis-cli -s $S ZADD queues:q:delayed 1 c >/dev/null;"
                               "redis-cli -s $S ZADD queues:q:reserved 1 d >/dev/null; ";

    expect(0, fill);
    expect(0, "$D queue clear q --dry-run");
    ck_assert_str_eq(sh->out.data, "3 jobs would be removed");
    expect(0, "$D queue clear q --dry-run --reserved --json");
    ck_assert_str_eq(sh->out.data, "{\"removed\":4,\"dry_run\":true}");
    expect(0, "redis-cli -s $S LLEN queues:q");
    ck_assert_str_eq(sh->out.data, "2");
    expect(0, "$D queue clear q --yes");
    ck_assert_str_eq(sh->out.data, "3 jobs removed");
    expect(0, "$D queue clear q --yes --reserved");
    ck_assert_str_eq(sh->out.data, "1 job removed");
}
END_TEST

START_TEST(on_a_terminal_clear_asks_first)
{
    expect(0, "redis-cli -s $S RPUSH queues:q a b");
    ck_assert_int_eq(shell_run_tty(sh, "n\n", "$D queue clear q"), 1);
    IN_OUT("Remove 2 jobs from queue q? [y/N]");
    IN_OUT("nothing was changed");
    ck_assert_int_eq(shell_run_tty(sh, "y\n", "$D queue clear q"), 0);
    IN_OUT("2 jobs removed");
    expect(0, "redis-cli -s $S RPUSH queues:q a");
    ck_assert_int_eq(shell_run_tty(sh, "n\n", "$D queue clear q"), 1);
    IN_OUT("Remove 1 job from queue q? [y/N]");
}
END_TEST

/* ---- monitor ---- */

START_TEST(a_queue_with_too_many_jobs_is_told_by_the_exit_code)
{
    expect(0, "redis-cli -s $S RPUSH queues:low 1 2 >/dev/null;"
              "redis-cli -s $S ZADD queues:low:delayed 9 x >/dev/null;"
              "$D queue monitor");
    ck_assert_str_eq(sh->out.data, "QUEUE    SIZE   MAX  STATUS\n"
                                   "high        0  1000  OK\n"
                                   "default     0  1000  OK\n"
                                   "low         3  1000  OK");
    expect(0, "$D queue monitor low --max 4");
    expect(10, "$D queue monitor low --max 3");
    expect(10, "$D queue monitor default low:2 --json");
    ck_assert_str_eq(sh->out.data,
                     "[\n{\"queue\":\"default\",\"size\":0,\"ready\":0,\"delayed\":0,"
                     "\"reserved\":0,\"max\":1000,\"status\":\"OK\"},\n"
                     "{\"queue\":\"low\",\"size\":3,\"ready\":2,\"delayed\":1,"
                     "\"reserved\":0,\"max\":2,\"status\":\"ALERT\"}\n]");
    expect(0, "$D queue monitor a:b:7 --json");
    IN_OUT("\"queue\":\"a:b\",\"size\":0");
    expect(0, "$D queue monitor a:b --json");
    IN_OUT("\"queue\":\"a:b\",");
    expect(2, "$D queue monitor low --max many");
    expect(2, "$D queue monitor :7");
}
END_TEST

/* ---- Artisan ---- */

START_TEST(artisans_names_of_commands_do_what_they_say)
{
    expect(0, "$D push note --queue low; $D queue:clear redis --queue=low --force");
    IN_OUT("1 job removed");
    expect(0, "$D queue:pause redis:mail -n");
    ck_assert_str_eq(sh->out.data, "mail: paused");
    expect(0, "$D -c $T/drover.conf queue:continue mail");
    ck_assert_str_eq(sh->out.data, "mail: resumed");
    expect(0, "$D push note --queue low >/dev/null; $D queue:monitor default,redis:low "
              "--max=2");
    expect(10, "$D queue:monitor default,redis:low --max=1");
    expect(0, "$D queue:failed --json");
    expect(0, "$D queue:retry all");
    expect(2, "$D queue:retry --range=1-5");
    IN_ERR("uuids");
    expect(3, "$D queue:forget 00000000-0000-4000-8000-000000000000");
    expect(0, "$D queue:flush && $D queue:flush --hours=48 && $D queue:prune-failed");
    expect(3, "$D queue:restart --timeout 0");
    expect(0, "$D queue:retry --help");
    IN_OUT("drover failed retry");
    expect(2, "$D queue:rety all");
    IN_ERR("did you mean `queue:retry`?");
}
END_TEST

START_TEST(artisans_names_are_completed_once_they_are_begun)
{
    static const char line[] =
        "bash -c '. $0/contrib/drover.bash; COMP_WORDS=(%s); COMP_CWORD=%d; _drover $D;"
        " echo \"${COMPREPLY[*]}\"' %s";

    expect(0, "$D --complete queue");
    ck_assert_str_eq(sh->out.data, "queue");
    expect(0, "$D --complete queue:re");
    ck_assert_str_eq(sh->out.data, "queue:retry\nqueue:resume\nqueue:restart");
    ck_assert_int_eq(shell_run(sh, line, "drover queue : ret", 3, source_dir()), 0);
    ck_assert_str_eq(sh->out.data, "retry"); /* bash has the rest */
    ck_assert_int_eq(shell_run(sh, line, "drover queue :", 2, source_dir()), 0);
    IN_OUT("failed retry forget");
}
END_TEST

START_TEST(the_manual_lists_all_of_artisans_names)
{
    static const char line[] =
        "for n in $($D --complete queue:) $($D --complete horizon:); do"
        " grep -qE \"(Ql|,) ?$n|$n ,\" %s/docs/drover.1 || echo $n; done";

    ck_assert_int_eq(shell_run(sh, line, source_dir()), 0);
    ck_assert_str_eq(sh->out.data, "");
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, queues_are_paused_by_name_by_configuration_and_all_at_once);
    tcase_add_test(tc, what_cannot_be_paused_is_refused);
    tcase_add_test(tc, queue_clear_counts_asks_and_spares_running_jobs);
    tcase_add_test(tc, on_a_terminal_clear_asks_first);
    tcase_add_test(tc, a_queue_with_too_many_jobs_is_told_by_the_exit_code);
    tcase_add_test(tc, artisans_names_of_commands_do_what_they_say);
    tcase_add_test(tc, artisans_names_are_completed_once_they_are_begun);
    tcase_add_test(tc, the_manual_lists_all_of_artisans_names);
}

int main(void)
{
    int status;

    signal(SIGPIPE, SIG_DFL);
    sh = shell_open(settings);
    status = run_suite("cli_queues", 60, add);
    shell_close(sh);
    return status;
}
