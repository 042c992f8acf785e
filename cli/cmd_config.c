/* drover config check, drover config show: what the configuration is and whether it is
 * right. Neither opens a connection.
 *
 * Values are shown through config/field.h only, which never writes a password.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/here.h"
#include "cli/load.h"
#include "cli/output.h"
#include "config/field.h"
#include "config/origin.h"
#include "config/sample.h"

enum { COLUMN_MAX = 48 }; /* a longer cell moves the rest of its line */

static void print(const struct buf *text)
{
    (void)fwrite(text->data, 1, text->len, stdout); /* main() sees to it that all went */
}

static json_t *json_text(const char *text)
{
    return output_json_text(slice_text(text));
}

/* ---- config check ---- */

/* The lines of `text` as an array. */
static json_t *json_lines(const struct buf *text)
{
    json_t *lines = json_array();
    struct slice rest = buf_slice(text);

    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        struct slice line = {.ptr = rest.ptr, .len = (size_t)(end - rest.ptr)};

        MUST(json_array_append_new(lines, output_json_text(line)) == 0);
        rest = (struct slice){.ptr = end + 1, .len = rest.len - line.len - 1};
    }
    return lines;
}

static void report_good(const struct cli_args *args, const struct config *config,
                        const struct buf *warnings)
{
    struct buf line;

    if (args->json) {
        output_json(json_pack("{s:b,s:o,s:o}", "ok", 1, "file", json_text(config->path),
                              "warnings", json_lines(warnings)));
        return;
    }
    if (warnings->len > 0)
        (void)fprintf(stderr, "%s", warnings->data);
    buf_init(&line, 0);
    if (config->path)
        text_escape(&line, slice_text(config->path));
    else
        (void)buf_add_text(&line, "no configuration file, defaults and environment");
    (void)buf_add_text(&line, ": ok\n");
    print(&line);
    buf_free(&line);
}

static void report_bad(const struct cli_args *args, const struct err *err)
{
    struct buf line;

    if (args->json)
        output_json(json_pack("{s:b,s:o}", "ok", 0, "error", json_text(err->text)));
    buf_init(&line, 0);
    text_escape(&line, slice_text(err->text));
    /* without "drover: ", so that editors find file and line */
    (void)fprintf(stderr, "%s\n", line.data);
    buf_free(&line);
}

static int run_check(const struct cli_args *args)
{
    struct err err = {0};
    struct config *config = cli_load_config(args->config_path, &err);
    struct buf warnings;
    int exit_code = EXIT_BAD_USAGE;

    buf_init(&warnings, 0);
    if (config == NULL || here_check(config, &warnings, &err) != 0) {
        report_bad(args, &err);
    } else {
        report_good(args, config, &warnings);
        exit_code = EXIT_DONE;
    }
    buf_free(&warnings);
    config_free(config);
    return exit_code;
}

/* ---- config show ---- */

struct row {
    struct buf name, value, source;
};

static struct row row_of(const struct config *config, const struct config_value *value)
{
    struct row row = {0};
    struct buf plain;

    buf_init(&plain, 0);
    config_value_path(value, &row.name);
    field_format(value->setting, value->base, &plain);
    text_escape(&row.value, buf_slice(&plain));
    buf_clear(&plain);
    config_value_source(config, value, &plain);
    text_escape(&row.source, buf_slice(&plain));
    buf_free(&plain);
    return row;
}

static void free_row(struct row *row)
{
    buf_free(&row->name);
    buf_free(&row->value);
    buf_free(&row->source);
}

static int wider(int width, size_t len)
{
    return len > (size_t)width && len <= COLUMN_MAX ? (int)len : width;
}

static void measure(const struct config *config, int *name_width, int *value_width)
{
    for (struct config_value value = {0}; config_next(config, &value);) {
        struct row row;

        if (!config_value_applies(config, &value))
            continue;
        row = row_of(config, &value);
        *name_width = wider(*name_width, row.name.len);
        *value_width = wider(*value_width, row.value.len);
        free_row(&row);
    }
}

