/* What the tests of the configuration share. Each test runs in a process of its own, so
 * the environment may be changed freely. */
#ifndef TESTS_UNIT_CONFIGS_H
#define TESTS_UNIT_CONFIGS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/field.h"
#include "config/load.h"
#include "config/origin.h"
#include "config/settings.h"

/* Nothing of what surrounds the test counts. */
static inline void clear_environment(void)
{
    for (size_t i = 0; i < setting_ct; i++)
        if (settings[i].env)
            (void)unsetenv(settings[i].env);
    (void)unsetenv("DROVER_CONFIG");
    (void)unsetenv("DB_CONNECTION");
}

static inline void set_variable(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

/* "NAME=value NAME=value". */
static inline void set_variables(const char *variables)
{
    char *copy = must_strdup(variables), *save = NULL;

    for (char *at = strtok_r(copy, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(at, '=');

        ck_assert_ptr_nonnull(equals);
        *equals = '\0';
        set_variable(at, equals + 1);
    }
    free(copy);
}

/* The text as if it were drover.conf. */
static inline struct config *loaded(const char *text)
{
    struct err err = {0};
    struct config *config = config_load_text("drover.conf", text, &err);

    ck_assert_msg(config != NULL, "%s: %s", text, err.text);
    return config;
}

static inline void refused(const char *text, const char *message)
{
    struct err err = {0};
    struct config *config = config_load_text("drover.conf", text, &err);

    ck_assert_msg(config == NULL, "accepted: %s", text);
    ck_assert_msg(strcmp(err.text, message) == 0, "%s\ngives   %s\ninstead %s", text,
                  err.text, message);
    ck_assert_int_eq(err.code, ERR_CONFIG);
}

/* What a job of type sql needs around its setting: a statement with as many parameters as
 * there are paths in `value`. Good until the next call. */
static inline const char *around_params(const char *value)
{
    static char text[4096];
    int len = snprintf(text, sizeof(text),
                       "name = \"j\"; type = \"sql\"; database = "
                       "\"d\"; statement = \"SELECT 1");
    size_t quotes = 0;

    for (; *value; value++)
        if (*value == '"' && ++quotes % 2 == 0)
            len += snprintf(text + len, sizeof(text) - (size_t)len, ", $%zu", quotes / 2);
    (void)snprintf(text + len, sizeof(text) - (size_t)len, "\"; ");
    return text;
}

/* A file in which the setting has this value and all around it is as it must be. */
static inline char *file_with(const struct setting *setting, const char *value)
{
    const struct section *section = &sections[setting->section];
    const char *around = "", *before = "";

    if (setting->section == SECTION_JOBS && setting->job_type == JOB_SQL)
        before = "databases: ( { name = \"d\"; dsn = \"dbname=d\"; } ); "
                 "pools: ( { concurrency = 10000; } ); ";
    if (setting->section == SECTION_DATABASES && strcmp(setting->name, "name") == 0)
        around = "dsn = \"dbname=d\"; ";
    else if (setting->section == SECTION_DATABASES &&
             (strcmp(setting->name, "dsn") == 0 || strcmp(setting->name, "service") == 0))
        around = "name = \"d\"; ";
    else if (setting->section == SECTION_DATABASES)
        around = "name = \"d\"; dsn = \"dbname=d\"; ";
    else if (before[0] && strcmp(setting->name, "database") == 0)
        around = "name = \"j\"; type = \"sql\"; statement = \"SELECT 1\"; ";
    else if (before[0] && strcmp(setting->name, "statement") == 0)
        around = strchr(value, '$') ? "name = \"j\"; type = \"sql\"; database = \"d\"; "
                                      "params = [ \"a\", \"b\" ]; "
                                    : "name = \"j\"; type = \"sql\"; database = \"d\"; ";
    else if (before[0] && strcmp(setting->name, "params") == 0)
        around = around_params(value);
    else if (before[0])
        around = "name = \"j\"; type = \"sql\"; database = \"d\"; statement = \"SELECT "
                 "$$of any places$$\"; ";
    else if (setting->section == SECTION_JOBS && strcmp(setting->name, "name") == 0)
        around = "type = \"noop\"; ";
    else if (setting->section == SECTION_JOBS && strcmp(setting->name, "command") == 0)
        around = "name = \"j\"; type = \"shell\"; ";
    else if (setting->section == SECTION_JOBS && strcmp(setting->name, "url") == 0)
        around = "name = \"j\"; type = \"http\"; ";
    else if (setting->section == SECTION_JOBS && setting->job_type == JOB_HTTP)
        around = "name = \"j\"; type = \"http\"; url = \"https://h/\"; ";
    else if (setting->section == SECTION_JOBS && strcmp(setting->name, "app") == 0)
        around = "name = \"j\"; type = \"laravel\"; ";
    else if (setting->section == SECTION_JOBS && setting->job_type == JOB_LARAVEL)
        around = "name = \"j\"; type = \"laravel\"; app = \"/a\"; ";
    else if (setting->section == SECTION_JOBS)
        around = "name = \"j\"; type = \"shell\"; command = [ \"true\" ]; ";
    if (strcmp(setting->name, "hang_timeout") == 0) /* must be below every lease */
        around = "pools: ( { lease = 31536000; } ); ";
    if (section->is_list)
        return must_format("%s%s: ( { %s%s = %s; } );", before, section->name, around,
                           setting->name, value);
    if (section->name[0])
        return must_format("%s: { %s = %s; };", section->name, setting->name, value);
    return must_format("%s%s = %s;", around, setting->name, value);
}

static inline void source_is(const struct config *config, enum section_id section,
                             const char *name, size_t index, const char *source)
{
    struct config_value value =
        config_value_of(config, setting_find(section, name), index);
    struct buf text;

    buf_init(&text, 0);
    config_value_source(config, &value, &text);
    ck_assert_str_eq(text.data, source);
    buf_free(&text);
}

/* As it would stand in the file. */
static inline void value_is(const struct config *config, enum section_id section,
                            const char *name, size_t index, const char *expected)
{
    struct config_value value = config_value_named(config, section, name, index);
    struct buf text;

    buf_init(&text, 0);
    field_format(value.setting, value.base, &text);
    ck_assert_msg(strcmp(text.data, expected) == 0, "%s is %s, not %s", name, text.data,
                  expected);
    buf_free(&text);
}

/* A directory of the test's own, and the working directory from now on. */
static inline void enter_directory(char path[64])
{
    (void)snprintf(path, 64, "/tmp/drover-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(chdir(path), 0);
}

static inline void write_file(const char *path, const void *bytes, size_t len,
                              mode_t mode)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text), 0600);
}

#endif
