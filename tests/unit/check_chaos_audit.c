/* The audit of a chaos run sees what it must see: from ledgers made by hand, each with
 * one thing wrong; and a plan is its seed's. */
#include <check.h>
#include <string.h>

#include "tests/chaos/audit.h"
#include "tests/chaos/blame.h"
#include "tests/chaos/producer.h"
#include "tests/unit/suite.h"

#define S INT64_C(1000000000)

enum { JOBS = 4, WORKER = 100, OTHER_WORKER = 200 };

/* A run of four jobs, of which one tells its story; nothing is wrong yet. */
struct story {
    struct planned_job jobs[JOBS];
    struct plan plan;
    unsigned char acks[JOBS];
    struct ledger ledger;
    struct log_marks marks[JOBS];
    unsigned failed[JOBS], pending[JOBS], spoilt[JOBS];
    struct holdings holdings;
    struct fault_event events[4];
    size_t event_ct;
};

static struct story story;
static struct audit audit;

static void begin(enum job_kind kind)
{
    memset(&story, 0, sizeof(story));
    for (uint32_t n = 0; n < JOBS; n++)
        story.jobs[n] = (struct planned_job){.n = n, .kind = JOB_NOOP};
    story.jobs[0].kind = (uint8_t)kind;
    for (size_t n = 1; n < JOBS; n++) {
        story.acks[n] = ACK_DONE;
        story.marks[n].done = 1;
    }
    story.acks[0] = ACK_DONE;
    story.plan = (struct plan){.jobs = story.jobs, .job_ct = JOBS};
    story.holdings = (struct holdings){
        .failed = story.failed, .pending = story.pending, .spoilt = story.spoilt};
}

static void fault(enum fault_kind kind, double from_s, double to_s, pid_t pid)
{
    struct fault_event *event = &story.events[story.event_ct++];

    *event = (struct fault_event){.plan.kind = (uint8_t)kind,
                                  .from_ns = (int64_t)(from_s * (double)S),
                                  .to_ns = (int64_t)(to_s * (double)S)};
    if (pid)
        event->pids[event->pid_ct++] = pid;
}

/* The audit of these ledger lines: "WHAT NUMBER HOST WORKER PID ATTEMPT NS OK". */
static void audit_of(const char *lines)
{
    ledger_parse(&story.ledger, lines);
    audit_make(&audit, &(struct audit_input){.plan = &story.plan,
                                             .acks = story.acks,
                                             .ledger = &story.ledger,
                                             .marks = story.marks,
                                             .holdings = &story.holdings,
                                             .events = story.events,
                                             .event_ct = story.event_ct});
    ledger_free(&story.ledger);
}

#define WENT_WELL                                                                        \
    "S 0 0 100 7 1 1000000000 0\n"                                                       \
    "E 0 0 100 7 1 2000000000 1\n"
#define CUT_SHORT "S 0 0 100 7 1 1000000000 0\n"
#define WENT_WELL_LATER                                                                  \
    "S 0 1 200 8 1 9000000000 0\n"                                                       \
    "E 0 1 200 8 1 9500000000 1\n"

START_TEST(a_run_without_a_fault_is_clean)
{
    begin(JOB_QUICK);
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.finding_ct, 0);
    ck_assert_uint_eq(audit.done, JOBS);
    ck_assert_uint_eq(audit.enqueued, JOBS);
}
END_TEST

START_TEST(a_job_that_left_no_trace_is_lost)
{
    begin(JOB_QUICK);
    audit_of("");
    ck_assert_uint_eq(audit.lost, 1);
    ck_assert_uint_eq(audit.finding_ct, 1);
}
END_TEST

START_TEST(a_job_that_began_and_never_ended_is_lost)
{
    begin(JOB_QUICK);
    fault(FAULT_KILL_WORKER, 1.5, 1.5, WORKER);
    audit_of(CUT_SHORT);
    ck_assert_uint_eq(audit.lost, 1);
}
END_TEST

START_TEST(one_of_two_twins_can_be_lost)
{
    begin(JOB_TWIN);
    story.jobs[1] = story.jobs[0];
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.lost, 1);
    audit_of(WENT_WELL WENT_WELL_LATER);
    ck_assert_uint_eq(audit.lost, 0);
    ck_assert_uint_eq(audit.reruns, 0);
}
END_TEST

