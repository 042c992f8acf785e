/* Pausing, clearing and watching queues from the command line, and Artisan's names of
 * commands: the built drover, a shell, a real redis-server. */
#include "tests/support/shell_fixture.h"

static const char settings[] =
    "jobs: ( { name = \"note\"; type = \"noop\"; } );\n"
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\" ]; },"
    "         { name = \"side\"; queues = [ \"default\", \"low\" ]; } );\n";

static void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL");
}

/* ---- pause ---- */

START_TEST(queues_are_paused_by_name_by_configuration_and_all_at_once)
{
    expect_out("$D pause mail high", "mail: paused\nhigh: paused");
    expect_out("$D pause high", "high: paused already");
    expect(0, "$D queue list");
    IN_OUT("PAUSED SINCE");
    expect(0, "$D queue list mail --json");
    IN_OUT("\"paused\":true,\"paused_since\":\"20");
    expect_out("$D resume low high --json",
               "[\n{\"queue\":\"low\",\"paused\":false,\"changed\":false},\n"
               "{\"queue\":\"high\",\"paused\":false,\"changed\":true}\n]");
    expect_out("$D pause", "high: paused\ndefault: paused\nlow: paused");
    expect_out("$D pause --all", "all queues: paused");
    expect(0, "$D resume high");
    IN_ERR("drover resume --all");
    expect(0, "$D queue list other --json");
    IN_OUT("\"paused\":true");
    expect(0, "$D resume --all");
    IN_OUT("all queues: resumed");
    IN_OUT("mail: resumed");
    expect_out("redis-cli -s $S EXISTS drover:paused", "0");
    expect(0, "$D resume --all");
    IN_ERR("nothing is paused");
}
END_TEST

START_TEST(who_pauses_a_queue_that_nobody_reads_is_warned)
{
    expect(0, "$D pause low hgih");
    ck_assert_str_eq(sh->out.data, "low: paused\nhgih: paused");
    ck_assert_str_eq(sh->err.data,
                     "drover: warning: no pool in the configuration reads queue hgih: "
                     "did you mean high?");
    expect(0, "$D resume low hgih");
    ck_assert_str_eq(sh->err.data, "");
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
    expect_out("$D queue clear q --dry-run", "3 jobs would be removed");
    expect_out("$D queue clear q --dry-run --reserved --json",
               "{\"removed\":4,\"dry_run\":true}");
    expect_out("redis-cli -s $S LLEN queues:q", "2");
    expect_out("$D queue clear q --yes", "3 jobs removed");
    expect_out("$D queue clear q --yes --reserved", "1 job removed");
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
    expect_out("redis-cli -s $S RPUSH queues:low 1 2 >/dev/null;"
               "redis-cli -s $S ZADD queues:low:delayed 9 x >/dev/null;"
               "$D queue monitor",
               "QUEUE    SIZE   MAX  STATUS\n"
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

START_TEST(a_misspelt_queue_is_no_short_one)
{
    static const char unread[] = "drover: warning: no pool in the configuration reads ";

    expect(0, "$D queue monitor hgih low");
    IN_OUT("hgih      0  1000  OK\n");
    ck_assert_str_eq(sh->err.data, "drover: warning: no pool in the configuration reads "
                                   "queue hgih: did you mean high?");
    expect(0, "$D queue:monitor redis:somewhere --max=5");
    ck_assert_str_eq(sh->err.data, "drover: warning: no pool in the configuration reads "
                                   "queue somewhere");
    expect(0, "$D queue monitor high default low");
    ck_assert_str_eq(sh->err.data, "");
    expect(0, "redis-cli -s $S ZADD queues:hgih:delayed 9 x >/dev/null;"
              "$D queue monitor hgih");
    ck_assert_str_eq(sh->err.data, ""); /* it is there: another's */
    expect(0, "mkdir -p $T/no && cd $T/no && env -u DROVER_CONFIG REDIS_HOST=$S $D queue "
              "monitor mail");
    ck_assert_msg(strstr(sh->err.data, unread) == NULL, "%s", sh->err.data);
}
END_TEST

/* ---- Artisan ---- */

START_TEST(artisans_names_of_commands_do_what_they_say)
{
    expect(0, "$D push note --queue low; $D queue:clear redis --queue=low --force");
    IN_OUT("1 job removed");
    expect_out("$D queue:pause redis:mail -n", "mail: paused");
    expect_out("$D -c $T/drover.conf queue:continue mail", "mail: resumed");
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

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, queues_are_paused_by_name_by_configuration_and_all_at_once);
    tcase_add_test(tc, who_pauses_a_queue_that_nobody_reads_is_warned);
    tcase_add_test(tc, what_cannot_be_paused_is_refused);
    tcase_add_test(tc, queue_clear_counts_asks_and_spares_running_jobs);
    tcase_add_test(tc, on_a_terminal_clear_asks_first);
    tcase_add_test(tc, a_queue_with_too_many_jobs_is_told_by_the_exit_code);
    tcase_add_test(tc, a_misspelt_queue_is_no_short_one);
    tcase_add_test(tc, artisans_names_of_commands_do_what_they_say);
}

int main(void)
{
    return run_shell_suite("cli_queues", settings, 60, add);
}
