/* What is written from the table of settings: the sample file, the manual, values as they
 * are shown.
 */
#include "tests/unit/configs.h"

#include <stdlib.h>
#include <unistd.h>

#include "config/field.h"
#include "config/sample.h"
#include "config/source.h"
#include "tests/unit/suite.h"

static struct buf file_of_the_tree(const char *name)
{
    struct buf text;
    struct err err = {0};

    buf_init(&text, 0);
    ck_assert_msg(source_read_file(name, SOURCE_BYTES_MAX, &text, &err) == 0, "%s: %s",
                  name, err.text);
    return text;
}

START_TEST(the_sample_in_the_tree_is_up_to_date)
{
    struct buf tree = file_of_the_tree(TOP_SRCDIR "/config/drover.conf"), fresh;

    buf_init(&fresh, 0);
    sample_write(&fresh);
    ck_assert_msg(strcmp(tree.data, fresh.data) == 0,
                  "config/drover.conf is behind the table: make update-settings");
    buf_free(&fresh);
    buf_free(&tree);
}
END_TEST

START_TEST(the_manual_in_the_tree_is_up_to_date)
{
    struct buf tree = file_of_the_tree(TOP_SRCDIR "/docs/drover.conf.5"), fresh;

    buf_init(&fresh, 0);
    sample_write_manual(&fresh);
    ck_assert_msg(strstr(tree.data, fresh.data) != NULL,
                  "docs/drover.conf.5 is behind the table: make update-settings");
    for (size_t i = 0; i < setting_ct; i++) {
        const struct section *section = &sections[settings[i].section];
        bool named = section->name[0] && !section->is_list;
        char *line = must_format("\n.It Ic %s%s%s No = ", named ? section->name : "",
                                 named ? "." : "", settings[i].name);

        ck_assert_msg(strstr(tree.data, line) != NULL, "%s is not in the manual",
                      settings[i].name);
        free(line);
    }
    buf_free(&fresh);
    buf_free(&tree);
}
END_TEST

static void all_equal(const struct config *a, const struct config *b)
{
    ck_assert_uint_eq(config_value_ct(a), config_value_ct(b));
    for (struct config_value value = {0}; config_next(a, &value);) {
        struct config_value other = config_value_of(b, value.setting, value.index);

        ck_assert_msg(field_equal(value.setting, value.base, other.base), "%s differs",
                      value.setting->name);
    }
}

START_TEST(the_sample_as_it_is_gives_the_defaults)
{
    struct config *defaults = loaded(""), *config;
    struct buf sample;

    buf_init(&sample, 0);
    sample_write(&sample);
    config = loaded(sample.data);
    all_equal(config, defaults);
    for (struct config_value value = {0}; config_next(config, &value);)
        ck_assert_int_ne(value.origin->kind, ORIGIN_FILE);
    config_free(config);
    config_free(defaults);
    buf_free(&sample);
}
END_TEST

/* The sample with "#" taken away from the line of this setting. */
static char *sample_with(const struct setting *setting)
{
    struct buf sample;
    char *at, *line = must_format("#%s = ", setting->name), *section;

    buf_init(&sample, 0);
    sample_write(&sample);
    section = must_format("\n%s:\n", sections[setting->section].name);
    at = setting->section == SECTION_TOP ? sample.data : strstr(sample.data, section);
    ck_assert_ptr_nonnull(at);
    at = strstr(at, line);
    ck_assert_msg(at != NULL, "%s is not in the sample", setting->name);
    *at = ' ';
    free(section);
    free(line);
    return buf_take(&sample);
}

START_TEST(each_line_of_the_sample_stands_for_its_setting)
{
    const struct setting *setting = &settings[_i];
    struct config *defaults, *config;
    struct config_value value;
    char *text;

    if (setting->section == SECTION_JOBS || strcmp(setting->name, "password_file") == 0)
        return;
    defaults = loaded("");
    text = sample_with(setting);
    config = loaded(text);
    value = config_value_of(config, setting, 0);
    ck_assert_int_eq(value.origin->kind, ORIGIN_FILE);
    ck_assert(field_is_set(setting, value.base));
    if (setting->initial && strcmp(setting->name, "host") &&
        strcmp(setting->name, "port"))
        all_equal(config, defaults);
    config_free(config);
    config_free(defaults);
    free(text);
}
END_TEST