START_TEST(noops_that_are_missing_without_a_death_are_lost)
{
    begin(JOB_QUICK);
    story.marks[2].done = 0;
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.lost, 1);
    fault(FAULT_KILL_WORKER, 1, 1, OTHER_WORKER);
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.lost, 0);
}
END_TEST

START_TEST(a_push_without_an_answer_may_be_there_or_not)
{
    begin(JOB_QUICK);
    story.acks[0] = ACK_MAYBE;
    audit_of("");
    ck_assert_uint_eq(audit.finding_ct, 0);
    ck_assert_uint_eq(audit.indeterminate, 1);
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.finding_ct, 0);
    story.acks[0] = ACK_NONE;
    audit_of("");
    ck_assert_uint_eq(audit.unsent, 1);
}
END_TEST

START_TEST(a_second_run_without_a_fault_is_unexplained)
{
    begin(JOB_QUICK);
    audit_of(WENT_WELL WENT_WELL_LATER);
    ck_assert_uint_eq(audit.reruns, 1);
    ck_assert_uint_eq(audit.unexplained_reruns, 1);
    ck_assert_uint_eq(audit.finding_ct, 1);
}
END_TEST

/* What the story's second run, eight seconds after the first, is put down to. */
static const struct {
    enum fault_kind kind;
    double from_s, to_s;
    pid_t pid;
    const char *lines;
    bool explains;
} causes[] = {
    {FAULT_KILL_WORKER, 1.5, 1.5, WORKER, CUT_SHORT WENT_WELL_LATER, true},
    {FAULT_KILL_WORKER, 2.1, 2.1, WORKER, WENT_WELL WENT_WELL_LATER, true},
    {FAULT_KILL_WORKER, 1.5, 1.5, OTHER_WORKER + 1, CUT_SHORT WENT_WELL_LATER, false},
    {FAULT_KILL_WORKER, 0.5, 0.5, WORKER, CUT_SHORT WENT_WELL_LATER, false},
    {FAULT_KILL_WORKER, 9.5, 9.5, WORKER, CUT_SHORT WENT_WELL_LATER, false},
    {FAULT_STOP_WORKER, 0.5, 7, WORKER, WENT_WELL WENT_WELL_LATER, true},
    {FAULT_TERM_SUPER, 1.5, 2, 0, CUT_SHORT WENT_WELL_LATER, true},
    {FAULT_TERM_SUPER, 1.5, 2, 0, WENT_WELL WENT_WELL_LATER, false},
    {FAULT_NET_BLACKHOLE, 1.5, 8, 0, WENT_WELL WENT_WELL_LATER, true},
    {FAULT_NET_BLACKHOLE, 1.5, 1.7, 0, WENT_WELL WENT_WELL_LATER, false},
    {FAULT_REDIS_STOP, 1.5, 5, 0, WENT_WELL WENT_WELL_LATER, true},
    {FAULT_NET_RST, 1.5, 1.5, 0, WENT_WELL WENT_WELL_LATER, false},
    {FAULT_CLOCK, 0.5, 8, 0, WENT_WELL WENT_WELL_LATER, false},
    {FAULT_STOP_SUPER, 0.5, 8, WORKER, WENT_WELL WENT_WELL_LATER, false}};

START_TEST(a_second_run_is_explained_by_what_can_cause_it)
{
    for (size_t i = 0; i < ARRAY_CT(causes); i++) {
        begin(JOB_QUICK);
        fault(causes[i].kind, causes[i].from_s, causes[i].to_s, causes[i].pid);
        audit_of(causes[i].lines);
        ck_assert_uint_eq(audit.reruns, 1);
        ck_assert_msg(audit.unexplained_reruns == !causes[i].explains, "%zu: %s", i,
                      fault_infos[causes[i].kind].name);
    }
}
END_TEST

START_TEST(poison_beside_it_explains_a_second_run)
{
    begin(JOB_QUICK);
    story.jobs[1].kind = JOB_POISON;
    story.failed[1] = 1;
    story.marks[1].done = 0;
    audit_of("S 1 0 100 9 1 1200000000 0\n" CUT_SHORT WENT_WELL_LATER);
    ck_assert_uint_eq(audit.reruns, 1);
    ck_assert_uint_eq(audit.finding_ct, 0);
}
END_TEST

