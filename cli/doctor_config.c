/* What doctor has to say of drover.conf, and of what it names. Pure. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/doctor.h"

enum { LEASE_SHORT_MS = 30000 };

static const char *seconds(int64_t ms, char text[TEXT_SECONDS_BYTES])
{
    text_format_seconds(ms, text, TEXT_SECONDS_BYTES);
    return text;
}

int64_t doctor_longest_timeout_ms(const struct config *config)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < config->pool_ct; i++) {
        if (config->pools[i].timeout_ms == 0)
            return 0;
        if (config->pools[i].timeout_ms > longest_ms)
            longest_ms = config->pools[i].timeout_ms;
    }
    for (size_t i = 0; i < config->job_ct; i++) {
        if (config->jobs[i].timeout_ms == 0)
            return 0;
        if (config->jobs[i].timeout_ms > longest_ms)
            longest_ms = config->jobs[i].timeout_ms;
    }
    return longest_ms;
}

static void judge_file(const struct facts *facts, struct findings *out)
{
    if (facts->config_trouble) {
        doctor_say(out, DOCTOR_PROBLEM, "%s", facts->config_trouble);
        doctor_advise(out, "mend it: `drover config check` tells when it is well; what "
                           "is said below is of the rest of the file");
    } else if (facts->has_file) {
        doctor_say(out, DOCTOR_OK, "%s can be used", facts->config->path);
    } else if (facts->app.dir == NULL) {
        doctor_say(out, DOCTOR_WARNING, "there is no drover.conf: the defaults count");
        doctor_advise(out, "write one, after `drover config show --sample`, or name it "
                           "by -c");
    }
}

/* The lines of here_check(). */
static void judge_machine(const struct facts *facts, struct findings *out)
{
    const char *at = facts->machine ? facts->machine : "";

    while (*at) {
        size_t len = strcspn(at, "\n");

        if (len > 0) {
            doctor_say(out, DOCTOR_PROBLEM, "%.*s", (int)len, at);
            doctor_advise(out, "put it there, or change the setting");
        }
        at += len + (at[len] == '\n');
    }
}

static void judge_timeout(const struct facts *facts, struct findings *out)
{
    int64_t longest_ms = doctor_longest_timeout_ms(facts->config);
    char text[TEXT_SECONDS_BYTES];

    if (!facts->has_file)
        return;
    if (longest_ms > 0) {
        doctor_say(out, DOCTOR_OK, "no job runs longer than %s s",
                   seconds(longest_ms, text));
        return;
    }
    doctor_say(out, DOCTOR_WARNING,
               "a timeout is 0: a job that hangs keeps its place for ever");
    doctor_advise(out, "give it a timeout, however long");
}

static void judge_lease(const struct facts *facts, struct findings *out)
{
    const struct config *config = facts->config;
    char lease[TEXT_SECONDS_BYTES], timeout[TEXT_SECONDS_BYTES];

    for (size_t i = 0; facts->has_file && i < config->pool_ct; i++) {
        const struct pool_config *pool = &config->pools[i];
        bool outlived = pool->timeout_ms == 0 || pool->timeout_ms > pool->lease_ms;

        (void)seconds(pool->lease_ms, lease);
        (void)seconds(pool->timeout_ms, timeout);
        if (outlived && pool->lease_ms < LEASE_SHORT_MS) {
            doctor_say(
                out, DOCTOR_WARNING,
                "pool %s: a lease of %s s, which is extended while a job runs, but "
                "not while Redis is away: a job that outlives it then is run "
                "twice",
                pool->name, lease);
            doctor_advise(out, "set lease to 30 or more; 90 is the default");
        } else if (outlived) {
            doctor_say(out, DOCTOR_OK,
                       "pool %s: jobs may outlive the lease of %s s, which is extended "
                       "while they run",
                       pool->name, lease);
        } else {
            doctor_say(out, DOCTOR_OK, "pool %s: a lease of %s s, a timeout of %s s",
                       pool->name, lease, timeout);
        }
    }
}

static void judge_grace(const struct facts *facts, struct findings *out)
{
    int64_t longest_ms = doctor_longest_timeout_ms(facts->config);
    int64_t grace_ms = facts->config->stop_grace_ms;
    char text[TEXT_SECONDS_BYTES];

    if (!facts->has_file)
        return;
    (void)seconds(grace_ms, text);
    if (longest_ms > 0 && grace_ms >= longest_ms) {
        doctor_say(out, DOCTOR_OK, "every job may finish at a stop, within %s s", text);
        return;
    }
    doctor_say(out, DOCTOR_WARNING,
               "a job that runs longer than stop_grace, %s s, is ended at a stop and "
               "begins anew",
               text);
    if (longest_ms > 0)
        doctor_advise(out,
                      "where that matters, set stop_grace = %s, and the time after which "
                      "systemd (TimeoutStopSec) or the container's runtime kills drover "
                      "above it",
                      seconds(longest_ms, text));
    else
        doctor_advise(out, "where that matters, set stop_grace to what the longest job "
                           "takes, and the time after which systemd (TimeoutStopSec) or "
                           "the container's runtime kills drover above it");
}

/* ---- PostgreSQL ---- */

static void judge_table(const struct table_facts *table, const char *maker,
                        struct findings *out)
{
    switch (table->state) {
    case TABLE_UNASKED:
        break;
    case TABLE_THERE:
        if (table->needed)
            doctor_say(out, DOCTOR_OK, "%s: it answers, and %s is as it should be",
                       table->name, table->table);
        else
            doctor_say(out, DOCTOR_OK, "%s: it answers", table->name);
        break;
    case TABLE_MISSING:
        doctor_say(out, DOCTOR_PROBLEM, "%s: the table %s is not there", table->name,
                   table->table);
        doctor_advise(out, "`%s` makes it", maker);
        break;
    case TABLE_BAD:
        doctor_say(out, DOCTOR_PROBLEM, "%s: %s", table->name, table->reason);
        doctor_advise(out, "change the table, or let `%s` make another", maker);
        break;
    case TABLE_UNREACHED:
        doctor_say(out, DOCTOR_PROBLEM, "%s: %s", table->name, table->reason);
        doctor_advise(out, "check the address, the password and the server");
        break;
    }
}

static void judge_databases(const struct facts *facts, struct findings *out)
{
    for (size_t i = 0; i < facts->database_ct; i++)
        judge_table(&facts->databases[i], "drover sql migrate", out);
}

static void judge_failed(const struct facts *facts, struct findings *out)
{
    judge_table(&facts->failed,
                facts->has_file ? "drover failed migrate" : "php artisan migrate", out);
}

const struct doctor_check doctor_config_checks[] = {
    {"config.file", "whether drover.conf can be used", judge_file},
    {"config.machine", "users, programs and files that it names", judge_machine},
    {"config.timeout", "jobs without a timeout", judge_timeout},
    {"config.lease", "the lease of each pool against its timeout", judge_lease},
    {"config.stop_grace", "stop_grace against the longest timeout", judge_grace},
    {"config.databases", "each of databases, and drover_inbox where jobs need it",
     judge_databases},
    {"config.failed", "the table of failed jobs where PostgreSQL keeps them",
     judge_failed},
    {NULL, NULL, NULL}};
