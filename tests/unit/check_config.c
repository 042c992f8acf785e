/* The table of settings: complete, in bounds, and in step with what is written from it.
 */
#include "tests/unit/configs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "config/field.h"
#include "config/sample.h"
#include "config/source.h"
#include "tests/unit/suite.h"

static bool is_number(const struct setting *setting)
{
    return setting->type == SETTING_INTEGER || setting->type == SETTING_MIB ||
           setting->type == SETTING_KIB || setting->type == SETTING_SECONDS;
}

static void path_of(const struct setting *setting, char *path, size_t size)
{
    const struct section *section = &sections[setting->section];

    (void)snprintf(path, size, "%s%s%s%s", section->name, section->is_list ? "[0]" : "",
                   section->name[0] ? "." : "", setting->name);
}

/* ---- completeness ---- */

START_TEST(every_setting_is_complete)
{
    const struct setting *setting = &settings[_i];
    size_t len = strlen(setting->doc ? setting->doc : "");

    ck_assert_msg(len > 20, "%s has no doc", setting->name);
    ck_assert_msg(setting->doc[len - 1] == '.' || setting->doc[len - 1] == '"', "%s: %s",
                  setting->name, setting->doc);
    ck_assert_msg(strchr(setting->doc, '\n') == NULL, "%s", setting->name);
    ck_assert_msg(setting->initial || setting->example, "%s: no default, no example",
                  setting->name);
    ck_assert_int_eq(setting->type == SETTING_ENUM, setting->words != NULL);
    if (setting->type != SETTING_ENUM && setting->type != SETTING_BOOL)
        ck_assert_msg(setting->max > setting->min, "%s: no bounds", setting->name);
    if (setting->type == SETTING_TEXTS || setting->type == SETTING_TIMES)
        ck_assert_msg(setting->item_max > 0, "%s: no bounds", setting->name);
    ck_assert_ptr_eq(setting_find(setting->section, setting->name), setting);
    if (sections[setting->section].is_list) /* config_diff() rests on it */
        ck_assert(setting->flags & SETTING_RELOADS);
}
END_TEST

START_TEST(rows_of_a_section_stand_together)
{
    size_t first, ct, sum = 0;

    for (enum section_id id = SECTION_TOP; id < SECTION_CT; id++) {
        settings_of(id, &first, &ct);
        ck_assert_uint_eq(first, sum);
        ck_assert_uint_gt(ct, 0);
        sum += ct;
        ck_assert_uint_gt(strlen(sections[id].doc), 0);
    }
    ck_assert_uint_eq(sum, setting_ct);
}
END_TEST

START_TEST(no_two_settings_share_a_field)
{
    struct config *config = loaded("jobs: ( { name = \"a\"; type = \"noop\"; } );");
    size_t ct = 0;

    for (struct config_value a = {0}; config_next(config, &a); ct++) {
        struct config_value b = a;

        while (config_next(config, &b))
            ck_assert_msg(a.base != b.base && a.origin != b.origin, "%s and %s",
                          a.setting->name, b.setting->name);
    }
    ck_assert_uint_gt(ct, setting_ct / 2); /* no databases here, no hosts of them */
    config_free(config);
}
END_TEST

START_TEST(values_are_stepped_through_in_order)
{
    struct config *config = loaded(
        "pools: ( { }, { name = \"b\"; } ); "
        "jobs: ( { name = \"x\"; type = \"noop\"; }, "
        "{ name = \"y\"; type = \"noop\"; }, { name = \"z\"; type = \"noop\"; } );");
    size_t ct = 0;

    for (struct config_value value = {0}; config_next(config, &value); ct++) {
        struct config_value same = config_value_of(config, value.setting, value.index);

        ck_assert_uint_eq(value.at, ct);
        ck_assert_uint_eq(same.at, ct);
        ck_assert_ptr_eq(same.base, value.base);
        ck_assert_ptr_eq(value.origin, &config->origins[ct]);
    }
    ck_assert_uint_eq(ct, config_value_ct(config));
    ck_assert_str_eq(config->jobs[2].name, "z");
    config_free(config);
}
END_TEST

