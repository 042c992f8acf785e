/* The books of a run side by side. Pure but for one file that it reads: texts in, rules
 * checked. Knows neither Redis nor processes, and allows nothing that was not named to it
 * as killed. */
#include "tests/integration/beside_audit.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"

enum { UUID_BYTES = 40, WHO_BYTES = 24, RUNS_MAX = 12 };

enum ending {
    RAN_ON, /* no end was seen */
    WORKED,
    THREW,
    CUT, /* PHP was killed in it: the attempt is spent */
    VOID /* drover was killed with it: as if it had not been */
};

struct run {
    char who[WHO_BYTES];
    unsigned attempt;
    enum ending ending;
    int64_t started_ms, ended_ms;
};

struct entry {
    char uuid[UUID_BYTES];
    const struct nature *nature;
    struct run runs[RUNS_MAX];
    unsigned run_ct;
    unsigned failed_php_ct, failed_drover_ct;
    unsigned shell_ct; /* what its processes wrote */
};

struct audit {
    struct entry *entries;
    size_t ct;
};

struct audit *audit_create(void)
{
    return must_alloc(sizeof(struct audit));
}

void audit_destroy(struct audit *audit)
{
    free(audit->entries);
    free(audit);
}

/* ---- what was enqueued ---- */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return strcmp(x->uuid, y->uuid);
}

void audit_enqueued(struct audit *audit, const char *path,
                    const struct nature *const *natures, size_t ct)
{
    FILE *file = fopen(path, "re");
    char line[128];

    ck_assert_ptr_nonnull(file);
    audit->entries =
        must_realloc(audit->entries, audit->ct + ct, sizeof(audit->entries[0]));
    for (size_t i = 0; i < ct; i++) {
        struct entry *entry = &audit->entries[audit->ct + i];

        *entry = (struct entry){.nature = natures[i]};
        ck_assert_msg(fgets(line, sizeof(line), file) != NULL, "%s: only %zu jobs", path,
                      i);
        ck_assert_int_eq(sscanf(line, "%39s", entry->uuid), 1);
    }
    ck_assert_msg(fgets(line, sizeof(line), file) == NULL, "%s: too many jobs", path);
    (void)fclose(file);
    audit->ct += ct;
    qsort(audit->entries, audit->ct, sizeof(audit->entries[0]), compare_entries);
}

static struct entry *find_entry(struct audit *audit, const char *uuid)
{
    struct entry key = {0}, *entry;

    (void)snprintf(key.uuid, sizeof(key.uuid), "%s", uuid);
    entry = bsearch(&key, audit->entries, audit->ct, sizeof(key), compare_entries);
    ck_assert_msg(entry != NULL, "%s was never enqueued", uuid);
    return entry;
}

/* ---- what happened ---- */

static void begin_run(struct entry *entry, const char *who, unsigned attempt, int64_t ms)
{
    struct run *run = &entry->runs[entry->run_ct];

    ck_assert_msg(entry->run_ct < RUNS_MAX, "%s ran more than %d times", entry->uuid,
                  RUNS_MAX);
    entry->run_ct++;
    *run = (struct run){.attempt = attempt, .started_ms = ms};
    (void)snprintf(run->who, sizeof(run->who), "%s", who);
}

static void end_run(struct entry *entry, const char *who, unsigned attempt, int64_t ms,
                    enum ending ending)
{
    for (unsigned i = entry->run_ct; i-- > 0;) {
        struct run *run = &entry->runs[i];

        if (run->ending == RAN_ON && run->attempt == attempt &&
            strcmp(run->who, who) == 0) {
            run->ending = ending;
            run->ended_ms = ms;
            return;
        }
    }
    ck_abort_msg("%s: attempt %u of %s ended without a start", entry->uuid, attempt, who);
}

/* One event of either side. Others than these are none of ours. */
static void note(struct audit *audit, const char *event, const char *uuid,
                 unsigned attempt, const char *who, int64_t ms)
{
    struct entry *entry = find_entry(audit, uuid);

    if (strcmp(event, "start") == 0)
        begin_run(entry, who, attempt, ms);
    else if (strcmp(event, "end") == 0)
        end_run(entry, who, attempt, ms, WORKED);
    else if (strcmp(event, "throw") == 0)
        end_run(entry, who, attempt, ms, THREW);
    else if (strcmp(event, "failed") == 0)
        entry->failed_php_ct++;
    else if (strcmp(event, "shell") == 0)
        entry->shell_ct++;
    else
        ck_abort_msg("the ledger has an unknown event: %s", event);
}

