/* Stepping through the values of a configuration and naming their places.
 *
 * Origins stand in one array in the order of config_next(): the values at the top and
 * in plain sections, then pool by pool, then job by job.
 */
#include "config/origin.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"

static size_t item_ct(const struct config *config, const struct section *section)
{
    if (!section->is_list)
        return 1;
    return *(const size_t *)((const char *)config + section->ct_offset);
}

static void *field_of(const struct config *config, const struct setting *setting,
                      size_t index)
{
    const struct section *section = &sections[setting->section];
    char *base = (char *)(uintptr_t)config;

    if (section->is_list) {
        base = *(char **)(void *)(base + section->offset);
        base += index * section->item_bytes;
    }
    return base + setting->offset;
}

/* Number of values before those of the section. */
static size_t section_start(const struct config *config, enum section_id id)
{
    size_t at = 0, first, ct;

    for (enum section_id i = SECTION_TOP; i < id; i++) {
        settings_of(i, &first, &ct);
        at += ct * item_ct(config, &sections[i]);
    }
    return at;
}

size_t config_value_ct(const struct config *config)
{
    return section_start(config, SECTION_CT);
}

struct config_value config_value_of(const struct config *config,
                                    const struct setting *setting, size_t index)
{
    size_t first, ct, row = (size_t)(setting - settings);
    struct config_value value = {.setting = setting, .index = index};

    MUST(row < setting_ct && index < item_ct(config, &sections[setting->section]));
    settings_of(setting->section, &first, &ct);
    value.at = section_start(config, setting->section) + index * ct + row - first;
    value.base = field_of(config, setting, index);
    value.origin = config->origins ? &config->origins[value.at] : NULL;
    return value;
}

struct config_value config_value_named(const struct config *config,
                                       enum section_id section, const char *name,
                                       size_t index)
{
    const struct setting *setting = setting_find(section, name);

    MUST(setting != NULL);
    return config_value_of(config, setting, index);
}

bool config_next(const struct config *config, struct config_value *value)
{
    const struct setting *setting = value->setting;
    size_t first, ct, index = value->index;
    enum section_id id = setting ? setting->section : SECTION_TOP;

    settings_of(id, &first, &ct);
    if (setting == NULL) {
        setting = &settings[first];
    } else if (setting < &settings[first + ct - 1]) {
        setting++;
    } else if (index + 1 < item_ct(config, &sections[id])) {
        setting = &settings[first];
        index++;
    } else {
        do {
            if (++id == SECTION_CT)
                return false;
        } while (item_ct(config, &sections[id]) == 0);
        settings_of(id, &first, &ct);
        setting = &settings[first];
        index = 0;
    }
    *value = config_value_of(config, setting, index);
    return true;
}

bool config_value_applies(const struct config *config, const struct config_value *value)
{
    const struct setting *setting = value->setting;

    return setting->section != SECTION_JOBS ||
           config->jobs[value->index].type == CONFIG_UNSET ||
           setting_is_of_type(setting, config->jobs[value->index].type);
}

void config_value_path(const struct config_value *value, struct buf *out)
{
    const struct section *section = &sections[value->setting->section];

    if (section->is_list)
        (void)buf_addf(out, "%s[%zu].", section->name, value->index);
    else if (section->name[0])
        (void)buf_addf(out, "%s.", section->name);
    (void)buf_add_text(out, value->setting->name);
}

void config_value_source(const struct config *config, const struct config_value *value,
                         struct buf *out)
{
    const struct config_origin *origin = value->origin;

    switch (origin ? origin->kind : ORIGIN_NONE) {
    case ORIGIN_NONE:
        (void)buf_add_text(out, "not used");
        break;
    case ORIGIN_DEFAULT:
        (void)buf_add_text(out, "default");
        break;
    case ORIGIN_FILE:
        (void)buf_addf(out, "%s:%u", origin->file ? origin->file : config->path,
                       origin->line);
        break;
    case ORIGIN_ENV:
        (void)buf_addf(out, "environment %s", value->setting->env);
        break;
    case ORIGIN_GIVEN:
        (void)buf_add_text(out, "given");
        break;
    }
}

/* Where a mistake is to be mended: of a default in an item of a list, where the item is
 * named. */
static struct config_value place_of(const struct config *config,
                                    const struct config_value *value)
{
    enum section_id section = value->setting->section;

    if (value->origin->kind == ORIGIN_DEFAULT && sections[section].is_list)
        return config_value_named(config, section, "name", value->index);
    return *value;
}

int config_value_fail(const struct config *config, const struct config_value *value,
                      int64_t element, struct err *err, const char *fmt, ...)
{
    struct buf text;
    va_list ap;
    char what[sizeof(err->text)];

    buf_init(&text, 0);
    if (value->origin && value->origin->kind != ORIGIN_NONE) {
        struct config_value place = place_of(config, value);

        config_value_source(config, &place, &text);
        (void)buf_add_text(&text, ": ");
    }
    config_value_path(value, &text);
    if (element >= 0)
        (void)buf_addf(&text, "[%d]", (int)element);
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    (void)err_set(err, ERR_CONFIG, "%s: %s", text.data, what);
    buf_free(&text);
    return -1;
}
