/* Reading libconfig's tree by the table of settings.
 *
 * Knows nothing of single settings but one: the type of a job, which is read before the
 * job's other settings, for it says which of them belong.
 */
#include "config/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/build.h"
#include "config/origin.h"
#include "config/source.h"
#include "config/value.h"

enum { NO_ELEMENT = -1, KEY_SHOWN = 64 };

struct reader {
    struct config *config; /* NULL until the lists are counted */
    const char *name;
    const char *directory;
    struct err *err;
};

/* The included file that holds the setting; NULL: the configuration's own. */
static char *included_file(const struct reader *reader, const config_setting_t *from)
{
    const char *file = config_setting_source_file(from);

    return file ? source_path(reader->directory, file) : NULL;
}

static int fail_at(const struct reader *reader, const config_setting_t *from,
                   const char *fmt, ...) PRINTF_LIKE(3, 4);

static int fail_at(const struct reader *reader, const config_setting_t *from,
                   const char *fmt, ...)
{
    char *file = included_file(reader, from), what[sizeof(reader->err->text)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    (void)err_set(reader->err, ERR_CONFIG, "%s:%u: %s", file ? file : reader->name,
                  config_setting_source_line(from), what);
    free(file);
    return -1;
}

/* ---- one value ---- */

static bool is_text(enum setting_type type)
{
    return type == SETTING_TEXT || type == SETTING_SECRET || type == SETTING_URL ||
           type == SETTING_ENUM || type == SETTING_TEXTS;
}

/* A number in quotes looks right to who wrote it. */
static int expect(const struct setting *setting, const config_setting_t *from,
                  struct err *err)
{
    bool quoted =
        config_setting_type(from) == CONFIG_TYPE_STRING && !is_text(setting->type);

    return err_set(err, ERR_CONFIG, "expects %s%s", value_expected(setting),
                   quoted ? ", without quotes" : "");
}

static int read_text(const struct setting *setting, void *field,
                     const config_setting_t *from, struct err *err)
{
    const char *text = config_setting_get_string(from);
    int rc;

    if (text == NULL)
        return expect(setting, from, err);
    if (setting->type == SETTING_ENUM)
        return value_set_word(setting, field, text, err);
    if (setting->type == SETTING_TEXTS)
        return value_add_text(setting, field, text, err);
    rc = value_set_text(setting, field, text, err);
    if (setting->type != SETTING_TEXT) /* libconfig would free it as it is */
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    return rc;
}

static bool is_integer(const config_setting_t *from)
{
    int type = config_setting_type(from);

    return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

static long long integer_of(const config_setting_t *from)
{
    return config_setting_type(from) == CONFIG_TYPE_INT ? config_setting_get_int(from)
                                                        : config_setting_get_int64(from);
}

static int read_number(const struct setting *setting, void *field,
                       const config_setting_t *from, struct err *err)
{
    const char *literal = config_setting_get_hook(from);

    if (!is_integer(from))
        return expect(setting, from, err);
    if (literal)
        return value_refuse_literal(setting, literal, err);
    return value_set_number(setting, field, integer_of(from), err);
}

static int read_seconds(const struct setting *setting, void *field,
                        const config_setting_t *from, struct err *err)
{
    const char *literal = config_setting_get_hook(from);
    double seconds;

    if (!config_setting_is_number(from))
        return expect(setting, from, err);
    if (literal)
        return value_refuse_literal(setting, literal, err);
    seconds =
        is_integer(from) ? (double)integer_of(from) : config_setting_get_float(from);
    return setting->type == SETTING_TIMES
               ? value_add_seconds(setting, field, seconds, err)
               : value_set_seconds(setting, field, seconds, err);
}

static int read_bool(const struct setting *setting, bool *field,
                     const config_setting_t *from, struct err *err)
{
    if (config_setting_type(from) != CONFIG_TYPE_BOOL)
        return expect(setting, from, err);
    *field = config_setting_get_bool(from);
    return 0;
}

/* On error *element says which one it was, and *line where. */
static int read_list(const struct setting *setting, void *field,
                     const config_setting_t *from, int *element, unsigned *line,
                     struct err *err)
{
    int ct = config_setting_length(from);

    if (!config_setting_is_list(from) && !config_setting_is_array(from))
        return expect(setting, from, err);
    for (int i = 0; i < ct; i++) {
        const config_setting_t *part = config_setting_get_elem(from, (unsigned)i);
        int rc = setting->type == SETTING_TEXTS ? read_text(setting, field, part, err)
                                                : read_seconds(setting, field, part, err);

        if (rc != 0) {
            *element = i;
            *line = config_setting_source_line(part);
            return -1;
        }
    }
    return value_check_length(setting, field, err);
}

static int read_field(const struct setting *setting, void *field,
                      const config_setting_t *from, int *element, unsigned *line,
                      struct err *err)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
    case SETTING_ENUM:
        return read_text(setting, field, from, err);
    case SETTING_INTEGER:
    case SETTING_MIB:
    case SETTING_KIB:
        return read_number(setting, field, from, err);
    case SETTING_SECONDS:
        return read_seconds(setting, field, from, err);
    case SETTING_BOOL:
        return read_bool(setting, field, from, err);
    case SETTING_TEXTS:
    case SETTING_TIMES:
        return read_list(setting, field, from, element, line, err);
    }
    return -1;
}