static void read_ledger_line(struct audit *audit, const char *line)
{
    char event[16], uuid[UUID_BYTES], who[WHO_BYTES];
    unsigned attempt;
    int64_t ms;

    ck_assert_msg(
        sscanf(line, "%15s %39s %u %23s %" SCNd64, event, uuid, &attempt, who, &ms) == 5,
        "the ledger has a strange line: %.100s", line);
    note(audit, event, uuid, attempt, who, ms);
}

/* Each line on its own, for what looks for an end would look through the whole text. */
static void each_line(struct audit *audit, char *text,
                      void (*read_line)(struct audit *audit, const char *line))
{
    char *end;

    for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        read_line(audit, text);
    }
    ck_assert_msg(text[0] == '\0', "half a line at the end: %.100s", text);
}

void audit_read_ledger(struct audit *audit, char *text)
{
    each_line(audit, text, read_ledger_line);
}

/* The value of a field; "" where the line has none. */
static void field(const char *line, const char *name, char *value, size_t size)
{
    const char *at = strstr(line, name);

    value[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(name);
    (void)snprintf(value, size, "%.*s", (int)strcspn(at, " "), at);
}

static int64_t instant(const char *line)
{
    struct tm parts = {0};
    const char *rest;
    char text[64];

    field(line, "ts=", text, sizeof(text));
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    ck_assert_msg(rest && *rest == '.', "the log has a strange time: %.200s", line);
    return (int64_t)timegm(&parts) * 1000 + strtol(rest + 1, NULL, 10);
}

/* Every line about a job is one of these, where no job is lost, returned or left. */
static const char *event_of(const char *line)
{
    static const char *const events[][2] = {{"job.start", "start"},
                                            {"job.done", "end"},
                                            {"job.released", "throw"},
                                            {"job.failed", "throw"}};
    char name[32];

    field(line, " event=", name, sizeof(name));
    for (size_t i = 0; i < ARRAY_CT(events); i++)
        if (strcmp(events[i][0], name) == 0)
            return events[i][1];
    ck_assert_msg(strncmp(name, "job.", 4) != 0, "unexpected in the log: %.300s", line);
    return NULL;
}

static void read_log_line(struct audit *audit, const char *line)
{
    char uuid[UUID_BYTES], who[WHO_BYTES], attempt[16], run_ms[16];
    const char *event = event_of(line);

    if (event == NULL)
        return;
    field(line, " uuid=", uuid, sizeof(uuid));
    field(line, " attempt=", attempt, sizeof(attempt));
    field(line, " who=", who, sizeof(who));
    field(line, " run_ms=", run_ms, sizeof(run_ms));
    /* A job whose tries are used up fails without a run. */
    if (strcmp(event, "throw") != 0 || run_ms[0])
        note(audit, event, uuid, (unsigned)strtoul(attempt, NULL, 10), who,
             instant(line));
}

void audit_read_log(struct audit *audit, char *text)
{
    each_line(audit, text, read_log_line);
}

void audit_failed_in_drover(struct audit *audit, const char *uuid)
{
    find_entry(audit, uuid)->failed_drover_ct++;
}

void audit_killed_php(struct audit *audit, const char *who)
{
    unsigned cut_ct = 0;

    for (size_t i = 0; i < audit->ct; i++)
        for (unsigned j = 0; j < audit->entries[i].run_ct; j++) {
            struct run *run = &audit->entries[i].runs[j];

            if (run->ending == RAN_ON && strcmp(run->who, who) == 0) {
                run->ending = CUT;
                cut_ct++;
            }
        }
    ck_assert_msg(cut_ct == 1, "%s was killed with %u jobs, not 1", who, cut_ct);
}

void audit_killed_drover(struct audit *audit, const char *who, const char *uuid,
                         int64_t at_ms)
{
    struct entry *entry = find_entry(audit, uuid);
    struct run *last = NULL;

    for (unsigned i = 0; i < entry->run_ct; i++) {
        struct run *run = &entry->runs[i];

        if (run->started_ms <= at_ms && strcmp(run->who, who) == 0 &&
            (last == NULL || run->started_ms >= last->started_ms))
            last = run;
    }
    if (last) /* none: it held it, and had not begun */
        last->ending = VOID;
}

/* ---- the rules ---- */

static int compare_runs(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    if (x->attempt != y->attempt)
        return x->attempt < y->attempt ? -1 : 1;
    return (x->started_ms > y->started_ms) - (x->started_ms < y->started_ms);
}

static bool is_of_drover(const struct run *run)
{
    return strncmp(run->who, "php", 3) != 0;
}

static enum ending expected_ending(const struct entry *entry, unsigned attempt)
{
    return attempt <= entry->nature->throw_ct ? THREW : WORKED;
}

/* It worked, or threw for good. */
static bool was_last(const struct entry *entry, const struct run *run)
{
    return run->ending == WORKED || (run->ending == THREW && entry->nature->is_fatal);
}

/* One run, `attempt` being the number it should have. */
static void check_run(const struct entry *entry, const struct run *run,
                      const struct run *before, unsigned attempt)
{
    ck_assert_msg(run->attempt == attempt, "%s: attempt %u by %s, where %u was due",
                  entry->uuid, run->attempt, run->who, attempt);
    ck_assert_msg(attempt <= entry->nature->tries, "%s: attempt %u, tries are %u",
                  entry->uuid, attempt, entry->nature->tries);
    if (before) {
        ck_assert_msg(!was_last(entry, before), "%s: ran again by %s after its end by %s",
                      entry->uuid, run->who, before->who);
        ck_assert_msg(run->started_ms >= before->ended_ms,
                      "%s: runs twice at a time, by %s and %s", entry->uuid, before->who,
                      run->who);
    }
    if (run->ending != CUT && run->ending != VOID)
        ck_assert_msg(run->ending == expected_ending(entry, attempt),
                      "%s: attempt %u by %s ended as %d", entry->uuid, attempt, run->who,
                      (int)run->ending);
}

static void check_end(const struct entry *entry, unsigned done_ct, unsigned spent,
                      bool threw)
{
    bool may_fail = spent >= entry->nature->tries || (entry->nature->is_fatal && threw);
    unsigned failed_ct = entry->failed_php_ct + entry->failed_drover_ct;

    ck_assert_msg(done_ct + failed_ct == 1,
                  "%s: done %u times, failed in PHP %u and in drover %u times",
                  entry->uuid, done_ct, entry->failed_php_ct, entry->failed_drover_ct);
    ck_assert_msg(done_ct == 1 || may_fail, "%s failed after %u attempts of %u",
                  entry->uuid, spent, entry->nature->tries);
}

static void check_entry(struct entry *entry, struct audit_sums *sums)
{
    unsigned spent = 0, done_ct = 0, by_drover = 0, shell_ct = 0;
    bool threw = false;

    qsort(entry->runs, entry->run_ct, sizeof(entry->runs[0]), compare_runs);
    for (unsigned i = 0; i < entry->run_ct; i++) {
        const struct run *run = &entry->runs[i];

        check_run(entry, run, i ? run - 1 : NULL, spent + 1);
        by_drover += is_of_drover(run);
        shell_ct += is_of_drover(run) && run->ending != VOID;
        done_ct += run->ending == WORKED;
        threw = run->ending == THREW;
        spent += run->ending != VOID;
        sums->voided += run->ending == VOID || run->ending == CUT;
    }
    check_end(entry, done_ct, spent, threw);
    if (entry->nature->by_shell)
        ck_assert_msg(entry->shell_ct >= shell_ct && entry->shell_ct <= by_drover,
                      "%s: drover says %u runs, its processes %u", entry->uuid, by_drover,
                      entry->shell_ct);
    sums->done += done_ct;
    sums->failed_php += entry->failed_php_ct;
    sums->failed_drover += entry->failed_drover_ct;
    sums->runs_drover += by_drover;
    sums->runs_php += entry->run_ct - by_drover;
    sums->mixed += by_drover > 0 && by_drover < entry->run_ct;
}

struct audit_sums audit_check(struct audit *audit)
{
    struct audit_sums sums = {.enqueued = audit->ct};

    for (size_t i = 0; i < audit->ct; i++)
        check_entry(&audit->entries[i], &sums);
    ck_assert_uint_eq(sums.enqueued, sums.done + sums.failed_php + sums.failed_drover);
    return sums;
}