/* The sample with its jobs in force, but for a line that goes without another. */
static char *sample_with_jobs(void)
{
    struct buf sample;
    char *at;

    buf_init(&sample, 0);
    sample_write(&sample);
    at = strstr(sample.data, "\njobs:\n");
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_nonnull(strstr(at, "#secret ="));
    strstr(at, "#secret =")[1] = ' ';
    for (at = strchr(at, '('); (at = strchr(at, '#')) != NULL; at++)
        if (at[1] != ' ')
            *at = ' ';
        else
            at = strchr(at, '\n');
    return buf_take(&sample);
}

START_TEST(the_jobs_of_the_sample_are_jobs)
{
    static const char sample_path[] = "/etc/drover/webhook-secret";
    char secret_file[] = "/tmp/d-secret-XXXXXX";
    char *text = sample_with_jobs(), *at = strstr(text, sample_path);
    size_t longer_by = sizeof(sample_path) - sizeof(secret_file);
    struct config *config;
    int fd = mkstemp(secret_file);

    ck_assert(fd >= 0 && write(fd, "whsec_x\n", 8) == 8 && close(fd) == 0);
    memset(at, '/', longer_by);
    memcpy(at + longer_by, secret_file, strlen(secret_file));
    config = loaded(text);
    ck_assert_uint_eq(config->job_ct, 3);
    for (struct config_value value = {0}; config_next(config, &value);)
        if (strcmp(value.setting->name, "secret") != 0 &&
            config_value_applies(config, &value))
            ck_assert_int_eq(value.origin->kind == ORIGIN_FILE,
                             value.setting->section == SECTION_JOBS);
    ck_assert_uint_eq(config->jobs[0].command.ct, 5);
    ck_assert_int_eq(config->jobs[1].type, JOB_HTTP);
    ck_assert_str_eq(config->jobs[1].http.secret, "whsec_x");
    ck_assert_int_eq(config->jobs[2].type, JOB_LARAVEL);
    ck_assert_str_eq(config->jobs[2].name, "App\\Jobs\\*");
    config_free(config);
    ck_assert_int_eq(unlink(secret_file), 0);
    free(text);
}
END_TEST

START_TEST(a_value_shown_can_be_written_into_the_file_as_it_is)
{
    const char *text =
        "state_dir = \"/a \\\"b\\\" \\\\c\"; stop_grace = 0.25; log: { format = "
        "\"json\"; }; "
        "pools: ( { backoff = ( 0, 0.5, 7 ); queues = ( \"x{y}\", \"App\\\\Q\" ); } ); "
        "jobs: ( { name = \"App\\\\*\"; type = \"shell\"; "
        "command = [ \"sh\", \"-c\", \"a\\nb\\t\", \"\" ]; } );";
    struct config *config = loaded(text);

    for (struct config_value value = {0}; config_next(config, &value);) {
        struct config *again;
        struct buf shown;
        char *file;

        buf_init(&shown, 0);
        field_format(value.setting, value.base, &shown);
        if (value.origin->kind == ORIGIN_FILE && value.setting->section != SECTION_JOBS) {
            file = file_with(value.setting, shown.data);
            again = loaded(file);
            ck_assert_msg(field_equal(value.setting, value.base,
                                      config_value_of(again, value.setting, 0).base),
                          "%s", file);
            config_free(again);
            free(file);
        }
        buf_free(&shown);
    }
    config_free(config);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_test(tc, the_sample_in_the_tree_is_up_to_date);
    tcase_add_test(tc, the_manual_in_the_tree_is_up_to_date);
    tcase_add_test(tc, the_sample_as_it_is_gives_the_defaults);
    tcase_add_loop_test(tc, each_line_of_the_sample_stands_for_its_setting, 0,
                        (int)setting_ct);
    tcase_add_test(tc, the_jobs_of_the_sample_are_jobs);
    tcase_add_test(tc, a_value_shown_can_be_written_into_the_file_as_it_is);
}

int main(void)
{
    return run_suite("config sample", 60, add_tests);
}
