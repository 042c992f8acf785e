/* What an application says between jobs: read from frames, and put together. Pure. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/app_state.h"
#include "tests/unit/suite.h"

static char *names[] = {(char *)"high", (char *)"a\"b\\", (char *)"low"};
static const struct text_list queues = {.items = names, .ct = ARRAY_CT(names)};
static struct app_state state;

static void set_up(void)
{
    app_state_init(&state, queues.ct);
}

static void tear_down(void)
{
    app_state_free(&state);
}

/* A frame as a runner sends it, its header given; lives in `out`. */
static void read_frame(const char *header, struct buf *out, struct frame *frame)
{
    struct err err = {0};
    size_t bytes, len = strlen(header);

    buf_init(out, 0);
    ck_assert_uint_lt(len, 1 << 16);
    for (int shift = 24; shift >= 0; shift -= 8)
        (void)buf_add_char(out, (char)(len >> shift));
    (void)buf_add(out, "\0\0\0\0", 4);
    (void)buf_add_text(out, header);
    ck_assert_msg(frame_read(buf_slice(out), frame, &bytes, &err) == 1, "%s", err.text);
}

static bool take(const char *members)
{
    char *header = must_format("{\"type\":\"state\"%s}", members);
    struct frame frame;
    struct buf out;
    bool restart;

    read_frame(header, &out, &frame);
    ck_assert_int_eq(frame.type, FRAME_STATE);
    restart = app_state_take(&state, &frame, &queues);
    buf_free(&out);
    free(header);
    return restart;
}

START_TEST(the_first_restart_is_that_of_before_and_each_other_one_is_news)
{
    ck_assert(!take(",\"restart\":\"\""));
    ck_assert(!take(",\"restart\":\"\""));
    ck_assert(take(",\"restart\":\"1795261449\""));
    ck_assert(!take(",\"restart\":\"1795261449\""));
    ck_assert(!take("")); /* not told: nothing new */
    ck_assert(!take(",\"restart\":\"1795261449\""));
    ck_assert(take(",\"restart\":\"\"")); /* as Laravel has it: the cache was flushed */
}
END_TEST

START_TEST(what_is_not_told_stays_as_it_was)
{
    (void)take(",\"down\":true,\"paused\":[\"low\"]");
    ck_assert_str_eq(app_state_held(&state, false), "maintenance");
    (void)take(",\"hold\":false,\"reason\":\"no cache\"");
    ck_assert_str_eq(app_state_held(&state, false), "maintenance");
    ck_assert(app_state_is_paused(&state, 2));
    (void)take(",\"down\":false");
    ck_assert_ptr_null(app_state_held(&state, false));
    ck_assert(app_state_is_paused(&state, 2));
    ck_assert(app_state_restrains(&state));
    (void)take(",\"paused\":[]");
    ck_assert(!app_state_restrains(&state));
}
END_TEST

START_TEST(force_is_for_maintenance_alone)
{
    (void)take(",\"down\":true,\"hold\":false");
    ck_assert_ptr_null(app_state_held(&state, true));
    (void)take(",\"hold\":true");
    ck_assert_str_eq(app_state_held(&state, true), "listener");
    ck_assert_str_eq(app_state_held(&state, false), "maintenance");
}
END_TEST

START_TEST(queues_are_known_by_their_decoded_names)
{
    (void)take(",\"paused\":[\"lo\\u0077\",7,null,[\"high\"],\"a\\\"b\\\\\",\"other\"]");
    ck_assert(!app_state_is_paused(&state, 0));
    ck_assert(app_state_is_paused(&state, 1));
    ck_assert(app_state_is_paused(&state, 2));
    ck_assert(!app_state_is_paused(&state, 3)); /* there is none */
}
END_TEST

START_TEST(a_long_restart_is_cut_and_compared)
{
    char *text = must_format(",\"restart\":\"%0200d\"", 1);

    (void)take(",\"restart\":\"x\"");
    ck_assert(take(text));
    ck_assert(!take(text));
    free(text);
}
END_TEST

static const char *const bad[] = {"\"paused\":\"low\"", "\"down\":1", "\"hold\":null",
                                  "\"restart\":7", "\"state\":\"yes\""};

START_TEST(members_of_another_kind_are_refused)
{
    char *text = must_format("{\"type\":\"state\",%s}", bad[_i]);
    char *wire = must_format("%c%c%c%c%c%c%c%c%s", 1, 1, 1, 1, 1, 1, 1, 1, text);
    struct frame frame;
    struct err err = {0};
    size_t bytes;

    memset(wire, 0, FRAME_PREFIX_BYTES);
    wire[3] = (char)strlen(text);
    ck_assert_int_eq(frame_read(slice_of(wire, FRAME_PREFIX_BYTES + strlen(text)), &frame,
                                &bytes, &err),
                     -1);
    ck_assert_ptr_nonnull(strstr(err.text, "must be"));
    free(wire);
    free(text);
}
END_TEST

START_TEST(the_question_names_the_queues)
{
    static char connection[] = "shop";
    const struct job_config entry = {.type = JOB_LARAVEL,
                                     .laravel = {.connection = connection}};
    struct buf out;

    buf_init(&out, 0);
    frame_add_state(&out, &entry, &queues);
    ck_assert_str_eq(out.data + FRAME_PREFIX_BYTES,
                     "{\"type\":\"state\",\"connection\":\"shop\",\"queues\":[\"high\","
                     "\"a\\\"b\\\\\",\"low\"]}");
    buf_free(&out);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_first_restart_is_that_of_before_and_each_other_one_is_news);
    tcase_add_test(tc, what_is_not_told_stays_as_it_was);
    tcase_add_test(tc, force_is_for_maintenance_alone);
    tcase_add_test(tc, queues_are_known_by_their_decoded_names);
    tcase_add_test(tc, a_long_restart_is_cut_and_compared);
    tcase_add_loop_test(tc, members_of_another_kind_are_refused, 0, ARRAY_CT(bad));
    tcase_add_test(tc, the_question_names_the_queues);
}

int main(void)
{
    return run_suite("app_state", 10, add);
}
