/* drover doctor: looks at a deployment and says what is well, what is not, and what to
 * do. Changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor_gather.h"
#include "cli/interrupt.h"
#include "cli/output.h"

static const char *const level_names[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_WARNING] = "warning", [DOCTOR_PROBLEM] = "problem"};

/* ---- printing ---- */

static const char *colour_of(enum doctor_level level)
{
    static const char *const colours[] = {[DOCTOR_OK] = "\033[32m",
                                          [DOCTOR_WARNING] = "\033[33m",
                                          [DOCTOR_PROBLEM] = "\033[31m"};

    return cli_colour() ? colours[level] : "";
}

enum { LEVEL_WIDTH = 7, ID_WIDTH = 17, TEXT_COLUMN = LEVEL_WIDTH + ID_WIDTH + 4 };

/* One line for who searches in it; where somebody reads it, what to do has its own. */
static void print_finding(const struct finding *finding)
{
    printf("%s%-*s%s  %-*s  ", colour_of(finding->level), LEVEL_WIDTH,
           level_names[finding->level], cli_colour() ? "\033[0m" : "", ID_WIDTH,
           finding->id);
    output_wrapped(slice_text(finding->text), TEXT_COLUMN);
    if (finding->todo) {
        if (output_width() > 0)
            printf("\n%*s-> ", TEXT_COLUMN, "");
        else
            fputs("  -> ", stdout);
        output_wrapped(slice_text(finding->todo), TEXT_COLUMN + strlen("-> "));
    }
    putchar('\n');
}

static void print_plan(const struct doctor_switch *plan, const struct facts *facts)
{
    if (plan->over == NULL)
        return;
    fputs("\nto switch over, with the flags that your queue:work has now:\n    ", stdout);
    output_text(slice_text(plan->over), 0);
    fputs("\nto switch back:\n    ", stdout);
    output_text(slice_text(plan->back), 0);
    if (plan->others) {
        fputs(
            "\nare these the application's too, which hold jobs? then name them as well, "
            "the most\nurgent one first:\n    ",
            stdout);
        output_text(slice_text(plan->others), 0);
    }
    if (facts->has_file && config_has_jobs_of(facts->config, JOB_LARAVEL)) {
        fputs("\nor `drover supervise`, with the drover.conf that is there\n", stdout);
        return;
    }
    fputs("\nor under `drover supervise`, in drover.conf:\n", stdout);
    for (const char *at = plan->pool; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        fputs("    ", stdout);
        output_lines(slice_of(at, strcspn(at, "\n")));
    }
}

static void print_text(const struct findings *findings, const struct doctor_switch *plan,
                       const struct facts *facts)
{
    size_t problems = findings_count(findings, DOCTOR_PROBLEM);
    size_t warnings = findings_count(findings, DOCTOR_WARNING);

    for (size_t i = 0; i < findings->ct; i++)
        print_finding(&findings->items[i]);
    print_plan(plan, facts);
    printf("\n%zu problem%s, %zu warning%s\n", problems, problems == 1 ? "" : "s",
           warnings, warnings == 1 ? "" : "s");
}

static json_t *text_json(const char *text)
{
    return output_json_text(slice_text(text));
}

static void print_json(const struct findings *findings, const struct doctor_switch *plan)
{
    json_t *list = json_array(), *switching = json_null();

    for (size_t i = 0; i < findings->ct; i++) {
        const struct finding *finding = &findings->items[i];

        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:o}", "check", finding->id, "level",
                            level_names[finding->level], "text", text_json(finding->text),
                            "todo", text_json(finding->todo)));
    }
    if (plan->over)
        switching =
            json_pack("{s:o, s:o, s:o, s:o}", "over", text_json(plan->over), "back",
                      text_json(plan->back), "pool", text_json(plan->pool), "others",
                      plan->others ? text_json(plan->others) : json_null());
    output_json(json_pack(
        "{s:o, s:I, s:I, s:o}", "findings", list, "problems",
        (json_int_t)findings_count(findings, DOCTOR_PROBLEM), "warnings",
        (json_int_t)findings_count(findings, DOCTOR_WARNING), "switch", switching));
}

/* ---- gathering ---- */

static void ask_redis(struct facts *facts, const struct config *config)
{
    struct redis_endpoint endpoint = {0};
    struct err err = {0};

    if (redis_endpoint_resolve(config, &endpoint, &err) == 0)
        doctor_ask_redis(facts, &endpoint, config->redis.prefix);
    else
        facts->redis_trouble = must_strdup(err.text);
    redis_endpoint_free(&endpoint);
}

static void ask_failed(struct facts *facts, const struct config *config)
{
    struct postgres_endpoint endpoint = {0};
    struct err err = {0};

    if (config->failed.store == FAILED_IN_POSTGRES &&
        postgres_endpoint_resolve(config, &endpoint, &err) == 0)
        doctor_ask_failed(facts, &endpoint);
    postgres_endpoint_free(&endpoint);
}

/* Without a file Redis and the failed jobs are the application's, where there is one. */
static void gather(struct facts *facts, const char *path)
{
    struct config *composed = doctor_ask_app(facts, path);
    bool is_apps = !facts->has_file && facts->app.dir;
    const struct config *config = is_apps ? composed : facts->config;

    if (config) {
        ask_redis(facts, config);
        ask_failed(facts, config);
    }
    doctor_ask_machine(facts);
    doctor_ask_databases(facts);
    config_free(composed);
}

static int diagnose(const struct cli_args *args, struct facts *facts)
{
    struct findings findings = {0};
    struct doctor_switch plan;
    int exit_code;

    gather(facts, cli_value(args, "--path"));
    doctor_judge(facts, &findings);
    doctor_switch_plan(facts, &plan);
    if (args->json)
        print_json(&findings, &plan);
    else
        print_text(&findings, &plan, facts);
    exit_code = doctor_exit_code(facts, &findings);
    doctor_switch_free(&plan);
    findings_free(&findings);
    return exit_code;
}

static int run(const struct cli_args *args)
{
    struct facts facts = {.config = NULL};
    struct err err = {0}, broken = {0};
    struct config *config = config_load_usable(args->config_path, &broken, &err);
    int exit_code;

    if (config == NULL)
        return cli_fail(&err);
    interrupt_watch();
    facts.config = config;
    facts.has_file = config->path != NULL;
    if (broken.code != ERR_NONE)
        facts.config_trouble = must_strdup(broken.text);
    exit_code = diagnose(args, &facts);
    facts_free(&facts);
    config_free(config);
    return exit_code;
}

static const struct cli_option options[] = {
    {"--path", "DIR", "a Laravel project to look at [the working directory]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_doctor = {
    .words = "doctor",
    .operands = "",
    .summary = "Look at a deployment: what is well, what is not, what to do",
    .examples = "drover doctor\n"
                "drover doctor --path /var/www/html\n"
                "drover doctor --json | jq '.findings[] | select(.level == \"problem\")'",
    .options = options,
    .run = run};
