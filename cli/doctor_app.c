/* What doctor has to say of a Laravel application, before drover works in the place of
 * its queue:work. Pure. */
#include "cli/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/field.h"

/* What the bridge was written against. */
enum { LARAVEL_FIRST = 8, LARAVEL_LAST = 13, MS_PER_S = 1000 };

/* There is an application, and it has told of itself. */
static bool is_known(const struct facts *facts)
{
    return facts->app.dir && facts->app.trouble == NULL;
}

static bool is_on_redis(const struct app_facts *app)
{
    return app->driver && strcmp(app->driver, "redis") == 0;
}

static const char *or_unknown(const char *text)
{
    return text ? text : "unknown";
}

static void judge_boot(const struct facts *facts, struct findings *out)
{
    if (facts->app.dir == NULL)
        return;
    if (facts->app.trouble == NULL) {
        doctor_say(out, DOCTOR_OK, "%s boots, in environment %s", facts->app.dir,
                   or_unknown(facts->app.environment));
        return;
    }
    doctor_say(out, DOCTOR_PROBLEM, "%s", facts->app.trouble);
    doctor_advise(out, "see that `php artisan --version` works there, with the same user "
                       "and environment");
}

static void judge_laravel(const struct facts *facts, struct findings *out)
{
    const char *version = facts->app.laravel;
    long major = version ? strtol(version, NULL, 10) : 0;

    if (!is_known(facts))
        return;
    if (major == 0) {
        doctor_say(out, DOCTOR_WARNING, "the version of Laravel is not known");
        doctor_advise(out, "see that it is %d to %d", LARAVEL_FIRST, LARAVEL_LAST);
    } else if (major < LARAVEL_FIRST) {
        doctor_say(out, DOCTOR_PROBLEM, "Laravel %s, and drover needs %d", version,
                   LARAVEL_FIRST);
        doctor_advise(out, "upgrade the framework, or stay with queue:work");
    } else if (major > LARAVEL_LAST) {
        doctor_say(out, DOCTOR_WARNING, "Laravel %s is newer than what drover knows, %d",
                   version, LARAVEL_LAST);
        doctor_advise(out, "try it beside PHP workers first");
    } else {
        doctor_say(out, DOCTOR_OK, "Laravel %s", version);
    }
}

static void judge_php(const struct facts *facts, struct findings *out)
{
    if (!is_known(facts))
        return;
    if (facts->app.has_pcntl) {
        doctor_say(out, DOCTOR_OK, "PHP %s with pcntl", or_unknown(facts->app.php));
    } else {
        doctor_say(out, DOCTOR_WARNING,
                   "PHP %s without pcntl: a job beyond its timeout is killed by drover, "
                   "without Laravel's own handling",
                   or_unknown(facts->app.php));
        doctor_advise(out, "docker-php-ext-install pcntl, or the package that has it");
    }
    if (facts->app.client && strcmp(facts->app.client, "phpredis") == 0 &&
        !facts->app.has_phpredis) {
        doctor_say(out, DOCTOR_PROBLEM,
                   "REDIS_CLIENT is phpredis, and PHP has no redis extension");
        doctor_advise(out, "install the extension, or set REDIS_CLIENT=predis");
    }
}

static void judge_driver(const struct facts *facts, struct findings *out)
{
    const char *driver = facts->app.driver, *name = or_unknown(facts->app.connection);

    if (!is_known(facts))
        return;
    if (is_on_redis(&facts->app)) {
        doctor_say(out, DOCTOR_OK, "the queue connection is %s, of driver redis", name);
        return;
    }
    doctor_say(out, DOCTOR_PROBLEM,
               "the queue connection is %s, of driver %s: drover "
               "reads Redis",
               name, or_unknown(driver));
    if (driver && strcmp(driver, "database") == 0)
        doctor_advise(out, "set QUEUE_CONNECTION=redis; then `drover import database` "
                           "takes along what waits in the table");
    else
        doctor_advise(out, "set QUEUE_CONNECTION=redis, and let the old workers drain "
                           "what waits there");
}