/* ---- settings and sections ---- */

static const char *type_name(int type)
{
    return setting_find(SECTION_JOBS, "type")->words[type];
}

static int read_setting(struct reader *reader, const struct setting *setting,
                        size_t index, const config_setting_t *from)
{
    struct config_value value = config_value_of(reader->config, setting, index);
    struct err why = {0};
    int element = NO_ELEMENT, type;

    if (value.origin->kind == ORIGIN_FILE)
        return 0; /* the type of a job */
    value.origin->kind = ORIGIN_FILE;
    value.origin->file = included_file(reader, from);
    value.origin->line = config_setting_source_line(from);
    if (!config_value_applies(reader->config, &value)) {
        type = reader->config->jobs[index].type;
        return config_value_fail(reader->config, &value, NO_ELEMENT, reader->err,
                                 "belongs to jobs of type \"%s\", this one is of \"%s\"",
                                 setting_types_text(setting), type_name(type));
    }
    if (read_field(setting, value.base, from, &element, &value.origin->line, &why) == 0)
        return 0;
    return config_value_fail(reader->config, &value, element, reader->err, "%s",
                             why.text);
}

/* Fails at `from`, under the path of its group. */
static int fail_key(const struct reader *reader, const config_setting_t *from,
                    const struct section *section, size_t index, const char *key,
                    const char *what)
{
    char place[KEY_SHOWN] = "";

    if (section->is_list)
        (void)snprintf(place, sizeof(place), "%s[%zu].", section->name, index);
    else if (section->name[0])
        (void)snprintf(place, sizeof(place), "%s.", section->name);
    return fail_at(reader, from, "%s%.*s: %s", place, KEY_SHOWN, key, what);
}

static int fail_unknown(const struct reader *reader, const config_setting_t *from,
                        const struct section *section, size_t index)
{
    const char *key = config_setting_name(from);
    const char *near = setting_nearest((enum section_id)(section - sections), key);
    const char *elsewhere = setting_section_of(key);
    char what[KEY_SHOWN * 2];

    if (elsewhere && (near == NULL || strncmp(near, key, strlen(key)) != 0))
        (void)snprintf(what, sizeof(what), "unknown here: it is a setting of %s",
                       elsewhere);
    else if (near)
        (void)snprintf(what, sizeof(what), "unknown setting, did you mean \"%s\"?", near);
    else
        (void)snprintf(what, sizeof(what), "unknown setting");
    return fail_key(reader, from, section, index, key, what);
}

static int read_type_first(struct reader *reader, size_t index,
                           const config_setting_t *group)
{
    const config_setting_t *type = config_setting_get_member(group, "type");

    if (type == NULL)
        return 0;
    return read_setting(reader, setting_find(SECTION_JOBS, "type"), index, type);
}