/* ---- bounds ---- */

static void format_number(const struct setting *setting, int64_t number, char *text)
{
    if (setting->type == SETTING_SECONDS)
        text_format_seconds(number, text, TEXT_SECONDS_BYTES);
    else
        (void)snprintf(text, TEXT_SECONDS_BYTES, "%" PRId64, number);
}

static void number_is_taken(const struct setting *setting, int64_t number)
{
    char shown[TEXT_SECONDS_BYTES], *text;
    struct config *config;

    if (strcmp(setting->name, "port") == 0 && number == 0)
        return; /* a port of TCP is above 0; a socket's path goes with any */
    if (strcmp(setting->name, "db") == 0 && number > 15)
        return; /* the embedded Redis has 16 */
    format_number(setting, number, shown);
    text = file_with(setting, shown);
    config = loaded(text);
    ck_assert_int_eq(*(int64_t *)config_value_of(config, setting, 0).base, number);
    config_free(config);
    free(text);
}

static void number_is_refused(const struct setting *setting, int64_t number, bool below)
{
    char shown[TEXT_SECONDS_BYTES], bound[TEXT_SECONDS_BYTES], path[64], *text, *message;
    const char *unit = setting->type == SETTING_SECONDS ? " s"
                       : setting->type == SETTING_MIB   ? " MiB"
                       : setting->type == SETTING_KIB   ? " KiB"
                                                        : "";

    format_number(setting, number, shown);
    format_number(setting, below ? setting->min : setting->max, bound);
    path_of(setting, path, sizeof(path));
    text = file_with(setting, shown);
    message = must_format("drover.conf:1: %s: %s is %s of %s%s", path, shown,
                          below ? "below the minimum" : "above the maximum", bound, unit);
    refused(text, message);
    free(message);
    free(text);
}

START_TEST(numbers_keep_their_bounds)
{
    const struct setting *setting = &settings[_i];

    if (!is_number(setting))
        return;
    number_is_taken(setting, setting->min);
    number_is_taken(setting, setting->max);
    number_is_refused(setting, setting->min - 1, true);
    number_is_refused(setting, setting->min - 1000, true);
    number_is_refused(setting, setting->max + 1, false);
    number_is_refused(setting, INT64_C(86400000000000), false);
}
END_TEST

static char *quoted_letters(int64_t ct)
{
    char *text = must_alloc((size_t)ct + 3);

    memset(text, 'a', (size_t)ct + 2);
    text[0] = text[ct + 1] = '"';
    return text;
}

START_TEST(texts_keep_their_lengths)
{
    const struct setting *setting = &settings[_i];
    char path[64], *value, *text, *message;
    bool list = setting->type == SETTING_TEXTS;

    if (setting->type != SETTING_TEXT && setting->type != SETTING_SECRET &&
        setting->type != SETTING_URL && !list)
        return;
    value = quoted_letters((list ? setting->item_max : setting->max) + 1);
    path_of(setting, path, sizeof(path));
    if (list) {
        char *bare = value;

        value = must_format("[ %s ]", bare);
        free(bare);
    }
    text = file_with(setting, value);
    message = must_format("drover.conf:1: %s%s: is longer than %" PRId64 " bytes", path,
                          list ? "[0]" : "", list ? setting->item_max : setting->max);
    refused(text, message);
    free(message);
    free(text);
    free(value);
    text = file_with(setting, list ? "[ ]" : "\"\"");
    message = must_format("drover.conf:1: %s: is empty", path);
    if (setting->min > 0)
        refused(text, message);
    else
        config_free(loaded(text));
    free(message);
    free(text);
}
END_TEST