static void judge_packing(const struct facts *facts, struct findings *out)
{
    const struct app_facts *app = &facts->app;
    const struct {
        const char *what, *value;
    } packings[] = {{"serializer", app->serializer}, {"compression", app->compression}};

    for (size_t i = 0; is_known(facts) && i < ARRAY_CT(packings); i++) {
        if (packings[i].value == NULL)
            continue;
        doctor_say(out, DOCTOR_PROBLEM,
                   "%s %s is set on the Redis connection of the queue: Laravel itself "
                   "cannot delete jobs there, which then run again, and its delayed jobs "
                   "are no JSON",
                   packings[i].what, packings[i].value);
        doctor_advise(out,
                      "remove options.%s from it in config/database.php; a cache that "
                      "wants it has a connection of its own",
                      packings[i].what);
    }
}

static void judge_cluster(const struct facts *facts, struct findings *out)
{
    if (!is_known(facts) || !facts->app.cluster)
        return;
    doctor_say(out, DOCTOR_PROBLEM,
               "the queue is on a Redis Cluster, which drover "
               "cannot use");
    doctor_advise(out, "name another connection in the queue's (REDIS_QUEUE_CONNECTION)");
}

static void judge_same(const struct facts *facts, struct findings *out)
{
    const struct app_facts *app = &facts->app;
    const char *prefix = app->prefix ? app->prefix : "";

    if (!is_known(facts) || !is_on_redis(app) || app->cluster)
        return;
    if (app->redis_trouble) {
        doctor_say(out, DOCTOR_PROBLEM, "its Redis connection cannot be used: %s",
                   app->redis_trouble);
        doctor_advise(out, "change it in config/database.php");
        return;
    }
    if (!facts->has_file) {
        doctor_say(out, DOCTOR_OK, "its queues are at %s under \"%s\"",
                   or_unknown(app->redis), prefix);
        return;
    }
    if (strcmp(prefix, facts->config->redis.prefix) != 0) {
        doctor_say(out, DOCTOR_PROBLEM,
                   "its keys begin with \"%s\", drover.conf says \"%s\"", prefix,
                   facts->config->redis.prefix);
        doctor_advise(out, "redis: { prefix = \"%s\"; };", prefix);
    }
    if (app->redis && facts->redis && strcmp(app->redis, facts->redis) != 0) {
        doctor_say(out, DOCTOR_WARNING,
                   "its queues are at %s, drover.conf says %s: all is well only if that "
                   "is one server under two names",
                   app->redis, facts->redis);
        doctor_advise(out, "name it in both places alike");
    }
}

static void judge_retry_after(const struct facts *facts, struct findings *out)
{
    int64_t longest_ms = doctor_longest_timeout_ms(facts->config);
    int64_t retry_after_s = facts->app.retry_after_s;
    char text[TEXT_SECONDS_BYTES];

    if (!is_known(facts) || retry_after_s <= 0)
        return;
    text_format_seconds(longest_ms, text, sizeof(text));
    if (longest_ms > 0 && retry_after_s * MS_PER_S > longest_ms) {
        doctor_say(out, DOCTOR_OK,
                   "retry_after is %" PRId64 " s, the longest timeout %s s",
                   retry_after_s, text);
        return;
    }
    if (longest_ms > 0)
        doctor_say(out, DOCTOR_WARNING,
                   "retry_after is %" PRId64
                   " s and the longest timeout %s s: a job that "
                   "a PHP worker runs for longer is run twice",
                   retry_after_s, text);
    else
        doctor_say(out, DOCTOR_WARNING,
                   "retry_after is %" PRId64 " s and a timeout is 0: a job that a PHP "
                   "worker runs for longer is run twice",
                   retry_after_s);
    doctor_advise(out,
                  "raise retry_after above the longest timeout as long as PHP workers "
                  "are beside drover, which extends its own leases");
}

static bool is_in_postgres(const struct app_facts *app)
{
    return app->failed_table && app->failed_database &&
           strcmp(app->failed_database, "pgsql") == 0;
}