static void show_table(const struct config *config)
{
    int name_width = 0, value_width = 0;
    struct buf out;

    measure(config, &name_width, &value_width);
    buf_init(&out, 0);
    (void)buf_addf(&out, "%-*s  %-*s  SOURCE\n", name_width, "SETTING", value_width,
                   "VALUE");
    for (struct config_value value = {0}; config_next(config, &value);) {
        struct row row;

        if (!config_value_applies(config, &value))
            continue;
        row = row_of(config, &value);
        (void)buf_addf(&out, "%-*s  %-*s  %s\n", name_width, row.name.data, value_width,
                       row.value.data, row.source.data);
        free_row(&row);
    }
    print(&out);
    buf_free(&out);
}

static json_t *json_seconds(int64_t ms)
{
    return ms % 1000 == 0 ? json_integer(ms / 1000) : json_real((double)ms / 1000);
}

static json_t *json_list(const struct config_value *value)
{
    const struct text_list *texts = value->base;
    const struct time_list *times = value->base;
    json_t *array = json_array();

    if (value->setting->type == SETTING_TEXTS)
        for (size_t i = 0; i < texts->ct; i++)
            MUST(json_array_append_new(array, json_text(texts->items[i])) == 0);
    else
        for (size_t i = 0; i < times->ct; i++)
            MUST(json_array_append_new(array, json_seconds(times->ms[i])) == 0);
    return array;
}

/* A password as the table of config show has it. */
static json_t *json_hidden(const struct config_value *value)
{
    struct buf text;
    json_t *json;

    buf_init(&text, 0);
    field_mask(value->setting, value->base, &text);
    json = json_text(text.data);
    buf_free(&text);
    return json;
}

static json_t *json_value(const struct config_value *value)
{
    if (!field_is_set(value->setting, value->base))
        return json_null();
    switch (value->setting->type) {
    case SETTING_TEXT:
        return json_text(*(char *const *)value->base);
    case SETTING_SECRET:
    case SETTING_URL:
        return json_hidden(value);
    case SETTING_INTEGER:
    case SETTING_MIB:
        return json_integer(*(const int64_t *)value->base);
    case SETTING_SECONDS:
        return json_seconds(*(const int64_t *)value->base);
    case SETTING_ENUM:
        return json_string(value->setting->words[*(const int *)value->base]);
    case SETTING_TEXTS:
    case SETTING_TIMES:
        return json_list(value);
    }
    return json_null();
}

static void show_json(const struct config *config)
{
    json_t *list = json_array();

    for (struct config_value value = {0}; config_next(config, &value);) {
        struct row row;

        if (!config_value_applies(config, &value))
            continue;
        row = row_of(config, &value);
        MUST(json_array_append_new(
                 list, json_pack("{s:s,s:o,s:o,s:b}", "name", row.name.data, "value",
                                 json_value(&value), "source", json_text(row.source.data),
                                 "reload",
                                 (value.setting->flags & SETTING_RELOADS) != 0)) == 0);
        free_row(&row);
    }
    output_json(
        json_pack("{s:o,s:o}", "file", json_text(config->path), "settings", list));
}

static void show_sample(void)
{
    struct buf out;

    buf_init(&out, 0);
    sample_write(&out);
    print(&out);
    buf_free(&out);
}

static int run_show(const struct cli_args *args)
{
    struct config *config;
    int code;

    if (cli_flag(args, "--sample")) {
        show_sample();
        return EXIT_DONE;
    }
    config = cli_config(args, &code);
    if (config == NULL)
        return code;
    if (args->json)
        show_json(config);
    else
        show_table(config);
    config_free(config);
    return EXIT_DONE;
}

static const struct cli_option no_options[] = {{.name = NULL}};
static const struct cli_option show_options[] = {
    {.name = "--sample", .help = "print a file with every setting at its default"},
    {.name = NULL}};

const struct cli_command cmd_config_check = {
    .words = "config check",
    .operands = "",
    .summary = "read and check the configuration",
    .examples =
        "  drover config check\n"
        "  drover config check -c /etc/drover/drover.conf && systemctl reload drover\n",
    .options = no_options,
    .run = run_check,
};

const struct cli_command cmd_config_show = {
    .words = "config show",
    .operands = "",
    .summary = "show every setting, its value and where that came from",
    .examples =
        "  drover config show\n"
        "  drover config show --json | jq -r '.settings[] | .name + \" \" + .source'\n"
        "  drover config show --sample > drover.conf\n",
    .options = show_options,
    .run = run_show,
};
