/* Fuzz target: a configuration file. What is taken is in bounds and can be shown; what
 * is not has a place in its error. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/diff.h"
#include "config/field.h"
#include "config/load.h"
#include "config/origin.h"

/* libconfig 1.5 loses a text that stands where its grammar has none. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

static void clear_environment(void)
{
    for (size_t i = 0; i < setting_ct; i++)
        if (settings[i].env)
            (void)unsetenv(settings[i].env);
}

/* "FILE:LINE: …", "default: …": something stands before the reason. */
static void check_error(const struct err *err)
{
    MUST(err->code == ERR_CONFIG);
    MUST(strstr(err->text, ": ") != NULL && err->text[0] != ':');
}

static void check_bounds(const struct config_value *value)
{
    const struct setting *setting = value->setting;
    int64_t number;

    if (setting->type != SETTING_INTEGER && setting->type != SETTING_SECONDS &&
        setting->type != SETTING_MIB && setting->type != SETTING_KIB)
        return;
    number = *(const int64_t *)value->base;
    MUST(number == CONFIG_UNSET || (number >= setting->min && number <= setting->max));
}

static void check_config(const struct config *config)
{
    struct redis_endpoint endpoint;
    struct buf shown;

    buf_init(&shown, 0);
    for (struct config_value value = {0}; config_next(config, &value);) {
        check_bounds(&value);
        config_value_path(&value, &shown);
        config_value_source(config, &value, &shown);
        field_format(value.setting, value.base, &shown);
        MUST(field_equal(value.setting, value.base, value.base));
    }
    MUST(config_diff(config, config, &shown) == 0);
    MUST(redis_endpoint_resolve(config, &endpoint, NULL) == 0);
    free(redis_endpoint_text(&endpoint));
    redis_endpoint_free(&endpoint);
    buf_free(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = slice_dup(slice_of((const char *)data, size));
    struct err err = {0};
    struct config *config;

    clear_environment();
    config = config_load_text("fuzz.conf", text, &err);
    if (config)
        check_config(config);
    else
        check_error(&err);
    config_free(config);
    free(text);
    return 0;
}
