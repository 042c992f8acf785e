/* Writing the table of settings for people: a commented file and a part of a manual page.
 * Pure: the same table gives the same bytes, which tests compare with the tree's. */
#include "config/sample.h"

#include <inttypes.h>
#include <string.h>

#include "base/must.h"
#include "config/field.h"
#include "config/value.h"

enum { LINE_COLUMNS = 78 };

/* Room for a field of any type. */
union field {
    char *text;
    int64_t number;
    int word;
    struct text_list texts;
    struct time_list times;
};

void sample_value(const struct setting *setting, struct buf *out)
{
    union field field = {0};

    if (setting->initial == NULL) {
        (void)buf_add_text(out, setting->example);
        return;
    }
    field_unset(setting, &field);
    MUST(value_set_from_text(setting, &field, setting->initial, NULL) == 0);
    field_format(setting, &field, out);
    field_free(setting, &field);
}

/* ---- the sample file ---- */

/* `text` as comment lines, broken between words. */
static void write_prose(struct buf *out, const char *indent, const char *text)
{
    size_t column = strlen(indent) + 1;

    (void)buf_addf(out, "%s#", indent);
    while (*text) {
        size_t len = strcspn(text, " ");

        if (column + 1 + len > LINE_COLUMNS) {
            (void)buf_addf(out, "\n%s#", indent);
            column = strlen(indent) + 1;
        }
        (void)buf_addf(out, " %.*s", (int)len, text);
        column += 1 + len;
        text += len;
        text += *text == ' ';
    }
    (void)buf_add_char(out, '\n');
}

static void write_value(struct buf *out, const char *indent,
                        const struct setting *setting)
{
    (void)buf_addf(out, "%s#%s = ", indent, setting->name);
    sample_value(setting, out);
    (void)buf_add_text(out, ";\n");
}

static void write_setting(struct buf *out, const char *indent,
                          const struct setting *setting)
{
    write_prose(out, indent, setting->doc);
    write_value(out, indent, setting);
}

static void write_settings(struct buf *out, const char *indent, enum section_id id)
{
    size_t first, ct;

    settings_of(id, &first, &ct);
    for (size_t i = first; i < first + ct; i++) {
        if (i > first)
            (void)buf_add_char(out, '\n');
        write_setting(out, indent, &settings[i]);
    }
}

/* An entry of each type that has settings of its own. What all types share is explained
 * with the first. */
static void write_job(struct buf *out, int type, const char *name, bool first_one)
{
    const char *word = setting_find(SECTION_JOBS, "type")->words[type];
    size_t first, ct;

    (void)buf_addf(out, "    #{\n");
    settings_of(SECTION_JOBS, &first, &ct);
    for (size_t i = first; i < first + ct; i++) {
        const struct setting *setting = &settings[i];
        bool shared = setting->job_type == JOB_ANY;

        if (!setting_is_of_type(setting, type))
            continue;
        if (i > first && (first_one || !shared))
            (void)buf_add_char(out, '\n');
        if (strcmp(setting->name, "name") == 0 && !first_one)
            (void)buf_addf(out, "        #name = \"%s\";\n", name);
        else if (strcmp(setting->name, "type") == 0 && !first_one)
            (void)buf_addf(out, "        #type = \"%s\";\n", word);
        else if (shared && !first_one)
            write_value(out, "        ", setting);
        else
            write_setting(out, "        ", setting);
    }
    (void)buf_addf(out, "    #}");
}

static void write_jobs(struct buf *out)
{
    (void)buf_add_text(out, "jobs:\n(\n");
    write_job(out, JOB_SHELL, "resize", true);
    (void)buf_add_text(out, "\n    #,\n");
    write_job(out, JOB_HTTP, "invoice.paid", false);
    (void)buf_add_text(out, "\n    #,\n");
    write_job(out, JOB_LARAVEL, "App\\\\Jobs\\\\*", false);
    (void)buf_add_text(out, "\n);\n");
}

static void write_section(struct buf *out, enum section_id id)
{
    const struct section *section = &sections[id];

    (void)buf_add_char(out, '\n');
    write_prose(out, "", section->doc);
    if (!section->is_list) {
        (void)buf_addf(out, "%s:\n{\n", section->name);
        write_settings(out, "    ", id);
        (void)buf_add_text(out, "};\n");
        return;
    }
    if (id == SECTION_JOBS) {
        write_jobs(out);
        return;
    }
    (void)buf_addf(out, "%s:\n(\n    {\n", section->name);
    write_settings(out, "        ", id);
    (void)buf_add_text(out, "    }\n);\n");
}

