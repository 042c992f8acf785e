/* Writing the statements of a batch. Every statement but those for the inbox and the
 * transaction comes from the configuration, and values never become part of one. Knows no
 * answers. */
#include "jobs/sql_form.h"

#include <stdlib.h>

#include "pg/array.h"

enum {
    HEAD_MAX = 3,            /* statements before those of the jobs */
    WIDE_MAX_BYTES = 8 << 20 /* of values in one statement */
};

static const char note_sql[] =
    "INSERT INTO drover_inbox (uuid) SELECT unnest($1::text[])";
static const char look_sql[] =
    "SELECT uuid FROM drover_inbox WHERE uuid = ANY($1::text[])";
static const char path_sql[] = "SELECT set_config('search_path', $1, true)";
static const char read_only_sql[] = "SET TRANSACTION READ ONLY";

/* ---- before the jobs' ---- */

static void write_uuids(struct sql_form *form, struct sql_task *const *tasks, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        pg_array_add(&form->uuids, slice_text(tasks[i]->uuid));
    pg_array_end(&form->uuids);
    form->uuids_param.value = buf_slice(&form->uuids);
}

static void add_head(struct sql_form *form, const char *sql, const struct pg_param *param)
{
    form->statements[form->head_ct++] =
        (struct pg_statement){.sql = sql, .params = param, .param_ct = param ? 1 : 0};
}

/* The inbox before the search_path: it is where the server looks by itself. */
static void write_head(struct sql_form *form, const struct sql_entry *entry,
                       struct sql_task *const *tasks, size_t ct)
{
    const struct buf *path = &tasks[0]->values.search_path;

    if (entry->config->once) {
        write_uuids(form, tasks, ct);
        add_head(form, note_sql, &form->uuids_param);
    }
    if (path->len > 0) {
        form->path_param.value = buf_slice(path);
        add_head(form, path_sql, &form->path_param);
    }
    if (sql_database_config(entry->database)->read_only)
        add_head(form, read_only_sql, NULL);
}

/* ---- the jobs' ---- */

static void write_narrow(struct sql_form *form, const struct sql_entry *entry,
                         struct sql_task *const *tasks, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        form->statements[form->head_ct + i] =
            (struct pg_statement){.sql = entry->config->statement,
                                  .params = tasks[i]->values.params,
                                  .param_ct = tasks[i]->values.ct};
    form->body_ct = ct;
}

static void write_wide(struct sql_form *form, const struct sql_entry *entry,
                       struct sql_task *const *tasks, size_t ct)
{
    size_t param_ct = entry->config->params.ct;

    form->arrays = must_alloc(param_ct * sizeof(*form->arrays));
    form->array_params = must_alloc(param_ct * sizeof(*form->array_params));
    for (size_t i = 0; i < param_ct; i++) {
        buf_init(&form->arrays[i], 0);
        for (size_t at = 0; at < ct; at++)
            pg_array_add(&form->arrays[i], tasks[at]->values.params[i].value);
        pg_array_end(&form->arrays[i]);
        form->array_params[i].value = buf_slice(&form->arrays[i]);
    }
    form->statements[form->head_ct] = (struct pg_statement){
        .sql = form->wide, .params = form->array_params, .param_ct = param_ct};
    form->body_ct = 1;
}

/* What one statement may hold is bounded; what many do is, by the jobs. */
static bool is_small(struct sql_task *const *tasks, size_t ct)
{
    size_t bytes = 0;

    for (size_t i = 0; i < ct; i++)
        for (size_t at = 0; at < tasks[i]->values.ct; at++)
            bytes += tasks[i]->values.params[at].value.len;
    return bytes <= WIDE_MAX_BYTES;
}

void sql_form_write(struct sql_form *form, const struct sql_entry *entry,
                    struct sql_task *const *tasks, size_t ct, bool narrow)
{
    *form = (struct sql_form){0};
    buf_init(&form->uuids, 0);
    form->statements = must_alloc((HEAD_MAX + ct) * sizeof(*form->statements));
    write_head(form, entry, tasks, ct);
    if (!narrow && ct > 1 && is_small(tasks, ct))
        form->wide = must_strdup(sql_wide_text(entry->wide));
    if (form->wide)
        write_wide(form, entry, tasks, ct);
    else
        write_narrow(form, entry, tasks, ct);
}

void sql_form_free(const struct sql_entry *entry, struct sql_form *form)
{
    for (size_t i = 0; form->arrays && i < entry->config->params.ct; i++)
        buf_free(&form->arrays[i]);
    free(form->arrays);
    free(form->array_params);
    free(form->wide);
    buf_free(&form->uuids);
    free(form->statements);
}

struct pg_statement sql_form_look(const struct sql_form *form)
{
    return (struct pg_statement){
        .sql = look_sql, .params = &form->uuids_param, .param_ct = 1};
}