/* One that fits the setting and is not there yet. */
static void add_element(struct buf *list, const struct setting *setting, int i)
{
    (void)buf_add_text(list, list->len ? ", " : "[ ");
    if (setting->type == SETTING_TIMES)
        (void)buf_addf(list, "%d", i);
    else if (strcmp(setting->name, "allow_networks") == 0)
        (void)buf_addf(list, "\"10.0.%d.%d\"", i / 256, i % 256);
    else
        (void)buf_addf(list, "\"N%d%s\"", i,
                       strcmp(setting->name, "headers") == 0 ? ": x" : "=");
}

START_TEST(lists_keep_their_lengths)
{
    const struct setting *setting = &settings[_i];
    bool times = setting->type == SETTING_TIMES;
    struct config_value value;
    struct config *config;
    struct buf list;
    char path[64], *text, *message;

    if (!times && setting->type != SETTING_TEXTS)
        return;
    buf_init(&list, 0);
    for (int64_t i = 0; i < setting->max; i++)
        add_element(&list, setting, (int)i);
    (void)buf_add_text(&list, " ]");
    text = file_with(setting, list.data);
    config = loaded(text);
    value = config_value_of(config, setting, 0);
    ck_assert_int_eq((int64_t)(times ? ((struct time_list *)value.base)->ct
                                     : ((struct text_list *)value.base)->ct),
                     setting->max);
    config_free(config);
    free(text);

    list.len -= 2;
    add_element(&list, setting, 1000);
    (void)buf_add_text(&list, " ]");
    text = file_with(setting, list.data);
    path_of(setting, path, sizeof(path));
    message =
        must_format("drover.conf:1: %s[%" PRId64 "]: more than %" PRId64 " elements",
                    path, setting->max, setting->max);
    refused(text, message);
    free(message);
    free(text);
    buf_free(&list);
}
END_TEST

START_TEST(a_value_of_a_wrong_type_is_refused)
{
    static const char *const values[] = {"true", "1",     "1.5",       "\"text\"",
                                         "[ ]",  "( 1 )", "[ \"a\" ]", "{ x = 1; }"};
    static const struct {
        const char *expected;
        unsigned right; /* bits of those above that are no wrong type */
    } types[] = {
        [SETTING_TEXT] = {"a text between quotes", 0x08},
        [SETTING_SECRET] = {"a text between quotes", 0x08},
        [SETTING_URL] = {"a text between quotes", 0x08},
        [SETTING_INTEGER] = {"a whole number", 0x02},
        [SETTING_SECONDS] = {"seconds as a number, like 90 or 0.5", 0x06},
        [SETTING_MIB] = {"a whole number of MiB", 0x02},
        [SETTING_KIB] = {"a whole number of KiB", 0x02},
        [SETTING_BOOL] = {"true or false", 0x01},
        [SETTING_ENUM] = {"a word between quotes", 0x08},
        [SETTING_TEXTS] = {"a list of texts, like [ \"a\", \"b\" ]", 0x70},
        [SETTING_TIMES] = {"a list of seconds, like [ 1, 5, 30 ]", 0x70},
    };
    const struct setting *setting = &settings[_i];

    for (size_t i = 0; i < ARRAY_CT(values); i++) {
        bool quoted = values[i][0] == '"' && setting->type != SETTING_TEXTS;
        char path[64], *text, *message;

        if (types[setting->type].right & 1U << i || strcmp(setting->name, "type") == 0)
            continue; /* a job's type is tested with the errors */
        path_of(setting, path, sizeof(path));
        text = file_with(setting, values[i]);
        message =
            must_format("drover.conf:1: %s: expects %s%s", path,
                        types[setting->type].expected, quoted ? ", without quotes" : "");
        refused(text, message);
        free(message);
        free(text);
    }
}
END_TEST

/* ---- defaults ---- */

