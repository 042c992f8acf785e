/* The lines that `drover work` prints: those of queue:work.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/suite.h"
#include "worker/report_line.h"

static const struct report_event done = {.status = REPORT_SUCCESS,
                                         .name = "App\\Jobs\\Resize",
                                         .id = "id7",
                                         .uuid = "u-1",
                                         .connection = "redis",
                                         .queue = "high",
                                         .attempt = 2,
                                         .reason = "",
                                         .run_us = 12345,
                                         .wall_ms = 1795255200123};

static char *render(const struct report_style *style, const struct report_event *event)
{
    struct buf out;

    buf_init(&out, 0);
    report_line(&out, style, event);
    return buf_take(&out);
}

static void is_printed(const struct report_style *style, const struct report_event *event,
                       const char *expected)
{
    char *line = render(style, event);

    ck_assert_str_eq(line, expected);
    free(line);
}

/* For people. */
static void line_is(unsigned width, const struct report_event *event,
                    const char *expected)
{
    is_printed(&(struct report_style){.output = WORK_LINES, .width = width}, event,
               expected);
}

static const struct {
    enum report_status status;
    int64_t run_us;
    const char *line;
} humans[] = {
    {REPORT_STARTING, 0, "  2026-11-21 10:00:00 App\\Jobs\\Resize ........ RUNNING\n"},
    {REPORT_SUCCESS, 12345, "  2026-11-21 10:00:00 App\\Jobs\\Resize ... 12.35ms DONE\n"},
    {REPORT_RELEASED, 2600000,
     "  2026-11-21 10:00:00 App\\Jobs\\Resize ........ 2s FAIL\n"},
    {REPORT_FAILED, 65000000,
     "  2026-11-21 10:00:00 App\\Jobs\\Resize ..... 1m 5s FAIL\n"},
    {REPORT_FAILED, INT64_C(3723000000),
     "  2026-11-21 10:00:00 App\\Jobs\\Resize .. 1h 2m 3s FAIL\n"},
};

START_TEST(a_line_for_people_is_queue_works_newer_one)
{
    struct report_event event = done;

    event.status = humans[_i].status;
    event.run_us = humans[_i].run_us;
    line_is(56, &event, humans[_i].line);
}
END_TEST

START_TEST(a_name_that_is_too_long_or_moves_the_terminal_is_harmless)
{
    struct report_event event = done;

    event.name = "App\\Jobs\\\033[2JANameThatIsLongerThanTheLine\xc3\xa9";
    line_is(40, &event,
            "  2026-11-21 10:00:00 App\\Jobs\\\\x1b[2JANameThatIsLonger"
            "ThanTheLine\xc3\xa9  12.35ms DONE\n");
}
END_TEST

START_TEST(a_job_without_a_name_has_a_line_too)
{
    struct report_event event = done;

    event.name = "";
    line_is(40, &event, "  2026-11-21 10:00:00 - . 12.35ms DONE\n");
}
END_TEST

START_TEST(v_adds_id_connection_and_queue_and_colours_are_kept_apart)
{
    struct report_style style = {.output = WORK_LONG_LINES, .width = 70, .colour = true};

    is_printed(&style, &done,
               "  \033[90m2026-11-21 10:00:00\033[0m App\\Jobs\\Resize id7 "
               "redis high \033[90m.. 12.35ms\033[0m "
               "\033[32;1mDONE\033[0m\n");
}
END_TEST

static json_t *render_json(const struct report_event *event)
{
    char *line = render(&(struct report_style){.output = WORK_JSON}, event);
    json_t *object = json_loads(line, 0, NULL);

    ck_assert_msg(object != NULL, "%s", line);
    ck_assert_uint_eq(strlen(line), strcspn(line, "\n") + 1);
    free(line);
    return object;
}

static void assert_text(const json_t *object, const char *key, const char *text)
{
    ck_assert_pstr_eq(json_string_value(json_object_get(object, key)), text);
}