void sample_write(struct buf *out)
{
    write_prose(out, "",
                "The configuration of drover; drover.conf(5) has it all. Each setting "
                "stands here at its default, or with an example where it has none, "
                "behind a \"#\": take that away and change the value.");
    (void)buf_add_text(out, "#\n");
    write_prose(
        out, "",
        "Times are seconds, whole or with a fraction. `drover config check` reads "
        "this file, `drover config show` says where each value comes from.");
    (void)buf_add_char(out, '\n');
    write_settings(out, "", SECTION_TOP);
    for (enum section_id id = SECTION_TOP + 1; id < SECTION_CT; id++)
        write_section(out, id);
}

/* ---- the manual ---- */

/* roff reads backslashes, and lines that begin with a dot or a quote. */
static void write_roff(struct buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        (void)buf_add_text(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            (void)buf_add_text(out, "\\e");
        else
            (void)buf_add_char(out, *text);
        if (*text == '.' && text[1] == ' ' && text[2]) { /* a sentence, a line */
            (void)buf_add_char(out, '\n');
            text++;
        }
    }
    (void)buf_add_char(out, '\n');
}

static const char *kind_of(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        return "text";
    case SETTING_INTEGER:
        return "number";
    case SETTING_MIB:
        return "MiB";
    case SETTING_KIB:
        return "KiB";
    case SETTING_BOOL:
        return "true or false";
    case SETTING_SECONDS:
        return "seconds";
    case SETTING_ENUM:
        return "word";
    case SETTING_TEXTS:
        return "[ text, ... ]";
    case SETTING_TIMES:
        return "[ seconds, ... ]";
    }
    return "";
}

static void write_seconds(struct buf *out, int64_t ms)
{
    if (ms % 1000 == 0)
        (void)buf_addf(out, "%" PRId64, ms / 1000);
    else
        (void)buf_addf(out, "%g", (double)ms / 1000);
}

static void write_bounds(struct buf *out, const struct setting *setting)
{
    bool time = setting->type == SETTING_SECONDS;

    if (setting->type == SETTING_ENUM) {
        (void)buf_add_text(out, "One of:");
        for (size_t i = 0; setting->words[i]; i++)
            (void)buf_addf(out, "%s %s", i ? "," : "", setting->words[i]);
        (void)buf_add_text(out, ".\n");
        return;
    }
    if (!time && setting->type != SETTING_INTEGER && setting->type != SETTING_MIB &&
        setting->type != SETTING_KIB)
        return;
    (void)buf_add_text(out, "From ");
    time ? write_seconds(out, setting->min)
         : (void)buf_addf(out, "%" PRId64, setting->min);
    (void)buf_add_text(out, " to ");
    time ? write_seconds(out, setting->max)
         : (void)buf_addf(out, "%" PRId64, setting->max);
    (void)buf_addf(out, "%s.\n", value_unit(setting));
}

static void write_default(struct buf *out, const struct setting *setting)
{
    struct buf value;

    buf_init(&value, 0);
    if (setting->initial) {
        sample_value(setting, &value);
        (void)buf_addf(out, "Default: %s.\n", value.data);
    } else if (setting->flags & SETTING_REQUIRED) {
        (void)buf_add_text(out, "Must be given.\n");
    } else {
        (void)buf_add_text(out, "Not set by default.\n");
    }
    buf_free(&value);
}

static void write_row(struct buf *out, const struct setting *setting)
{
    const struct section *section = &sections[setting->section];
    bool named = section->name[0] && !section->is_list;

    (void)buf_addf(out, ".It Ic %s%s%s No = Ar %s\n", named ? section->name : "",
                   named ? "." : "", setting->name, kind_of(setting));
    write_roff(out, setting->doc);
    write_bounds(out, setting);
    write_default(out, setting);
    if (setting->section == SECTION_JOBS && setting->job_type != JOB_ANY)
        (void)buf_addf(out, "For jobs of type %s.\n", setting_types_text(setting));
    if (setting->env)
        (void)buf_addf(out, "Environment:\n.Ev %s .\n", setting->env);
    if (!(setting->flags & SETTING_RELOADS))
        (void)buf_add_text(out, "A change needs a restart.\n");
}

void sample_write_manual(struct buf *out)
{
    size_t first, ct;

    for (enum section_id id = SECTION_TOP; id < SECTION_CT; id++) {
        const struct section *section = &sections[id];

        if (section->is_list)
            (void)buf_addf(out, ".Ss %s: ( { ... }, ... )\n", section->name);
        else if (section->name[0])
            (void)buf_addf(out, ".Ss %s: { ... }\n", section->name);
        else
            (void)buf_add_text(out, ".Ss The top of the file\n");
        write_roff(out, section->doc);
        (void)buf_add_text(out, ".Bl -tag -width Ds\n");
        settings_of(id, &first, &ct);
        for (size_t i = first; i < first + ct; i++)
            write_row(out, &settings[i]);
        (void)buf_add_text(out, ".El\n");
    }
}