static int check_required(const struct reader *reader, const struct section *section,
                          size_t index, const config_setting_t *group)
{
    size_t first, ct;

    settings_of((enum section_id)(section - sections), &first, &ct);
    for (size_t i = first; i < first + ct; i++) {
        struct config_value value = config_value_of(reader->config, &settings[i], index);

        if (settings[i].flags & SETTING_REQUIRED && value.origin->kind == ORIGIN_NONE &&
            config_value_applies(reader->config, &value))
            return fail_key(reader, group, section, index, settings[i].name,
                            "is missing");
    }
    return 0;
}

static int read_group(struct reader *reader, const struct section *section, size_t index,
                      const config_setting_t *group)
{
    enum section_id id = (enum section_id)(section - sections);
    int ct = config_setting_length(group);

    if (id == SECTION_JOBS && read_type_first(reader, index, group) != 0)
        return -1;
    for (int i = 0; i < ct; i++) {
        const config_setting_t *from = config_setting_get_elem(group, (unsigned)i);
        const struct setting *setting = setting_find(id, config_setting_name(from));

        if (setting == NULL)
            return fail_unknown(reader, from, section, index);
        if (read_setting(reader, setting, index, from) != 0)
            return -1;
    }
    return check_required(reader, section, index, group);
}

static int read_section(struct reader *reader, const struct section *section,
                        const config_setting_t *from)
{
    int ct = config_setting_length(from);

    if (!section->is_list)
        return read_group(reader, section, 0, from);
    for (int i = 0; i < ct; i++)
        if (read_group(reader, section, (size_t)i,
                       config_setting_get_elem(from, (unsigned)i)) != 0)
            return -1;
    return 0;
}

static int read_top(struct reader *reader, const config_setting_t *root)
{
    int ct = config_setting_length(root);

    for (int i = 0; i < ct; i++) {
        const config_setting_t *from = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(from);
        const struct setting *setting = setting_find(SECTION_TOP, name);
        const struct section *section = section_find(name);
        int rc;

        if (section)
            rc = read_section(reader, section, from);
        else if (setting)
            rc = read_setting(reader, setting, 0, from);
        else
            rc = fail_unknown(reader, from, &sections[SECTION_TOP], 0);
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* ---- the shape of sections, before anything is read ---- */

static int check_items(const struct reader *reader, const struct section *section,
                       const config_setting_t *from)
{
    int ct = config_setting_length(from);

    for (int i = 0; i < ct; i++) {
        const config_setting_t *item = config_setting_get_elem(from, (unsigned)i);

        if (!config_setting_is_group(item))
            return fail_at(reader, item, "%s[%d]: expects a group: { ... }",
                           section->name, i);
    }
    return 0;
}

/* *ct gets the number of items; untouched where the file has no such section. */
static int check_shape(const struct reader *reader, const struct section *section,
                       config_setting_t *root, size_t *ct)
{
    config_setting_t *from = config_setting_get_member(root, section->name);
    const char *what = NULL;

    if (from == NULL)
        return 0;
    *ct = section->is_list ? (size_t)config_setting_length(from) : 0;
    if (!section->is_list && !config_setting_is_group(from))
        what = "expects a group: { ... }";
    else if (section->is_list && !config_setting_is_list(from))
        what = "expects a list of groups: ( { ... }, { ... } )";
    else if (*ct > section->item_max)
        what = "has too many elements";
    else if (*ct == 0 && section == &sections[SECTION_POOLS])
        what = "is empty: at least one pool is needed";
    if (what)
        return fail_key(reader, from, &sections[SECTION_TOP], 0, section->name, what);
    return section->is_list ? check_items(reader, section, from) : 0;
}

struct config *config_read_tree(config_setting_t *root, const char *name,
                                const char *directory, struct err *err)
{
    struct reader reader = {.name = name, .directory = directory, .err = err};
    size_t ct[SECTION_CT] = {[SECTION_POOLS] = 1};

    for (size_t i = SECTION_TOP + 1; i < SECTION_CT; i++)
        if (check_shape(&reader, &sections[i], root, &ct[i]) != 0)
            return NULL;
    reader.config =
        config_create(name, ct[SECTION_POOLS], ct[SECTION_JOBS], ct[SECTION_DATABASES]);
    if (read_top(&reader, root) == 0)
        return reader.config;
    config_free(reader.config);
    return NULL;
}
