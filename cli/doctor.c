/* Findings, and the checks one after the other. Pure but for memory: asks nothing and
 * prints nothing. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static char *format_text(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);

static char *format_text(const char *fmt, va_list ap)
{
    char *text = NULL;

    must_have_memory(vasprintf(&text, fmt, ap) >= 0 ? text : NULL);
    return text;
}

void doctor_say(struct findings *out, enum doctor_level level, const char *fmt, ...)
{
    struct finding *finding;
    va_list ap;

    if (out->ct == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 32;
        out->items = must_realloc(out->items, out->cap, sizeof(*out->items));
    }
    finding = &out->items[out->ct++];
    *finding = (struct finding){.id = out->id, .level = level};
    va_start(ap, fmt);
    finding->text = format_text(fmt, ap);
    va_end(ap);
}

void doctor_advise(struct findings *out, const char *fmt, ...)
{
    struct finding *finding = &out->items[out->ct - 1];
    va_list ap;

    MUST(out->ct > 0 && finding->todo == NULL);
    va_start(ap, fmt);
    finding->todo = format_text(fmt, ap);
    va_end(ap);
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->ct; i++) {
        free(findings->items[i].text);
        free(findings->items[i].todo);
    }
    free(findings->items);
    memset(findings, 0, sizeof(*findings));
}

size_t findings_count(const struct findings *findings, enum doctor_level level)
{
    size_t ct = 0;

    for (size_t i = 0; i < findings->ct; i++)
        ct += findings->items[i].level == level;
    return ct;
}

static const struct doctor_check *const tables[] = {
    doctor_app_checks, doctor_redis_checks, doctor_config_checks};

void doctor_judge(const struct facts *facts, struct findings *out)
{
    for (size_t i = 0; i < ARRAY_CT(tables); i++)
        for (const struct doctor_check *check = tables[i]; check->id; check++) {
            out->id = check->id;
            check->judge(facts, out);
        }
}

const struct doctor_check *doctor_check_named(const char *id)
{
    for (size_t i = 0; i < ARRAY_CT(tables); i++)
        for (const struct doctor_check *check = tables[i]; check->id; check++)
            if (strcmp(check->id, id) == 0)
                return check;
    return NULL;
}

int doctor_exit_code(const struct facts *facts, const struct findings *findings)
{
    if (facts->redis_trouble)
        return EXIT_NO_REDIS;
    return findings_count(findings, DOCTOR_PROBLEM) > 0 ? EXIT_ERROR : EXIT_DONE;
}

static void free_app(struct app_facts *app)
{
    char *const texts[] = {
        app->dir,          app->trouble,       app->laravel,       app->php,
        app->connection,   app->driver,        app->client,        app->serializer,
        app->compression,  app->prefix,        app->queue,         app->redis,
        app->failed_table, app->redis_trouble, app->failed_driver, app->failed_database,
        app->redis_url,    app->failed_dsn,    app->bridge,        app->environment};

    for (size_t i = 0; i < ARRAY_CT(texts); i++)
        free(texts[i]);
}

static void free_table(struct table_facts *table)
{
    free(table->name);
    free(table->table);
    free(table->reason);
}

void facts_free(struct facts *facts)
{
    free_app(&facts->app);
    free(facts->config_trouble);
    free(facts->machine);
    free(facts->redis);
    free(facts->redis_trouble);
    free(facts->paused);
    free_table(&facts->failed);
    for (size_t i = 0; i < facts->database_ct; i++)
        free_table(&facts->databases[i]);
    free(facts->databases);
    survey_free(&facts->survey);
    memset(facts, 0, sizeof(*facts));
}
