/* argv and environment of shell jobs. */
#include <check.h>

#include "jobs/command.h"
#include "tests/unit/suite.h"
#include "tests/unit/trial.h"

#define DATA(json) "{\"job\":\"c\",\"data\":" json "}"

static void assert_texts(char *const *texts, const char *const *want)
{
    size_t i;

    for (i = 0; want[i]; i++)
        ck_assert_pstr_eq(texts[i], want[i]);
    ck_assert_ptr_null(texts[i]);
}

static const struct {
    const char *value; /* as JSON */
    const char *argument;
} values[] = {
    {"\"plain\"", "plain"},
    {"\"two words\"", "two words"},
    {"\"\"", ""},
    {"\"'; touch /tmp/pwn; '\"", "'; touch /tmp/pwn; '"},
    {"\"$(id) `id` | & > < * ? ~ #\"", "$(id) `id` | & > < * ? ~ #"},
    {"\"line\\nline\"", "line\nline"},
    {"\"{data.other} {{\"", "{data.other} {{"},
    {"\"-rf\"", "-rf"},
    {"12345678901234567890", "12345678901234567890"},
    {"true", "true"},
};

START_TEST(a_value_stays_one_argument)
{
    struct command command;
    struct trial trial;
    struct err err;
    char *raw = must_format("{\"job\":\"c\",\"data\":{\"v\":%s}}", values[_i].value);

    set_up(&trial, raw, WORDS("/bin/tool", "{data.v}", "--file={data.v}", "-{{x}}", ""));
    ck_assert_int_eq(command_build(&command, &trial.job, &err), 0);
    ck_assert_str_eq(command.argv[0], "/bin/tool");
    ck_assert_str_eq(command.argv[1], values[_i].argument);
    ck_assert_int_eq(strncmp(command.argv[2], "--file=", 7), 0);
    ck_assert_str_eq(command.argv[2] + 7, values[_i].argument);
    ck_assert_str_eq(command.argv[3], "-{x}");
    ck_assert_str_eq(command.argv[4], "");
    ck_assert_ptr_null(command.argv[5]);
    command_free(&command);
    free(raw);
}
END_TEST

static const struct {
    const char *payload, *argument, *word; /* that the reason holds */
} problems[] = {
    {"{\"job\":\"c\"}", "{data.file}", "data.file"},
    {DATA("{\"file\":null}"), "{data.file}", "data.file"},
    {DATA("{\"file\":[1]}"), "{data.file}", "data.file"},
    {DATA("{\"file\":\"a\\u0000b\"}"), "{data.file}", "NUL"},
};

START_TEST(a_value_that_cannot_be_used_is_named)
{
    struct command command;
    struct trial trial;
    struct err err = {.code = ERR_NONE};

    set_up(&trial, problems[_i].payload, WORDS("/bin/tool", "ok", problems[_i].argument));
    ck_assert_int_eq(command_build(&command, &trial.job, &err), -1);
    ck_assert_msg(strstr(err.text, problems[_i].word) != NULL, "%s", err.text);
}
END_TEST

START_TEST(an_argument_has_a_bound)
{
    struct command command;
    struct trial trial;
    struct err err;
    struct buf raw;

    buf_init(&raw, 0);
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&raw);
        (void)buf_add_text(&raw, "{\"job\":\"c\",\"data\":\"");
        for (size_t i = 0; i < COMMAND_ARG_BYTES + over; i++)
            (void)buf_add_char(&raw, 'x');
        (void)buf_add_text(&raw, "\"}");
        set_up(&trial, raw.data, WORDS("/bin/tool", "{data}"));
        ck_assert_int_eq(command_build(&command, &trial.job, &err), over ? -1 : 0);
        if (!over)
            command_free(&command);
    }
    buf_free(&raw);
}
END_TEST

START_TEST(a_payload_cannot_name_the_program)
{
    struct command command;
    struct trial trial;
    struct err err;

    set_up(&trial, DATA("{\"tool\":\"/bin/sh\"}"), WORDS("{data.tool}", "x"));
    ck_assert_int_eq(command_build(&command, &trial.job, &err), -1);
    ck_assert_str_eq(err.text, "the program of a command takes no placeholder");
    set_up(&trial, DATA("{}"), NULL);
    ck_assert_int_eq(command_build(&command, &trial.job, &err), -1);
}
END_TEST

START_TEST(the_environment_is_built_from_nothing)
{
    static const char *const want[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                       "LANG=C.UTF-8",
                                       "DROVER_JOB=trial",
                                       "DROVER_JOB_UUID=u-1",
                                       "DROVER_QUEUE=high",
                                       "DROVER_ATTEMPT=2",
                                       "DROVER_MAX_TRIES=5",
                                       "DROVER_JOB_QUEUE=high",
                                       "DROVER_JOB_ATTEMPT=2",
                                       "DROVER_JOB_MAX_TRIES=5",
                                       NULL};
    struct command command;
    struct trial trial;
    struct err err;

    ck_assert_int_eq(setenv("SECRET", "canary", 1), 0);
    set_up(&trial, DATA("{}"), WORDS("/bin/tool"));
    ck_assert_int_eq(command_build(&command, &trial.job, &err), 0);
    assert_texts(command.envp, want);
    ck_assert_str_eq(command_path(&command), "/usr/local/bin:/usr/bin:/bin");
    command_free(&command);
}
END_TEST

START_TEST(the_jobs_own_variables_come_last_and_replace)
{
    static const char *const want[] = {"PATH=/opt/bin",
                                       "LANG=C.UTF-8",
                                       "DROVER_JOB=trial",
                                       "DROVER_JOB_UUID=u-1",
                                       "DROVER_QUEUE=high",
                                       "DROVER_ATTEMPT=2",
                                       "DROVER_MAX_TRIES=0",
                                       "DROVER_JOB_QUEUE=high",
                                       "DROVER_JOB_ATTEMPT=2",
                                       "DROVER_JOB_MAX_TRIES=0",
                                       "HOME=/home/x",
                                       "LAN=x",
                                       "EMPTY=",
                                       NULL};
    struct command command;
    struct trial trial;
    struct err err;

    set_up(&trial, DATA("{}"), WORDS("/bin/tool"));
    trial.job.max_tries = 0;
    trial.config.env = text_list_of(
        WORDS("HOME=/srv", "PATH=/opt/bin", "LAN=x", "EMPTY=", "HOME=/home/x"));
    ck_assert_int_eq(command_build(&command, &trial.job, &err), 0);
    assert_texts(command.envp, want);
    ck_assert_str_eq(command_path(&command), "/opt/bin");
    command_free(&command);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_value_stays_one_argument, 0, ARRAY_CT(values));
    tcase_add_loop_test(tc, a_value_that_cannot_be_used_is_named, 0, ARRAY_CT(problems));
    tcase_add_test(tc, an_argument_has_a_bound);
    tcase_add_test(tc, a_payload_cannot_name_the_program);
    tcase_add_test(tc, the_environment_is_built_from_nothing);
    tcase_add_test(tc, the_jobs_own_variables_come_last_and_replace);
}

int main(void)
{
    return run_suite("command", 60, add_tests);
}