START_TEST(a_line_for_programs_has_laravels_keys_in_their_order)
{
    is_printed(&(struct report_style){.output = WORK_JSON}, &done,
               "{\"level\":\"info\",\"id\":\"id7\",\"uuid\":\"u-1\","
               "\"connection\":\"redis\",\"queue\":\"high\","
               "\"job\":\"App\\\\Jobs\\\\Resize\",\"status\":\"success\","
               "\"result\":\"deleted\",\"attempts\":2,"
               "\"timestamp\":\"2026-11-21T10:00:00.123000+00:00\","
               "\"duration\":0.012345}\n");
}
END_TEST

START_TEST(what_is_empty_is_left_out)
{
    struct report_event event = done;
    json_t *object;

    event.status = REPORT_STARTING;
    event.id = "";
    object = render_json(&event);
    assert_text(object, "status", "starting");
    ck_assert_ptr_null(json_object_get(object, "id"));
    ck_assert_ptr_null(json_object_get(object, "result"));
    ck_assert_ptr_null(json_object_get(object, "duration"));
    json_decref(object);
}
END_TEST

static const struct {
    enum report_status status;
    bool released;
    const char *reason, *level, *word, *result, *exception, *message;
} ends[] = {
    {REPORT_SUCCESS, true, "", "info", "success", "released", NULL, NULL},
    {REPORT_RELEASED, true, "App\\Full: no room: none", "warning",
     "released_after_exception", "released", "App\\Full", "no room: none"},
    {REPORT_FAILED, false, "killed by SIGSEGV", "warning", "failed", "failed", NULL,
     "killed by SIGSEGV"},
    {REPORT_FAILED, false, "E: a\"b\\c\x01\xff", "warning", "failed", "failed", "E",
     "a\"b\\c\\x01\\xff"},
};

START_TEST(how_it_ended_is_told_in_laravels_words)
{
    struct report_event event = done;
    json_t *object;

    event.status = ends[_i].status;
    event.released = ends[_i].released;
    event.reason = ends[_i].reason;
    object = render_json(&event);
    assert_text(object, "level", ends[_i].level);
    assert_text(object, "status", ends[_i].word);
    assert_text(object, "result", ends[_i].result);
    assert_text(object, "exception", ends[_i].exception);
    assert_text(object, "message", ends[_i].message);
    json_decref(object);
}
END_TEST

START_TEST(times_are_of_the_time_zone_with_its_offset)
{
    struct report_event event = done;
    json_t *object;

    ck_assert_int_eq(setenv("TZ", "XXX-05:30", 1), 0);
    tzset();
    object = render_json(&event);
    assert_text(object, "timestamp", "2026-11-21T15:30:00.123000+05:30");
    json_decref(object);
    ck_assert_int_eq(setenv("TZ", "XXX03:30", 1), 0);
    tzset();
    object = render_json(&event);
    assert_text(object, "timestamp", "2026-11-21T06:30:00.123000-03:30");
    json_decref(object);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_line_for_people_is_queue_works_newer_one, 0,
                        (int)ARRAY_CT(humans));
    tcase_add_test(tc, a_name_that_is_too_long_or_moves_the_terminal_is_harmless);
    tcase_add_test(tc, a_job_without_a_name_has_a_line_too);
    tcase_add_test(tc, v_adds_id_connection_and_queue_and_colours_are_kept_apart);
    tcase_add_test(tc, a_line_for_programs_has_laravels_keys_in_their_order);
    tcase_add_test(tc, what_is_empty_is_left_out);
    tcase_add_loop_test(tc, how_it_ended_is_told_in_laravels_words, 0,
                        (int)ARRAY_CT(ends));
    tcase_add_test(tc, times_are_of_the_time_zone_with_its_offset);
}

int main(void)
{
    if (setenv("TZ", "UTC", 1) != 0)
        return 99;
    tzset();
    return run_suite("report", 60, add_tests);
}
