/* The control requests read, and the sentences about the supervisor: both pure. */
#include <jansson.h>
#include <string.h>

#include "base/must.h"
#include "supervisor/commands.h"
#include "supervisor/summary.h"
#include "tests/unit/suite.h"

static int parse(const char *text, struct command *command, struct err *err)
{
    json_t *request = json_loads(text, 0, NULL);
    int rc;

    ck_assert_ptr_nonnull(request);
    *err = (struct err){0};
    rc = command_parse(request, command, err);
    json_decref(request);
    return rc;
}

static const struct {
    const char *text;
    unsigned verb;
} good[] = {
    {"{\"cmd\":\"status\"}", COMMAND_STATUS},
    {"{\"cmd\":\"stop\"}", COMMAND_STOP},
    {"{\"cmd\":\"reload\",\"later\":[1]}", COMMAND_RELOAD},
    {"{\"cmd\":\"pause\"}", COMMAND_PAUSE},
    {"{\"cmd\":\"resume\"}", COMMAND_RESUME},
    {"{\"cmd\":\"drain\"}", COMMAND_DRAIN},
    {"{\"cmd\":\"scale\",\"pool\":\"main\",\"workers\":5}", COMMAND_SCALE},
    {"{\"cmd\":\"scale\",\"pool\":\"\",\"workers\":-9223372036854775808}", COMMAND_SCALE},
};

START_TEST(requests_are_read)
{
    struct command command;
    struct err err;

    ck_assert_int_eq(parse(good[_i].text, &command, &err), 0);
    ck_assert_uint_eq(command.verb, good[_i].verb);
}
END_TEST

START_TEST(scale_carries_pool_and_number)
{
    json_t *request =
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "mails", "workers", 7);
    struct command command;
    struct err err;

    ck_assert_int_eq(command_parse(request, &command, &err), 0);
    ck_assert_str_eq(command.pool, "mails");
    ck_assert_int_eq(command.workers, 7);
    json_decref(request);
}
END_TEST

static const struct {
    const char *text;
    const char *error;
} bad[] = {
    {"{}", "\"cmd\" must be one of status, scale, stop, reload, pause, resume, drain"},
    {"{\"cmd\":7}", "\"cmd\" must be one of"},
    {"{\"cmd\":\"Status\"}", "\"cmd\" must be one of"},
    {"{\"cmd\":\"scale\"}", "scale needs"},
    {"{\"cmd\":\"scale\",\"pool\":\"main\"}", "scale needs"},
    {"{\"cmd\":\"scale\",\"pool\":\"main\",\"workers\":\"5\"}", "scale needs"},
    {"{\"cmd\":\"scale\",\"pool\":\"main\",\"workers\":2.5}", "scale needs"},
    {"{\"cmd\":\"scale\",\"pool\":null,\"workers\":5}", "scale needs"},
};

START_TEST(bad_requests_are_refused_with_a_reason)
{
    struct command command;
    struct err err;

    ck_assert_int_eq(parse(bad[_i].text, &command, &err), -1);
    ck_assert_int_eq(err.code, ERR_BAD_INPUT);
    ck_assert_ptr_eq(strstr(err.text, bad[_i].error), err.text);
}
END_TEST

static const struct {
    struct summary summary;
    const char *text;
} summaries[] = {
    {{.phase = SUPERVISOR_RUNNING, .counts = {.wanted = 2, .running = 2}},
     "2 workers running"},
    {{.phase = SUPERVISOR_RUNNING, .counts = {.wanted = 1, .running = 1}},
     "1 worker running"},
    {{.phase = SUPERVISOR_RUNNING}, "0 workers running"},
    {{.phase = SUPERVISOR_STARTING, .counts = {.wanted = 3, .running = 1}},
     "starting: 1 of 3 workers running"},
    {{.phase = SUPERVISOR_RUNNING,
      .counts = {.wanted = 4, .running = 1, .backoff = 2, .fatal = 1}},
     "1 of 4 workers running, 2 waiting to restart, 1 stopped by a bad configuration"},
    {{.phase = SUPERVISOR_RUNNING, .counts = {.wanted = 2, .running = 2, .stale = 1}},
     "2 workers running, 1 still to be reloaded"},
    {{.phase = SUPERVISOR_RUNNING,
      .counts = {.wanted = 2, .running = 2},
      .link = FLEET_LINK_UP,
      .link_age_ms = 99000},
     "2 workers running"},
    {{.phase = SUPERVISOR_RUNNING,
      .counts = {.wanted = 2, .running = 2},
      .link = FLEET_LINK_DOWN,
      .link_age_ms = 999},
     "2 workers running"},
    {{.phase = SUPERVISOR_RUNNING,
      .counts = {.wanted = 2, .running = 2},
      .link = FLEET_LINK_DOWN,
      .link_age_ms = 9999},
     "2 workers running; redis down"},
    {{.phase = SUPERVISOR_RUNNING,
      .counts = {.wanted = 2, .running = 2},
      .link = FLEET_LINK_DOWN,
      .link_age_ms = 12345},
     "2 workers running; redis down for 10 s"},
    {{.phase = SUPERVISOR_RUNNING,
      .counts = {.wanted = 2, .running = 2},
      .link = FLEET_LINK_DOWN,
      .link_age_ms = 179000,
      .reload_error = "drover.conf:3: no"},
     "2 workers running; redis down for 120 s; last reload failed: drover.conf:3: no"},
    {{.phase = SUPERVISOR_RUNNING,
      .pausing = SUPERVISOR_PAUSED,
      .counts = {.wanted = 1, .running = 1}},
     "paused: 1 worker running"},
    {{.phase = SUPERVISOR_RUNNING,
      .pausing = SUPERVISOR_DRAINING,
      .counts = {.wanted = 1, .running = 1}},
     "draining, then it stops: 1 worker running"},
    {{.phase = SUPERVISOR_STOPPING, .counts = {.wanted = 0, .alive = 2}},
     "stopping, 2 workers left"},
};

START_TEST(the_summary_says_what_matters)
{
    char text[SUMMARY_BYTES];

    summary_text(&summaries[_i].summary, text, sizeof(text));
    ck_assert_str_eq(text, summaries[_i].text);
}
END_TEST

START_TEST(a_summary_is_cut_where_it_is_too_long)
{
    char error[2000];
    struct summary summary = {.phase = SUPERVISOR_RUNNING, .reload_error = error};
    char text[SUMMARY_BYTES];

    memset(error, 'x', sizeof(error) - 1);
    error[sizeof(error) - 1] = '\0';
    summary_text(&summary, text, sizeof(text));
    ck_assert_uint_lt(strlen(text), sizeof(text));
    ck_assert_ptr_eq(strstr(text, "0 workers running"), text);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, requests_are_read, 0, ARRAY_CT(good));
    tcase_add_test(tc, scale_carries_pool_and_number);
    tcase_add_loop_test(tc, bad_requests_are_refused_with_a_reason, 0, ARRAY_CT(bad));
    tcase_add_loop_test(tc, the_summary_says_what_matters, 0, ARRAY_CT(summaries));
    tcase_add_test(tc, a_summary_is_cut_where_it_is_too_long);
}

int main(void)
{
    return run_suite("commands", 10, add_tests);
}