START_TEST(two_runs_at_once_need_a_holder_that_could_not_be_told)
{
    static const char lines[] = "S 0 0 100 7 1 1000000000 0\n"
                                "E 0 0 100 7 1 9900000000 1\n"
                                "O 0 1 200 8 1 9000000000 0\n"
                                "E 0 1 200 8 1 9500000000 1\n";

    begin(JOB_SLOW);
    fault(FAULT_KILL_WORKER, 1.5, 1.5, WORKER);
    audit_of(lines);
    ck_assert_uint_eq(audit.overlaps, 1);
    ck_assert_uint_eq(audit.unexplained_overlaps, 1);
    ck_assert_uint_eq(audit.unexplained_reruns, 0);
    fault(FAULT_NET_BLACKHOLE, 1.5, 8, 0);
    audit_of(lines);
    ck_assert_uint_eq(audit.unexplained_overlaps, 0);
}
END_TEST

START_TEST(done_and_failed_too_is_found)
{
    begin(JOB_QUICK);
    story.failed[0] = 1;
    story.marks[0].done = 1;
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.done_and_failed, 1);
    fault(FAULT_KILL_WORKER, 2.1, 2.1, WORKER); /* the ack may never have been sent */
    story.marks[0].alone = 1;
    audit_of(WENT_WELL);
    ck_assert_uint_eq(audit.finding_ct, 0);
}
END_TEST

START_TEST(attempts_over_tries_are_found)
{
    begin(JOB_QUICK);
    audit_of("S 0 0 100 7 4 1000000000 0\nE 0 0 100 7 4 2000000000 1\n");
    ck_assert_uint_eq(audit.over_tries, 1);
}
END_TEST

START_TEST(a_fault_that_spent_an_attempt_is_found)
{
    begin(JOB_DOOMED);
    story.failed[0] = 1;
    audit_of("S 0 0 100 7 1 1000000000 0\nE 0 0 100 7 1 2000000000 0\n"
             "S 0 0 100 8 2 3000000000 0\nE 0 0 100 8 2 4000000000 0\n");
    ck_assert_uint_eq(audit.wrong_end, 1);
}
END_TEST

START_TEST(a_good_job_may_fail_only_after_it_ran_alone)
{
    begin(JOB_QUICK);
    story.failed[0] = 1;
    fault(FAULT_KILL_WORKER, 1.5, 1.5, WORKER);
    audit_of(CUT_SHORT);
    ck_assert_uint_eq(audit.wrong_end, 1);
    story.marks[0].alone = 1;
    audit_of(CUT_SHORT);
    ck_assert_uint_eq(audit.wrong_end, 0);
    ck_assert_uint_eq(audit.crash_failed, 1);
    ck_assert_uint_eq(audit.finding_ct, 0);
}
END_TEST

START_TEST(changed_bytes_and_strangers_are_found)
{
    begin(JOB_BAD);
    story.failed[0] = 1;
    story.spoilt[0] = 1;
    audit_of("S 99 0 100 7 1 1000000000 0\nnonsense\n");
    ck_assert_uint_eq(audit.spoilt, 1);
    ck_assert_uint_eq(audit.strange, 1);
    ck_assert_uint_eq(audit.bad_lines, 1);
    ck_assert_uint_ge(audit.finding_ct, 2);
}
END_TEST

START_TEST(the_time_until_a_killed_job_runs_again_is_measured)
{
    begin(JOB_QUICK);
    fault(FAULT_KILL_WORKER, 1.5, 1.5, WORKER);
    audit_of(CUT_SHORT WENT_WELL_LATER);
    ck_assert_uint_eq(audit.after_worker_kill.ct, 1);
    ck_assert_int_eq(latencies_median(&audit.after_worker_kill), 7500);
    ck_assert_int_eq(latencies_max(&audit.after_host_kill), -1);
}
END_TEST