static void judge_failed(const struct facts *facts, struct findings *out)
{
    const struct app_facts *app = &facts->app;
    bool postgres = facts->has_file && facts->config->failed.store == FAILED_IN_POSTGRES;

    if (!is_known(facts))
        return;
    if (!is_in_postgres(app)) {
        doctor_say(out, DOCTOR_WARNING,
                   "failed jobs go to %s%s%s, which drover cannot write: those of drover "
                   "are kept in %s",
                   or_unknown(app->failed_driver), app->failed_database ? " in " : "",
                   app->failed_database ? app->failed_database : "",
                   postgres ? "PostgreSQL, as drover.conf says" : "Redis");
        doctor_advise(out, "look for them with `drover failed list` in place of `php "
                           "artisan queue:failed`");
    } else if (facts->has_file && !postgres) {
        doctor_say(out, DOCTOR_WARNING,
                   "failed jobs go to PostgreSQL, drover.conf keeps them in Redis");
        doctor_advise(out, "failed: { store = \"postgres\"; }; and DB_* in the "
                           "environment, or a dsn");
    } else {
        doctor_say(out, DOCTOR_OK, "failed jobs go to the table %s in PostgreSQL",
                   or_unknown(app->failed_table));
    }
}

static void judge_down(const struct facts *facts, struct findings *out)
{
    if (!is_known(facts))
        return;
    if (!facts->app.is_down) {
        doctor_say(out, DOCTOR_OK, "it is not in maintenance mode");
        return;
    }
    doctor_say(out, DOCTOR_WARNING, "it is in maintenance mode: workers take no jobs");
    doctor_advise(out, "`php artisan up`, or --force");
}

static void judge_horizon(const struct facts *facts, struct findings *out)
{
    if (!is_known(facts) || !facts->app.has_horizon)
        return;
    doctor_say(out, DOCTOR_WARNING,
               "Horizon is installed, and its balancing does not know of drover's "
               "processes");
    doctor_advise(out, "take the queues that drover reads out of config/horizon.php; see "
                       "docs/laravel.md");
}

const struct doctor_check doctor_app_checks[] = {
    {"app.boot", "whether the application boots here", judge_boot},
    {"app.laravel", "its version of Laravel, 8 to 13", judge_laravel},
    {"app.php", "PHP and its extensions pcntl and redis", judge_php},
    {"app.connection", "the driver of its queue connection", judge_driver},
    {"app.packing", "serializer and compression on that: refused", judge_packing},
    {"app.cluster", "Redis Cluster: refused", judge_cluster},
    {"app.redis", "its Redis and prefix against drover.conf", judge_same},
    {"app.retry_after", "retry_after against the longest timeout", judge_retry_after},
    {"app.failed", "where its failed jobs go", judge_failed},
    {"app.down", "maintenance mode", judge_down},
    {"app.horizon", "Horizon", judge_horizon},
    {NULL, NULL, NULL}};

/* ---- switching over ---- */

static bool is_named(const struct buf *list, const char *queue)
{
    size_t len = strlen(queue);

    for (const char *at = list->data; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == len && strncmp(at, queue, len) == 0)
            return true;
    return false;
}

/* Of names for a shell and for a file: others are left for a person to add. */
static void add_queue(struct buf *list, const char *queue)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_.:{}@+/";

    if (queue[0] && queue[strspn(queue, plain)] == '\0' && !is_named(list, queue))
        (void)buf_addf(list, "%s%s", list->len ? "," : "", queue);
}

/* Those of the configuration, else the application's own. */
static void list_queues(const struct facts *facts, struct buf *list)
{
    const struct config *config = facts->config;

    for (size_t i = 0; facts->has_file && i < config->pool_ct; i++)
        for (size_t j = 0; j < config->pools[i].queues.ct; j++)
            add_queue(list, config->pools[i].queues.items[j]);
    if (list->len > 0)
        return;
    add_queue(list, facts->app.queue ? facts->app.queue : "default");
}

/* What else lies under the prefix may be another application's: a worker that took its
 * jobs would fail them. */