START_TEST(without_a_file_the_defaults_hold)
{
    struct config *config = loaded("");
    const struct pool_config *pool = config->pools;

    ck_assert_str_eq(config->redis.url, "embedded");
    ck_assert_ptr_null(config->redis.host);
    ck_assert_ptr_null(config->redis.password);
    ck_assert_int_eq(config->redis.db, 0);
    ck_assert_str_eq(config->redis.prefix, "");
    ck_assert_str_eq(config->state_dir, "/var/lib/drover");
    ck_assert_ptr_null(config->user);
    ck_assert_int_eq(config->stop_grace_ms, 30000);
    ck_assert_int_eq(config->hang_timeout_ms, 30000);
    ck_assert_int_eq(config->max_payload_mib, 16);
    ck_assert_int_eq(config->log.level, 1);
    ck_assert_int_eq(config->log.format, 0);
    ck_assert_int_eq(config->log.jobs, LOG_JOBS_ALL);
    ck_assert_int_eq(config->failed.store, FAILED_IN_REDIS);
    ck_assert_str_eq(config->console_listen, "127.0.0.1:9310");
    ck_assert_uint_eq(config->job_ct, 0);
    ck_assert_uint_eq(config->pool_ct, 1);
    ck_assert_str_eq(pool->name, "main");
    ck_assert_uint_eq(pool->queues.ct, 3);
    ck_assert_str_eq(pool->queues.items[0], "high");
    ck_assert_str_eq(pool->queues.items[1], "default");
    ck_assert_str_eq(pool->queues.items[2], "low");
    ck_assert_int_eq(pool->workers, 2);
    ck_assert_int_eq(pool->concurrency, 16);
    ck_assert_int_eq(pool->tries, 3);
    ck_assert_uint_eq(pool->backoff.ct, 3);
    ck_assert_int_eq(pool->backoff.ms[0], 1000);
    ck_assert_int_eq(pool->backoff.ms[1], 5000);
    ck_assert_int_eq(pool->backoff.ms[2], 30000);
    ck_assert_int_eq(pool->timeout_ms, 60000);
    ck_assert_int_eq(pool->lease_ms, 90000);
    ck_assert_int_eq(pool->poll_interval_ms, 1000);
    ck_assert_int_eq(pool->max_crashes, 3);
    ck_assert_int_eq(pool->max_jobs, 0);
    ck_assert_int_eq(pool->max_time_ms, 0);
    ck_assert_int_eq(pool->memory_mib, 0);
    ck_assert_int_eq(pool->unmatched, UNMATCHED_FAIL);
    config_free(config);
}
END_TEST

START_TEST(what_a_job_leaves_out_is_unset)
{
    struct config *config =
        loaded("jobs: ( { name = \"a\"; type = \"shell\"; command = ( \"true\" ); } );");
    const struct job_config *job = config->jobs;

    ck_assert_int_eq(job->type, JOB_SHELL);
    ck_assert_int_eq(job->tries, CONFIG_UNSET);
    ck_assert_int_eq(job->timeout_ms, CONFIG_UNSET);
    ck_assert_uint_eq(job->backoff.ct, 0);
    ck_assert_uint_eq(job->env.ct, 0);
    ck_assert_ptr_null(job->cwd);
    ck_assert_int_eq(job->kill_grace_ms, 5000);
    config_free(config);
}
END_TEST

static void add_tests(TCase *tc)
{
    int ct = (int)setting_ct;

    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_loop_test(tc, every_setting_is_complete, 0, ct);
    tcase_add_test(tc, rows_of_a_section_stand_together);
    tcase_add_test(tc, no_two_settings_share_a_field);
    tcase_add_test(tc, values_are_stepped_through_in_order);
    tcase_add_loop_test(tc, numbers_keep_their_bounds, 0, ct);
    tcase_add_loop_test(tc, texts_keep_their_lengths, 0, ct);
    tcase_add_loop_test(tc, lists_keep_their_lengths, 0, ct);
    tcase_add_loop_test(tc, a_value_of_a_wrong_type_is_refused, 0, ct);
    tcase_add_test(tc, without_a_file_the_defaults_hold);
    tcase_add_test(tc, what_a_job_leaves_out_is_unset);
}

int main(void)
{
    return run_suite("config", 60, add_tests);
}