START_TEST(one_seed_is_one_plan)
{
    struct plan_options options = {.seed = 7, .seconds = 30, .jobs = 500};
    bool some[FAULT_KINDS];
    struct plan a, b;

    plan_make(&a, &options);
    plan_make(&b, &options);
    ck_assert_uint_eq(a.job_ct, 500);
    ck_assert_uint_eq(a.fault_ct, b.fault_ct);
    ck_assert_mem_eq(a.jobs, b.jobs, a.job_ct * sizeof(a.jobs[0]));
    ck_assert_mem_eq(a.faults, b.faults, a.fault_ct * sizeof(a.faults[0]));
    plan_free(&b);

    options.faults = some; /* fewer faults change no job */
    ck_assert_int_eq(plan_read_faults("net-cut,redis-oom", some), 0);
    plan_make(&b, &options);
    ck_assert_mem_eq(a.jobs, b.jobs, a.job_ct * sizeof(a.jobs[0]));
    for (size_t i = 0; i < b.fault_ct; i++)
        ck_assert(b.faults[i].kind == FAULT_NET_CUT ||
                  b.faults[i].kind == FAULT_REDIS_OOM);
    plan_free(&b);

    options = (struct plan_options){.seed = 8, .seconds = 30, .jobs = 500};
    plan_make(&b, &options);
    ck_assert(memcmp(a.jobs, b.jobs, a.job_ct * sizeof(a.jobs[0])) != 0);
    plan_free(&a);
    plan_free(&b);
    ck_assert_int_eq(plan_read_faults("net-cut,no-such", some), -1);
}
END_TEST

START_TEST(every_payload_names_its_number)
{
    struct plan_options options = {.seed = 9, .seconds = 30, .jobs = 500};
    struct plan plan;

    plan_make(&plan, &options);
    for (size_t i = 0; i < plan.job_ct; i++) {
        struct buf payload;

        buf_init(&payload, 0);
        plan_payload(&plan.jobs[i], plan.seed, &payload);
        ck_assert_int_eq(plan_find_number(buf_slice(&payload)), plan.jobs[i].n);
        buf_free(&payload);
    }
    plan_free(&plan);
    ck_assert_int_eq(plan_find_number(slice_text("{\"uuid\":\"other\"}")), -1);
}
END_TEST

START_TEST(many_lines_of_one_event_are_a_storm)
{
    const char *const paths[PLAN_HOSTS] = {"/dev/null", "/dev/null"};
    struct logs logs;

    logs_open(&logs, paths, JOBS);
    for (int i = 0; i < 20; i++)
        logs_line(&logs, 0, "ts=1 level=warning event=queue.down who=main/0 redis=x");
    ck_assert_uint_eq(logs.storm_ct, 0);
    logs_line(&logs, 0, "ts=1 level=warning event=queue.down who=main/0 redis=x");
    ck_assert_uint_eq(logs.storm_ct, 1);
    for (int i = 0; i < 50; i++)
        logs_line(&logs, 0,
                  "ts=1 level=info event=job.done who=main/0 "
                  "uuid=c4a05000-0000-4000-8000-000000000002 job=quick");
    ck_assert_uint_eq(logs.storm_ct, 1);
    ck_assert_uint_eq(logs.marks[2].done, 50);
    logs_line(&logs, 1, "==1==ERROR: AddressSanitizer: heap-use-after-free");
    ck_assert_uint_eq(logs.report_ct, 1);
    logs_close(&logs);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_run_without_a_fault_is_clean);
    tcase_add_test(tc, a_job_that_left_no_trace_is_lost);
    tcase_add_test(tc, a_job_that_began_and_never_ended_is_lost);
    tcase_add_test(tc, one_of_two_twins_can_be_lost);
    tcase_add_test(tc, noops_that_are_missing_without_a_death_are_lost);
    tcase_add_test(tc, a_push_without_an_answer_may_be_there_or_not);
    tcase_add_test(tc, a_second_run_without_a_fault_is_unexplained);
    tcase_add_test(tc, a_second_run_is_explained_by_what_can_cause_it);
    tcase_add_test(tc, poison_beside_it_explains_a_second_run);
    tcase_add_test(tc, two_runs_at_once_need_a_holder_that_could_not_be_told);
    tcase_add_test(tc, done_and_failed_too_is_found);
    tcase_add_test(tc, attempts_over_tries_are_found);
    tcase_add_test(tc, a_fault_that_spent_an_attempt_is_found);
    tcase_add_test(tc, a_good_job_may_fail_only_after_it_ran_alone);
    tcase_add_test(tc, changed_bytes_and_strangers_are_found);
    tcase_add_test(tc, the_time_until_a_killed_job_runs_again_is_measured);
    tcase_add_test(tc, one_seed_is_one_plan);
    tcase_add_test(tc, every_payload_names_its_number);
    tcase_add_test(tc, many_lines_of_one_event_are_a_storm);
}

int main(void)
{
    return run_suite("chaos_audit", 30, add);
}