static char *list_others(const struct facts *facts, const struct buf *list)
{
    struct buf names;
    size_t ct = 0;

    buf_init(&names, 0);
    for (size_t i = 0; !facts->has_file && i < facts->survey.queue_ct; i++)
        if (!is_named(list, facts->survey.queues[i].name) &&
            doctor_add_held(&names, ct, &facts->survey.queues[i]) > 0)
            ct++;
    return ct > 0 ? buf_take(&names) : NULL;
}

static void spell_servers(const struct app_facts *app, struct buf *text)
{
    if (app->has_secrets)
        (void)buf_add_text(text, "# Passwords: REDIS_PASSWORD and DB_PASSWORD in the "
                                 "environment, or password_file.\n");
    (void)buf_add_text(text, "redis: { ");
    if (app->redis_url) {
        (void)buf_add_text(text, "url = ");
        field_quote(text, app->redis_url);
        (void)buf_add_text(text, "; ");
    }
    (void)buf_add_text(text, "prefix = ");
    field_quote(text, app->prefix ? app->prefix : "");
    (void)buf_add_text(text, "; };\n");
    if (app->failed_dsn) {
        (void)buf_add_text(text, "failed: { store = \"postgres\"; dsn = ");
        field_quote(text, app->failed_dsn);
        (void)buf_add_text(text, "; table = ");
        field_quote(text, app->failed_table ? app->failed_table : "failed_jobs");
        (void)buf_add_text(text, "; };\n");
    }
}

static char *spell_pool(const struct facts *facts, const struct buf *list, int64_t tries)
{
    struct buf text;

    buf_init(&text, 0);
    spell_servers(&facts->app, &text);
    (void)buf_add_text(&text, "pools: ( { name = \"main\"; queues = [ ");
    for (const char *at = list->data; *at; at += strcspn(at, ","), at += *at == ',')
        (void)buf_addf(&text, "%s\"%.*s\"", at == list->data ? "" : ", ",
                       (int)strcspn(at, ","), at);
    (void)buf_addf(&text,
                   " ];\n           workers = 1; concurrency = 4; tries = %" PRId64
                   "; } );\njobs: ( { name = \"*\"; type = \"laravel\"; app = ",
                   tries);
    field_quote(&text, facts->app.dir);
    if (facts->app.bridge) {
        (void)buf_add_text(&text, "; bridge = ");
        field_quote(&text, facts->app.bridge);
    }
    if (strcmp(facts->app.connection, "redis") != 0) {
        (void)buf_add_text(&text, "; connection = ");
        field_quote(&text, facts->app.connection);
    }
    (void)buf_add_text(&text, "; } );\n");
    return buf_take(&text);
}

/* What is refused has no command. */
static bool is_usable(const struct facts *facts)
{
    const struct app_facts *app = &facts->app;

    return is_known(facts) && app->connection && is_on_redis(app) && !app->cluster &&
           !app->serializer && !app->compression && !app->redis_trouble;
}

void doctor_switch_plan(const struct facts *facts, struct doctor_switch *plan)
{
    static const int64_t laravels_tries = 1;
    int64_t tries = facts->has_file ? facts->config->pools[0].tries : laravels_tries;
    const char *name = facts->app.connection;
    struct buf list;

    *plan = (struct doctor_switch){.over = NULL};
    if (!is_usable(facts))
        return;
    buf_init(&list, 0);
    list_queues(facts, &list);
    if (list.len > 0) {
        plan->over = must_format("drover work %s --queue=%s --tries=%" PRId64, name,
                                 list.data, tries);
        plan->back = must_format("php artisan queue:work %s --queue=%s --tries=%" PRId64,
                                 name, list.data, tries);
        plan->pool = spell_pool(facts, &list, tries);
        plan->others = list_others(facts, &list);
    }
    buf_free(&list);
}

void doctor_switch_free(struct doctor_switch *plan)
{
    free(plan->over);
    free(plan->back);
    free(plan->pool);
    free(plan->others);
    *plan = (struct doctor_switch){.over = NULL};
}
